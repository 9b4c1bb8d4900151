"""What commands say under lenses of each kind: only those of control speak of thresholds and risk.

Lenses that ship and those that users write are the same kind of thing here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analyzers.registry.lenses import load_lenses
from analyzers.registry.lenskind import LensKind
from monitor.cli import cli

SPAN = ("--history", "--from", "2025-01-01", "--to", "2025-04-01")
BEFORE = ("--history", "--from", "2021-01-01", "--to", "2021-04-01")
OF_CONTROL = re.compile(r"P\(|attack|confirmation|any_above|double spend", re.IGNORECASE)
FILES = {
    "# kind: control\n": LensKind.CONTROL,
    "#KIND = Custody,,\r\n": LensKind.CUSTODY,
    "# kind: jurisdiction\n# kind: jurisdiction\n": LensKind.JURISDICTION,
    "# mine, of 2026\n": LensKind.COORDINATION,
    "": LensKind.COORDINATION,
}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture(params=[*load_lenses(), *FILES], ids=repr)
def lens(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, LensKind]:
    """Return a lens as an option takes it, and its kind."""
    if request.param in load_lenses():
        return request.param, load_lenses()[request.param].kind
    file = tmp_path / "lens.csv"
    file.write_text(f"{request.param}pool,entity\nfoundryusa,big\nantpool,big\n")
    return str(file), FILES[request.param]


def test_only_lenses_of_control_speak_of_it(lens: tuple[str, LensKind]) -> None:
    name, kind = lens
    for command in ("concentration", "pools"):
        plain = run(command, *SPAN, "--lens", name)
        assert plain.exit_code == 0, plain.output
        spoken = command == "concentration" and kind.is_control
        assert bool(OF_CONTROL.search(plain.stdout)) == spoken
        said = " ".join(plain.stdout.split())
        assert (kind.why_withheld in said) or kind.is_control
        found = json.loads(run(command, *SPAN, "--lens", name, "--json").stdout)
        for share in found["shares"]:
            assert (share["above_third"] is None) == (not kind.is_control)
    found = json.loads(run("concentration", *SPAN, "--lens", name, "--json").stdout)
    assert found["withheld_by_lens"] == kind.why_withheld
    assert ("any_above_third" in found["figures"]) == kind.is_control
    assert bool(found["nakamoto_half"]["posterior"]) == kind.is_control


def test_risk_is_that_of_who_directs_work(lens: tuple[str, LensKind]) -> None:
    name, kind = lens
    result = run("risk", *SPAN, "--lens", name)
    assert (result.exit_code == 0) == kind.is_control
    if not kind.is_control:
        assert f"is one of {kind.value}. {kind.why_withheld}" in result.stderr
        assert "'# kind: control'" in result.stderr


@pytest.mark.parametrize("text", ["# kind: moon\n", "# kind: control\n# kind: custody\n"])
def test_a_kind_that_is_none_is_an_error(text: str, tmp_path: Path) -> None:
    file = tmp_path / "lens.csv"
    file.write_text(f"{text}foundryusa,big\n")
    result = run("pools", *SPAN, "--lens", str(file))
    assert result.exit_code == 2
    assert "kind" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["custody", "template"])
@pytest.mark.parametrize("command", ["concentration", "pools", "trend", "eras"])
def test_a_lens_that_says_nothing_of_the_blocks_says_so(command: str, name: str) -> None:
    result = run(command, *BEFORE, "--lens", name)
    assert result.exit_code != 0
    assert f"lens {name}: no row of this lens applies to these blocks" in result.stderr
    assert not result.stdout


def test_windows_that_a_lens_says_nothing_of_are_left_out() -> None:
    line = ("--history", "--from", "2024-01-01", "--to", "2024-07-01", "--window", "7d", "--json")
    both = [run("concentration", "--each", *line, "--lens", lens) for lens in ("tag", "custody")]
    plain, seen = (json.loads(result.stdout)["windows"] for result in both)
    assert 0 < len(seen) < len(plain)
    assert seen[0]["start_time"] >= 1_711_929_600 - 7 * 86_400  # 2024-04-01
    assert f"{len(plain) - len(seen)} of {len(plain)} windows are left out" in both[1].stderr


def test_what_is_not_listed_is_nobodys(tmp_path: Path) -> None:
    plain, seen = (
        json.loads(run("concentration", *SPAN, "--lens", lens, "--json").stdout)
        for lens in ("tag", "country")
    )
    assert {share["pool"] for share in seen["shares"]} <= {"us", "cn", "cz", "jp"} | {
        row.entity for rows in load_lenses()["country"].rows.values() for row in rows
    }
    assert "unlisted" not in {share["pool"] for share in seen["shares"]}
    listed = set(load_lenses()["country"].rows)
    nobodys = sum(share["blocks"] for share in plain["shares"] if share["pool"] not in listed)
    assert seen["unknown"] >= plain["unknown"] + nobodys > plain["unknown"]
    assert seen["entities"] == len(seen["shares"])
    assert "more than 10%" in seen["withheld"]
    hhi = seen["figures"]["hhi"]
    assert hhi["value"] is None
    assert 0 < hhi["least"] < hhi["most"] < 1


def test_weak_sources_are_told() -> None:
    weak = {row.pool for rows in load_lenses()["country"].rows.values() for row in rows if row.weak}
    assert {"f2pool", "viabtc"} <= weak
    plain = run("concentration", *SPAN, "--lens", "country")
    assert "Weak sources" in plain.stdout
    found = json.loads(run("pools", *SPAN, "--lens", "country", "--json").stdout)
    of_china = next(share for share in found["shares"] if share["pool"] == "cn")
    assert 0 < of_china["weak_source_blocks"] < of_china["blocks"]
    assert of_china["called"] == "pools whose operator sits in China"
    assert "Weak sources" not in run("concentration", *SPAN).stdout
