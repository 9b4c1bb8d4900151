"""Simulate every inference of poolscope on what it believes, and show it in docs/methods.md.

    python -m tests.simulations                    # all of it: some hours on one core
    python -m tests.simulations --only hhi claims  # these tables
    python -m tests.simulations --thousand 50      # a twentieth of the draws
    python -m tests.simulations --page             # only write the page from what is kept

What it finds is kept in ``tests/vectors/levels.json``.
"""

from __future__ import annotations

import argparse
import json

from tests.simulations.tables import PAGE, RESULT, TABLES, kept, measured, page


def main() -> None:
    """Simulate, keep and show."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    arguments.add_argument("--thousand", type=int, default=1000, metavar="N")
    arguments.add_argument("--page", action="store_true")
    given = arguments.parse_args()
    for name in () if given.page else given.only:
        result = measured(name, given.thousand)
        found = {**(kept() if RESULT.exists() else {}), name: result}
        ordered = {each: found[each] for each in TABLES if each in found}
        RESULT.write_text(json.dumps(ordered, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), kept()), "utf-8")


if __name__ == "__main__":
    main()
