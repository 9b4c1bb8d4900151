"""Addresses to scriptPubKeys: base58check, bech32 (BIP173) and bech32m (BIP350).

The network prefix is checked but not kept: a script is the same bytes on every network. So
a registry's address names its pool on each of them, and the way back needs to know which.
"""

from __future__ import annotations

import hashlib
from typing import Final

from hashing.params import MAINNET, NETWORKS, NetworkParams

_BASE58_DIGITS: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58: Final = {digit: value for value, digit in enumerate(_BASE58_DIGITS)}
_BECH32_DIGITS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32: Final = {digit: value for value, digit in enumerate(_BECH32_DIGITS)}
_PUBKEY_HASH: Final = {network.p2pkh_prefix for network in NETWORKS.values()}
_SCRIPT_HASH: Final = {network.p2sh_prefix for network in NETWORKS.values()}
_PREFIXES: Final = {network.bech32_hrp for network in NETWORKS.values()}
_GENERATORS: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONST: Final = 1
_BECH32M_CONST: Final = 0x2BC830A3


class AddressError(ValueError):
    """No Bitcoin address: misspelt, cut or of another coin."""


class OtherChain(AddressError):
    """A sound address, but of another coin."""


def script_of(address: str) -> bytes:
    """Return the scriptPubKey that `address` stands for.

    Raises
    ------
    AddressError
        If `address` is no Bitcoin address (checksum or length); `OtherChain` if version or
        prefix are of another coin.

    Examples
    --------
    >>> script_of("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa").hex()
    '76a91462e907b15cbf27d5425399ebf6f0fb50ebb88f1888ac'
    """
    prefix, separator, data = address.lower().rpartition("1")
    if separator and prefix in _PREFIXES:
        return _witness_script(address)
    if len(data) >= 8 and prefix and prefix.isascii() and all(c in _BECH32 for c in data):
        check = _polymod(prefix, [_BECH32[c] for c in data])
        if check in (_BECH32_CONST, _BECH32M_CONST):
            raise OtherChain(f"{address[:100]!r} is an address of another chain: {prefix[:20]!r}")
    payload = _base58check(address)
    if len(payload) == 21 and payload[0] in _PUBKEY_HASH:
        return b"\x76\xa9\x14" + payload[1:] + b"\x88\xac"
    if len(payload) == 21 and payload[0] in _SCRIPT_HASH:
        return b"\xa9\x14" + payload[1:] + b"\x87"
    raise OtherChain(f"{address!r} is an address of another chain: its version is {payload[0]}")


def address_of(script: bytes, network: NetworkParams = MAINNET) -> str | None:
    """Return the address of `network` that pays `script`, None if no address does.

    A bare public key has none, though some explorers show the address of its hash.

    Examples
    --------
    >>> from hashing.params import REGTEST
    >>> script = script_of("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    >>> address_of(script, REGTEST)
    'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080'
    """
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return _to_base58check(bytes([network.p2pkh_prefix]) + script[3:23])
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return _to_base58check(bytes([network.p2sh_prefix]) + script[2:22])
    if 4 <= len(script) <= 42 and script[1] == len(script) - 2:
        version = script[0] - 0x50 if script[0] else 0
        if 0 <= version <= 16 and (script[0] > 0x50 or len(script) in (22, 34)):
            return _to_bech32(network.bech32_hrp, version, script[2:])
    return None


def _base58check(text: str) -> bytes:
    if not 26 <= len(text) <= 36 or not all(c in _BASE58 for c in text):
        raise AddressError(f"{text[:100]!r} is no Bitcoin address")
    number = 0
    for character in text:
        number = number * 58 + _BASE58[character]
    zeros = len(text) - len(text.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = raw[:-4], raw[-4:]
    if hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4] != checksum:
        raise AddressError(f"{text!r}: the checksum is wrong, look for a typing error")
    return payload


def _to_base58check(payload: bytes) -> str:
    raw = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number = int.from_bytes(raw, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58_DIGITS[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\x00"))) + text


def _to_bech32(prefix: str, version: int, program: bytes) -> str:
    bits = len(program) * 8
    groups = (bits + 4) // 5
    number = int.from_bytes(program, "big") << (groups * 5 - bits)
    values = [version, *(number >> 5 * i & 31 for i in reversed(range(groups)))]
    constant = _BECH32M_CONST if version else _BECH32_CONST
    check = _polymod(prefix, values + [0] * 6) ^ constant
    values += (check >> 5 * i & 31 for i in reversed(range(6)))
    return f"{prefix}1" + "".join(_BECH32_DIGITS[value] for value in values)


def _witness_script(address: str) -> bytes:
    lower = address.lower()
    prefix, _, data = lower.rpartition("1")
    if address not in (lower, address.upper()) or not all(c in _BECH32 for c in data):
        raise AddressError(f"{address[:100]!r} is no bech32 address")
    values = [_BECH32[c] for c in data]
    if not 8 <= len(values) <= 71:
        raise AddressError(f"{address[:100]!r} has no length of a bech32 address")
    version = values[0]
    if _polymod(prefix, values) != (_BECH32M_CONST if version else _BECH32_CONST):
        raise AddressError(f"{address!r}: the checksum is wrong, look for a typing error")
    program = _to_bytes(values[1:-6], address)
    if (
        version > 16
        or not 2 <= len(program) <= 40
        or (not version and len(program) not in (20, 32))
    ):
        raise AddressError(f"{address!r} is no witness program (BIP141)")
    opcode = 0x50 + version if version else 0
    return bytes([opcode, len(program)]) + program


def _polymod(prefix: str, values: list[int]) -> int:
    """Return the BCH checksum of BIP173 over prefix and data."""
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values
    check = 1
    for value in expanded:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                check ^= generator
    return check


def _to_bytes(groups: list[int], address: str) -> bytes:
    """Return 5-bit groups as bytes; the padding must be short and zero."""
    number = 0
    for group in groups:
        number = number << 5 | group
    padding = len(groups) * 5 % 8
    if padding > 4 or number & ((1 << padding) - 1):
        raise AddressError(f"{address!r}: bad padding, look for a typing error")
    return (number >> padding).to_bytes(len(groups) * 5 // 8, "big")
