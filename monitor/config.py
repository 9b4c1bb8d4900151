"""Settings: a TOML file, the environment and flags, each stronger than the one before.

Every setting has a description; ``docs/configuration.md`` is checked against them.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit, urlunsplit

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from hashing.params import NETWORKS, SIGNETS, TARGET_TIMESPAN, signet, signet_magic
from monitor.errors import ConfigError

SourceName = Literal["auto", "bitcoind", "blkfiles", "esplora", "sample", "rehearsal"]


HIDDEN = str(SecretStr("anything"))
"""What a secret that is set is shown as."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _http(value: str) -> str:
    """Return a URL that is empty or of HTTP."""
    parts = urlsplit(value)
    if value and parts.scheme not in {"http", "https"}:
        raise ValueError("must begin with http:// or https://")
    if value and (not parts.hostname or parts.port == 0):
        raise ValueError("names no host")
    return value


class WebSettings(_Section):
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


class NodeSettings(_Section):
    """One bitcoind node; give several for failover."""

    url: str = Field("", description="RPC address, such as http://127.0.0.1:8332.")
    user: str = Field("", description="RPC user, where the node uses a password.")
    password: SecretStr = Field(SecretStr(""), description="RPC password.")
    cookie: Path | None = Field(None, description="Path of the node's .cookie file.")
    datadir: Path | None = Field(None, description="The node's datadir, to find its cookie in.")
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
        return _http(value)


class BlkFilesSettings(_Section):
    """The block files of a bitcoind, read without asking it."""

    dir: Path | None = Field(
        None,
        description="The blocks folder, with blk00000.dat or later ones in it: the source "
        "blkfiles, or the far past of a bitcoind node.",
    )


class EsploraSettings(_Section):
    """Public APIs: Blockstream Esplora or mempool.space, asked in this order."""

    urls: tuple[str, ...] = Field(
        ("https://mempool.space", "https://blockstream.info"),
        description="Base URLs; any server that speaks either dialect.",
    )
    poll_interval: float = Field(30.0, gt=0, description="Seconds between looks at the tip.")


class SampleSettings(_Section):
    """The built-in sample of real blocks."""

    speed: float = Field(0.2, gt=0, description="Blocks per second that the replay advances.")


class SilenceSettings(_Section):
    """A silence of the rehearsal: nobody finds a block for a while."""

    height: int = Field(ge=1, description="Height of the block that comes late.")
    seconds: float = Field(gt=0, description="Seconds of chain time before it.")


class RehearsalSettings(_Section):
    """The local chain that is mined while you watch."""

    seed: int = Field(1, description="Same seed, same chain.")
    speed: float = Field(0.5, gt=0, description="Blocks per second.")
    fork_probability: float = Field(0.01, ge=0, le=1, description="Chance of a fork at a block.")
    fork_depth: int = Field(1, ge=1, le=100, description="Most blocks that a fork replaces.")
    silences: tuple[SilenceSettings, ...] = Field((), description="Silences on request.")


class HashrateSettings(_Section):
    """The measurement of this machine's own hash rate."""

    enabled: bool = Field(True, description="Measure the local hash rate.")
    interval: float = Field(
        86_400.0, ge=60, description="Seconds between measurements; the first is at start."
    )
    seconds: float = Field(1.0, ge=0.05, le=60, description="Seconds that one measurement takes.")


