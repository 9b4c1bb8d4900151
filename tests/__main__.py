"""The whole check: format, lint, types, import contracts, tests.

Real parts that are Debian packages are installed where that is possible (root and
apt-get). Elsewhere their suites are left out and named at the end; in CI nothing may be.
``--quick`` leaves out types, what is marked slow and what needs Debian's packages: the lane for
while one works. ``--heavy`` runs only what takes many minutes and is left out otherwise: the image
in its containers, the page over thousands of blocks, every combination where the others try each
value. ``--coverage`` is the tests alone, with what they cover. Other arguments are passed on to
pytest, and then only pytest runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parent.parent
Parts: TypeAlias = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]

DEBIAN_PARTS: Parts = {
    # marker -> (programs that show it is there, Debian packages)
    "browser": (("chromium",), ("chromium",)),
    "postgres": (("pg_ctlcluster",), ("postgresql",)),
    "prometheus": (("prometheus", "promtool"), ("prometheus",)),
    "systemd": (("systemd-analyze",), ("systemd",)),
}
HEAVY_PARTS: Parts = {
    **DEBIAN_PARTS,
    "image": (
        ("buildah", "mmdebstrap", "systemd-nspawn"),
        ("buildah", "mmdebstrap", "systemd-container"),
    ),
}
QUICK_CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
)
CHECKS = (*QUICK_CHECKS, ("mypy",), ("deptry", "."))
# a file's tests share their fixtures, and so a process
PARALLEL = ("--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile")
WHOLE = (*PARALLEL, "--durations=25")
COVERED = ("--cov", "--cov-report=term:skip-covered")
QUICK, HEAVY, COVERAGE = "--quick", "--heavy", "--coverage"


def _present(programs: tuple[str, ...]) -> bool:
    return all(shutil.which(program) for program in programs)


def _install(parts: Parts) -> None:
    """Install what is missing, if this is root on a machine with apt-get."""
    missing = [
        p for programs, packages in parts.values() if not _present(programs) for p in packages
    ]
    if not missing or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("installing Debian packages for the tests:", *missing, flush=True)
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing)
    for command in (("apt-get", "update", "-qq"), install):
        subprocess.run(command, env=env, check=False, stdout=subprocess.DEVNULL)


def _run(program: str, *arguments: str) -> bool:
    print("::", program, *arguments, flush=True)
    path = Path(sys.executable).parent / program
    return subprocess.run((path, *arguments), cwd=ROOT, check=False).returncode == 0


def _quick() -> bool:
    """Run what takes less than two minutes on two cores."""
    checks = [_run(*check) for check in QUICK_CHECKS]
    return _run("pytest", *PARALLEL, *_but("slow", *DEBIAN_PARTS)) and all(checks)


def _but(*markers: str) -> tuple[str, str]:
    """Return the arguments that leave out suites; heavy ones are left out always."""
    return "-m", " and ".join(f"not {marker}" for marker in ("heavy", *markers))


def main() -> int:
    """Run the checks; return the exit status."""
    if sys.argv[1:] == [QUICK]:
        return 0 if _quick() else 1
    heavy = sys.argv[1:] == [HEAVY]
    parts = HEAVY_PARTS if heavy else DEBIAN_PARTS
    _install(parts)
    left_out = [marker for marker, (programs, _) in parts.items() if not _present(programs)]
    if left_out and os.environ.get("CI"):
        print("in CI no suite may be left out; missing:", *left_out, file=sys.stderr)
        return 1
    if heavy:
        but = "".join(f" and not {marker}" for marker in left_out)
        passed = _run("pytest", *PARALLEL, "-m", f"heavy{but}")
    elif sys.argv[1:] == [COVERAGE]:
        passed = _run("pytest", *WHOLE, *COVERED, *_but(*left_out))
    elif sys.argv[1:]:
        passed = _run("pytest", *(_but(*left_out) if left_out else ()), *sys.argv[1:])
    else:
        checks = [_run(*check) for check in CHECKS]
        passed = _run("pytest", *WHOLE, *_but(*left_out)) and all(checks)
    for marker in left_out:
        packages = " ".join(parts[marker][1])
        print(f"left out: the {marker} suite; it needs the Debian package {packages}")
    if not passed:
        print("poolscope test: FAILED", file=sys.stderr)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
