"""bitcoin.conf, read as Bitcoin Core reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.leftout import Kind, Tally
from hashing.params import CORE_CHAIN_NAMES, MAINNET, NETWORKS, REGTEST, SIGNET, NetworkParams
from monitor.sources.bitcoin_conf import Conf, access, dynamic_settings, parse, read
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.bitcoind_find import candidate_in, candidates_in, find_local_node, resolve
from tests.support.node import RegtestNode


def write(folder: Path, text: str, **others: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bitcoin.conf").write_bytes(text.encode())
    for name, content in others.items():
        (folder / name).write_bytes(content.encode())
    return folder


def said(folder: Path, params: NetworkParams = MAINNET) -> str:
    return "\n".join(str(left) for left in candidate_in(folder, params).left_out)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:8332"),
        # where it listens
        ("rpcbind=192.168.7.7\n", "http://192.168.7.7:8332"),
        ("rpcbind=192.168.7.7\nrpcallowip=192.168.7.0/24\n", "http://192.168.7.7:8332"),
        ("rpcbind=127.0.0.1:18999\n", "http://127.0.0.1:18999"),
        ("rpcbind=[::1]:8332\n", "http://[::1]:8332"),
        ("rpcbind=::1\n", "http://[::1]:8332"),
        ("rpcbind=[fd00::7]\n", "http://[fd00::7]:8332"),
        ("rpcbind=0.0.0.0\nrpcport=9000\n", "http://127.0.0.1:9000"),
        ("rpcbind=0.0.0.0:9001\nrpcport=9000\n", "http://127.0.0.1:9001"),
        ("rpcbind=[::]:9001\n", "http://[::1]:9001"),
        ("rpcbind=::\nrpcbind=0.0.0.0\n", "http://127.0.0.1:8332"),
        ("rpcbind=:9001\n", "http://127.0.0.1:9001"),
        ("rpcbind=node.lan\n", "http://node.lan:8332"),
        ("rpcbind=192.168.7.7\nrpcbind=127.0.0.1:7\n", "http://127.0.0.1:7"),
        ("[main]\nrpcbind=192.168.7.7\n", "http://192.168.7.7:8332"),
        ("main.rpcbind=192.168.7.7\n", "http://192.168.7.7:8332"),
        ("test.rpcbind=192.168.7.7\n", "http://127.0.0.1:8332"),
        ("rpcbind=192.168.7.7\nnorpcbind=1\n", "http://127.0.0.1:8332"),
        ("norpcbind=1\nrpcbind=192.168.7.7\n", "http://192.168.7.7:8332"),
        ("rpcbind=what is this\n", "http://127.0.0.1:8332"),
        # where bitcoin-cli asks
        ("rpcconnect=10.0.0.5\n", "http://10.0.0.5:8332"),
        ("rpcconnect=10.0.0.5:9000\n", "http://10.0.0.5:9000"),
        ("rpcconnect=10.0.0.5:9000\nrpcport=9001\n", "http://10.0.0.5:9001"),
        ("rpcconnect=[fd00::7]:9000\n", "http://[fd00::7]:9000"),
        ("rpcconnect=10.0.0.5\nrpcbind=192.168.7.7:1\n", "http://10.0.0.5:8332"),
        ("rpcconnect=\n", "http://127.0.0.1:8332"),
        # of equal ones the first holds, and a section before what is general
        ("rpcport=8001\nrpcport=8002\n", "http://127.0.0.1:8001"),
        ("[main]\nrpcport=8001\nrpcport=8002\n", "http://127.0.0.1:8001"),
        ("rpcport=8001\n[main]\nrpcport=8002\n", "http://127.0.0.1:8002"),
        ("[main]\nrpcport=8002\n[regtest]\nrpcport=1\n", "http://127.0.0.1:8002"),
        ("rpcport=8001\nnorpcport=1\n", "http://127.0.0.1:8332"),
        ("rpcport=8001\nnorpcport=1\nrpcport=8003\n", "http://127.0.0.1:8003"),
        # forms of lines
        ("rpcport = 8001 # why\r\n", "http://127.0.0.1:8001"),
        ("\t rpcport\t=\t8001", "http://127.0.0.1:8001"),
        ("#rpcport=8001\nrpcport=8002\n", "http://127.0.0.1:8002"),
        ("[main] # section\nrpcport=8001\n", "http://127.0.0.1:8001"),
        ("-rpcport=8001\n", "http://127.0.0.1:8332"),
        ("rpcport 8001\n", "http://127.0.0.1:8332"),
        ("rpcport=\n", "http://127.0.0.1:8332"),
        ("rpcport=80000\n", "http://127.0.0.1:8332"),
        ("rpcport=8001\x0crpcport=1\n", "http://127.0.0.1:8332"),
        ("\ufeffrpcport=8001\n", "http://127.0.0.1:8332"),
        ("RPCPORT=8001\n", "http://127.0.0.1:8332"),
        ("[testnet]\nrpcport=8001\n", "http://127.0.0.1:8332"),
    ],
)
def test_where_a_mainnet_node_is_asked(tmp_path: Path, text: str, url: str) -> None:
    assert candidate_in(write(tmp_path, text), MAINNET).url == url


@pytest.mark.parametrize("chain", [c for c in CORE_CHAIN_NAMES if c != "main"])
def test_outside_of_sections_only_mainnet_listens(tmp_path: Path, chain: str) -> None:
    params = CORE_CHAIN_NAMES[chain]
    write(tmp_path, "rpcport=1\nrpcbind=10.0.0.1\nrpcuser=ann\nrpcpassword=pw\n")
    found = candidate_in(tmp_path, params)
    assert found.url == f"http://127.0.0.1:{params.rpc_port}"
    assert (found.user, found.password) == ("ann", "pw")
    assert "2 settings of bitcoin.conf (rpcport, rpcbind): outside of a section" in said(
        tmp_path, params
    )
    for form in (f"[{chain}]\nrpcport=7\nrpcbind=10.0.0.1\n", f"{chain}.rpcbind=10.0.0.1:7\n"):
        assert candidate_in(write(tmp_path, form), params).url == "http://10.0.0.1:7"
    # but a negation outside of them holds everywhere
    assert (
        candidate_in(write(tmp_path, f"norpcport=1\n[{chain}]\nrpcport=7\n"), params).url
        == "http://127.0.0.1:7"
    )


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("rpcuser=ann\nrpcpassword=pw\n", ("ann", "pw", None)),
        ("rpcpassword=pw\n", ("", "pw", None)),
        ("rpcuser=ann\n", ("", "", ".cookie")),
        ("rpcuser=ann\nrpcuser=bob\nrpcpassword=1st\nrpcpassword=2nd\n", ("ann", "1st", None)),
        ("rpcuser=ann\nrpcpassword=a\n[main]\nrpcuser=bob\n", ("bob", "a", None)),
        ("rpcpassword=a=b;c%d @\"'\n", ("", "a=b;c%d @\"'", None)),
        ("rpcpassword=pw\nnorpcpassword=1\n", ("", "", ".cookie")),
        ("rpcauth=ann:salt$hash\n", ("", "", ".cookie")),
        ("rpccookiefile=other\n", ("", "", "other")),
        ("rpccookiefile=/run/c\n", ("", "", "/run/c")),
        ("norpccookiefile=1\n", ("", "", None)),
        ("norpccookiefile=0\n", ("", "", "1")),
        # Core does not start with a password and a # in one line, so that it is nobody's
        ("rpcpassword=ab#cd\n", ("", "", ".cookie")),
        ("rpcpassword=abcd # mine\n", ("", "", ".cookie")),
    ],
)
def test_logins(tmp_path: Path, text: str, login: tuple[str, str, str | None]) -> None:
    found = candidate_in(write(tmp_path, text), MAINNET)
    user, password, cookie = login
    assert (found.user, found.password) == (user, password)
    assert found.cookie == (tmp_path / cookie if cookie else None)
    assert "cd" not in said(tmp_path)
    assert "hash" not in said(tmp_path).replace("a hash of it", "")


def test_a_password_of_other_bytes_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "bitcoin.conf").write_bytes(b"rpcpassword=caf\xe9\n")
    found = candidate_in(tmp_path, MAINNET)
    assert os.fsencode(found.password) == b"caf\xe9"


def test_files_that_are_included(tmp_path: Path) -> None:
    write(
        tmp_path,
        "includeconf=general.conf\nrpcuser=ann\n[main]\nincludeconf=main.conf\n",
        **{
            "general.conf": "rpcpassword=general\nrpcuser=bob\nincludeconf=more.conf\n",
            "main.conf": "rpcpassword=main\n[main]\nrpcport=7\n",
            "more.conf": "rpcport=8\n",
        },
    )
    found = candidate_in(tmp_path, MAINNET)
    # those of the section come first, and what comes first holds
    assert (found.user, found.password, found.url[-1]) == ("ann", "main", "7")
    assert "(includeconf): it stands in an included file" in said(tmp_path)
    assert candidate_in(tmp_path, SIGNET).password == "general"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("includeconf=gone.conf\n", "cannot be read"),
        ("includeconf=.\n", "cannot be read"),
        ("includeconf=a\0b\n", "cannot be read"),
        ("includeconf=x\n" * 60, "more than 50 files"),
    ],
)
def test_files_that_cannot_be_included(tmp_path: Path, text: str, why: str) -> None:
    assert why in said(write(tmp_path, text))


def test_an_include_that_is_negated(tmp_path: Path) -> None:
    folder = write(tmp_path, "includeconf=s\nnoincludeconf=1\n", s="rpcpassword=x\n")
    assert candidate_in(folder, MAINNET).password == ""


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        (
            "rpcport=1\nrpcport=2\nrpcport=3\n",
            "2 settings of bitcoin.conf (rpcport)",
            "first holds",
        ),
        ("[testnet]\nrpcport=1\n", "[testnet] rpcport", "no such section"),
        ("[main]\nregtest.rpcport=1\n", "[main] regtest.rpcport", "twice"),
        ("-rpcport=1\n", "line 1", "does not start"),
        ("\nrpcport\n", "line 2", "does not start"),
        ("conf=/x\n", "line 1: conf", "does not start"),
        ("rpcpassword=s3cret#x\n", "line 1: rpcpassword", "#"),
        ("\ufeffrpcport=1\n", "line 1", "byte order mark"),
        ("rpcauth=a:s3cret$x\nrpcauth=b:s3cret$y\n", "(rpcauth)", "no password"),
        ("rpcuser=a\n", "(rpcuser)", "no rpcpassword"),
        ("norpccookiefile=1\n", "(norpccookiefile)", "no cookie"),
        ("rpcport=s3cret\n", "(rpcport)", "no port"),
        ("rpcbind=s3cret:x\n", "(rpcbind)", "no address"),
        ("rpcconnect=http://s3cret\n", "(rpcconnect)", "no address"),
        ("datadir=relative\n", "(datadir)", "bitcoind was started"),
        ("datadir=~/s3cret\n", "(datadir)", "bitcoind was started"),
        ("server=0\n", "(server)", "answers nobody"),
        ("noserver=1\n", "(server)", "answers nobody"),
        ("testnet=1\n", "(chain test)", "another one is asked for"),
        ("testnet4=1\n", "(chain testnet4)", "another one is asked for"),
        ("signet=1\n", "(chain signet)", "another one is asked for"),
        ("regtest=1\n", "(chain regtest)", "another one is asked for"),
        ("chain=signet\n", "(chain signet)", "another one is asked for"),
    ],
)
def test_what_is_not_followed_is_named(tmp_path: Path, text: str, name: str, why: str) -> None:
    left = said(write(tmp_path, text))
    assert name in left
    assert why in left
    assert "s3cret" not in left
    assert all(each.kind is Kind.CONF_SETTING for each in candidate_in(tmp_path, MAINNET).left_out)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dbcache=4000\ntxindex=1\ntxindex=0\nprune=550\nwallet=a\nwallet=b\n",
        "rpcallowip=10.0.0.0/8\nrpcbind=0.0.0.0\nserver=1\nrest=1\n",
        "signet=0\ntestnet=0\nchain=main\n",
        "regtest=1\nregtest=0\n",
        "rpcuser=a\nrpcpassword=b\nrpcport=1\n[regtest]\nrpcport=2\n",
    ],
)
def test_nothing_is_said_of_what_is_followed_or_does_not_matter(tmp_path: Path, text: str) -> None:
    assert said(write(tmp_path, text)) == ""


def test_a_datadir_that_is_moved(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "regtest").mkdir(parents=True)
    write(disk, "rpcport=1\n")  # Core reads no second file
    home = write(tmp_path / "home", f"datadir={disk}\n[regtest]\nrpcport=7\n")
    found = candidate_in(home, REGTEST)
    assert (found.url, found.found_in) == ("http://127.0.0.1:7", disk)
    assert found.cookie == disk / "regtest" / ".cookie"


def test_settings_that_the_node_wrote_itself_are_stronger(tmp_path: Path) -> None:
    home = write(tmp_path, "regtest.rpcport=7\nrpcpassword=file\n")
    (tmp_path / "regtest").mkdir()
    (tmp_path / "regtest" / "settings.json").write_text(
        '{"rpcport": 9, "rpcpassword": false, "rpcbind": ["10.0.0.1", "127.0.0.1:4"], "x": {}}'
    )
    found = candidate_in(home, REGTEST)
    assert found.url == "http://127.0.0.1:4"
    assert found.cookie is not None
    (tmp_path / "regtest" / "settings.json").write_text("{")
    assert candidate_in(home, REGTEST).url == "http://127.0.0.1:7"


def test_where_rpcbind_may_not_hold_both_are_tried(tmp_path: Path) -> None:
    home = write(tmp_path, "rpcbind=192.168.7.7:9\nrpcpassword=x\n")
    found = find_local_node(environ={}, datadirs=[str(home)])
    assert [c.url for c in found] == ["http://192.168.7.7:9", "http://127.0.0.1:8332"]
    write(tmp_path, "rpcbind=192.168.7.7:9\nrpcallowip=192.168.7.0/24\n")
    assert [c.url for c in candidates_in(home, MAINNET)] == ["http://192.168.7.7:9"]


def test_a_file_without_end(tmp_path: Path) -> None:
    write(tmp_path, "rpcport=7\n" + "#" * (1 << 20) + "\nrpcport=8\n")
    assert candidate_in(tmp_path, MAINNET).url.endswith(":7")
    assert "(bitcoin.conf): what is behind the first 1 MiB" in said(tmp_path)


def test_what_is_left_out_reaches_the_source(tmp_path: Path) -> None:
    write(tmp_path, "[signet]\nrpcport=1\nrpcport=2\n")
    tally = Tally()
    resolve("", datadir=tmp_path, network="signet", tally=tally)
    assert [left.examples for left in tally.found] == [("rpcport",)]
    source = BitcoindSource(datadir=tmp_path, network="signet")
    assert tuple(source.left_out) == tally.found


async def test_a_real_node_is_found_by_its_file(tmp_path: Path) -> None:
    with RegtestNode(datadir=tmp_path / "disk", user="ann", password="p w'%é", blocks=3) as node:
        home = write(
            tmp_path / "home",
            f"datadir={node.datadir}\nrpcpassword=wrong\nincludeconf=login.conf\n",
            **{
                "login.conf": "[regtest]\nrpcuser=ann\nrpcpassword=p w'%é\nrpcbind=0.0.0.0:"
                f"{node.rpc_port}\nrpcallowip=127.0.0.1\n"
            },
        )
        source = BitcoindSource(datadir=home, network="regtest")
        await source.open()
        assert await source.tip() == node.tip
        await source.close()


LINES = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.builds(
            "{}{}{}={}".format,
            st.sampled_from(["", "main.", "regtest.", "no", "-", "x.y."]),
            st.sampled_from(["rpcport", "rpcbind", "rpcuser", "includeconf", "chain", "datadir"]),
            st.sampled_from(["", " ", "#"]),
            st.text(max_size=8),
        ),
        st.sampled_from(["[main]", "[regtest]", "[", "]", "[]", "[[main]]", "#", "="]),
    ),
    max_size=12,
)


@pytest.mark.slow
@given(lines=LINES, chain=st.sampled_from(sorted(CORE_CHAIN_NAMES)), dynamic=st.text(max_size=30))
def test_any_file_gives_an_address(lines: list[str], chain: str, dynamic: str) -> None:
    tally = Tally()
    entries = read("\n".join(lines), chain, lambda name: name, tally)
    conf = Conf(entries, chain, dynamic_settings(dynamic))
    found = access(conf, CORE_CHAIN_NAMES[chain], tally)
    assert all(0 < port < 65536 and host for host, port in found.places)
    assert parse("", tally) == []


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_chain(tmp_path: Path, network: str) -> None:
    assert candidate_in(tmp_path, NETWORKS[network]).left_out == ()
