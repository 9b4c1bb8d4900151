from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import mined as m
from analyzers import windows as w
from analyzers.registry.lenses import load_lenses

CHAIN = [m.Mined(h, 600 * h, "abc"[h % 3] if h % 7 else None) for h in range(100)]


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("144", w.Window(blocks=144)),
        (" 12H ", w.Window(seconds=43_200)),
        ("1d", w.Window(seconds=86_400)),
        ("2w", w.Window(seconds=1_209_600)),
    ],
)
def test_parse(text: str, window: w.Window) -> None:
    assert w.Window.parse(text) == window
    assert w.Window.parse(str(window)) == window


@given(st.text(max_size=12))
def test_parse_refuses_or_reads(text: str) -> None:
    try:
        window = w.Window.parse(text)
    except ValueError:
        return
    assert w.Window.parse(str(window)) == window


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5d", "10m", "d", "9" * 20, "\u0661"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="no window"):
        w.Window.parse(text)


def test_a_window_has_one_size() -> None:
    for bad in ({}, {"blocks": 1, "seconds": 1}, {"blocks": 0}):
        with pytest.raises(ValueError, match="either"):
            w.Window(**bad)
    assert str(w.Window(seconds=90)) == "90s"


def test_tally_counts_under_a_lens_and_keeps_unknown_apart() -> None:
    seen = w.tally(CHAIN[:10], m.lens_from({"b": "a"}))
    assert seen.counts == {"a": 5, "c": 3}
    assert seen.unattributed == 2
    assert (seen.blocks, seen.first_height, seen.last_time) == (10, 0, 5400)
    with pytest.raises(ValueError, match="without blocks"):
        w.tally([])


def test_a_lens_may_change_with_height() -> None:
    def dated(pool: str, height: int, _time: int) -> str | None:
        return None if height < 3 else pool

    assert w.tally(CHAIN[:6], dated).unattributed == 3


def test_latest() -> None:
    assert w.latest(CHAIN, w.Window(blocks=5)) == CHAIN[-5:]
    assert w.latest(CHAIN[:3], w.Window(blocks=5)) == CHAIN[:3]
    assert w.latest(CHAIN, w.Window(seconds=1800)) == CHAIN[-3:]
    assert w.latest([], w.Window(seconds=60)) == []
    backwards = [*CHAIN[:9], m.Mined(9, 0, "a")]
    assert w.latest(backwards, w.Window(seconds=1800)) == backwards[-4:]


def test_partition_by_blocks_keeps_whole_windows() -> None:
    table = w.partition(CHAIN[5:], w.Window(blocks=10))
    assert table.first_height.tolist() == list(range(10, 100, 10))
    assert (table.blocks == 10).all()
    assert len(w.partition([], w.Window(blocks=10))) == 0


def test_partition_by_time_uses_calendar_days() -> None:
    chain = [m.Mined(h, 50_000 + 600 * h, "a") for h in range(500)]
    table = w.partition(chain, w.Window(seconds=86_400))
    assert (table.start_time % 86_400 == 0).all()
    assert (table.blocks == 144).all()
    assert len(table) == 3


def test_table_operations_agree_with_counting_again() -> None:
    table = w.partition(CHAIN, w.Window(blocks=10))
    assert table.total() == w.tally(CHAIN).counts
    pairs = table.merged(2)
    again = w.partition(CHAIN, w.Window(blocks=20))
    assert [pairs.row(i) for i in range(5)] == [again.row(i) for i in range(5)]
    assert pairs.unattributed.tolist() == again.unattributed.tolist()
    assert table.merged(3).first_height.tolist() == [10, 40, 70]
    assert len(table.merged(11)) == 0
    rolling = table.rolling(2)
    assert rolling.row(0) == pairs.row(0)
    assert len(rolling) == 9
    assert len(table.rolling(11)) == 0
    lens = m.lens_from({"b": "a"})
    assert list(table.under(lens).rows()) == list(
        w.partition(CHAIN, w.Window(blocks=10), lens).rows()
    )
    late = table.between(6000, 18_000)
    assert late.first_height.tolist() == [10, 20]
    with pytest.raises(ValueError, match="one or more"):
        table.merged(0)


def test_a_lens_may_lose_pools_of_a_table() -> None:
    table = w.partition(CHAIN, w.Window(blocks=10)).under(
        lambda pool, *_: None if pool == "a" else pool
    )
    assert table.entities == ("b", "c")
    assert (table.blocks == 10).all()


def counted_one_by_one(
    mined: list[m.Mined], window: w.Window, lens: m.EntityOf
) -> list[tuple[dict[str, int], int, int]]:
    """Partition as its docstring says it: (blocks by entity, unattributed, first height)."""
    groups: dict[int, list[m.Mined]] = {}
    latest = -1
    for block in mined:
        latest = max(latest, block.time)
        groups.setdefault(
            block.height // window.blocks if window.blocks else latest // (window.seconds or 1), []
        ).append(block)
    keys = list(groups)
    if window.blocks:
        keys = [key for key in keys if len(groups[key]) == window.blocks]
    elif mined:
        keys = keys[1 if mined[0].time % (window.seconds or 1) else 0 : -1]
    tallies = [w.tally(groups[key], lens) for key in keys]
    return [(dict(t.counts), t.unattributed, t.first_height) for t in tallies]


