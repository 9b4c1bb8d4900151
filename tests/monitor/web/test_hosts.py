"""Which names an agent answers to: those of other sites are none (DNS rebinding)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import WebSettings
from monitor.web.hosts import NOT_PUBLIC, is_own, names_of
from monitor.web.server import WebServer
from tests.monitor.web.conftest import Client
from tests.monitor.web.test_server import sent
from tests.support.webagent import WebAgent


@pytest.mark.parametrize(
    "host",
    [
        "",
        "127.0.0.1",
        "127.0.0.1:9431",
        "192.168.1.7:80",
        "[::1]:9431",
        "[fe80::1]",
        "localhost:9431",
        "LOCALHOST.",
        "poolscope:9431",
        "pi.local",
        "agent.monitoring.svc.cluster.local:9431",
        "Pools.Example.org:443",
    ],
)
def test_addresses_and_own_names_are_answered_to(host: str) -> None:
    assert is_own(host, ["pools.example.org"])


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "evil.example.org:9431",
        "pools.example.org.evil.example",
        "127.0.0.1.evil.example",
        "user@evil.example",
        "127.0.0.1@evil.example",
        "notlocal.example",
        "evil-local.example",
        "[::1",
        "[evil.example]",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not is_own(host, ["pools.example.org"])
    assert host.startswith("[") or is_own(host, ["*"])


@given(st.text(st.characters(codec="latin-1")))
def test_any_host_is_survived(host: str) -> None:
    is_own(host, [])


@pytest.mark.slow
@given(st.from_regex(r"([a-z0-9-]{1,9}\.){1,3}[a-z]{2,9}(:[0-9]{1,5})?", fullmatch=True))
def test_no_public_name_is_taken_for_its_own(host: str) -> None:
    assert is_own(host, []) == host.partition(":")[0].endswith(NOT_PUBLIC)


@pytest.mark.parametrize(
    ("listens_on", "given", "names"),
    [
        ("127.0.0.1", (), ()),
        ("::1", (), ()),
        ("localhost", (), ()),
        ("0.0.0.0", (), ("*",)),
        ("192.168.1.7", (), ("*",)),
        ("0.0.0.0", ("pools.example.org",), ("0.0.0.0", "pools.example.org")),
        ("Node1.example.org", (), ("*",)),
        ("nas", (), ("*",)),
        ("", (), ("*",)),
    ],
)
def test_who_lets_others_in_is_asked_by_any_name(
    listens_on: str, given: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert names_of(listens_on, given) == names


async def test_a_name_that_points_here_reads_nothing(client: Client) -> None:
    stranger = {"Host": "evil.example:9431"}
    for path in ("/api/v1/overview", "/api/v1/events"):
        async with client.get(path, headers=stranger) as response:
            assert response.status == 421
            message = (await response.json())["error"]["message"]
        assert message == (
            "this agent is not known as 'evil.example:9431'; if it is yours, see web.names"
        )
    async with client.get("/metrics", headers=stranger) as response:
        assert response.status == 421
        assert "poolscope_" not in await response.text()


async def test_a_proxy_may_hand_on_the_public_name(agent: WebAgent) -> None:
    settings = WebSettings(port=0, host="127.1", names=("Pools.Example.org",))
    async with WebServer(agent.context(), settings) as server:
        for name in (b"pools.example.org", b"127.1"):  # the name that it listens on is one, too
            said = await sent(
                server, b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % name
            )
            assert said.startswith(b"HTTP/1.1 200")
