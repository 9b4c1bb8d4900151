"""No secret of the settings, nor a part of one, leaves the program in whatever it says."""

from __future__ import annotations

import base64
import doctest
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from monitor import secrets
from monitor.agent.choose import api_sources, node_sources
from monitor.cli import main
from monitor.config import load_settings
from monitor.errors import PoolscopeError
from monitor.secrets import foreign, hide, remember
from monitor.sources.bitcoind import BitcoindSource
from monitor.sources.esplora import EsploraSource
from monitor.watch.price import fetch_price
from tests.support.lanes import pairs

SECRETS = [
    "ZqxWv7Kj",
    "ZqxW/v7Kj=",
    "Zqx#Wv7?Kj",
    "Zqx@Wv7:Kj",
    "Zq%xWv7%4bKj",
    "Zqx Wv7 'Kj\"",
    "Zqé€xWv7Kj",
    "739146/582037",
]
NO_NAMES = [secret for secret in SECRETS if not secret.isalnum()]
"""Those that nobody can take for the name of a setting."""
PLAIN = [secret for secret in SECRETS if secret.isascii() and " " not in secret]


def leaks(secret: str, text: str) -> set[str]:
    """Return the parts of a secret that are in a text: of four characters, six of digits."""
    size = 6 if secret[0].isdigit() else 4
    coded = base64.b64encode(f"ann:{secret}".encode()).decode()
    return {coded for _ in range(coded in text)} | {
        secret[i : i + size]
        for i in range(len(secret) - size + 1)
        if secret[i : i + size] in text or quote(secret[i : i + size], safe="") in text
    }


Make = Callable[[str], list[str]]


def node(**values: str) -> list[str]:
    return [f"bitcoind.0.{name}={value}" for name, value in values.items()]


HERE = "127.0.0.1:1"
"""Nothing listens there."""
SETTINGS: dict[str, Make] = {
    "node url": lambda s: node(url=f"http://ann:{quote(s, '')}@{HERE}"),
    "node url, as it is": lambda s: node(url=f"http://ann:{s}@{HERE}"),
    "node url, no host": lambda s: node(url=f"http://ann:{s}"),
    "node url, no scheme": lambda s: node(url=f"ann:{s}@{HERE}"),
    "node url, lone user": lambda s: node(url=f"http://{quote(s, '')}@{HERE}/x"),
    "node path": lambda s: node(url=f"http://{HERE}/v2/{quote(s, '')}"),
    "node path, as it is": lambda s: node(url=f"http://{HERE}/v2/{s}"),
    "node query": lambda s: node(url=f"http://{HERE}?apikey={quote(s, '')}"),
    "node password": lambda s: node(url=f"http://{HERE}", user="ann", password=s),
    "node header": lambda s: node(**{"url": f"http://{HERE}", "headers.X-Key": s}),
    "node zmq": lambda s: node(url=f"http://a:b@{HERE}", zmq=f"tcp://ann:{s}@{HERE}"),
    "store": lambda s: [f"store=postgresql://ann:{quote(s, '')}@{HERE}/db"],
    "store, as it is": lambda s: [f"store=postgresql://ann:{s}@{HERE}/db"],
    "store, other scheme": lambda s: [f"store=mysql://ann:{s}@{HERE}/db"],
    "store, query": lambda s: [f"store=postgresql://{HERE}/db?sslpassword={quote(s, '')}"],
    "store_password": lambda s: [f"store=postgresql://ann@{HERE}/db", f"store_password={s}"],
    "price query": lambda s: [f"economics.price_url=http://{HERE}/p?k={quote(s, '')}"],
    "price path": lambda s: [f"economics.price_url=http://{HERE}/{quote(s, '')}/p"],
    "price, as it is": lambda s: [f"economics.price_url=http://{HERE}/p?{s}"],
    "api path": lambda s: [f'esplora.urls=["http://{HERE}/{quote(s, "")}/api"]'],
    "api login": lambda s: [f'esplora.urls=["http://ann:{quote(s, "")}@{HERE}/api"]'],
    "api token": lambda s: [f'esplora.urls=["http://{HERE}"]', f"esplora.token={s}"],
    "api header": lambda s: [f'esplora.urls=["http://{HERE}"]', f"esplora.headers.X-Key={s}"],
    "a wrong name": lambda s: [f"{s}=1"],
    "a name in a section": lambda s: [f"web.{s}=1"],
    "no assignment": lambda s: [s],
}
FACES = [
    ["config"],
    ["config", "--json"],
    ["status"],
    ["status", "--json"],
    ["pools"],
    ["relabel"],
    ["backfill", "--source", "bitcoind"],
    ["backfill", "--source", "esplora", "--from", "1"],
    ["cost", "--difficulty", "1e14", "--height", "900000"],
]


