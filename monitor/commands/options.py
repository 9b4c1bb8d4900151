"""Options that several commands take: settings, which blocks, how sure, and the lens."""

from __future__ import annotations

import functools
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from monitor.commands.paths import HomePath
from monitor.config import Settings, load_settings
from monitor.config_values import is_text, merged, nested
from monitor.errors import ConfigError
from monitor.queries.dates import moment

if TYPE_CHECKING:
    from analyzers.windows import Window

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


def parsed_by(read: Callable[[str], Any]) -> Callable[..., Any]:
    """Return an option callback that reads the value with `read`, its errors in plain words."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return read(value)
        except (OSError, ValueError) as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback


def window_of(text: str) -> Window:
    """Return a window as users write it: blocks (144) or time (12h, 7d, 2w).

    Raises
    ------
    ValueError
        If it is neither.
    """
    from analyzers.windows import Window

    return Window.parse(text)


def window_option(default: str | None = "2016") -> Callable[[Decorated], Decorated]:
    """Return the option for how many blocks, or how long; it gives an `analyzers.windows.Window`.

    Without a default it gives None, and the question chooses by what it looks at.
    """
    return click.option(
        "--window",
        default=default,
        show_default=default or "2016, of the history 30d; for many windows 1008 or 7d",
        callback=parsed_by(window_of),
        help="Blocks (144) or time (12h, 7d, 2w), ending with the newest block.",
    )


lens_option = click.option(
    "--lens",
    default="tag",
    show_default=True,
    help="Who counts as one: tag, template, template-narrow, owner, custody, country, or a CSV "
    "of pool,entity.",
)
from_option = click.option(
    "--from",
    "start",
    callback=parsed_by(moment),
    metavar="DAY|TIME",
    help="First day (UTC), or time (2024-01-31T12:00+02:00).",
)
to_option = click.option(
    "--to",
    "end",
    callback=parsed_by(moment),
    metavar="DAY|TIME",
    help="Day after the last, or time: not included.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")


def counts_option(what: str) -> Callable[[Decorated], Decorated]:
    """Return the option for a table of counts; `what` is done with it."""

    def read(text: str) -> Any:
        from monitor.queries.tables import parse_counts

        return parse_counts(text)

    return click.option(
        "--counts",
        callback=parsed_by(read),
        metavar="FILE|A,B,C",
        help=f"{what}: numbers, or a CSV of entity,count (- for stdin).",
    )


def selection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that choose blocks, and pass it a `Selection`."""

    @click.option(
        "--history",
        is_flag=True,
        help="Use the history that ships (2020 to 2026) instead of the store.",
    )
    @window_option(None)
    @lens_option
    @from_option
    @to_option
    @settings_options
    @functools.wraps(command)
    def wrapper(
        *,
        settings: Settings,
        history: bool,
        window: Window | None,
        lens: str,
        start: int | None,
        end: int | None,
        **options: Any,
    ) -> None:
        from monitor.commands.leftout import hear
        from monitor.queries.selection import Selection

        command(selection=Selection(settings, history, window, lens, start, end, hear), **options)

    return wrapper


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
