"""JSON-RPC to a bitcoind node: `AuthServiceProxy` on a small thread pool.

The proxy is not safe to share between threads and does not survive a broken connection,
so each worker thread owns one and rebuilds it. Login, size limits and refusals live in
the connection under the proxy; the secret never becomes part of a URL.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import http.client
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, NoReturn

from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException

from monitor.errors import BadReply, SourceError, SourceRefused, SourceUnavailable
from monitor.reply import printable
from monitor.secrets import remember
from monitor.sources.bitcoind_errors import (
    SPEAKING_STATUS,
    HttpRefusal,
    MethodRefused,
    NoAnswer,
    RpcError,
    broken,
    busy,
    meaning,
)
from monitor.urls import Url, basic_login

MAX_REPLY: Final = 16 << 20
"""Bytes of the largest reply that is read: a full block in hex has half of it."""

_JSON: Final = "application/json"
KEY_ADVICE: Final = "is the key in bitcoind.url or bitcoind.headers right, or is a login missing?"
_COOKIE_LIMIT: Final = 4096
_REFUSAL_LIMIT: Final = 1 << 14
_CONNECT_TIMEOUT: Final = 5.0


class Login(NamedTuple):
    """How to log in: a password, or the cookie file that the node writes at each start.

    With none of them nobody logs in.
    """

    user: str = ""
    password: str = ""
    cookie: Path | None = None

    def __repr__(self) -> str:
        """Return how it logs in, without the secret."""
        return f"Login(cookie={self.cookie!r})" if self.cookie else "Login(...)"

    def read(self) -> str:
        """Return ``user:password``, from the cookie file as it is now; nothing without a login.

        Raises
        ------
        SourceUnavailable
            If there is no cookie file: the node is not running.
        SourceRefused
            If the file cannot be read or is no cookie.
        """
        if self.cookie is None:
            return f"{self.user}:{self.password}" if self.user or self.password else ""
        try:
            with self.cookie.open("rb") as file:
                text = file.read(_COOKIE_LIMIT).decode().strip()
        except FileNotFoundError:
            raise SourceUnavailable(
                f"cookie file {self.cookie} does not exist: is the node running, and is this "
                "its datadir?"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not text"
            raise SourceRefused(
                f"cookie file {self.cookie} cannot be read ({reason}): run poolscope as a user "
                "who may, or set rpccookieperms=group on the node"
            ) from None
        if ":" not in text:
            raise SourceRefused(f"{self.cookie} is no cookie file of a node")
        remember(text, text.partition(":")[2])
        return text


class _Response(http.client.HTTPResponse):
    """A response whose body has a limit, and is JSON whatever it is labelled as."""

    def getheader(self, name: str, default: Any = None) -> Any:
        """Return a header, but the type that the library insists on.

        It compares for equality, and servers before a node add a charset, write it in other
        letters or leave it out. Whether the body is JSON, the body shows.
        """
        return _JSON if name.lower() == "content-type" else super().getheader(name, default)

    @property
    def label(self) -> str:
        """Status and media type as they came, for messages."""
        kind = (super().getheader("Content-Type") or "no type").partition(";")[0]
        return f"HTTP {self.status}, {printable(kind, 40)}"

    def read(self, amt: int | None = None) -> bytes:
        """Return the body; one above the limit or cut off is an error."""
        data = super().read(MAX_REPLY + 1 if amt is None else amt)
        if amt is None:
            if len(data) > MAX_REPLY:
                raise BadReply(f"the reply is larger than {MAX_REPLY >> 20} MiB")
            if self.length:
                raise http.client.IncompleteRead(data, self.length)
            data = data.removeprefix(codecs.BOM_UTF8)
        return data


class _Connection(http.client.HTTPConnection):
    """A connection that logs in by itself, asks at its own path, and notices refusals."""

    response_class = _Response
    credentials = ""
    label = ""
    """Status and media type of the last response."""
    target = "/"
    more_headers: Mapping[str, str] = MappingProxyType({})

    def request(self, method: str, url: str, body: Any = None, headers: Any = (), **_: Any) -> None:
        """Send a request with the credentials of this connection."""
        own = dict(headers)
        del own["Host"], own["Authorization"]  # the placeholder's
        if self.credentials:
            own["Authorization"] = _encoded(self.credentials)
        super().request(method, self.target, body, {**own, **self.more_headers})

    def getresponse(self) -> http.client.HTTPResponse:
        """Return the response, unless its status is a refusal."""
        response = super().getresponse()
        assert isinstance(response, _Response)
        self.label = response.label
        if response.status in SPEAKING_STATUS:
            raise HttpRefusal(
                response.status, response.read(_REFUSAL_LIMIT).decode("utf-8", "replace")
            )
        return response

    def abort(self) -> None:
        """Wake a thread that waits on this connection; safe from another thread."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    """The same over TLS."""


class _Job:
    """One call on its way through a worker; it can be given up from the event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self.given_up = False

    def holds(self, connection: _Connection) -> None:
        with self._lock:
            self._connection = connection
            if self.given_up:
                raise ConnectionAbortedError("given up")

    def done(self) -> None:
        with self._lock:
            self._connection = None

    def give_up(self) -> None:
        with self._lock:
            self.given_up = True
            if self._connection is not None:
                self._connection.abort()


