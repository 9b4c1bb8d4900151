from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest

from analyzers import intervals as iv
from analyzers.simulate import MAX_SIZE, simulate
from tests.analyzers.vectors import EXAMPLE, pool_mix


def test_check_values_of_the_example() -> None:
    day = simulate([EXAMPLE], draws=100_000)
    assert day.hhi[0] * 10_000 == pytest.approx([1539, 1257, 1884], rel=4e-3)
    assert day.nakamoto_half[0, 1:4] == pytest.approx([0.133, 0.861, 0.006], abs=0.004)
    assert day.nakamoto_half.sum() == pytest.approx(1)


def test_agrees_with_draws_from_numpy() -> None:
    counts = np.array([[30, 12, 5, 1]])
    gammas = np.random.default_rng(1).standard_gamma(np.append(counts + 0.5, 8.5), (100_000, 5))
    shares = gammas / gammas.sum(axis=1, keepdims=True)
    named = shares[:, :4]
    ours = simulate(counts, [8], draws=100_000)
    hhi, largest = (named**2).sum(axis=1), named.max(axis=1)
    for figure, drawn in ((ours.hhi, hhi), (ours.largest, largest)):
        expected = [drawn.mean(), *np.quantile(drawn, (0.025, 0.975))]
        assert figure[0] == pytest.approx(expected, rel=0.01)
    for above, threshold in ((ours.above_half, 1 / 2), (ours.above_third, 1 / 3)):
        assert above[0] == pytest.approx((largest > threshold).mean(), abs=0.01)
    held = np.cumsum(-np.sort(-named, axis=1), axis=1)
    for sizes, threshold in ((ours.nakamoto_half, 1 / 2), (ours.nakamoto_quarter, 1 / 4)):
        drawn_sizes = (held <= threshold).sum(axis=1)
        expected = [(drawn_sizes == size).mean() for size in range(4)]
        assert sizes[0, :4] == pytest.approx(expected, abs=0.01)


def test_small_parameters_are_drawn_right() -> None:
    """A single entity has an unseen rival with the parameter one half."""
    alone = simulate([[6]], draws=100_000)
    expected = np.random.default_rng(2).beta(6.5, 0.5, 100_000)
    assert alone.largest[0] == pytest.approx(
        [expected.mean(), *np.quantile(expected, (0.025, 0.975))], rel=0.01
    )


def test_the_same_on_any_number_of_threads_and_in_any_company() -> None:
    table = np.random.default_rng(3).multinomial(144, pool_mix("tags"), 20)
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = simulate(table, draws=200, seed=5)
    finally:
        numba.set_num_threads(threads)
    together = simulate(table, draws=200, seed=5)
    assert (alone.hhi == together.hhi).all()
    assert (alone.nakamoto_half == together.nakamoto_half).all()
    first = simulate(table[:3], draws=200, seed=5)
    assert (first.hhi == together.hhi[:3]).all()
    assert (simulate(table, draws=200, seed=6).hhi != together.hhi).any()


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_the_same_in_parts_on_an_executor(rows: int) -> None:
    counts = np.tile(EXAMPLE, (rows, 1))
    whole = simulate(counts, draws=200, seed=3)
    with ThreadPoolExecutor(3) as executor:
        parted = simulate(counts, draws=200, seed=3, executor=executor, parts=3)
    for name in ("hhi", "largest", "above_half", "nakamoto_third"):
        np.testing.assert_array_equal(getattr(parted, name), getattr(whole, name))


def test_windows_do_not_share_a_stream() -> None:
    same = simulate([EXAMPLE] * 4, draws=50)
    assert len(np.unique(same.hhi[:, 0])) == 4


def test_empty_windows_and_tables() -> None:
    mixed = simulate([[0, 0], [3, 4]], draws=50)
    assert np.isnan(mixed.hhi[0]).all()
    assert np.isfinite(mixed.hhi[1]).all()
    assert simulate(np.zeros((0, 3))).nakamoto_half.shape == (0, MAX_SIZE)


@pytest.mark.parametrize(
    "call",
    [
        lambda: simulate([1, 2]),
        lambda: simulate([[-1]]),
        lambda: simulate([[np.nan]]),
        lambda: simulate([[1]], draws=0),
        lambda: simulate([[1]], level=1),
        lambda: simulate([[1]], [1, 2]),
    ],
)
def test_refuses_arguments_out_of_range(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"counts|range|unattributed"):
        call()


@pytest.mark.slow
def test_closed_forms_agree_with_simulation_over_many_windows() -> None:
    table = np.random.default_rng(7).multinomial(144, pool_mix("tags"), 50)
    drawn = simulate(table, draws=20_000)
    closed = np.array([iv.hhi_interval(row) for row in table.tolist()])
    # the posterior and the interval around the unbiased estimate are not the same question
    assert np.abs(drawn.hhi[:, 1:] / closed - 1).max() < 0.1
