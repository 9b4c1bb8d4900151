"""A coinbase read: height, text, commitments, miner names, software, and the rest.

Coinbases are free text by strangers. Bytes are searched as bytes: almost none is UTF-8,
and pushes lie (a ``/`` reads as a push of 47), so scripts are not walked. Nothing here
raises on any bytes, and every pattern is bounded, so time is linear in their length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analyzers.model import Where
from hashing.build import push_height
from hashing.wire import CoinbaseTx, TxOut

BIP34_HEIGHT: Final = 227_931
"""From this height on, mainnet coinbases begin with their height (BIP34)."""

MIN_RUN: Final = 4
"""Shorter runs of printable bytes are chance."""

_AUX_POW_SIZE: Final = 44
_LEGACY_ROOT: Final = 20
_RUN: Final = re.compile(
    rb"(?:[\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}"
    rb"|[\xf0-\xf4][\x80-\xbf]{3}){%d,}" % MIN_RUN
)
_FISH: Final = "七彩神仙鱼".encode()

_HEIGHT_PUSH: Final = rb"(?:[\x51-\x60]|\x01.|\x02..|\x03...|\x04....)"
_DATUM: Final = (
    rb"\A" + _HEIGHT_PUSH + rb"\x4c?.(?!.{0,20}OCEAN\.XYZ)[\x20-\x7e]{2,60}"
    rb"\x0f(([\x20-\x7e]{1,60}))\x00"
)

_MINER_FORMS: Final = tuple(
    (pool, marker, re.compile(pattern, re.DOTALL))
    for pool, marker, pattern in (
        # "/ViaBTC/Mined by zavodkirov/"
        ("viabtc", b"/ViaBTC/", rb"/ViaBTC/(?:NYA/)?(Mined by ([^/\x00]{1,64}))/"),
        # "七彩神仙鱼 ... Mined by gabc", "🐟.Mined by chenguanghai", "/F2Pool/.Mined by bqk"
        ("f2pool", b"F2Pool", rb"F2Pool/.{0,80}?(Mined by (?:user )?([\x21-\x7e]{1,64}))"),
        ("f2pool", _FISH, _FISH + rb".{0,80}?(Mined by (?:user )?([\x21-\x7e]{1,64}))"),
        ("f2pool", "🐟".encode(), "🐟".encode() + rb".{0,80}?(Mined by ([\x21-\x7e]{1,64}))"),
        # "Mined by AntPool bj15 ", "Mined by AntPool907". What follows is extranonce, clock
        # and counter, whose bytes may be letters and digits: the shortest name that leaves
        # a known form of these is it.
        (
            "antpool",
            b"Mined by AntPool ",
            rb"Mined by AntPool( ([a-z]{2,3}(?:\d{0,2}?(?=/| ?.{4} [T-Z])|\d{0,2}(?![a-z\d]))))",
        ),
        (
            "antpool",
            b"Mined by AntPool",
            rb"Mined by AntPool(([a-z]|\d{1,4}?))"
            rb"(?:/|. [YZ\[\\]|.[\x00-\x07].[\x00-\x07 ]|(?![\x20-\x7e]))",
        ),
        # "/AntPool/sc2/8M/"
        ("antpool", b"/AntPool/", rb"/AntPool/(([a-z]{2,3}\d{0,2}))/"),
        # "Powered by Luxor Tech/128"
        ("luxor", b"Luxor Tech/", rb"Luxor Tech/((\d{1,4}))"),
        # "< OCEAN.XYZ >", 0x0f, then what the miner who made the template chose
        ("ocean", b"OCEAN.XYZ", rb"OCEAN\.XYZ[ >]{0,4}\x0f(([^\x00\x0f]{1,64}))"),
        # DATUM gateways of other pools: height, one push of both texts, closed by a zero
        ("datum", b"\x0f", _DATUM),
        # "ckpool./Kano /BEBOP/"
        ("kanopool", b"/Kano /", rb"/Kano /(([^/\x00]{1,32}))/"),
        # "/DMND/bob/": who declared the job
        ("dmnd", b"/DMND/", rb"/DMND/(([^/\x00]{1,64}))/"),
    )
)

_FREE: Final = (
    ("viabtc", b"/ViaBTC/"),
    ("f2pool", b"F2Pool"),
    ("f2pool", _FISH),
    ("f2pool", "🐟".encode()),
    ("ocean", b"OCEAN.XYZ"),
    ("dmnd", b"/DMND/"),
    ("kanopool", b"/Kano"),
)
"""Marks behind which miners of the pool may write: a name, or all that is left of the script."""

_SOFTWARE: Final = (
    (b"ckpool", "ckpool"),
    (b"btcpool", "btcpool"),
    (b"BTCPool", "btcpool"),
    (b"/stratumPool/", "node-stratum-pool"),
    (b"/nodeStratum/", "node-stratum-pool"),
    (b"poolserverj", "PoolServerJ"),
    (b"bfgminer", "BFGMiner"),
    (b"Public-Pool", "public-pool"),
    (b"public-pool", "public-pool"),
    (b"hydrapool", "Hydrapool"),
    (b"yiimp", "yiimp"),
    (b"yaamp", "yiimp"),
)

_COMMITMENT: Final = re.compile(
    # OP_RETURN, the size of its push (not always there), a whole script pushed by mistake
    rb"(?:\x6a(?:\x4c.|\x4d..|[\x01-\x4b])?(?:\x6a\x24)?)?(?:"
    rb"(?P<witness>\xaa\x21\xa9\xed)|(?P<rsk>RSKBLOCK:)|(?P<coredao>CORE)|(?P<hathor>Hath)"
    rb"|(?P<exsat>EXSAT)|(?P<syscoin>sys)|(?P<vcash>\xb9\xe1\x1b\x6d)|(?P<stacks>X2[\[^x$p#v])"
    rb")",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class TextRun:
    """Printable bytes (ASCII or UTF-8) at `offset`; show them through `escape_text` only."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class AuxPow:
    """A merge-mining commitment: root of the tree, its size and nonce.

    It begins with ``fabe6d6d``. Eligius and EclipseMC wrote ``MM==`` in 2011 and 2012:
    Namecoin accepts a root without its magic in the first 20 bytes.
    """

    offset: int
    root: bytes
    size: int
    nonce: int


