"""Opening the agent's store to read from it, while the agent may be writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from monitor.config import Settings, store_url
from monitor.errors import StoreError
from monitor.store.sql import SqlStore, open_store

_KINDS: Final = ("", "sample", "rehearsal")
"""The live chain first: what is not live is read only where nothing else is there."""


@contextmanager
def reading_store(settings: Settings) -> Iterator[SqlStore]:
    """Open the store that the settings mean, read-only.

    With source ``auto`` that is the first that exists of the live chain's, the sample's and
    the rehearsal's; its `synthetic` says which it is.

    Raises
    ------
    StoreError
        If there is none, or it cannot be used.
    """
    if settings.source in _KINDS:
        kinds: tuple[str, ...] = (settings.source,)
    else:
        kinds = _KINDS if settings.source == "auto" else ("",)
    store = _first(settings, kinds)
    with closing(store):
        yield store


def _first(settings: Settings, kinds: tuple[str, ...]) -> SqlStore:
    problem: StoreError | None = None
    for kind in kinds:
        network = "regtest" if kind == "rehearsal" else settings.network
        try:
            return open_store(store_url(settings, kind), network, synthetic=kind, read_only=True)
        except StoreError as error:
            problem = problem or error
    raise problem or StoreError("there is no store")
