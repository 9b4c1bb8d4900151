"""Values of settings from the environment, from files of secrets and from flags, put together.

A value is nested as the settings are. Where only some entries of a list are meant, a dict by
number stands for them (``{"0": {...}}``), until `whole` makes a list of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from monitor.errors import ConfigError
from monitor.paths import at_home

_PREFIX: Final = "poolscope_"
_FILE: Final = "_file"
"""What is added to the name of a setting whose value a file holds."""
_LARGEST: Final = 1 << 16
"""Bytes of such a file: it holds one value."""


def from_environment(model: type[BaseModel], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that variables set: ``__`` goes into a section, case is the same.

    What begins with ``POOLSCOPE_`` and names no setting is somebody else's: Kubernetes makes
    such variables for a service of this name.

    Raises
    ------
    ConfigError
        If a variable is no JSON where it must be.
    """
    values: dict[str, Any] = {}
    named = [
        (name.lower().removeprefix(_PREFIX).split("__"), name)
        for name in environ
        if name.lower().startswith(_PREFIX)
    ]
    for parts, name in sorted(named, key=lambda found: len(found[0])):
        first = parts[0]
        if first not in model.model_fields and not (len(parts) == 1 and _in_file(first, model)):
            continue
        kind, value = kind_at(model, parts), environ[name]
        known = value if kind is None or _is_scalar(kind) else _json(value, parts, name)
        values = merged(values, nested(parts, known))
    return values


