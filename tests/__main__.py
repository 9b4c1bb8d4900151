"""The whole check: format, lint, types, import contracts, tests with coverage.

Real parts that are Debian packages are installed where that is possible (root and
apt-get). Elsewhere their suites are left out and named at the end; in CI nothing may be.
``--quick`` leaves out types, what is marked slow and what needs Debian's packages: the lane for
while one works. Other arguments are passed on to pytest, and then only pytest runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEBIAN_PARTS = {
    # marker -> (programs that show it is there, Debian packages)
    "browser": (("chromium",), ("chromium",)),
    "image": (
        ("buildah", "mmdebstrap", "systemd-nspawn"),
        ("buildah", "mmdebstrap", "systemd-container"),
    ),
    "postgres": (("pg_ctlcluster",), ("postgresql",)),
    "prometheus": (("prometheus", "promtool"), ("prometheus",)),
    "systemd": (("systemd-analyze",), ("systemd",)),
}
QUICK_CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
)
CHECKS = (*QUICK_CHECKS, ("mypy",), ("deptry", "."))
# a file's tests share their fixtures, and so a process
PARALLEL = ("--numprocesses", "auto", "--maxprocesses", "4", "--dist", "loadfile")
WHOLE = (*PARALLEL, "--cov", "--cov-report=term:skip-covered", "--durations=25")
QUICK = "--quick"


def _present(programs: tuple[str, ...]) -> bool:
    return all(shutil.which(program) for program in programs)


def _install_debian_parts() -> None:
    """Install what is missing, if this is root on a machine with apt-get."""
    missing = [
        p
        for programs, packages in DEBIAN_PARTS.values()
        if not _present(programs)
        for p in packages
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
    left_out = " and ".join(f"not {marker}" for marker in ("slow", *DEBIAN_PARTS))
    return _run("pytest", *PARALLEL, "-m", left_out) and all(checks)


def main() -> int:
    """Run the checks; return the exit status."""
    if sys.argv[1:] == [QUICK]:
        return 0 if _quick() else 1
    _install_debian_parts()
    left_out = [marker for marker, (programs, _) in DEBIAN_PARTS.items() if not _present(programs)]
    if left_out and os.environ.get("CI"):
        print("in CI no suite may be left out; missing:", *left_out, file=sys.stderr)
        return 1
    pytest = ["pytest", *sys.argv[1:]]
    if left_out:
        pytest += ["-m", " and ".join(f"not {marker}" for marker in left_out)]
    if sys.argv[1:]:
        passed = _run(*pytest)
    else:
        checks = [_run(*check) for check in CHECKS]
        passed = _run(*pytest, *WHOLE) and all(checks)
    for marker in left_out:
        packages = " ".join(DEBIAN_PARTS[marker][1])
        print(f"left out: the {marker} suite; it needs the Debian package {packages}")
    if not passed:
        print("poolscope test: FAILED", file=sys.stderr)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
