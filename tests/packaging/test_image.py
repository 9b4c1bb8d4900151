"""The image, built by buildah without an engine; the agent, run in it and under systemd.

The base is made on the spot from Debian's packages, since no registry is asked. It holds
systemd, too, so that the same tree can be booted with the unit in it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

ROOT = Path(__file__).parents[2]
BASE = "localhost/poolscope-base"
PACKAGES = "python3,python3-venv,ca-certificates,systemd-sysv"
SECCOMP_FILTER = "2"
"""What proc(5) calls a process whose system calls are filtered."""

pytestmark = [
    pytest.mark.image,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.geteuid() != 0, reason="making a Debian base needs root"),
]


class Buildah:
    """buildah with a storage of its own, in which nothing but the tests lives."""

    def __init__(self, storage: Path) -> None:
        self._options = [f"--root={storage}/root", f"--runroot={storage}/run"]
        self._environ = os.environ | {"BUILDAH_ISOLATION": "chroot"}

    def command(self, *arguments: str | Path) -> dict[str, Any]:
        """Return what subprocess needs to run a buildah command."""
        return {"args": ["buildah", *self._options, *arguments], "env": self._environ}

    def __call__(self, *arguments: str | Path) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            **self.command(*arguments), capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert done.returncode == 0, f"buildah {arguments[0]}: {done.stdout}\n{done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    buildah = Buildah(tmp_path_factory.mktemp("containers"))
    yield buildah
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def container(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a container of the image, built on a Debian base."""
    tar = tmp_path_factory.mktemp("base") / "debian.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "bookworm", tar],
        check=True,
    )
    empty = buildah("from", "scratch")
    buildah("add", "--quiet", empty, tar, "/")
    buildah("commit", "--quiet", "--rm", empty, BASE)
    tar.unlink()
    buildah(
        *("build", "--format=docker", "--layers=false", "--network=host"),
        # This machine may reach the package index through a certificate of its own.
        *("--volume=/etc/ssl/certs:/etc/ssl/certs:ro", f"--build-arg=BASE={BASE}"),
        *("--tag=poolscope", "."),
    )
    return buildah("from", "poolscope")


@pytest.fixture(scope="module")
def config(buildah: Buildah, container: str) -> Any:
    return json.loads(buildah("inspect", container))["Docker"]["config"]


def test_the_image_says_how_it_is_run(config: Any) -> None:
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] + config["Cmd"] == ["poolscope", "run"]
    assert config["StopSignal"] == "SIGTERM"
    assert set(config["Volumes"]) == {"/var/lib/poolscope", "/var/cache/poolscope"}
    assert list(config["ExposedPorts"]) == ["9431/tcp"]
    assert config["Labels"]["org.opencontainers.image.title"] == "poolscope"


def test_the_agent_runs_in_it_and_writes_only_to_its_volumes(
    buildah: Buildah, container: str, config: Any, tmp_path: Path
) -> None:
    root = Path(buildah("mount", container))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = [
        *("run", "--network=host", f"--env=POOLSCOPE_WEB__PORT={port}"),
        *(container, "--"),
    ]
    health = config["Healthcheck"]["Test"]
    assert health[0] == "CMD"
    (begin := tmp_path / "begin").touch()
    agent = [*config["Entrypoint"], *config["Cmd"], "--source", "sample"]
    with subprocess.Popen(**buildah.command(*run, *agent), cwd=ROOT) as running:
        try:
            # The local rate comes last: its kernels are compiled into the cache first.
            wanted = r"poolscope_pool_share_ratio\{[^}]*\} 0\.(?s:.*)local_hashes_per_second [1-9]"
            wait_for(running, f"http://127.0.0.1:{port}/metrics", wanted)
            buildah(*run, *health[1:])
        finally:
            running.terminate()
    kept = buildah(*run, "find", *config["Volumes"], "-type", "f")
    assert "/var/lib/poolscope/sample.sqlite" in kept
    assert "/var/cache/poolscope/numba/" in kept
    written = [
        path
        for path in root.rglob("*")
        if path.lstat().st_ctime > begin.stat().st_ctime and path.is_file()
    ]
    assert written == []


def test_the_unit_runs_confined_and_is_restarted_when_it_hangs(
    buildah: Buildah, container: str
) -> None:
    root = Path(buildah("mount", container))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for directory in ("var/lib/poolscope", "var/cache/poolscope"):
        shutil.rmtree(root / directory)  # the image's; here systemd makes its own
    shutil.copy(ROOT / "packaging" / "poolscope.service", root / "etc/systemd/system")
    hasty = root / "etc/systemd/system/poolscope.service.d/hasty.conf"
    hasty.parent.mkdir()
    hasty.write_text("[Service]\nWatchdogSec=15\nRestartSec=0\n")
    (root / "etc/systemd/system/multi-user.target.wants/poolscope.service").symlink_to(
        "/etc/systemd/system/poolscope.service"
    )
    (root / "etc/machine-id").write_text("")
    settings = root / "etc/poolscope/poolscope.toml"
    settings.parent.mkdir()
    settings.write_text(f'source = "sample"\n[web]\nport = {port}\n')
    boot = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--console=pipe"]
    with subprocess.Popen(
        [*boot, f"--directory={root}", "--boot"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as machine:
        try:
            metrics = f"http://127.0.0.1:{port}/metrics"
            # Kernels compile and run, so the filters of memory and system calls let them.
            wait_for(machine, metrics, r"local_hashes_per_second [1-9]")
            agent = agent_below(machine.pid)
            facts = dict(
                line.split(":\t", 1)
                for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines()
            )
            assert "0" not in facts["Uid"].split()
            assert int(facts["CapBnd"], 16) == 0
            assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", SECCOMP_FILTER)
            agent.suspend()
            agent.wait(120)
            wait_for(machine, metrics, r"poolscope_ready 1")
        finally:
            machine.terminate()
            machine.communicate(timeout=120)
    written = list((root / "var/lib/private/poolscope").iterdir())
    assert {path.name for path in written} >= {"sample.sqlite"}
    assert list((root / "var/cache/private/poolscope").rglob("*.nbi"))


def agent_below(pid: int) -> psutil.Process:
    """Return the agent's process in a booted machine."""
    (agent,) = (
        process
        for process in psutil.Process(pid).children(recursive=True)
        if process.cmdline()[-2:] == ["/opt/poolscope/bin/poolscope", "run"]
    )
    return agent


def wait_for(running: subprocess.Popen[bytes], url: str, wanted: str) -> None:
    """Ask until the answer holds what is wanted."""
    for _ in range(600):
        assert running.poll() is None, "the agent ended"
        try:
            with urlopen(url, timeout=30) as answer:
                if re.search(wanted, answer.read().decode()):
                    return
        except OSError:
            pass
        time.sleep(0.2)
    pytest.fail(f"{url} never told {wanted}")
