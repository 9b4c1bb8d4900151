"""Opening the agent's store to read from it, while the agent may be writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from monitor.config import Settings, store_url
from monitor.errors import StoreError
from monitor.queries.telling import Tell, warn
from monitor.store.sql import SqlStore, open_store

_KINDS: Final = ("", "sample", "rehearsal")
"""The live chain first: what is not live is read only where nothing else is there."""


@contextmanager
def reading_store(settings: Settings, tell: Tell = warn) -> Iterator[SqlStore]:
    """Open the store that the settings mean, read-only, and tell if its blocks are mixed.

    With source ``auto`` that is the first that exists of the live chain's, the sample's and
    the rehearsal's; its `synthetic` says which it is.

    Raises
    ------
    StoreError
        If there is none, or it cannot be used.
    """
    with found_store(settings) as store:
        if len(store.registries()) > 1:
            tell(_mix(store))
        yield store


@contextmanager
def found_store(settings: Settings) -> Iterator[SqlStore]:
    """Open the store as `reading_store` does, for whoever asks for no figures."""
    if settings.source in _KINDS:
        kinds: tuple[str, ...] = (settings.source,)
    else:
        kinds = _KINDS if settings.source == "auto" else ("",)
    store = _first(settings, kinds)
    with closing(store):
        yield store


def _mix(store: SqlStore) -> str:
    parts = (f"{blocks} under {name[:16]}" for name, blocks in store.by_registry().items())
    return (
        "the stored blocks are attributed by more than one registry "
        f"({', '.join(parts)}), so the figures are a mix; 'poolscope relabel' or the next "
        "start of the agent brings all under one"
    )


def _first(settings: Settings, kinds: tuple[str, ...]) -> SqlStore:
    problem: StoreError | None = None
    for kind in kinds:
        network = "regtest" if kind == "rehearsal" else settings.network
        try:
            return open_store(store_url(settings, kind), network, synthetic=kind, read_only=True)
        except StoreError as error:
            problem = problem or error
    raise problem or StoreError("there is no store")