@dataclass(frozen=True, slots=True)
class Commitment:
    """What an OP_RETURN output commits to: `kind` by its first bytes, ``other`` if unknown."""

    kind: str
    where: Where
    data: bytes


@dataclass(frozen=True, slots=True)
class MinerName:
    """What `pool`'s text says of the miner; anybody may call himself so.

    `pool` is a slug, or ``datum`` where a DATUM gateway wrote for a pool unknown here.
    """

    pool: str
    name: bytes
    where: Where


@dataclass(frozen=True, slots=True)
class CoinbaseReading:
    """What a coinbase says, each part as it stands there.

    `height` is None where the script does not begin with one. `runs` leave out the
    AuxPoW commitment. `rest` are the bytes that are neither height, text nor commitment:
    extranonces, clocks, counters. `software` are hints by default strings, no proof.
    """

    height: int | None
    runs: tuple[TextRun, ...]
    aux_pow: AuxPow | None
    commitments: tuple[Commitment, ...]
    miners: tuple[MinerName, ...]
    software: tuple[str, ...]
    rest: tuple[TextRun, ...]


def read_coinbase_text(coinbase: CoinbaseTx, height: int | None = None) -> CoinbaseReading:
    """Read `coinbase`; see `read_parts`."""
    return read_parts(coinbase.script_sig, coinbase.outputs, height)


def read_parts(
    script_sig: bytes, outputs: Sequence[TxOut] = (), height: int | None = None
) -> CoinbaseReading:
    """Read a coinbase from its scriptSig and outputs.

    `height` is the block's: it settles what the first bytes are. Without it a height is read
    where it has 3 or 4 bytes: smaller ones look like the text or extranonce of old blocks.

    Examples
    --------
    >>> script_sig = bytes.fromhex("03e6b506") + b"/ViaBTC/Mined by rme100/,"
    >>> seen = read_parts(script_sig)
    >>> seen.height, [run.data for run in seen.runs], [miner.name for miner in seen.miners]
    (439782, [b'/ViaBTC/Mined by rme100/,'], [b'rme100'])
    >>> seen = read_parts(bytes.fromhex("02204e") + b"/ckpool/", height=20_000)
    >>> seen.height, [run.data for run in seen.runs]
    (20000, [b'/ckpool/'])
    """
    height, height_end = _bip34_height(script_sig, height)
    aux_pow = _aux_pow(script_sig)
    known = [(0, height_end)]
    if aux_pow is not None:
        known.append((aux_pow.offset, aux_pow.offset + _AUX_POW_SIZE))
    gaps = _gaps(known, len(script_sig))
    runs = [
        TextRun(found.start(), found[0])
        for start, end in gaps
        for found in _RUN.finditer(script_sig, start, end)
    ]
    commitments = tuple(_commitments(outputs))
    miners = tuple(
        dict.fromkeys(  # one name may follow two marks of its pool
            MinerName(pool, found[2], Where("script_sig", found.start(2), len(found[2])))
            for pool, found in _miner_matches(script_sig)
        )
    )
    spoken = known + [(run.offset, run.offset + len(run.data)) for run in runs]
    return CoinbaseReading(
        height=height,
        runs=tuple(runs),
        aux_pow=aux_pow,
        commitments=commitments,
        miners=miners,
        software=tuple(_software(script_sig, commitments, miners)),
        rest=tuple(
            TextRun(start, script_sig[start:end]) for start, end in _gaps(spoken, len(script_sig))
        ),
    )


