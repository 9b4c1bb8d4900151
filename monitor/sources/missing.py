"""What a source does without, because it is refused, not there, late or wrong: said once."""

from __future__ import annotations

import logging

from monitor.errors import SourceError, SourceUnavailable

log = logging.getLogger(__name__)


class Missing:
    """The optional calls of one source that fail.

    Parameters
    ----------
    where:
        How messages name the source; empty where its errors do.

    Attributes
    ----------
    temporary:
        Whether something failed since the last `begin` in a way that may pass by itself.
    """

    def __init__(self, where: str = "") -> None:
        self._before = f"{where}: " if where else ""
        self._said: dict[str, tuple[type[SourceError], bool]] = {}
        self.temporary = False

    def begin(self) -> None:
        """Look at everything anew, after a connection was made anew."""
        self.temporary = False

    def missed(
        self, call: str, error: SourceError, without: str, *, expected: bool = False
    ) -> None:
        """Note that a call failed; it is said where it did not fail so before.

        `without` says what that means. What is `expected`, since nobody can mend it, is no
        warning.
        """
        self.temporary |= isinstance(error, SourceUnavailable)
        kind = (type(error), expected)
        if self._said.get(call) == kind:
            return
        self._said[call] = kind
        level = logging.INFO if expected else logging.WARNING
        log.log(level, "%s%s; going on: %s", self._before, error, without)

    def works(self, call: str) -> None:
        """Note that a call was answered."""
        if self._said.pop(call, None) is not None:
            log.info("%s%s is answered now", self._before, call)
