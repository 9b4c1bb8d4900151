"""By which names the agent may be asked.

A page of another site can let its own name point at this machine (DNS rebinding). The browser then
takes the agent for a part of that site and lets the page read it, though no other machine reaches
the agent. What tells such a request apart is that name, which the browser sends as ``Host``.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

NOT_PUBLIC: Final = (".localhost", ".local", ".internal", ".home.arpa")
"""Endings of names that nobody can register: RFC 6761, 6762, 8375, and ICANN's of 2024."""
ANY: Final = "*"
"""Stands for every name."""


def names_of(listens_on: str, given: Collection[str]) -> Collection[str]:
    """Return the public names that an agent is asked by.

    One that other machines reach is scraped by whatever its host is called, and shows strangers
    nothing by another name that it does not show by its address: without names `given`, all do.
    """
    if given:
        return (listens_on.lower(), *given)
    try:
        loopback = ip_address(listens_on).is_loopback
    except ValueError:
        loopback = listens_on.lower() == "localhost"
    return () if loopback else (ANY,)


def is_own(host: str, names: Collection[str]) -> bool:
    """Say whether a ``Host`` can be meant for this agent.

    Addresses can, and names that no stranger can own: those of one part, as containers have,
    those that end in `NOT_PUBLIC`, and `names`, in lower case.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if "." not in name or name.endswith(NOT_PUBLIC) or ANY in names or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
