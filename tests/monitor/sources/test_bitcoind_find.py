"""Finding nodes by the traces that they leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from hashing.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET4
from monitor.errors import ConfigError
from monitor.sources.bitcoind_find import candidate_in, find_local_node, resolve
from tests.support.node import RegtestNode


def datadir(path: Path, conf: str = "", cookies: tuple[str, ...] = ()) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    if conf:
        (path / "bitcoin.conf").write_text(conf)
    for sub in cookies:
        (path / sub).mkdir(exist_ok=True)
        (path / sub / ".cookie").write_text("__cookie__:secret")
    return path


def test_nothing_there(tmp_path: Path) -> None:
    datadir(tmp_path / "a")
    places = [str(tmp_path / "a"), str(tmp_path / "missing")]
    assert find_local_node(environ={}, datadirs=places) == []


@pytest.mark.parametrize("network", list(NETWORKS))
def test_cookie_of_each_network(tmp_path: Path, network: str) -> None:
    params = NETWORKS[network]
    place = datadir(tmp_path / "node", cookies=(params.datadir,))
    (found,) = find_local_node(network, environ={}, datadirs=[str(place)])
    assert found.url == f"http://127.0.0.1:{params.rpc_port}"
    assert found.cookie == place / params.datadir / ".cookie"
    assert found.found_in == place
    others = set(NETWORKS) - {network}
    assert not any(find_local_node(o, environ={}, datadirs=[str(place)]) for o in others)


def test_environment_comes_first_and_nothing_twice(tmp_path: Path) -> None:
    usual = datadir(tmp_path / "usual", cookies=("",))
    named = datadir(tmp_path / "named", cookies=("",))
    found = find_local_node(
        environ={"BITCOIN_DATADIR": str(named)}, datadirs=[str(usual), str(named)]
    )
    assert [candidate.found_in for candidate in found] == [named, usual]


def test_password_in_the_configuration(tmp_path: Path) -> None:
    conf = "rpcuser = ann\nrpcpassword=p%w=1\n# rpcport=1\nrpcport=9999 # mainnet's\n"
    (found,) = find_local_node(environ={}, datadirs=[str(datadir(tmp_path, conf))])
    assert (found.url, found.user, found.password) == ("http://127.0.0.1:9999", "ann", "p%w=1")
    assert found.cookie is None
    assert "p%w" not in repr(found)


def test_sections_hold_for_their_network_only(tmp_path: Path) -> None:
    conf = """
rpcport=1000
testnet4.rpcport=4000
[signet]
rpcport=3000
rpccookiefile=/run/signet.cookie
[regtest]
rpccookiefile=other.cookie
"""
    place = datadir(tmp_path, conf)
    assert candidate_in(place, MAINNET).url.endswith(":1000")
    assert candidate_in(place, TESTNET4).url.endswith(":4000")
    assert candidate_in(place, SIGNET).url.endswith(":3000")
    assert candidate_in(place, SIGNET).cookie == Path("/run/signet.cookie")
    assert candidate_in(place, REGTEST).url.endswith(":18443")
    assert candidate_in(place, REGTEST).cookie == place / "regtest" / "other.cookie"


def test_datadir_setting_moves_the_cookie(tmp_path: Path) -> None:
    elsewhere = datadir(tmp_path / "big disk", cookies=("",))
    place = datadir(tmp_path / "conf", f"datadir={elsewhere}\n")
    (found,) = find_local_node(environ={}, datadirs=[str(place)])
    assert found.cookie == elsewhere / ".cookie"


def test_hostile_configuration(tmp_path: Path) -> None:
    place = datadir(tmp_path)
    (place / "bitcoin.conf").write_bytes(
        b"\xff\xfe=\n[\n]\n=\nrpcport=-1\nrpcport=x\n[[main]]\n.=.\n"
    )
    assert candidate_in(place, MAINNET).url == "http://127.0.0.1:8332"


def test_resolve_prefers_what_is_said() -> None:
    url, login = resolve("http://ann:p%40ss@10.0.0.1", network="signet")
    assert url == "http://10.0.0.1:38332"
    assert (login.user, login.password) == ("ann", "p@ss")
    url, login = resolve("https://ann:x@[::1]:9/", user="bob", password="y")
    assert url == "https://[::1]:9"
    assert login.read() == "bob:y"


def test_resolve_takes_cookie_or_datadir(tmp_path: Path) -> None:
    place = datadir(tmp_path, "regtest.rpcport=7\n")
    url, login = resolve("", datadir=place, network="regtest")
    assert url == "http://127.0.0.1:7"
    assert login.cookie == place / "regtest" / ".cookie"
    url, login = resolve("", cookie=place / "c", network="regtest")
    assert (url, login.cookie) == ("http://127.0.0.1:18443", place / "c")
    url, _ = resolve("http://localhost:1", datadir=place, network="regtest")
    assert url == "http://localhost:1"


def test_resolve_without_any_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.sources.bitcoind_find.USUAL_DATADIRS", ())
    monkeypatch.delenv("BITCOIN_DATADIR", raising=False)
    with pytest.raises(ConfigError, match=r"bitcoind\.cookie"):
        resolve("http://127.0.0.1:8332")


@pytest.mark.parametrize("url", ["http://", "http://u:secret@", "http://h:99999", "http://h:x"])
def test_resolve_names_a_url_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError, match=r"bitcoind\.url") as caught:
        resolve(url, password="p")
    assert "secret" not in str(caught.value)


def test_finds_the_test_node() -> None:
    with RegtestNode(blocks=1) as node:
        (node.datadir / "bitcoin.conf").write_text(f"[regtest]\nrpcport={node.rpc_port}\n")
        found = find_local_node(
            "regtest", environ={"BITCOIN_DATADIR": str(node.datadir)}, datadirs=[]
        )
        assert [(c.url, c.cookie) for c in found] == [(node.url, node.cookie)]