def said_by(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr(sys, "argv", ["poolscope", *arguments])
    monkeypatch.setattr(secrets, "_KNOWN", secrets._Known())
    with pytest.raises(SystemExit):
        main()
    captured = capsys.readouterr()
    assert captured.out or captured.err
    return captured.out + captured.err


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Settings that let a command find nothing of this machine."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BITCOIN_DATADIR", raising=False)
    return ["--data-dir", str(tmp_path), "--set", "web.port=1", "--set", "log_level=debug"]


def named(secrets: list[str]) -> dict[str, str]:
    return {secret: secret for secret in secrets}


PLACED = {name: name for name in SETTINGS if "name" not in name}
NAMES = {name: name for name in SETTINGS if "name" in name}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "secret"), [*pairs(PLACED, named(SECRETS)), *pairs(NAMES, named(NO_NAMES))]
)
def test_no_command_shows_one(
    name: str,
    secret: str,
    alone: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = [part for text in SETTINGS[name](secret) for part in ("--set", text)]
    for face in FACES:
        said = said_by([*face, *alone, *flags], monkeypatch, capsys)
        assert leaks(secret, said) == set(), (face, flags, said)


def test_the_search_for_leaks_finds_one() -> None:
    assert leaks("ABCD/efg=", "Port could not be cast to integer value as 'ABCD'") == {"ABCD"}
    assert leaks("ABCD/efg=", "in http://h/CD%2Fe") == {"CD/e"}


@pytest.mark.parametrize("secret", SECRETS)
def test_arguments_that_no_command_takes(
    secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["run", f"http://ann:{secret}@h"],
        ["config", f"--sett=http://ann:{secret}@h"],
        ["run", "--port", f"http://ann:{secret}@h"],
        ["run", "--bitcoind", f"ann:{secret}@h"],
        ["run", "--source", f"http://ann:{secret}@h"],
    ):
        assert leaks(secret, said_by(arguments, monkeypatch, capsys)) == set(), arguments


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("name", ["STORE", "BITCOIND", "BITCOIND__0__URL", "ESPLORA__URLS", "WEB"])
def test_variables_that_are_wrong(
    name: str,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = f'{{"{secret}": 1}}' if secret in NO_NAMES else "{"
    for value in (f"http://ann:{secret}@h", f'["ftp://ann:{secret}@h"]', named):
        monkeypatch.setenv(f"POOLSCOPE_{name}", value)
        assert leaks(secret, said_by(["config"], monkeypatch, capsys)) == set(), value


@pytest.mark.parametrize("secret", SECRETS)
def test_settings_files_that_are_wrong(
    secret: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "p.toml"
    quoted = json.dumps(secret, ensure_ascii=False)
    for text in (
        f"store_password = {secret}\n",
        f"store_password = {quoted[:-1]}\n",
        f"[[bitcoind]]\npassword = {quoted}\npassword = {quoted}\n",
        f"[bitcoind]\npassword = {quoted}\n",
        f"bitcoind = {quoted}\n",
        f"bitcoind = [[{quoted}]]\n",
        f"{quoted} = 1\n" if secret in NO_NAMES else "=\n",
    ):
        file.write_text(text)
        said = said_by(["config", "--config", str(file)], monkeypatch, capsys)
        assert leaks(secret, said) == set(), (text, said)


class Parrot(BaseHTTPRequestHandler):
    """Repeats what it was asked in whatever it answers, as careless servers do."""

    protocol_version = "HTTP/1.1"
    status = 200
    kind = "text/plain"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        login = self.headers.get("Authorization", "").partition(" ")[2]
        try:
            known = base64.b64decode(login, validate=True).decode()
        except ValueError:
            known = login
        said = " ".join((self.path, unquote(self.path), known, known.partition(":")[2], login))
        said += " " + " ".join(self.headers.values()) + f" http://{known}@here{self.path}"
        message = said.encode("ascii", "replace").decode() if self.status != 200 else "OK"
        body: Any = said
        if self.kind == "application/json":
            error = {"code": -32000, "message": said}
            body = json.dumps({"result": None, "error": error, "id": 1})
        self.send_response(self.status, re.sub(r"[\r\n]", " ", message))
        self.send_header("Content-Type", self.kind)
        raw = body.encode()
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Location", f"http://elsewhere{self.path}?again={quote(said)}")
        self.end_headers()
        self.wfile.write(raw)

    do_POST = do_GET  # noqa: N815


@contextmanager
def parrot(status: int = 200, kind: str = "text/plain") -> Iterator[str]:
    handler = type("Now", (Parrot,), {"status": status, "kind": kind})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


ANSWERS = {
    f"{status} {kind}": (status, kind)
    for status, kind in (
        (200, "text/plain"),
        (200, "text/html"),
        (200, "application/json"),
        (301, "text/plain"),
        (400, "application/json"),
        (401, "text/plain"),
        (403, "text/plain"),
        (404, "text/plain"),
        (429, "text/plain"),
        (500, "text/plain"),
        (500, "application/json"),
        (503, "text/plain"),
    )
}


async def refusal_of(source: BitcoindSource | EsploraSource) -> str:
    try:
        with pytest.raises(PoolscopeError) as caught:
            await source.open()
        return str(caught.value)
    finally:
        await source.close()


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "secret"), pairs(ANSWERS, named(SECRETS)))
async def test_what_a_node_repeats_is_not_repeated(
    answer: tuple[int, str], secret: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("DEBUG", "monitor")
    with parrot(*answer) as place:
        known: list[dict[str, Any]] = [
            {"url": f"http://ann:{quote(secret, '')}@{place}"},
            {"url": f"http://{place}", "user": "ann", "password": secret},
            {"url": f"http://{place}/v2/{quote(secret, '')}"},
            {"url": f"http://{place}/?key={quote(secret, '')}"},
            {"url": f"http://{quote(secret, '').replace('%3A', '')}@{place}/x"},
        ]
        cookie = tmp_path / ".cookie"
        cookie.write_text(f"__cookie__:{secret}")
        known.append({"url": f"http://{place}", "cookie": str(cookie)})
        if secret in PLAIN:
            known.append({"url": f"http://{place}/x", "headers": {"X-Key": secret}})
        settings = load_settings(None, {"bitcoind": known, "network": "regtest"})
        for source in node_sources(settings):
            assert isinstance(source, BitcoindSource)
            said = await refusal_of(source)
            assert leaks(secret, said + caplog.text) == set(), said


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "secret"), pairs(ANSWERS, named(SECRETS)))
async def test_what_an_api_repeats_is_not_repeated(
    answer: tuple[int, str], secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "monitor")
    with parrot(*answer) as place:
        coded = quote(secret, "")
        urls = [f"http://{place}/{coded}/api", f"http://{place}/?key={coded}"]
        urls += [f"http://ann:{coded}@{place}", f"http://{place}/api?{coded}"]
        known: list[dict[str, Any]] = [{"urls": [url]} for url in urls]
        if secret in PLAIN:
            known += [
                {"urls": [f"http://{place}"], "token": secret},
                {"urls": [f"http://{place}"], "headers": {"X-Key": secret}},
            ]
        for esplora in known:
            (source,) = api_sources(load_settings(None, {"esplora": esplora}))
            assert isinstance(source, EsploraSource)
            source._client.pace = 0
            said = await refusal_of(source)
            assert leaks(secret, said + caplog.text) == set(), said
        for url in urls:
            settings = load_settings(None, {"economics": {"price_url": url}})
            with pytest.raises(PoolscopeError) as caught:
                await fetch_price(settings.economics)
            assert leaks(secret, str(caught.value)) == set(), caught.value


