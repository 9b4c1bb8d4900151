import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.agent.notify import Supervisor
from tests.support.patience import PATIENCE


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(tmp_path / "notify"))
        inbox.settimeout(PATIENCE)
        yield inbox


def hear(inbox: socket.socket) -> list[str]:
    return inbox.recv(4096).decode().splitlines()


@pytest.mark.slow
def test_the_agent_reports_ready_its_state_the_watchdog_and_its_stop(
    inbox: socket.socket, tmp_path: Path
) -> None:
    environ = os.environ | {"NOTIFY_SOCKET": inbox.getsockname(), "WATCHDOG_USEC": "600000"}
    command = ["run", "--source", "sample", "--no-hashrate", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", *command, "--set", f"data_dir={tmp_path}"],
        env=environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as agent:
        assert hear(inbox) == ["READY=1"]
        said: list[str] = []
        while not any(line.startswith("STATUS=at block") for line in said):
            said = hear(inbox)
            assert said[0] == "WATCHDOG=1"
        agent.send_signal(signal.SIGTERM)
        while (said := hear(inbox))[0] == "WATCHDOG=1":
            pass
        assert said == ["STOPPING=1", "STATUS=stopping"]
        _, errors = agent.communicate(timeout=PATIENCE)
        assert agent.returncode == 0, errors


async def test_the_status_is_told_only_when_it_changes(inbox: socket.socket) -> None:
    supervisor = Supervisor(inbox.getsockname(), watchdog=0.03)
    states = iter(["a", "a", "b", *["b"] * 1000])
    informing = asyncio.create_task(supervisor.keep_informed(lambda: next(states)))
    heard = [await asyncio.to_thread(hear, inbox) for _ in range(4)]
    informing.cancel()
    watchdog = ["WATCHDOG=1"]
    assert heard == [[*watchdog, "STATUS=a"], watchdog, [*watchdog, "STATUS=b"], watchdog]


def test_abstract_sockets_are_reached(tmp_path: Path) -> None:
    name = f"poolscope-{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind("\0" + name)
        Supervisor("@" + name).tell("READY=1", "STATUS=serving")
        assert hear(inbox) == ["READY=1", "STATUS=serving"]


async def test_without_a_supervisor_nothing_is_told_and_nothing_fails(tmp_path: Path) -> None:
    assert Supervisor.from_environment({}) == Supervisor()
    await Supervisor().keep_informed(lambda: pytest.fail("nobody asked"))
    Supervisor(str(tmp_path / "gone")).tell("READY=1")


@pytest.mark.parametrize(
    ("environ", "watchdog"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_holds_for_the_process_it_names(
    environ: dict[str, str], watchdog: float | None
) -> None:
    assert Supervisor.from_environment(environ).watchdog == watchdog
