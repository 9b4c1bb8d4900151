"""Opening the agent's store for a command: what the store has to say goes to stderr, once."""

from __future__ import annotations

from contextlib import AbstractContextManager

from monitor.commands.leftout import hear
from monitor.config import Settings
from monitor.queries.reading import found_store
from monitor.queries.reading import reading_store as read
from monitor.store.sql import SqlStore

__all__ = ["found_store", "reading_store"]


def reading_store(settings: Settings) -> AbstractContextManager[SqlStore]:
    """Open the store as `monitor.queries.reading.reading_store` does."""
    return read(settings, hear)