@pytest.mark.parametrize("secret", SECRETS)
def test_foreign_text(secret: str) -> None:
    remember(secret)
    for text in (
        secret,
        f"no {secret} here",
        repr(secret),
        json.dumps({"a": secret}),
        quote(secret, safe=""),
        f"URL('http://ann:{quote(secret)}@h/{secret}?k={secret}')",
        f"value as '{re.split('[/#?@:]', secret)[0]}'",
        secret.replace("&", "&amp;").replace("'", "&#x27;").replace('"', "&quot;"),
    ):
        assert leaks(secret, hide(text)) == set(), hide(text)
        assert leaks(secret, foreign(ValueError("x" * 150 + text))) == set()


def test_foreign_text_without_a_known_secret() -> None:
    assert doctest.testmod(secrets).failed == 0
    assert hide("at http://ann:pa/ss@h:1/x, see") == "at http://***@h:1/*** see"
    assert (
        hide("GET https://h/api/v1/prices?key=4 fails") == "GET https://h/api/v1/prices?*** fails"
    )
    assert hide("nothing to hide\n") == "nothing to hide\n"
    assert foreign(TimeoutError()) == "TimeoutError"
    assert foreign(ValueError("a\nb\x1b[31m")) == "a b?[31m"


def test_short_secrets_leave_texts_readable() -> None:
    remember("a", "80", "")
    assert hide("at port 8080") == "at port 8080"


