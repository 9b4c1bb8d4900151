"""What docs/backfill.md shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from click import Option
from pyarrow import parquet

from monitor.commands.backfill import command
from tests.monitor.backfill.test_backfill import backfill
from tests.support.sparse import write_sparse

PAGE = (Path(__file__).parents[3] / "docs" / "backfill.md").read_text("utf-8")


def test_the_example_of_a_history_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    assert len(names["found"].nakamoto_half) == len(names["months"])


def test_its_options_and_metadata_are_there(tmp_path: Path) -> None:
    known = {
        name for option in command.params if isinstance(option, Option) for name in option.opts
    }
    shown = set(re.findall(r"(?<=`)--[a-z-]+", PAGE))
    for line in re.findall(r"^poolscope backfill.*$", PAGE, re.MULTILINE):
        shown |= set(re.findall(r"--[a-z-]+", line))
    assert shown <= known
    write_sparse(tmp_path / "blocks", 5)
    out = tmp_path / "all.parquet"
    backfill("--blocks-dir", tmp_path / "blocks", "--out", out)
    noted = {name.decode() for name in parquet.read_schema(out).metadata}
    assert set(re.findall(r"`(poolscope\.[a-z]+)`", PAGE)) <= noted
