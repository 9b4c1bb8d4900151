"""Every rule that ships, on real blocks as a live agent would export them: it stays silent.

A user with a node and the default lenses must not meet an alarm on the first day. What promtool
reads is written by the agent's own exporter (see tests/support/livepast.py).
"""

from __future__ import annotations

import datetime
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analyzers.mined import Mined
from analyzers.registry.lenses import load_lenses
from monitor.config import Settings
from tests.support.alarms import RULES
from tests.support.livepast import history_blocks, promtool_series, sample_blocks, scrapes
from tests.support.patience import PATIENCE

HOUR, DAY = 3600, 86_400
FILES = sorted(file for file in RULES.rglob("*.yml") if file.parent.name != "tests")
GROUPS = [name for file in FILES for name in re.findall(r"- name: (\S+)", file.read_text())]
DEFAULT = {name: load_lenses()[name] for name in Settings().lenses}


def promtool_says(pages: Sequence[tuple[int, str]], step: int, path: Path) -> str:
    """Return what promtool says against the rules being silent, empty if they are.

    Pending alerts count, too: nothing may even come near. That the rules had something to look
    at is held as well.
    """
    end = f"{(len(pages) - 1) * step}s"
    weeks = 'count by (lens) (poolscope:week_share_change_sigmas{lens=~"tag|template"})'
    expressions: dict[str, list[dict[str, Any]]] = {
        f"sum by (alertname, lens, pool) (count_over_time(ALERTS[{end}]))": [],
        f"count({weeks}) + on () count(poolscope:live)": [{"labels": "{}", "value": 3}],
    }
    told = {
        "rule_files": [str(file) for file in FILES],
        "evaluation_interval": f"{step}s",
        # the alerts look at what was recorded at the same evaluation
        "group_eval_order": sorted(GROUPS, key=lambda name: name != "poolscope-recording"),
        "tests": [
            {
                "interval": f"{step}s",
                "input_series": promtool_series(pages),
                "promql_expr_test": [
                    {"expr": text, "eval_time": end, "exp_samples": wanted}
                    for text, wanted in expressions.items()
                ],
            }
        ],
    }
    path.write_text(json.dumps(told))
    command = ["promtool", "test", "rules", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.prometheus
def test_rules_are_silent_on_the_blocks_of_january_2024(tmp_path: Path) -> None:
    blocks = sample_blocks()
    pages = list(scrapes(blocks[-(2016 + 10 * 144) :], DAY, DEFAULT))
    assert promtool_says(pages, DAY, tmp_path / "rules.json") == ""


@pytest.mark.prometheus
@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [datetime.date(2023, 10, 1), datetime.date(2025, 6, 1), datetime.date(2026, 2, 20)],
    ids=str,
)
def test_rules_are_silent_on_the_mix_of_later_years(first: datetime.date, tmp_path: Path) -> None:
    pages = list(scrapes(history_blocks(first, 32), 12 * HOUR, DEFAULT))
    assert promtool_says(pages, 12 * HOUR, tmp_path / "rules.json") == ""


@pytest.mark.prometheus
def test_a_pool_that_passes_a_third_is_told(tmp_path: Path) -> None:
    """The same way of looking does hear an alarm: every second block becomes one pool's."""
    blocks = [
        Mined(block.height, block.time, "foundryusa" if block.height % 2 else block.pool)
        for block in sample_blocks()[-(2016 + 10 * 144) :]
    ]
    said = promtool_says(list(scrapes(blocks, DAY, DEFAULT)), DAY, tmp_path / "rules.json")
    assert "PoolscopeProbablyAboveThird" in said
    assert "PoolscopeProbablyAboveHalf" in said
    assert not re.search(r'lens="(?!tag)', said)


def test_no_level_is_alarmed_on_under_another_lens_than_tag() -> None:
    for file in FILES:
        for text in re.findall(r"poolscope_\w*probability\w*\{([^}]*)\}", file.read_text()):
            assert 'lens="tag"' in text, file


def test_only_lenses_of_control_have_probabilities() -> None:
    ((_, page), *_) = scrapes(sample_blocks()[-2100:], 30 * DAY)
    kinds = {name: lens.kind for name, lens in load_lenses().items()}
    chances = re.findall(r'^poolscope_\w*probability\w*\{.*lens="([\w-]+)"', page, re.MULTILINE)
    assert set(chances) == {name for name, kind in kinds.items() if kind.is_control}
    assert len(set(kinds.values())) == 4
    # custody begins in April 2024: it says nothing of these blocks, and so has no figure
    assert 'lens="country"' in page
    assert (
        re.findall(r'^(\w+)\{.*lens="custody"', page, re.MULTILINE).count("poolscope_pool_blocks")
        == 0
    )
    assert re.search(r'poolscope_lens_row_blocks\{.*lens="custody".*\} 0', page)