def with_files(values: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return `values` with what the files hold that they name.

    A name with ``_file`` behind it means the setting of that name: its value is the content of
    the file, without the line's end. An empty path means no file.

    Raises
    ------
    ConfigError
        If the setting is given beside its file, or the file cannot be used.
    """
    found: dict[str, Any] = _with_files(values, model, ())
    return found


def merged(lower: Any, upper: Any) -> Any:
    """Return `upper` on top of `lower`: sections and numbered entries one by one, all else whole.

    Examples
    --------
    >>> merged({"web": {"port": 1}}, {"web": {"host": "::"}})
    {'web': {'port': 1, 'host': '::'}}
    >>> merged([{"url": "http://h"}], {"0": {"user": "ann"}})
    {'0': {'url': 'http://h', 'user': 'ann'}}
    """
    if not isinstance(upper, dict):
        return upper
    if isinstance(lower, list | tuple) and upper and all(map(_is_number, upper)):
        # a bare address stands for a node with nothing else set
        entries = [{"url": entry} if isinstance(entry, str) else entry for entry in lower]
        bare = not any(isinstance(entry, dict) for entry in upper.values())
        lower = {str(i): entry for i, entry in enumerate(lower if bare else entries)}
    if not isinstance(lower, dict):
        return upper
    return {**lower, **{name: merged(lower.get(name), value) for name, value in upper.items()}}


def whole(values: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return `values` with a list for each dict by number.

    Raises
    ------
    ConfigError
        If the numbers of a list do not go from 0 on, or something else stands for it.
    """
    found: dict[str, Any] = _whole(values, model, ())
    return found


def nested(parts: Sequence[str], value: Any) -> dict[str, Any]:
    """Return `value` below the names of `parts`, of which there is at least one."""
    first, *rest = parts
    return {first: nested(rest, value) if rest else value}


def is_text(model: type[BaseModel], parts: Sequence[str]) -> bool:
    """Tell whether the setting at `parts` is text, and so needs no quotes on a command line."""
    kind = kind_at(model, parts)
    if kind is None:
        return bool(parts) and parts[-1].endswith(_FILE)
    return kind in {str, SecretStr, Path} or get_origin(kind) is Literal


def kind_at(model: Any, parts: Sequence[str]) -> Any:
    """Return the type of the setting at `parts`, None where there is no such setting."""
    kind = model
    for part in parts:
        kind = _below(kind, part)
    return kind


def _below(kind: Any, part: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(part)
        return None if field is None else _plain(field.annotation)
    if get_origin(kind) is tuple and _is_number(part):
        return _plain(get_args(kind)[0])
    if get_origin(kind) is dict:
        return _plain(get_args(kind)[1])
    return None


def _plain(kind: Any) -> Any:
    """Return a type without its annotations, and without the None that it may be instead."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        others = [each for each in get_args(kind) if each is not NoneType]
        return _plain(others[0]) if len(others) == 1 else kind
    return kind


def _is_scalar(kind: Any) -> bool:
    return get_origin(kind) in {None, Literal} and not (
        isinstance(kind, type) and issubclass(kind, BaseModel)
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text[:9])) == text


def _in_file(name: str, kind: Any) -> str:
    """Return the setting whose file `name` means, nothing where it means none."""
    setting = name.removesuffix(_FILE)
    known = setting != name and _below(kind, name) is None and _below(kind, setting) is not None
    return setting if known else ""


def _json(text: str, parts: Sequence[str], name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(
            f'environment: {name} is no JSON, as it must be for setting "{".".join(parts)}"; '
            "write it as JSON, such as POOLSCOPE_LENSES='[\"tag\"]'"
        ) from None


def _with_files(value: Any, kind: Any, parts: tuple[str, ...]) -> Any:
    if isinstance(value, list | tuple):
        return [
            _with_files(each, _below(kind, "0"), (*parts, str(number)))
            for number, each in enumerate(value)
        ]
    if not isinstance(value, Mapping):
        return value
    found = {
        name: _with_files(inner, _below(kind, name), (*parts, name))
        for name, inner in value.items()
        if not _in_file(name, kind)
    }
    for name, path in value.items():
        setting = _in_file(name, kind)
        if not setting or path == "":
            continue
        if found.get(setting) not in (None, ""):
            raise ConfigError(
                f"setting {'.'.join((*parts, setting))}: it is given by itself and by a file "
                f"({name}); leave one away"
            )
        text = _content(path, ".".join((*parts, name)))
        if _is_scalar(_below(kind, setting)):
            found[setting] = text
        else:
            found[setting] = _json(text, (*parts, setting), f"the file of {name}")
    return found


def _content(path: Any, where: str) -> str:
    """Return what a file of one value holds."""
    if not isinstance(path, str):
        raise ConfigError(f"setting {where}: it must be the path of a file")
    shown = path if path.startswith(("/", "~", "./", "../")) else "it"  # else it may be the value
    try:
        with at_home(path).open("rb") as file:
            raw = file.read(_LARGEST + 1)
        text = raw.decode("utf-8").rstrip("\r\n")
    except ConfigError as error:
        raise ConfigError(f"setting {where}: {error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"setting {where}: {shown} holds no text (UTF-8)") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise ConfigError(f"setting {where}: {shown} cannot be read: {reason}") from None
    if not text or len(raw) > _LARGEST:
        fault = "is empty" if not text else f"is longer than {_LARGEST} bytes"
        raise ConfigError(f"setting {where}: {shown} {fault}; it must hold the value and no more")
    return text


def _whole(value: Any, kind: Any, parts: tuple[str, ...]) -> Any:
    if get_origin(kind) is tuple and isinstance(value, Mapping):
        where = ".".join(parts)
        if not all(map(_is_number, value)):
            raise ConfigError(
                f"setting {where}: it is a list; put the number of an entry behind its name, "
                f"{where}.0 for the first (POOLSCOPE_{'__'.join(parts).upper()}__0 as a variable)"
            )
        for number in range(len(value)):
            if str(number) not in value:
                raise ConfigError(
                    f"setting {where}: there is no entry {number}; entries are numbered from 0 on"
                )
        value = [value[str(number)] for number in range(len(value))]
    if isinstance(value, list | tuple):
        return [
            _whole(each, _below(kind, "0"), (*parts, str(number)))
            for number, each in enumerate(value)
        ]
    if isinstance(value, Mapping):
        return {
            name: _whole(each, _below(kind, name), (*parts, name)) for name, each in value.items()
        }
    return value
