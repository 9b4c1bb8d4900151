"""Options that choose settings, shared by the commands."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from monitor.config import load_settings
from monitor.errors import ConfigError

_FLAGS = "poolscope.flags"
CONFIG_PATH = "poolscope.config_path"
"""Where the context keeps the settings file that was named, if one was."""
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
            _nest(ctx.meta.setdefault(_FLAGS, {}), setting, given if value is None else value)

    if value is not None:
        attributes["is_flag"] = True
    return click.option(*names, callback=remember, expose_value=False, **attributes)


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the common options and pass it the effective ``settings``."""

    @click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Settings file (TOML).",
    )
    @setting_option("--network", setting="network", help="Bitcoin network (default mainnet).")
    @setting_option(
        "--data-dir",
        setting="data_dir",
        type=click.Path(path_type=Path),
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
        meta = click.get_current_context().meta
        meta[CONFIG_PATH] = config_path
        flags = meta.setdefault(_FLAGS, {})
        for assignment in assignments:
            _nest(flags, *_parse_assignment(assignment))
        command(*args, settings=load_settings(config_path, flags), **options)

    return wrapper


def _nest(flags: dict[str, Any], dotted: str, value: Any) -> None:
    """Put `value` into nested `flags` under a dotted setting name."""
    *sections, name = dotted.split(".")
    for section in sections:
        flags = flags.setdefault(section, {})
        if not isinstance(flags, dict):
            raise ConfigError(f"setting {dotted}: {section} is not a section")
    flags[name] = value


def _parse_assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise ConfigError(f"--set {text}: write it as section.name=value")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value  # a bare word is a string
