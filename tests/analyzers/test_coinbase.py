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


@pytest.mark.slow
@given(st.integers(40_000, 1 << 24))
def test_heights(height: int) -> None:
    assert read_parts(push_height(height) + b"/pool/").height == height


BITS = (15, 16, 23, 24, 31, 32, 39)


@pytest.mark.parametrize(
    "height",
    [
        0,
        1,
        7,
        16,
        17,
        75,
        127,
        128,
        255,
        256,
        20_000,
        *(n + (1 << b) for b in BITS for n in (-1, 0)),
    ],
)
@pytest.mark.parametrize("text", [b"/ckpool/", b"Mined on signet", b"\x51\x02/x-pool/"])
def test_a_known_height_is_read_in_every_form_of_its_push(height: int, text: bytes) -> None:
    """1 to 16 are opcodes; the miner's text does not hold any of the push."""
    push = push_height(height)
    seen = read_parts(push + text, height=height)
    assert seen.height == height
    parts = sorted(seen.runs + seen.rest, key=lambda run: run.offset)
    assert parts[0].offset == len(push)
    assert b"".join(part.data for part in parts) == text


def test_old_coinbases_that_are_no_heights_stay_so() -> None:
    """What begins by chance like a small height is one only where the block has that height."""
    for real in real_coinbases():
        known = read_parts(real.script_sig, height=real.height)
        assert known == read_parts(real.script_sig)
    for text in (b"QUICK pool", b"\x02ab/pool/", b"\x01a/pool/", b"`pool`"):
        assert read_parts(text).height is None
        assert read_parts(text, height=150_000).height is None
        assert read_parts(text).runs[0].offset <= 1


@given(st.integers(0, 1 << 32), st.binary(max_size=40))
def test_any_bytes_at_any_height(height: int, data: bytes) -> None:
    seen = read_parts(data, height=height)
    assert (seen.height == height) >= data.startswith(push_height(height))


@pytest.mark.parametrize("height", [7, 100, 20_000, 900_000])
def test_a_miner_of_a_datum_gateway_at_any_height(height: int) -> None:
    script_sig = push_height(height) + b"\x15DATUM Gateway\x0fwho made it\x00"
    (miner,) = read_parts(script_sig, height=height).miners
    assert (miner.pool, miner.name) == ("datum", b"who made it")


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
        ("七彩神仙鱼...🐟\x15Mined by chenguanghai\x00".encode(), "f2pool", b"chenguanghai"),
        (b"/F2Pool/e\x00\x00", None, b""),
        (b"Mined by AntPool bj15 ,E\x11", "antpool", b"bj15"),
        (b"Mined by AntPool907\xf5\x00", "antpool", b"907"),
        (b"Mined by AntPool W\x00", None, b""),
        # 2014: clock and counter where names came later
        (b"Mined by AntPool 99K\x17THQ\x04!\xca\xfa\xbemm", None, b""),
        (b"Mined by AntPool \x00\x00\x00\x00S\xe8\xe1\xcc", None, b""),
        # 2015 to 2017: the digit after bj7 and usa4 is extranonce
        (b"Mined by AntPool bj15\x9b\xda\xb8T\xe4\xd2o\t", "antpool", b"bj15"),
        (b"Mined by AntPool bj72U\x16\xd8 VusJ", "antpool", b"bj7"),
        (b"Mined by AntPool usa44%\x93\x9e V\xb5\xad\x99", "antpool", b"usa4"),
        (b"Mined by AntPool usa3 \x18\xcf\xa8\xa4 X\x119\xb2", "antpool", b"usa3"),
        (b"Mined by AntPool dq *\xc6\xc2\x06 X_\x8d\xe6", "antpool", b"dq"),
        (b'Mined by AntPool bj6\x03"T\xa6 V\n\xdc\x85', "antpool", b"bj6"),
        (b"Mined by AntPool sc\x0e\xffx= T\xe5\x00K", "antpool", b"sc"),
        (b"Mined by AntPool usa2/EB1/AD6/> X", "antpool", b"usa2"),
        (b"Mined by AntPoolk/EB1/AD6/NYA/3 Y", "antpool", b"k"),
        (b"/AntPool/sc2/8M//$\xc0\x85 U\x97\x12", "antpool", b"sc2"),
        # 2018: one byte, a space, the clock
        (b"Mined by AntPool74 [n\x8eN\xfa\xbemm", "antpool", b"7"),
        (b"Mined by AntPool616 [h|\x94\x10\x00", "antpool", b"61"),
        # since 2019: two numbers of 16 bits
        (b"Mined by AntPoolf\xfc\x00\x83 \xb8\xc5|\x97", "antpool", b"f"),
        (b"Mined by AntPool3\xab\x00y\x02 \xed\r\x14", "antpool", b"3"),
        (b"Mined by AntPool711C\x00G\x02\x92c(\xc9", "antpool", b"711"),
        (b"Mined by AntPool1023$\x00\xfa\x06\xcb\x98", "antpool", b"1023"),
        (b"Mined by AntPool 0\x00 \x00\xf2j\x1b\xa4", None, b""),
        (b"/Powered by Luxor Tech/128\xfa\xbemm", "luxor", b"128"),
        (b"< OCEAN.XYZ >\x0fSome miner\x00\x01", "ocean", b"Some miner"),
        (b"OCEAN.XYZ\x0fSome miner\x0fdatum", "ocean", b"Some miner"),
        (b"\x03\x01\x02\x03\x12Lazarus\x0fSome miner\x00\x03abc", "datum", b"Some miner"),
        (b"\x03\x01\x02\x03\x12OCEAN.XYZ\x0fMiner\x00\x03abc", "ocean", b"Miner"),
        (b"\x03\x01\x02\x03\xfa\xbemm/F2Pool/\x0fMined by szwwuc\x00", "f2pool", b"szwwuc"),
        (b"\nckpool\x0c/Kano /BEBOP/", "kanopool", b"BEBOP"),
        (b"/DMND/bob/\x00\x01", "dmnd", b"bob"),
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
        # two ways in which scripts lack the push, or even OP_RETURN
        ("6a52534b424c4f434b3a" + "22" * 32, "rsk"),
        ("52534b424c4f434b3a" + "22" * 32, "rsk"),
        ("6a4c5058325b" + "77" * 77, "stacks"),
        ("6a045832ffff", "other"),
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


def test_merge_mining_before_its_magic_was_settled() -> None:
    root = bytes(range(32))
    script = b"\x04=\xf0\x0eO\x01Q,MM==" + root + b"\x01" + bytes(7)
    seen = read_parts(script)
    assert seen.aux_pow is not None
    assert (seen.aux_pow.offset, seen.aux_pow.root) == (8, root)
    assert read_parts(bytes(20) + script).aux_pow is None


def test_software() -> None:
    assert read_parts(b"\nckpool\x0c/solo/").software == ("ckpool",)
    assert read_parts(b"psj\x04\xf7\x1e\x0b\x1a").software == ("PoolServerJ",)
    assert read_parts(b"OCEAN.XYZ\x0fMiner\x00").software == ("DATUM",)
    assert read_parts(b"\\public-pool\\").software == ("public-pool",)
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
