"""Kinds of settings: what may stand in a path, an address, a token or HTTP headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from monitor.paths import at_home
from monitor.urls import HTTP, parse

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS: Final = frozenset(
    (
        *("accept-encoding", "connection", "content-length", "content-type", "host", "te"),
        *("trailer", "transfer-encoding", "upgrade", "user-agent"),
    )
)
"""Headers that the client sets itself."""


class Section(BaseModel):
    """Base of all groups of settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def sent_headers(
    headers: Mapping[str, SecretStr], token: SecretStr | None = None
) -> dict[str, str]:
    """Return HTTP headers as they are sent, with `token` where there is one."""
    found = {name: value.get_secret_value() for name, value in headers.items()}
    if token is not None and token.get_secret_value():
        return {"Authorization": f"Bearer {token.get_secret_value()}", **found}
    return found


def _http(value: str) -> str:
    """Return a URL that is empty or of HTTP."""
    if value:
        parse(value, HTTP)
    return value


def _headers(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Return headers that can be sent."""
    for name, content in value.items():
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError("a name in it is no name of an HTTP header")
        if name.lower() in _OWN_HEADERS:
            raise ValueError(f"{name} is set by poolscope itself")
        if not _is_visible(content.get_secret_value()):
            raise ValueError(f"{name} must have a value, of visible ASCII characters")
    return value


def _token(value: SecretStr) -> SecretStr:
    """Return a token that can be sent."""
    text = value.get_secret_value()
    if text and (not _is_visible(text) or " " in text):
        raise ValueError("it must be one word of visible ASCII characters")
    return value


def _is_visible(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def _path(value: object) -> object:
    """Return a path with its home directory; what is none is for pydantic to refuse."""
    return at_home(value) if isinstance(value, str | Path) else value


UserPath = Annotated[Path, BeforeValidator(_path)]
"""A path in whose first part ``~`` means a home directory."""
OptionalPath = Annotated[UserPath | None, BeforeValidator(lambda value: value or None)]
"""The same, not set where it is empty."""
HttpUrl = Annotated[str, AfterValidator(_http)]
Headers = Annotated[dict[str, SecretStr], AfterValidator(_headers)]
Token = Annotated[SecretStr, AfterValidator(_token)]
