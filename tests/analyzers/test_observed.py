from __future__ import annotations

import math

import numpy as np
import pytest

from analyzers import network
from analyzers.observed import Claim, Seen, judge_claims, observe

WORK = 6e22
"""Hashes a block: 100 EH/s at ten minutes."""


def chain(miners: str, spacing: int = 600, first: int = 100) -> list[Seen]:
    """Blocks by single letters; a dot is nobody known."""
    return [
        Seen(first + i, spacing * (first + i), WORK, None if name == "." else name)
        for i, name in enumerate(miners)
    ]


def times_before(blocks: list[Seen], count: int = 11) -> list[int]:
    return [blocks[0].time - 600 * back for back in range(count, 0, -1)]


def test_shares_and_hash_rates() -> None:
    blocks = chain("aab." * 36)
    view = observe(blocks, times_before(blocks))
    assert (view.blocks, view.timed_blocks, view.seconds) == (144, 144, 86_400)
    assert view.rate.value == pytest.approx(1e20)
    assert view.rate.interval == pytest.approx((0.843343e20, 1.169805e20), rel=1e-5)
    first, second = view.entities
    assert (first.entity, first.blocks, second.blocks) == ("a", 72, 36)
    assert first.share.value == 0.5
    assert first.rate == network.pool_hash_rate(72, WORK, 86_400)


def test_a_retarget_inside_the_window_needs_no_mean_difficulty() -> None:
    blocks = chain("a" * 100)
    harder = [block._replace(work=2 * WORK) for block in blocks[50:]]
    view = observe(blocks[:50] + harder, times_before(blocks))
    assert view.rate.value == pytest.approx(1.5e20)


def test_without_blocks_before_the_first_eleven_are_not_timed() -> None:
    view = observe(chain("a" * 20))
    assert (view.blocks, view.timed_blocks, view.seconds) == (20, 9, 9 * 600)
    assert view.rate.value == pytest.approx(1e20)
    assert view.entities[0].rate.value == pytest.approx(1e20)
    short = observe(chain("ab" * 5))
    assert short.timed_blocks == 0
    assert math.isnan(short.rate.value)
    assert math.isnan(short.entities[0].rate.value)


def test_runs() -> None:
    view = observe(chain("abbbac.bbcc"))
    runs = {entity.entity: entity.run for entity in view.entities}
    assert (runs["b"].length, runs["b"].height) == (3, 101)
    assert runs["b"].probability == network.streak_probability(11, 3, 5 / 11)
    assert view.any_run is not None
    name, run = view.any_run
    assert (name, run.length) == ("b", 3)
    assert run.probability == network.any_streak_probability(11, 3, [5 / 11, 2 / 11, 3 / 11])


def test_empty_and_stale_blocks_and_delays() -> None:
    blocks = [
        block._replace(tx_count=(1, 5, None)[i % 3], first_seen=block.time + i % 3)
        for i, block in enumerate(chain("abc" * 10))
    ]
    view = observe(blocks, stale_blocks=2)
    assert (view.empty.found, view.empty.of_blocks, view.empty.share.value) == (10, 20, 0.5)
    empty = {entity.entity: entity.empty for entity in view.entities}
    assert (empty["a"].found, empty["b"].found, empty["c"].of_blocks) == (10, 0, 0)
    assert math.isnan(empty["c"].share.value)
    assert view.stale == network.event_rate(2, 30)
    assert view.delays.median == 1
    assert {e.entity: e.delays.median for e in view.entities} == {"a": 0, "b": 1, "c": 2}


def test_luck_of_a_claimed_share_and_of_a_claimed_rate() -> None:
    blocks = chain("aab." * 36, spacing=500)
    view = observe(blocks, [blocks[0].time - 500 * back for back in range(11, 0, -1)])
    claims = {"a": Claim(share=0.3), "b": Claim(rate=50e18), "absent": Claim(share=0.1)}
    found = judge_claims(view, claims)
    assert found["a"].ratio.value == pytest.approx(72 / 43.2)
    assert found["a"].at_least == network.share_luck(72, 144, 0.3).at_least
    assert found["b"].ratio.value == pytest.approx(36 / (50e18 * 72_000 / WORK))
    assert found["absent"].ratio.value == 0
    assert found["absent"].at_most < 1e-5
    untimed = judge_claims(observe(blocks[:5]), {"a": Claim(rate=1e18)})
    assert math.isnan(untimed["a"].ratio.value)


def test_nothing_and_nobody() -> None:
    nothing = observe([])
    assert nothing.entities == ()
    assert nothing.any_run is None
    assert math.isnan(nothing.stale.value)
    assert math.isnan(judge_claims(nothing, {"a": Claim(share=0.5)})["a"].ratio.value)
    nobody = observe(chain("...."))
    assert (nobody.blocks, nobody.entities, nobody.any_run) == (4, (), None)
    single = observe(chain("a"))
    assert single.entities[0].run.probability == 1


@pytest.mark.slow
def test_a_pool_of_its_claim_is_lucky_as_often_as_stated() -> None:
    rng = np.random.default_rng(1)
    low = 0
    for _ in range(400):
        names = "".join("a" if hit else "b" for hit in rng.random(144) < 0.3)
        blocks = chain(names)
        low += (
            judge_claims(observe(blocks, times_before(blocks)), {"a": Claim(share=0.3)})[
                "a"
            ].at_most
            < 0.05
        )
    assert low / 400 < 0.06
