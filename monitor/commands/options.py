"""Options that choose settings, shared by the commands."""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from monitor.commands.paths import HomePath
from monitor.config import Settings, load_settings
from monitor.config_values import is_text, merged, nested
from monitor.errors import ConfigError

_FLAGS = "poolscope.flags"
CONFIG_PATH = "poolscope.config_path"
"""Where the context keeps the settings file that was named, if one was."""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class NumberRange(click.FloatRange):
    """A number within bounds; unlike click's own it takes no NaN and no infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return `value` as a finite number within the bounds."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number", param, ctx)
        return number


level_option = click.option(
    "--level",
    type=NumberRange(0.5, 0.999),
    default=0.95,
    show_default=True,
    help="Probability content of the intervals.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Same seed, same simulated figures.",
)


def setting_option(
    *names: str, setting: str, value: Any = None, **attributes: Any
) -> Callable[[Decorated], Decorated]:
    """Return a click option that sets `setting` (a dotted name) when it is given.

    With `value`, the option is a flag that sets that value.
    """

    def remember(ctx: click.Context, _param: click.Parameter, given: Any) -> None:
        if given is not None and given != () and given is not False:
            _nest(ctx, setting, given if value is None else value)

    if value is not None:
        attributes["is_flag"] = True
    return click.option(*names, callback=remember, expose_value=False, **attributes)


class SourceNames(click.ParamType[str]):
    """Names of sources, with commas between."""

    name = "NAME[,NAME...]"

    def __init__(self, *known: str) -> None:
        self._known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the names as they are if all are known."""
        for name in str(value).split(","):
            if name.strip() not in self._known:
                self.fail(f"{name.strip()!r} is not one of {', '.join(self._known)}.", param, ctx)
        return str(value)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the common options and pass it the effective ``settings``."""

    @click.option(
        "--config",
        "config_path",
        type=HomePath(path_type=Path, dir_okay=False),
        help="Settings file (TOML).",
    )
    @setting_option("--network", setting="network", help="Bitcoin network (default mainnet).")
    @setting_option(
        "--data-dir",
        setting="data_dir",
        type=HomePath(path_type=Path),
        help="Directory that holds the store.",
    )
    @setting_option(
        "--store",
        setting="store",
        help="Store URL, such as sqlite:///FILE or postgresql://HOST/DB.",
    )
    @click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        help="Any other setting, such as --set web.port=9000; see 'poolscope config'.",
    )
    @functools.wraps(command)
    def wrapper(
        *args: Any, config_path: Path | None, assignments: tuple[str, ...], **options: Any
    ) -> None:
        ctx = click.get_current_context()
        ctx.meta[CONFIG_PATH] = config_path
        for assignment in assignments:
            _nest(ctx, *_parse_assignment(assignment))
        settings = load_settings(config_path, ctx.meta.get(_FLAGS))
        command(*args, settings=settings, **options)

    return wrapper


def _nest(ctx: click.Context, dotted: str, value: Any) -> None:
    """Put `value` into the flags of `ctx` under a dotted setting name."""
    ctx.meta[_FLAGS] = merged(ctx.meta.get(_FLAGS, {}), nested(dotted.split("."), value))


def _parse_assignment(text: str) -> tuple[str, Any]:
    """Return name and value; no error shows the text, which may be a secret."""
    name, equals, value = text.partition("=")
    parts = name.split(".")
    if not equals or not all(_NAME.fullmatch(part) for part in parts):
        raise ConfigError("--set: write it as section.name=value")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value  # a bare word is a string
    return name, value if is_text(Settings, parts) and not isinstance(parsed, str) else parsed
