"""The image, really built by buildah without an engine, and the agent in it really run.

The base is made on the spot from Debian's packages, since no registry is asked.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).parents[2]
BASE = "localhost/poolscope-base"
PACKAGES = "python3,python3-venv,ca-certificates"

pytestmark = [
    pytest.mark.image,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="making a Debian base needs root"),
]


class Buildah:
    """buildah with a storage of its own, in which nothing but the tests lives."""

    def __init__(self, storage: Path) -> None:
        self._options = [f"--root={storage}/root", f"--runroot={storage}/run"]
        self._environ = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}

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
