"""The systemd unit, judged by systemd itself."""

import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "poolscope.service"

pytestmark = pytest.mark.systemd


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "poolscope"
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/poolscope/bin/poolscope", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, complaints) == (0, [])


def test_the_unit_is_confined() -> None:
    # In tenths: 1.4 is what is left for a service that must use the network and compile.
    subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", UNIT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
