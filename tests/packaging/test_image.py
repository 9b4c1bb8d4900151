"""The image, built by buildah; the agent, run in it, under systemd, and as Compose starts it.

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
import yaml

from tests.packaging import standins
from tests.support.docker import Docker, make_tree
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
BASE = "localhost/poolscope-base"
PACKAGES = "python3,python3-venv,ca-certificates,systemd-sysv"
SECCOMP_FILTER = "2"
BY_A_KERNEL = r'"kernel": ?"(?!hashlib)'
"""What the status holds once the local hash rate is no longer that of a loop over hashlib."""
"""What proc(5) calls a process whose system calls are filtered."""

pytestmark = [
    pytest.mark.image,
    pytest.mark.heavy,
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
            wanted = r"poolscope_pool_share_ratio\{[^}]*\} 0\."
            wait_for(running, f"http://127.0.0.1:{port}/metrics", wanted)
            # The local rate comes last: its kernels are compiled into the cache first.
            wait_for(running, f"http://127.0.0.1:{port}/api/v1/status", BY_A_KERNEL)
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
            wait_for(machine, f"http://127.0.0.1:{port}/api/v1/status", BY_A_KERNEL)
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
            machine.communicate(timeout=PATIENCE)
    written = list((root / "var/lib/private/poolscope").iterdir())
    assert {path.name for path in written} >= {"sample.sqlite"}
    assert list((root / "var/cache/private/poolscope").rglob("*.nbi"))


COMPOSE = (
    *("docker", "compose", "--env-file=/dev/null"),
    *(f"--project-directory={ROOT}", f"--file={ROOT}/docker-compose.yml"),
)
UP = ("up", "--detach", "--no-build", "--wait", "--wait-timeout=600")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


@pytest.fixture(scope="module")
def docker(
    buildah: Buildah,
    container: str,
    services: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Docker]:
    """Return an engine that has the agent's image, and stand-ins for those of others."""
    assert container
    work = tmp_path_factory.mktemp("engine")
    tags = {name: service["image"] for name, service in services.items()}
    make_tree(work / "tree")
    standins.lay_out(work / "images", work / "tree/usr/bin/busybox")
    engine = Docker(work / "tree", [ROOT, work / "images"])
    try:
        if not engine.wait():
            pytest.skip(f"Docker cannot run here: {engine.log()[-500:]}")
        image = work / "tree/agent.tar"
        buildah("push", "--quiet", "poolscope", f"docker-archive:{image}:{tags['agent']}")
        engine("docker", "load", "--quiet", "--input=/agent.tar")
        image.unlink()
        standins.build(engine, work / "images", tags, tags["agent"])
        yield engine
        engine(*COMPOSE, "--profile=*", "down", "--volumes")
    finally:
        engine.close()
        shutil.rmtree(work)


@pytest.mark.prometheus
@pytest.mark.postgres
def test_compose_starts_everything_confined_and_keeps_every_block(docker: Docker) -> None:
    environ = {"POOLSCOPE_SOURCE": "sample"}
    start(docker, environ)
    assert "<title>" in docker.get("http://127.0.0.1:9431/")
    listening = {line.split()[3] for line in docker("busybox", "netstat", "-ltn").splitlines()[2:]}
    assert listening == {f"127.0.0.1:{port}" for port in (9431, 9090, 3000)}
    eventually(lambda: prometheus_is_content(docker), "a target or a rule of Prometheus")
    users = {"agent": 10001, "prometheus": 65534, "grafana": 472}
    for service, uid in users.items():
        assert_confined(docker, service, uid)
    kernels = ("find", "/var/cache/poolscope", "-name", "*.nbi")
    in_agent = ("docker", "exec", "poolscope-agent-1")
    eventually(lambda: docker(*in_agent, *kernels) != "", "a compiled kernel in its volume")
    told = json.loads(docker.get("http://127.0.0.1:3000/"))
    boards = [json.loads(path.read_text()) for path in ROOT.glob("dashboards/grafana/*.json")]
    assert told["dashboards"] == sorted(board["title"] for board in boards)
    assert told["home"] == "Poolscope / Overview"
    assert [found["metric"]["job"] for found in told["datasources"]["prometheus"]] == ["poolscope"]

    docker(*COMPOSE, "down", **environ)
    environ |= {"POSTGRES_PASSWORD": "choose1", "COMPOSE_PROFILES": "postgres"}
    start(docker, environ)
    assert_confined(docker, "postgres", 999)
    eventually(lambda: told_of_the_store(docker)[0] > 1000, "blocks in PostgreSQL")
    stored, refusal = told_of_the_store(docker)
    assert refusal == "ReadOnlySqlTransaction"
    docker("busybox", "kill", "-KILL", main_process(docker, "agent"))
    restarts = ("docker", "inspect", "poolscope-agent-1", "--format={{.RestartCount}}")
    eventually(lambda: docker(*restarts) != "0", "a restart of the agent")
    assert told_of_the_store(docker)[0] >= stored


def start(docker: Docker, environ: dict[str, str]) -> None:
    """Start the services and wait until they are healthy; on failure tell what they said."""
    try:
        docker(*COMPOSE, *UP, **environ)
    except AssertionError as failed:
        said = docker(*COMPOSE, "logs", "--no-color", "--tail=30", **environ)
        pytest.fail(f"{failed}\n{said}")


def prometheus_is_content(docker: Docker) -> bool:
    """Return whether Prometheus reaches the agent and has evaluated all rules."""
    targets = json.loads(docker.get("http://127.0.0.1:9090/api/v1/targets"))["data"]
    groups = json.loads(docker.get("http://127.0.0.1:9090/api/v1/rules"))["data"]["groups"]
    told = [rule["health"] for group in groups for rule in group["rules"]]
    told += [{"up": "ok"}.get(target["health"], "") for target in targets["activeTargets"]]
    return len(groups) >= 4 and set(told) == {"ok"}


def told_of_the_store(docker: Docker) -> tuple[int, str]:
    """Return blocks in PostgreSQL, and what the role of Grafana gets that deletes them."""
    told = json.loads(docker.get("http://127.0.0.1:3000/"))
    stored, refusal = told["datasources"]["poolscope-postgres"]
    return stored, refusal


def main_process(docker: Docker, service: str) -> str:
    return docker("docker", "inspect", f"poolscope-{service}-1", "--format={{.State.Pid}}")


def assert_confined(docker: Docker, service: str, uid: int) -> None:
    """Check what the kernel says of a container's main process."""
    process = f"/proc/{main_process(docker, service)}"
    status = docker("busybox", "cat", f"{process}/status").splitlines()
    facts = dict(line.split(":\t", 1) for line in status)
    assert facts["Uid"].split() == [str(uid)] * 4, service
    assert int(facts["CapBnd"], 16) == 0, service
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", SECCOMP_FILTER), service
    root = docker("busybox", "grep", " / ", f"{process}/mounts").split()
    assert "ro" in root[3].split(","), service


def eventually(true: Callable[[], bool], what: str) -> None:
    """Ask until something is so."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.2)
    pytest.fail(f"never came: {what}")


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
