"""The file of a SQLite store, and whether it is still the one that was opened.

SQLite does not look. It goes on writing into a file that was moved away, deleted or replaced, and
what it writes is in no store any more.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, TypeAlias

LOG: Final = "-wal"
"""What SQLite adds to the name of the file of a write-ahead log, and of the index of that."""
_INDEX: Final = "-shm"

_File: TypeAlias = tuple[int, int]


def file_at(path: str) -> _File | None:
    """Return what tells the file at `path` from every other one; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Place:
    """Remembers the file at `path`, and of one that is kept open (`held`) its log, too."""

    def __init__(self, path: str, *, held: bool) -> None:
        self.path = path
        self.overwritten = False
        """Whether another program wrote into the file, past SQLite perhaps."""
        self._held = held
        self._file: _File | None = None
        self._log: _File | None = None
        self._stamp: tuple[int, int] | None = None
        self.note()

    def note(self) -> None:
        """Take what is there now for the store."""
        self._file, self._log, self._stamp = file_at(self.path), None, None
        self.overwritten = False

    def opened(self) -> None:
        """Take the log for the store's, within a transaction.

        Before the first one there may be none, or one of old that SQLite deletes.
        """
        if self._held and self._log is None:
            self._log = file_at(self.path + LOG)

    def exists(self) -> bool:
        """Say whether there is a file."""
        return file_at(self.path) is not None

    def drop_old_log(self) -> None:
        """Delete what is left of the log of a file that was replaced.

        SQLite would take it for that of the file that is there now, and damage it.
        """
        replaced = self._file is not None and file_at(self.path) != self._file
        if replaced and self._log is not None and file_at(self.path + LOG) == self._log:
            for name in (LOG, _INDEX):
                Path(self.path + name).unlink(missing_ok=True)

    def written(self) -> None:
        """Note that the file is as this program left it: it tells from now on if it is not."""
        self._stamp = self._stamp_now()

    def changed(self) -> str | None:
        """Say in words what became of the file; None while it is the one that was noted."""
        found = file_at(self.path)
        if self._file is None:
            return None  # none was there: whoever opens it says so
        if found is None:
            return (
                "its file is gone (moved, deleted, not mounted?); put it back, or stop poolscope "
                "and start it again to begin a new one"
            )
        if found != self._file:
            return "its file was replaced by another one"
        if self._log is not None and file_at(self.path + LOG) != self._log:
            return f"its write-ahead log ({LOG}) was moved, deleted or replaced"
        if self._stamp is not None and self._stamp != self._stamp_now():
            self.overwritten = True
            return "another program wrote into its file"
        return None

    def _stamp_now(self) -> tuple[int, int]:
        """Return what a write into the file changes; in its log, SQLite notices them itself."""
        try:
            found = os.stat(self.path)
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_size
