"""Payout scripts that blocks teach."""

from __future__ import annotations

import pytest

from analyzers.attribution import attribute_parts
from analyzers.audit import (
    MIN_BLOCKS,
    SETTLED_BLOCKS,
    AttributedBlock,
    ContestedPayout,
    LearnedPayout,
    SettledPool,
    learn_payouts,
    propose_payouts,
)
from analyzers.registry import load_registry, parse_registry
from analyzers.registry.address import script_of
from analyzers.registry.values import Heights
from hashing.params import REGTEST
from hashing.wire import TxOut

REGISTRY = load_registry()
ONE = bytes.fromhex("0014751e76e8199196d454941c45d1b3a323f1433bd6")
TWO = b"\x00\x14" + b"\x02" * 20
BARE = b"\x51"
VALUE = 312_500_000


def block(height: int, text: bytes, *paid: bytes, value: int = VALUE) -> AttributedBlock:
    outputs = tuple(TxOut(value, script) for script in paid)
    script_sig = b"%d/" % height + text
    found = attribute_parts(script_sig, outputs, REGISTRY, height=height)
    return AttributedBlock(height, script_sig, outputs, found)


def test_a_script_is_learned_where_two_blocks_of_one_tag_paid_it() -> None:
    blocks = [block(h, b"/slush/", ONE) for h in (700, 500, 600)]
    lesson = learn_payouts([*blocks, block(800, b"/slush/", TWO)], REGISTRY)
    assert MIN_BLOCKS == 2
    assert lesson.blocks == 4
    assert lesson.learned == (LearnedPayout("braiinspool", ONE, 3, 500, 700),)
    assert lesson.contested == ()
    assert learn_payouts(blocks, REGISTRY, min_blocks=4).learned == ()
    every = learn_payouts([block(800, b"/slush/", TWO)], REGISTRY, min_blocks=1)
    assert [item.script for item in every.learned] == [TWO]
    with pytest.raises(ValueError, match="1 or more"):
        learn_payouts([], REGISTRY, min_blocks=0)


@pytest.mark.parametrize(
    "blocks",
    [
        [block(1, b"/slush/", ONE)] * 3,
        [block(1, b"", ONE), block(2, b"", ONE)],
        [block(1, b"ckpool", ONE), block(2, b"ckpool", ONE)],
        [block(1, b"/slush/", ONE, TWO), block(2, b"/slush/", ONE, TWO)],
        [block(1, b"/slush/", ONE, value=0), block(2, b"/slush/", ONE, value=0)],
        [block(1, b"/slush/"), block(2, b"/slush/")],
    ],
    ids=["twice the same", "no tag", "weak tag", "half each", "nothing paid", "outputs unknown"],
)
def test_what_teaches_nothing(blocks: list[AttributedBlock]) -> None:
    assert learn_payouts(blocks, REGISTRY).learned == ()


def test_a_script_under_two_tags_is_named_and_left_out() -> None:
    blocks = [block(h, b"/slush/", ONE) for h in (1, 2)]
    lesson = learn_payouts([*blocks, block(3, b"/ViaBTC/", ONE)], REGISTRY)
    assert lesson.learned == ()
    assert lesson.contested == (ContestedPayout(ONE, (("braiinspool", 2), ("viabtc", 1)), None),)


def test_a_script_that_the_registry_gives_to_another_pool_is_left_out() -> None:
    antpool = script_of("12dRugNcdxK39288NjcDV4GX7rMsKCGn6B")
    lesson = learn_payouts([block(h, b"/slush/", antpool) for h in (1, 2)], REGISTRY)
    assert lesson.learned == ()
    assert lesson.contested == (ContestedPayout(antpool, (("braiinspool", 2),), "antpool"),)
    assert learn_payouts([block(h, b"/AntPool/", antpool) for h in (1, 2)], REGISTRY).learned == ()


@pytest.mark.parametrize("tag", [b"OCEAN.XYZ", b"/solo.ckpool.org/", b"p2p-spb.xyz", b"Eligius"])
def test_pools_that_pay_miners_teach_nothing(tag: bytes) -> None:
    lesson = learn_payouts([block(h, tag, ONE) for h in range(1, 8)], REGISTRY)
    assert (lesson.learned, lesson.contested, lesson.settled) == ((), (), ())
    assert [count for _, count in lesson.direct] == [7]


def test_a_pool_is_settled_by_its_last_blocks() -> None:
    paid = [block(h, b"/slush/", ONE) for h in range(10, 10 + SETTLED_BLOCKS)]
    strange = block(9, b"/slush/", TWO)
    assert learn_payouts([*paid, strange], REGISTRY).settled == (
        SettledPool("braiinspool", SETTLED_BLOCKS, 10, 9 + SETTLED_BLOCKS),
    )
    assert learn_payouts(paid[1:], REGISTRY).settled == ()
    assert learn_payouts([*paid, block(99, b"/slush/", TWO)], REGISTRY).settled == ()


def test_the_review_file_is_a_registry_that_can_be_merged() -> None:
    blocks = [block(h, b"/slush/", ONE) for h in range(5, 12)]
    blocks += [block(h, b"/ViaBTC/", BARE) for h in (1, 2)]
    blocks += [block(h, b"/AntPool/", TWO) for h in (1, 2)]
    blocks += [block(3, b"/EMCD/", TWO), block(4, b"OCEAN.XYZ", ONE)]
    lesson = learn_payouts(blocks, REGISTRY)
    text = propose_payouts(lesson, REGISTRY)
    read = parse_registry(text)
    (slush,) = read.pools["braiinspool"].payouts
    assert (slush.address, slush.script, slush.seen) == (
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ONE,
        Heights(5, 11),
    )
    assert read.pools["braiinspool"].settled == Heights(5, 11)
    (via,) = read.pools["viabtc"].payouts
    assert (via.script, via.address, via.note) == (BARE, "", "most of 2 blocks with its tag")
    assert "antpool" not in read.pools
    assert "is paid by 2 blocks of antpool, 1 blocks of emcdpool" in text
    assert "left out: 1 blocks of ocean, which pays its miners" in text
    assert "bcrt1" in propose_payouts(lesson, REGISTRY, REGTEST)
    learned = learn_payouts(blocks, parse_registry(text))
    assert learned.learned == (), "what was merged is not learned again"