FAULT = """
import sys
from monitor.cli import main
from monitor.secrets import remember
import monitor.commands.pools as pools
remember({secret!r})
def fails(*_, **__):
    {how}
pools.command.callback = fails
sys.argv = ["poolscope", "pools"]
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        "raise RuntimeError({secret!r})",
        "raise ExceptionGroup('x', [ValueError('http://ann:' + {secret!r} + '@h')])",
        "import threading; t = threading.Thread(target=lambda: 1 / len(open({secret!r}).read())); "
        "t.start(); t.join()",
        "import logging; from monitor.log import setup_logging; setup_logging('info'); "
        "logging.getLogger('monitor').error('x', exc_info=ValueError({secret!r}))",
        "import logging; from monitor.log import setup_logging; setup_logging('info'); "
        "logging.getLogger('asyncio').error('x of %r', ValueError({secret!r}))",
    ],
)
def test_tracebacks(how: str) -> None:
    secret = "ZqxWv7Kj"
    # the lines of the program itself are in a traceback, too: there the secret is put together
    program = FAULT.replace("{how}", how).replace("{secret!r}", "''.join(['ZqxW', 'v7Kj'])")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "Traceback" in done.stderr or "ERROR   x" in done.stderr
    assert secret not in done.stderr
    assert "***" in done.stderr


@contextmanager
def agent(*flags: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "monitor", "run", "--data-dir", str(folder), *flags],
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"HOME": str(folder)},
        )
    try:
        yield process, log
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def until(log: Path, process: subprocess.Popen[str], *words: str) -> str:
    """Wait until the log has all words, for as long as the process lives."""
    while process.poll() is None:
        text = log.read_text()
        if all(word in text for word in words):
            return text
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("secret", ["ZqxW/v7Kj=", "739146/582037"])
def test_no_face_of_the_agent_shows_one(secret: str, tmp_path: Path) -> None:
    coded = quote(secret, "")
    with (
        parrot(500) as place,
        agent(
            *("--source", "bitcoind", "--network", "regtest"),
            *("--bitcoind", f"http://ann:{coded}@{place}/v2/{coded}?key={coded}"),
            *("--set", f"economics.price_url=http://{place}/{coded}?key={coded}"),
            *("--set", "web.port=0", "--set", "hashrate.enabled=false"),
            *("--set", "log_level=debug"),
            folder=tmp_path,
        ) as (process, log),
    ):
        text = until(log, process, "serving http://", "bitcoind at", "price of bitcoin:")
        (base,) = re.findall(r"serving (http://\S+)/", text)
        for path in ("/api/v1/status", "/metrics", "/-/ready", "/", "/api/v1/openapi.json"):
            try:
                with urllib.request.urlopen(base + path) as reply:
                    said = reply.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read().decode()
            assert leaks(secret, said) == set(), path
    assert leaks(secret, log.read_text()) == set(), log.read_text()
