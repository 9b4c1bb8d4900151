"""Moments that the user gives: days, or times with or without an offset, all in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.errors import QuestionError


def moment(text: str) -> int:
    """Return a day (its beginning) or a time as Unix seconds; without an offset it is UTC.

    Raises
    ------
    ValueError
        If `text` is neither.

    Examples
    --------
    >>> moment("2024-01-02"), moment("2024-01-02T01:00+01:00"), moment("2024-01-02 00:01Z")
    (1704153600, 1704153600, 1704153660)
    """
    try:
        found = datetime.fromisoformat(text.strip().upper())
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return int(found.timestamp() // 1)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:80]!r} is no day or time: write 2024-01-31 or 2024-01-31T12:00+02:00 "
            "(UTC where there is no offset)"
        ) from None


def moment_of(time: int) -> str:
    """Return Unix seconds for people: the day, with its time where that is not midnight.

    Examples
    --------
    >>> moment_of(1704153600), moment_of(1704153660)
    ('2024-01-02', '2024-01-02T00:01:00Z')
    """
    found = datetime.fromtimestamp(time, UTC)
    return found.strftime("%Y-%m-%dT%H:%M:%SZ" if time % 86_400 else "%Y-%m-%d")


def check_span(start: int | None, end: int | None) -> None:
    """Refuse a span (Unix seconds, either end may be open) in which no time lies.

    Raises
    ------
    QuestionError
        If `start` is not before `end`.
    """
    if start is not None and end is not None and start >= end:
        raise QuestionError(
            f"--from {moment_of(start)} is not before --to {moment_of(end)}, which is not included"
        )
