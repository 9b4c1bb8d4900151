"""A lens of each kind, and one that says nothing of old blocks, as a user's file may have them."""

from __future__ import annotations

from typing import Final

from analyzers.registry import load_registry
from analyzers.registry.lenses import Lens, parse_lenses
from analyzers.registry.lenskind import LensKind

LATE: Final = "late"
"""The lens whose only row begins in 2100."""
_ROWS: Final = """rows = [
  { pool = "foundryusa", entity = "big" },
  { pool = "antpool", entity = "big", weak = true },
  { pool = "f2pool", entity = "small" },
  { pool = "viabtc", entity = "nowhere" },
]
"""


def lenses_of_each_kind() -> dict[str, Lens]:
    """Return ``tag``, a lens named after each kind, and one without an effect.

    That of jurisdiction has a rest, of which viabtc's row names it.
    """
    text = ""
    for kind in LensKind:
        rest = 'rest = "nowhere"\n' if kind is LensKind.JURISDICTION else ""
        text += (
            f'[[lens]]\nname = "{kind.value}"\nkind = "{kind.value}"\ntitle = "By {kind.value}"\n'
            f'source = "s"\nnames = {{ big = "Big", nowhere = "Not listed" }}\n{rest}{_ROWS}'
        )
    text += (
        f'[[lens]]\nname = "{LATE}"\nkind = "custody"\ntitle = "Late"\nsource = "s"\n'
        'rows = [{ pool = "antpool", entity = "x", since = 2100-01-01 }]\n'
    )
    return parse_lenses(text, load_registry())