class EconomicsSettings(_Section):
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
    price_url: str = Field(
        "", description="Where to ask for the price (JSON over HTTP); empty asks nobody."
    )
    price_field: str = Field(
        "USD", min_length=1, description="Where the price stands in the answer, with dots between."
    )
    price_interval: float = Field(
        600.0, ge=60, description="Seconds between questions for the price."
    )

    @field_validator("price_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        return _http(value)


class SignetSettings(_Section):
    """Which signet it is where `network` is signet; the default one if nothing is set."""

    challenge: str = Field("", description="The node's signetchallenge (hex).")
    magic: str = Field(
        "", description="The magic that follows from it (8 hex digits), if only that is known."
    )
    spacing: int | None = Field(
        None,
        ge=1,
        le=TARGET_TIMESPAN // 2,
        description="Seconds between blocks: the node's signetblocktime, if it has one.",
    )

    @field_validator("challenge", "magic", mode="before")
    @classmethod
    def _hex(cls, value: Any) -> str:
        try:
            return bytes.fromhex(str(value)).hex()  # digits alone come as a number
        except ValueError:
            raise ValueError("must be hexadecimal digits, in quotes, two for each byte") from None

    @model_validator(mode="after")
    def _one_signet(self) -> SignetSettings:
        if len(self.magic) not in {0, 8}:
            raise ValueError("signet.magic has 8 hexadecimal digits")
        if self.challenge and self.magic and self.name != self._name_of(self.magic):
            raise ValueError("signet.magic is not that of signet.challenge; set one of them")
        if self.spacing is not None and not (self.challenge or self.magic):
            raise ValueError("signet.spacing needs signet.challenge or signet.magic")
        return self

    @property
    def name(self) -> str:
        """The name of the network that these settings stand for; empty if nothing is set."""
        magic = signet_magic(bytes.fromhex(self.challenge)).hex() if self.challenge else self.magic
        return self._name_of(magic) if magic else ""

    def _name_of(self, magic: str) -> str:
        return signet(bytes.fromhex(magic), self.spacing).name


class Settings(BaseSettings):
    """All settings of the agent."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="POOLSCOPE_",
        env_nested_delimiter="__",
    )

    network: str = Field(
        "mainnet",
        description="Bitcoin network: "
        + ", ".join((*NETWORKS, *SIGNETS))
        + "; see signet for other signets.",
    )
    source: SourceName = Field(
        "auto", description="Where blocks come from; auto takes the first that answers."
    )
    offline: bool = Field(False, description="Never ask a public API.")
    data_dir: Path = Field(
        Path(platformdirs.user_data_dir("poolscope", appauthor=False)),
        description="Directory of the store (XDG data directory by default).",
    )
    store: str = Field(
        "", description="Store URL (sqlite:///… or postgresql://…); empty means in data_dir."
    )
    catch_up: int = Field(2016, ge=0, description="Blocks to fetch behind the tip on first start.")
    registry: Path | None = Field(
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the places that settings come from: flags, environment, file."""
        if not isinstance(init_settings, InitSettingsSource):
            raise TypeError("pydantic-settings changed its sources")
        values = dict(init_settings.init_kwargs)
        file_values = values.pop("_file", {})
        flags = InitSettingsSource(settings_cls, values)
        return flags, env_settings, InitSettingsSource(settings_cls, file_values)


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
    values = _read_file(path or default_config_path(), must_exist=path is not None)
    try:
        return Settings(**(flags or {}), _file=values)  # type: ignore[call-arg]
    except SettingsError as error:
        raise ConfigError(
            f"environment: {str(error).partition(' from source')[0]}; "
            "write it as JSON, such as POOLSCOPE_LENSES='[\"tag\"]'"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "_file") or "settings"
        wrong = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            wrong = "there is no such setting" + _meant(where)
        raise ConfigError(
            f"setting {where}: {wrong}; see 'poolscope config' and docs/configuration.md"
        ) from None


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
        raise ConfigError(f"settings file {path} is not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(f"settings file {path} cannot be read: {error.strerror}") from None


def store_url(settings: Settings, synthetic: str) -> str | Path:
    """Return where the store is: as set, or a file of its own for each kind of chain."""
    if settings.store:
        return settings.store
    return settings.data_dir / f"{synthetic or settings.network}.sqlite"


def public_url(url: str) -> str:
    """Return `url` with any user and password hidden, fit for logs and metrics."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


def public_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values with every secret hidden."""
    values = settings.model_dump(mode="json")
    values["store"] = public_url(values["store"])
    values["esplora"]["urls"] = [public_url(url) for url in values["esplora"]["urls"]]
    for node in values["bitcoind"]:
        node["url"] = public_url(node["url"])
    values["economics"]["price_url"] = public_url(values["economics"]["price_url"])
    return values