@pytest.mark.slow
@given(
    blocks=st.lists(st.tuples(st.integers(-90, 300), st.sampled_from(["a", "b", "c", None]))),
    first=st.integers(0, 50),
    window=st.sampled_from(["1", "7", "20", "1h", "2h"]),
    lens=st.sampled_from(
        [
            m.by_tag,
            m.lens_from({"b": "a"}),
            lambda pool, height, _time: None if height < 30 else pool,
        ]
    ),
)
def test_partition_counts_what_tally_does(
    blocks: list[tuple[int, str | None]], first: int, window: str, lens: m.EntityOf
) -> None:
    time, mined = 10_000, []
    for height, (step, pool) in enumerate(blocks, start=first):
        time = max(0, time + step * 10)
        mined.append(m.Mined(height, time, pool))
    size = w.Window.parse(window)
    table = w.partition(mined, size, lens)
    found = zip(table.rows(), table.unattributed, table.first_height, strict=True)
    assert list(found) == counted_one_by_one(mined, size, lens)


def test_a_chain_is_its_blocks_by_column() -> None:
    chain = m.Chain.of(CHAIN)
    assert m.Chain.of(chain) is chain
    assert (len(chain), chain[3], chain[-1], chain[0].pool) == (100, CHAIN[3], CHAIN[-1], None)
    assert list(chain) == CHAIN
    assert list(chain[10:20]) == CHAIN[10:20]
    assert list(chain[chain.time >= 3000]) == CHAIN[5:]
    assert list(w.latest(chain, w.Window(seconds=1800))) == CHAIN[-3:]
    assert w.tally(chain) == w.tally(CHAIN)
    assert len(m.Chain.of([])) == 0


def test_a_lens_is_asked_once_about_steady_pools() -> None:
    asked = []

    class Lens:
        def steady(self, pool: str) -> bool:
            return pool != "c"

        def __call__(self, pool: str, height: int, _time: int) -> str:
            asked.append(pool)
            return "late" if pool == "c" and height > 50 else pool

    lens = Lens()
    table = w.partition(CHAIN, w.Window(blocks=10), lens)
    assert asked.count("a") == asked.count("b") == 1
    assert list(table.rows()) == list(w.partition(CHAIN, w.Window(blocks=10), lens.__call__).rows())
    assert "late" in table.entities


def test_shipped_lenses_know_which_pools_are_steady() -> None:
    owner = load_lenses()["template"]
    assert owner.steady("viabtc")
    assert not owner.steady("luxor")


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(-7200, 90_000), st.sampled_from("abc")), min_size=1, max_size=60
    ),
    st.integers(0, 3 * 86_400),
    st.sampled_from(["1", "2", "5", "144", "1h", "7h", "1d", "7d", "1w"]),
    st.tuples(*[st.none() | st.integers(-86_400, 20 * 86_400)] * 2),
    st.booleans(),
)
def test_from_and_to_choose_windows_of_the_whole_chain(
    steps: list[tuple[int, str]],
    begin: int,
    text: str,
    span: tuple[int | None, int | None],
    from_genesis: bool,
) -> None:
    """Whatever the span, its windows are those of the whole chain that lie in it, and no others."""
    (start, end), time, chain = span, begin, []
    for height, (step, pool) in enumerate(steps, start=0 if from_genesis else 77):
        time = max(0, time + step)
        chain.append(m.Mined(height, time, pool))
    window = w.Window.parse(text)
    whole = w.partition(chain, window)
    found = w.partition(chain, window, start=start, end=end)
    latest = [max(block.time for block in chain[: place + 1]) for place in range(len(chain))]
    inside = []
    for row in range(len(whole)):
        first = next(i for i, b in enumerate(chain) if b.height == whole.first_height[row])
        low, last = latest[first], latest[first + int(whole.blocks[row]) - 1]
        if window.seconds:
            low = int(whole.start_time[row])
            last = low + window.seconds - 1
        if (start is None or start <= low) and (end is None or last < end):
            inside.append(row)
    assert found.first_height.tolist() == [int(whole.first_height[row]) for row in inside]
    assert found.start_time.tolist() == [int(whole.start_time[row]) for row in inside]
    assert list(found.rows()) == [whole.row(row) for row in inside]


@pytest.mark.slow
@given(
    st.lists(st.integers(0, 40), max_size=30),
    st.none() | st.integers(-5, 45),
    st.none() | st.integers(-5, 45),
)
def test_blocks_between_two_times_have_no_gaps(
    times: list[int], start: int | None, end: int | None
) -> None:
    chain = m.Chain.of([m.Mined(height, time, None) for height, time in enumerate(times)])
    heights = [block.height for block in w.between(chain, start, end)]
    assert heights == list(range(heights[0], heights[-1] + 1)) if heights else True
    if times == sorted(times):
        low, high = (-1 if start is None else start), (99 if end is None else end)
        assert heights == [h for h, time in enumerate(times) if low <= time < high]
