from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.coinbase import BIP34_HEIGHT, read_parts
from hashing.build import push_height
from hashing.wire import TxOut
from tests.analyzers.coinbase_vectors import real_coinbases


def test_heights_of_real_coinbases() -> None:
    others = [
        (real.height, seen)
        for real in real_coinbases()
        if real.height >= BIP34_HEIGHT
        and (seen := read_parts(real.script_sig).height) != real.height
    ]
    # A stale block whose miner wrote the height of the next.
    assert others in ([], [(331_674, 331_675)])


@given(st.integers(40_000, 1 << 24))
def test_heights(height: int) -> None:
    assert read_parts(push_height(height) + b"/pool/").height == height


@pytest.mark.parametrize("script", ["", "03", "0300", "04ffff001d0104", "046d0b1a038e5701"])
def test_what_is_no_height(script: str) -> None:
    assert read_parts(bytes.fromhex(script)).height is None


@pytest.mark.parametrize(
    ("script", "pool", "name"),
    [
        (b"/ViaBTC/Mined by zavodkirov/,\xfa\xbemm", "viabtc", b"zavodkirov"),
        (b"/ViaBTC/NYA/Mined by x1/,", "viabtc", b"x1"),
        (b"/ViaBTC/,\xfa\xbemm", None, b""),
        ("七彩神仙鱼....4:Mined by user wanxiaohong".encode(), "f2pool", b"wanxiaohong"),
        ("🐟\x15Mined by chenguanghai\x00\x00".encode(), "f2pool", b"chenguanghai"),
        (b"/F2Pool/\x14Mined by sucori21\x00", "f2pool", b"sucori21"),
        (b"/F2Pool/e\x00\x00", None, b""),
        (b"Mined by AntPool bj15 ,E\x11", "antpool", b"bj15"),
        (b"Mined by AntPool907\xf5\x00", "antpool", b"907"),
        (b"Mined by AntPool W\x00", None, b""),
        (b"/Powered by Luxor Tech/128\xfa\xbemm", "luxor", b"128"),
        (b"< OCEAN.XYZ >\x0fSome miner\x00\x01", "ocean", b"Some miner"),
        (b"OCEAN.XYZ\x0fSome miner\x0fdatum", "ocean", b"Some miner"),
        (b"\x03\x01\x02\x03\x12Lazarus\x0fSome miner\x00\x03abc", "datum", b"Some miner"),
        (b"\x03\x01\x02\x03\x12OCEAN.XYZ\x0fMiner\x00\x03abc", "ocean", b"Miner"),
        (b"\x03\x01\x02\x03\xfa\xbemm/F2Pool/\x0fMined by szwwuc\x00", "f2pool", b"szwwuc"),
        (b"\nckpool\x0c/Kano /BEBOP/", "kanopool", b"BEBOP"),
    ],
)
def test_miner_names(script: bytes, pool: str | None, name: bytes) -> None:
    miners = read_parts(script).miners
    assert [(m.pool, m.name) for m in miners] == ([(pool, name)] if pool else [])
    for miner in miners:
        place = miner.where
        assert script[place.offset : place.offset + place.length] == name


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("6a24aa21a9ed" + "11" * 32, "witness"),
        ("6a2952534b424c4f434b3a" + "22" * 32, "rsk"),
        ("6a4c2952534b424c4f434b3a" + "22" * 32, "rsk"),
        ("6a2d434f524501" + "33" * 40, "coredao"),
        ("6a2448617468" + "44" * 32, "hathor"),
        ("6a12455853415401051b0f0e0e0b1f120013", "exsat"),
        ("6a27737973" + "55" * 36, "syscoin"),
        ("6a24b9e11b6d" + "66" * 32, "vcash"),
        ("6a4c266a24b9e11b6d" + "66" * 32, "vcash"),
        ("6a224d696e6564", "other"),
        ("6a", "other"),
    ],
)
def test_commitments(script: str, kind: str) -> None:
    (seen,) = read_parts(b"", [TxOut(0, bytes.fromhex(script))]).commitments
    assert seen.kind == kind
    assert bytes.fromhex(script)[seen.where.offset :] == seen.data


def test_what_real_outputs_commit_to() -> None:
    kinds = Counter(
        seen.kind
        for real in real_coinbases()
        for seen in read_parts(real.script_sig, real.outputs).commitments
    )
    assert kinds["witness"] > 50
    assert {"rsk", "coredao", "hathor", "exsat", "syscoin", "vcash"} <= set(kinds)


def test_merge_mining() -> None:
    root = bytes(range(32))
    script = b"\x03\x01\x02\x03\xfa\xbemm" + root + b"\x04\x00\x00\x00\x05\x00\x00\x00/slush/"
    seen = read_parts(script)
    assert seen.aux_pow is not None
    assert (seen.aux_pow.offset, seen.aux_pow.root) == (4, root)
    assert (seen.aux_pow.size, seen.aux_pow.nonce) == (4, 5)
    assert [run.data for run in seen.runs] == [b"/slush/"]
    assert read_parts(script[:40]).aux_pow is None


def test_software() -> None:
    assert read_parts(b"\nckpool\x0c/solo/").software == ("ckpool",)
    assert read_parts(b"OCEAN.XYZ\x0fMiner\x00").software == ("DATUM",)
    assert read_parts(b"1/stratumPool/").software == ("node-stratum-pool",)
    shares = [TxOut(5, b"\x51")] * 3 + [TxOut(0, b"\x6a\x28" + bytes(40))]
    assert read_parts(b"", shares).software == ("P2Pool",)


def test_nothing_is_lost_and_nothing_is_told_twice() -> None:
    for real in real_coinbases():
        check_parts(real.script_sig)


@given(st.binary(max_size=200))
def test_any_bytes_are_read(script: bytes) -> None:
    check_parts(script)


def check_parts(script: bytes) -> None:
    seen = read_parts(script, [TxOut(1, script), TxOut(0, b"\x6a" + script)])
    spans = [(part.offset, part.offset + len(part.data)) for part in (*seen.runs, *seen.rest)]
    if seen.aux_pow is not None:
        spans.append((seen.aux_pow.offset, seen.aux_pow.offset + 44))
    if seen.height is not None:
        spans.append((0, 1 + script[0]))
    spans.sort()
    edges = [0, *(edge for span in spans for edge in span), len(script)]
    assert edges == sorted(edges)
    assert sum(end - start for start, end in spans) == len(script)