class RpcClient:
    """Asks one node over JSON-RPC.

    Parameters
    ----------
    url:
        Address of the node, with path and query; its login is not used.
    headers:
        HTTP headers that go with each request.
    login:
        How to log in.
    timeout:
        Seconds that one call may take.
    workers, aside:
        Threads, and so connections, at most: for the calls that are waited for, and for those
        that may take long or are optional, which so never hold up the others.
    """

    def __init__(
        self,
        url: Url,
        login: Login,
        *,
        timeout: float,
        workers: int = 4,
        aside: int = 3,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url
        self._login = login
        self._headers = headers or {}
        self._timeout = timeout
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="bitcoind-rpc")
        self._aside = ThreadPoolExecutor(aside, thread_name_prefix="bitcoind-aside")
        self._local = threading.local()
        self._jobs: set[_Job] = set()
        self._connections: set[_Connection] = set()
        self._credentials = ""
        self.logins = 0
        """How often the credentials were new: a node writes another cookie at each start."""
        self.served = False
        """Whether the node has taken a call from these credentials."""

    @property
    def keyed(self) -> bool:
        """Whether a key in the address or in a header may be what lets us in."""
        return bool(self._headers) or self._url.target not in {"", "/"}

    async def call(
        self, method: str, *params: Any, timeout: float | None = None, aside: bool = False
    ) -> Any:
        """Return the result of an RPC method, on a thread of the ones for calls `aside` if so.

        Raises
        ------
        SourceError
            Any of its kinds; `RpcError` where only the caller knows what the code means.
        """
        timeout = timeout or self._timeout
        job = _Job()
        self._jobs.add(job)
        try:
            async with asyncio.timeout(timeout + 1):
                return await asyncio.get_running_loop().run_in_executor(
                    self._aside if aside else self._executor,
                    self._call,
                    job,
                    method,
                    params,
                    timeout,
                )
        except TimeoutError:
            raise NoAnswer(method, timeout) from None
        finally:
            job.give_up()
            self._jobs.discard(job)

    async def close(self) -> None:
        """Give up what is under way and end the threads."""
        for job in self._jobs:
            job.give_up()
        for executor in (self._executor, self._aside):
            # What still waits for a thread ends there at once, as an error. Were it cancelled,
            # its caller would take that for being cancelled itself.
            await asyncio.to_thread(executor.shutdown, wait=True)
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _call(self, job: _Job, method: str, params: tuple[Any, ...], timeout: float) -> Any:
        logged_in_anew = False
        while True:
            connection = self._connection()
            used_before = connection.sock is not None
            try:
                job.holds(connection)
                try:
                    return self._ask(connection, method, params, timeout)
                finally:
                    job.done()
            except RpcError:
                raise
            except BadReply:
                self._drop(connection)
                raise
            except (OSError, http.client.HTTPException) as error:
                self._drop(connection)
                # An idle connection that the node has closed says nothing about the node.
                stale = used_before and not isinstance(error, TimeoutError)
                if not stale or job.given_up:
                    raise broken(error, method, timeout) from None
            except HttpRefusal as refusal:
                self._drop(connection)
                if refusal.status not in {401, 403}:
                    raise busy(refusal, method) from None
                changed = self._login.read() != connection.credentials
                if logged_in_anew or not changed:
                    if refusal.status == 403:
                        raise MethodRefused(method, by_node=not refusal.text) from None
                    self._refuse_login()
                logged_in_anew = True

    def _ask(
        self, connection: _Connection, method: str, params: tuple[Any, ...], timeout: float
    ) -> Any:
        proxy = AuthServiceProxy(_PLACEHOLDER_URL, method, timeout, connection)
        try:
            result = proxy(*params)
        except JSONRPCException as error:
            self.served = True
            raise meaning(error, method) from None
        except (OSError, http.client.HTTPException, HttpRefusal, SourceError):
            raise
        except _LIBRARY_STUMBLES as error:
            raise BadReply(
                f"the reply to {method} is no JSON-RPC ({connection.label}: "
                f"{printable(error, 80)}): is this the RPC port of a bitcoind, and no proxy or "
                "login page before it?"
            ) from None
        self.served = True
        return result

    def _connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            kind = _SecureConnection if self._url.scheme == "https" else _Connection
            connection = kind(self._url.host, self._url.port, timeout=_CONNECT_TIMEOUT)
            connection.target = self._url.target if self._url.path else f"/{self._url.target}"
            connection.more_headers = self._headers
            connection.credentials = self._login.read()
            if connection.credentials != self._credentials:
                self._credentials = connection.credentials
                remember(_encoded(connection.credentials))
                self.logins += 1
                self.served = False
            self._local.connection = connection
            self._connections.add(connection)
        return connection

    def _drop(self, connection: _Connection) -> None:
        self._local.connection = None
        self._connections.discard(connection)
        connection.close()

    def _refuse_login(self) -> NoReturn:
        if self.keyed:
            advice = KEY_ADVICE
        elif self._login.cookie is not None:
            advice = f"is {self._login.cookie} the cookie of this node?"
        elif not self._login.user:
            advice = "it wants one: set bitcoind.user and bitcoind.password, or bitcoind.cookie"
        else:
            advice = "check user and password (rpcuser, rpcpassword or rpcauth on the node)"
        raise SourceRefused(f"the node refuses the login (HTTP 401): {advice}")


def _encoded(credentials: str) -> str:
    """Return ``user:password`` as a header has it, nothing without a login."""
    return basic_login(*credentials.split(":", 1)) if credentials else ""


_PLACEHOLDER_URL: Final = "http://-:-@-/"
"""The proxy wants a URL with a login; host and login are the connection's."""

# What the library's parsing of a hostile reply can raise: it trusts types, and rounds
# every number to log it.
_LIBRARY_STUMBLES: Final = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
