"""Settings: a TOML file, the environment and flags, each stronger than the one before.

Every setting has a description; ``docs/configuration.md`` is checked against them.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, get_args

import platformdirs
from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from hashing.params import NETWORKS, SIGNETS
from monitor.config_fields import (
    Headers,
    HttpUrl,
    OptionalPath,
    Section,
    Token,
    UserPath,
    sent_headers,
)
from monitor.config_signet import SignetSettings
from monitor.config_values import from_environment, merged, whole, with_files
from monitor.errors import ConfigError
from monitor.paths import at_home
from monitor.secrets import foreign, remember
from monitor.urls import HTTP, UrlError, parse, parse_store, parse_zmq, shown, with_password

SourceName = Literal["auto", "bitcoind", "blkfiles", "esplora", "sample", "rehearsal"]
ALONE: Final = frozenset({"auto", "sample", "rehearsal"})
"""Sources that no other can stand beside."""


HIDDEN = str(SecretStr("anything"))
"""What a secret that is set is shown as."""


_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")
"""A dotted name of a setting, or what was meant to be one."""


class WebSettings(Section):
    """The agent's own web server."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(9431, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    names: tuple[Annotated[str, StringConstraints(to_lower=True)], ...] = Field(
        (), description="Public names that the agent is asked by, as behind a proxy; * for any."
    )

    @property
    def reached_at(self) -> str:
        """Host and port at which this machine reaches the server, as a URL has them."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"{f'[{host}]' if ':' in host else host}:{self.port}"


class NodeSettings(Section):
    """One bitcoind node; give several for failover."""

    url: str = Field("", repr=False, description="RPC address, such as http://127.0.0.1:8332.")
    user: str = Field("", repr=False, description="RPC user, where the node uses a password.")
    password: SecretStr = Field(SecretStr(""), description="RPC password.")
    cookie: OptionalPath = Field(None, description="Path of the node's .cookie file.")
    datadir: OptionalPath = Field(None, description="The node's datadir, to find its cookie in.")
    login: Literal["auto", "none"] = Field(
        "auto", description="none asks without a login, as behind a proxy that logs in."
    )
    headers: Headers = Field({}, description="HTTP headers to send, such as one with an API key.")
    rest: Literal["auto", "off"] = Field("auto", description="Use the REST interface if offered.")
    zmq: str = Field(
        "auto", description="ZMQ address (tcp://host:port), auto to ask the node, or off."
    )

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, value: Any) -> Any:
        """Let a bare URL stand for a node with nothing else set."""
        return {"url": value} if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        if value:
            parse(value, HTTP, instead="bitcoind.user and bitcoind.password")
        return value

    @field_validator("user")
    @classmethod
    def _no_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError("it has a colon, at which HTTP ends the name of a user")
        return value

    @field_validator("zmq")
    @classmethod
    def _zmq_address(cls, value: str) -> str:
        return value if value in {"auto", "off"} else parse_zmq(value)

    @property
    def sent_headers(self) -> dict[str, str]:
        """What is sent to the node beside a request."""
        return sent_headers(self.headers)

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        """Refuse what leaves open how to log in."""
        url = parse(self.url, HTTP) if self.url else None
        given = self.user or self.password.get_secret_value() or (url and url.user is not None)
        if self.login == "none" and (given or self.cookie or self.datadir):
            raise ValueError('a login is given, and login = "none" is, too; leave one away')
        if given and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError(
                "a login is given, and an Authorization header is, too; leave one away"
            )
        return self


class BlkFilesSettings(Section):
    """The block files of a bitcoind, read without asking it."""

    dir: OptionalPath = Field(
        None,
        description="The blocks folder, with blk00000.dat or later ones in it: the source "
        "blkfiles, or the far past of a bitcoind node.",
    )


class EsploraSettings(Section):
    """Public APIs: Blockstream Esplora or mempool.space, asked in this order."""

    urls: tuple[HttpUrl, ...] = Field(
        ("https://mempool.space", "https://blockstream.info"),
        repr=False,
        description="Base URLs; any server that speaks either dialect.",
    )
    token: Token = Field(
        SecretStr(""), description="Token of the API, sent as Authorization: Bearer."
    )
    headers: Headers = Field({}, description="HTTP headers to send, such as one with an API key.")
    poll_interval: float = Field(30.0, gt=0, description="Seconds between looks at the tip.")

    @property
    def sent_headers(self) -> dict[str, str]:
        """What is sent to the API beside a request."""
        return sent_headers(self.headers, self.token)

    @model_validator(mode="after")
    def _one_api(self) -> Self:
        """Refuse to tell one API's key to another."""
        if len({parse(url).origin for url in self.urls}) > 1 and self.sent_headers:
            raise ValueError(
                "token and headers would go to every API of esplora.urls; name one API there"
            )
        return self


class SampleSettings(Section):
    """The built-in sample of real blocks."""

    speed: float = Field(0.2, gt=0, description="Blocks per second that the replay advances.")


class SilenceSettings(Section):
    """A silence of the rehearsal: nobody finds a block for a while."""

    height: int = Field(ge=1, description="Height of the block that comes late.")
    seconds: float = Field(gt=0, description="Seconds of chain time before it.")


