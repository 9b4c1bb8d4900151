"""Kinds of lenses: what it means that a lens counts pools as one, and what may be said of it."""

from __future__ import annotations

import enum
from typing import Any, Final


class LensKind(enum.StrEnum):
    """What stands behind the pools that a lens counts as one.

    Only those who direct the work of the pools can attack, so only a lens of `CONTROL` may speak
    of attacks, of risk, and of a probability that somebody's share of the work is above a
    threshold.
    """

    CONTROL = "control"
    """Who directs the work: the pool itself, or who owns it."""
    COORDINATION = "coordination"
    """What pools do together, such as mine on the same block templates."""
    CUSTODY = "custody"
    """Who keeps their rewards."""
    JURISDICTION = "jurisdiction"
    """Where their operators sit."""

    @property
    def is_control(self) -> bool:
        """Whether an entity of such a lens directs the work of its pools."""
        return self is LensKind.CONTROL

    @property
    def why_withheld(self) -> str:
        """Why nothing is said of attacks and thresholds; empty for control."""
        return _WITHHELD.get(self, "")

    def pools_of(self, name: str) -> str:
        """Return how to speak of a group of this `name` as of who found blocks.

        Examples
        --------
        >>> LensKind.JURISDICTION.pools_of("United States")
        'pools whose operator sits in the United States'
        >>> LensKind.CONTROL.pools_of("Bitmain")
        'Bitmain'
        """
        if self is LensKind.JURISDICTION and name.startswith(_WITH_ARTICLE):
            name = f"the {name}"
        return _PHRASES[self].format(name=name)


_SHARES_ALONE: Final = "so only shares of blocks are said of it; the lens tag says more."
_WITHHELD: Final = {
    LensKind.COORDINATION: "A group of this lens works together; nobody is known to direct the "
    f"work of all its pools, {_SHARES_ALONE}",
    LensKind.CUSTODY: f"Who keeps the rewards of pools does not direct their work, {_SHARES_ALONE}",
    LensKind.JURISDICTION: "A country is where operators of pools sit; their miners may be "
    f"anywhere, {_SHARES_ALONE}",
}
_WITH_ARTICLE: Final = ("United ", "Netherlands", "Czech Republic", "Philippines")
_PHRASES: Final = {
    LensKind.CONTROL: "{name}",
    LensKind.COORDINATION: "pools grouped as {name}",
    LensKind.CUSTODY: "pools whose rewards are kept by {name}",
    LensKind.JURISDICTION: "pools whose operator sits in {name}",
}


def kind_named(text: Any) -> LensKind:
    """Return the kind of this name.

    Raises
    ------
    ValueError
        If there is none; the message names them all.

    Examples
    --------
    >>> kind_named("custody").is_control, kind_named("control").is_control
    (False, True)
    """
    try:
        return LensKind(text)
    except ValueError:
        known = ", ".join(LensKind)
        raise ValueError(f"{str(text)[:40]!r} is no kind of lens: {known}") from None