def is_software_default(text: bytes) -> bool:
    """Tell whether `text` is no more than what a program writes where nobody chose a text."""
    bare = text.strip(b"/_ ")
    return any(bare == marker.strip(b"/") for marker, _ in _SOFTWARE)


def free_texts(data: bytes) -> list[tuple[str, int, int]]:
    """Return (pool, start, end) of what miners of a pool may have written, by their starts.

    Where a pool's mark is followed by what its miner chose, that has no end before that of
    `data`: a name may hold blanks, a zero byte or the bytes that closed it elsewhere. ``datum``
    is the pool before it whose gateway wrote both.
    """
    texts = [
        (pool, start + len(mark), len(data))
        for pool, mark in _FREE
        if (start := data.find(mark)) >= 0
    ]
    for pool, found in _miner_matches(data):
        start, end = found.span(1)
        texts.append((pool, start, len(data) if pool == "datum" else end))
    return sorted(texts, key=lambda text: text[1])


def _miner_matches(data: bytes) -> Iterator[tuple[str, re.Match[bytes]]]:
    for pool, marker, form in _MINER_FORMS:
        if marker in data:
            found = form.search(data)
            if found:
                yield pool, found


def stated_height(script_sig: bytes) -> int | None:
    """Return the height that a scriptSig begins with, as BIP34 asks; None where it has none."""
    return _bip34_height(script_sig, None)[0]


def _bip34_height(script_sig: bytes, known: int | None) -> tuple[int | None, int]:
    """Return height and end of its push, (None, 0) if the script begins otherwise."""
    if known is not None and script_sig.startswith(push := push_height(known)):
        return known, len(push)
    size = script_sig[0] if script_sig else 0
    if not 3 <= size <= 4 or len(script_sig) <= size or script_sig[size] & 0x80:
        return None, 0
    height = int.from_bytes(script_sig[1 : 1 + size], "little")
    # Before BIP34, scripts began with nBits, a clock or an extranonce of the same size.
    plausible = height < 50_000_000 and (size == 3 or height >= 1 << 23)
    return (height, 1 + size) if plausible else (None, 0)


def _aux_pow(script_sig: bytes) -> AuxPow | None:
    offset = script_sig.find(b"\xfa\xbemm")
    if offset < 0:
        offset = script_sig.find(b",MM==", 0, _LEGACY_ROOT) + 1 or -1
    body = script_sig[offset + 4 : offset + _AUX_POW_SIZE]
    if offset < 0 or len(body) < _AUX_POW_SIZE - 4:
        return None
    size = int.from_bytes(body[32:36], "little")
    return AuxPow(offset, body[:32], size, int.from_bytes(body[36:40], "little"))


def _commitments(outputs: Sequence[TxOut]) -> Iterator[Commitment]:
    for place, out in enumerate(outputs):
        script = out.script
        found = _COMMITMENT.match(script)
        if found is not None:
            kind = found.lastgroup or "other"
            start = found.start(kind)
        elif script[:1] == b"\x6a":
            start = 3 if script[1:2] == b"\x4c" else 2
            # its last output: 32 bytes that commit to the share, and 8 of nonce
            is_share = 2 < len(outputs) == place + 1 and script[:2] == b"\x6a\x28"
            kind = "p2pool" if is_share else "other"
        else:
            continue
        data = script[start:]
        yield Commitment(kind, Where(f"outputs[{place}]", start, len(data)), data)


def _software(
    script_sig: bytes, commitments: Sequence[Commitment], miners: Sequence[MinerName]
) -> list[str]:
    found = {name for marker, name in _SOFTWARE if marker in script_sig}
    if script_sig.startswith(b"psj\x04"):
        found.add("PoolServerJ")
    if any(miner.pool in ("datum", "ocean") for miner in miners):
        found.add("DATUM")
    if any(commitment.kind == "p2pool" for commitment in commitments):
        found.add("P2Pool")
    return sorted(found)


def _gaps(known: Sequence[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Return the (start, end) within `size` that `known` leaves free."""
    gaps: list[tuple[int, int]] = []
    position = 0
    for start, end in sorted(known):
        if start > position:
            gaps.append((position, start))
        position = max(position, end)
    if position < size:
        gaps.append((position, size))
    return gaps