class RehearsalSettings(Section):
    """The local chain that is mined while you watch."""

    seed: int = Field(1, description="Same seed, same chain.")
    speed: float = Field(0.5, gt=0, description="Blocks per second.")
    fork_probability: float = Field(0.01, ge=0, le=1, description="Chance of a fork at a block.")
    fork_depth: int = Field(1, ge=1, le=100, description="Most blocks that a fork replaces.")
    silences: tuple[SilenceSettings, ...] = Field((), description="Silences on request.")


class HashrateSettings(Section):
    """The measurement of this machine's own hash rate."""

    enabled: bool = Field(True, description="Measure the local hash rate.")
    interval: float = Field(
        86_400.0, ge=60, description="Seconds between measurements; the first is at start."
    )
    seconds: float = Field(1.0, ge=0.05, le=60, description="Seconds that one measurement takes.")


class EconomicsSettings(Section):
    """What the agent's figures of cost are for; no chain tells these."""

    tariffs: tuple[Annotated[float, Field(gt=0, le=100)], ...] = Field(
        (0.05, 0.07, 0.09),
        max_length=20,
        description="Tariffs (USD per kWh) to export the electricity behind a bitcoin at.",
    )
    efficiencies: tuple[Annotated[float, Field(gt=0, le=1e9)], ...] = Field(
        (15.0, 20.0, 30.0),
        max_length=20,
        description="Machines (joules per terahash) to export energy and cost for.",
    )
    pue: float = Field(1.1, ge=1, le=10, description="Power at the meter over the machines'.")
    price_usd: float | None = Field(
        None, gt=0, lt=1e12, description="USD per BTC, where no source of it is set."
    )
    price_url: HttpUrl = Field(
        "",
        repr=False,
        description="Where to ask for the price (JSON over HTTP); empty asks nobody.",
    )
    price_headers: Headers = Field(
        {}, description="HTTP headers to send there, such as one with an API key."
    )
    price_field: str = Field(
        "USD", min_length=1, description="Where the price stands in the answer, with dots between."
    )
    price_interval: float = Field(
        600.0, ge=60, description="Seconds between questions for the price."
    )

    @property
    def sent_headers(self) -> dict[str, str]:
        """What is sent beside the question for the price."""
        return sent_headers(self.price_headers)


class Settings(Section):
    """All settings of the agent."""

    network: str = Field(
        "mainnet",
        description="Bitcoin network: "
        + ", ".join((*NETWORKS, *SIGNETS))
        + "; see signet for other signets.",
    )
    source: str = Field(
        "auto",
        description="Where blocks come from: auto, or bitcoind, blkfiles, esplora in order of "
        "preference with commas between, or sample or rehearsal.",
    )
    offline: bool = Field(False, description="Never ask a public API.")
    data_dir: UserPath = Field(
        Path(platformdirs.user_data_dir("poolscope", appauthor=False)),
        description="Directory of the store (XDG data directory by default).",
    )
    store: str = Field(
        "",
        repr=False,
        description="Store URL (sqlite:///… or postgresql://…); empty means in data_dir.",
    )
    store_password: SecretStr = Field(
        SecretStr(""), description="Password of a PostgreSQL store, where its URL has none."
    )
    catch_up: int = Field(2016, ge=0, description="Blocks to fetch behind the tip on first start.")
    registry: OptionalPath = Field(
        None, description="A registry file to use instead of the one that ships."
    )
    lenses: tuple[str, ...] = Field(
        ("tag", "template", "owner", "custody", "country"),
        description="Lenses under which the agent keeps figures; tag is always among them.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe messages to log."
    )
    web: WebSettings = Field(WebSettings(), description="The agent's own web server.")
    bitcoind: tuple[NodeSettings, ...] = Field(
        (), description="bitcoind nodes; the next one takes over when one fails."
    )
    blkfiles: BlkFilesSettings = Field(BlkFilesSettings(), description="A node's block files.")
    esplora: EsploraSettings = Field(EsploraSettings(), description="Public APIs.")
    sample: SampleSettings = Field(SampleSettings(), description="The built-in sample.")
    rehearsal: RehearsalSettings = Field(RehearsalSettings(), description="The rehearsal chain.")
    hashrate: HashrateSettings = Field(HashrateSettings(), description="Local hash rate.")
    economics: EconomicsSettings = Field(
        EconomicsSettings(), description="Tariffs, machines and price of the figures of cost."
    )

    @property
    def sources(self) -> tuple[str, ...]:
        """The names in `source`, the preferred one first."""
        return tuple(self.source.split(","))

    @field_validator("source", mode="before")
    @classmethod
    def _in_order(cls, value: Any) -> str:
        """Take names as a list, too; return them with commas between."""
        names = value.strip(" []").split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError("must be a name, or names in order of preference")
        names = list(dict.fromkeys(name.strip(" \"'").lower() for name in names))
        known = get_args(SourceName)
        if not names or not set(names) <= set(known):
            raise ValueError("must be of " + ", ".join(known))
        if len(names) > 1 and (alone := [name for name in names if name in ALONE]):
            raise ValueError(f"{alone[0]} stands alone; name bitcoind, blkfiles, esplora in order")
        return ",".join(names)

    signet: SignetSettings = Field(SignetSettings(), description="Another signet than the default.")

    @field_validator("network")
    @classmethod
    def _known_network(cls, value: str) -> str:
        try:
            return NETWORKS[value].name
        except KeyError:
            names = ", ".join((*NETWORKS, *SIGNETS))
            raise ValueError(
                f"must be one of {names}; for another signet set signet.magic"
            ) from None

    @model_validator(mode="after")
    def _which_signet(self) -> Settings:
        """Let `network` be the one signet that the section `signet` means."""
        named = self.signet.name
        if not named or NETWORKS[self.network].core_name != "signet":
            return self
        if self.network not in {"signet", named}:
            raise ValueError(f"network is {self.network}, but the section signet means {named}")
        self.__dict__["network"] = named  # there are no settings without it before
        return self

    def remember_secrets(self) -> None:
        """Let no message of this process repeat a secret of these settings."""
        remember(*_secrets(self.model_dump()))

    @field_validator("store")
    @classmethod
    def _store_url(cls, value: str) -> str:
        if value:
            url = parse_store(value)
            at_home(url.path)
        return value

    @model_validator(mode="after")
    def _one_store_password(self) -> Self:
        if self.store_password.get_secret_value():
            if not self.store.lower().startswith("postgresql"):
                raise ValueError("store_password is given, and store is no postgresql://HOST/DB")
            if parse_store(self.store).password is not None:
                raise ValueError("store has a password in it, and store_password is one, too")
        return self


