"""Coinbases as JSON lines, as commands read them: one object a line, from strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from string import hexdigits
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from hashing.wire import TxOut

MAX_LINE: Final = 16_000_000
"""Longer lines are refused unread: a block's hex has at most 8 million digits."""


def lines(stream: IO[bytes]) -> Iterator[bytes | None]:
    """Return the lines of `stream`; None for one that is too long to be kept."""
    while line := stream.readline(MAX_LINE + 1):
        if len(line) <= MAX_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE)
        yield None


def object_of_line(line: bytes | None) -> dict[str, Any]:
    """Return the object of a line; `ValueError` says what it is instead."""
    if line is None:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        fault = error.msg.removesuffix(" at")
        raise ValueError(f"not JSON: {fault} at character {error.pos + 1}") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def coinbase_parts(given: dict[str, Any]) -> tuple[bytes, tuple[TxOut, ...], int | None]:
    """Return scriptSig, outputs (none where not known) and height of an object.

    Raises
    ------
    ValueError
        If it has none, or they cannot be read.
    """
    from hashing.wire import TxOut, parse_coinbase

    height = count_of(given, "height")
    if given.get("coinbase_tx") is not None:
        coinbase = parse_coinbase(bytes_of(given["coinbase_tx"], "coinbase_tx"))
        return coinbase.script_sig, coinbase.outputs, height
    if given.get("script") is None:
        raise ValueError('neither "coinbase_tx" nor "script" is given')
    listed = given.get("outputs")
    if listed is None:
        listed = []
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise ValueError('"outputs" must be an array of objects with script and value')
    outputs = tuple(
        TxOut(_satoshi(item.get("value")), bytes_of(item.get("script"), "outputs: script"))
        for item in listed
    )
    return bytes_of(given["script"], "script"), outputs, height


def count_of(given: dict[str, Any], key: str) -> int | None:
    """Return the whole number that an object has by `key`, None for none; else `ValueError`."""
    value = given.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ValueError(f"{key} must be an integer, 0 or more")


def bytes_of(value: Any, what: str) -> bytes:
    """Return the bytes of hex digits; `ValueError` names them by `what`."""
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a string of hex digits")
    try:
        return bytes.fromhex(value)
    except ValueError:
        odd = next((place for place, digit in enumerate(value, 1) if digit not in hexdigits), None)
        fault = "an odd number of digits" if odd is None else f"character {odd} is no hex digit"
        raise ValueError(f"{what} is not hex: {fault}") from None


def _satoshi(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise ValueError("outputs: value must be an integer number of satoshi")
    return value