def default_config_path() -> Path:
    """Return where the settings file is looked for when none is named."""
    return Path(platformdirs.user_config_dir("poolscope", appauthor=False)) / "poolscope.toml"


def load_settings(path: Path | None = None, flags: dict[str, Any] | None = None) -> Settings:
    """Return the effective settings.

    Parameters
    ----------
    path:
        Settings file; None looks at `default_config_path`, which may be missing.
    flags:
        Values given on the command line, nested as the settings are.

    Raises
    ------
    ConfigError
        If the file cannot be read or a value cannot be used; the message names it.
    """
    file = _read_file(at_home(path or default_config_path()), must_exist=path is not None)
    values: dict[str, Any] = {}
    for given in (file, from_environment(Settings, os.environ), flags or {}):
        values = merged(values, with_files(given, Settings))
    try:
        settings = Settings.model_validate(whole(values, Settings))
    except ValidationError as error:
        raise ConfigError(_complaint(error)) from None
    settings.remember_secrets()
    return settings


def _complaint(error: ValidationError) -> str:
    """Return the first thing that is wrong, without the value that is."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "settings"
    wrong = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        wrong = "there is no such setting" + _meant(where)
    if not _NAME.fullmatch(where):
        where, wrong = "names", "one of them is no name of a setting"
    return f"setting {where}: {wrong}; see 'poolscope config' and docs/configuration.md"


def _meant(name: str) -> str:
    """Return a proposal of the setting that `name` was meant to be, or nothing."""
    close = difflib.get_close_matches(name, _names(Settings), n=1)
    return f" (perhaps {close[0]})" if close else ""


def _names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all settings below `model`."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        names.append(prefix + name)
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                names += _names(inner, f"{prefix}{name}.")
    return names


def _read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(
                f"settings file {path} does not exist; 'poolscope config > {path}' begins one"
            ) from None
        return {}
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"settings file {path} is not TOML: {foreign(error)}") from None
    except OSError as error:
        raise ConfigError(f"settings file {path} cannot be read: {error.strerror}") from None


def store_url(settings: Settings, synthetic: str) -> str | Path:
    """Return where the store is: as set, or a file of its own for each kind of chain."""
    if not settings.store:
        return settings.data_dir / f"{synthetic or settings.network}.sqlite"
    url = parse_store(settings.store)
    if not url.scheme.startswith("postgresql"):
        return at_home(url.path)
    password = settings.store_password.get_secret_value()
    return with_password(settings.store, password) if password else settings.store


def public_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values with every secret hidden."""
    values: dict[str, Any] = _public(settings.model_dump(mode="json"))
    for node in values["bitcoind"]:
        if node["user"] and not node["password"]:
            node["user"] = HIDDEN  # with no password beside it, a name is a token
    return values


def _public(value: Any) -> Any:
    """Return plain values with addresses as they may be shown."""
    match value:
        case dict():
            return {name: _public(inner) for name, inner in value.items()}
        case list():
            return [_public(inner) for inner in value]
        case str() if "://" in value:
            return shown(value)
    return value


def _secrets(value: Any) -> Iterator[str]:
    """Yield what must not be shown of dumped settings."""
    match value:
        case dict():
            for inner in value.values():
                yield from _secrets(inner)
        case list() | tuple():
            for inner in value:
                yield from _secrets(inner)
        case SecretStr():
            yield value.get_secret_value()
        case str() if "://" in value:
            is_store = value.lower().startswith("postgresql")
            with suppress(UrlError):
                yield from (parse_store(value) if is_store else parse(value)).secrets()
