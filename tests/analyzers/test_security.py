from __future__ import annotations

from math import comb, fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers import security as sec
from tests.analyzers.vectors import load

FIGURES = load("attack_figures.json")


@pytest.mark.parametrize(("share", "confirmations", "risk"), FIGURES["whitepaper_risk"])
def test_whitepaper_table(share: float, confirmations: int, risk: float) -> None:
    assert sec.double_spend(share, confirmations, "nakamoto") == pytest.approx(risk, abs=5.1e-8)


@pytest.mark.parametrize(("share", "risks"), FIGURES["exact_risk_at_1_to_10"].items())
def test_exact_form(share: str, risks: list[float]) -> None:
    found = [sec.double_spend(float(share), z) for z in range(1, 11)]
    assert found == pytest.approx(risks, abs=5.1e-9)


@pytest.mark.parametrize("form", ["nakamoto", "exact"])
def test_confirmations_below_a_tenth_of_a_percent(form: sec.Form) -> None:
    table = "whitepaper" if form == "nakamoto" else "exact"
    for share, confirmations in FIGURES[f"{table}_confirmations_below_0.001"]:
        assert sec.confirmations_needed(share, 0.001, form) == confirmations


@pytest.mark.parametrize(("share", "gamma", "revenue"), FIGURES["selfish_revenue"])
def test_selfish_revenue(share: float, gamma: float, revenue: float) -> None:
    assert sec.selfish_revenue(share, gamma) == pytest.approx(revenue, abs=5.1e-7)


@given(st.floats(0, 1))
def test_selfish_mining_breaks_even_at_its_threshold(gamma: float) -> None:
    share = sec.selfish_threshold(gamma)
    assert sec.selfish_revenue(share, gamma) == pytest.approx(share, abs=1e-12)


def test_selfish_revenue_agrees_with_a_simulated_race() -> None:
    """Eyal and Sirer's strategy played out block by block."""
    share, gamma, steps = 0.4, 0.5, 200_000
    rng = np.random.default_rng(5)
    ours = rng.random(steps) < share
    helped = rng.random(steps) < gamma
    lead, tied, won, lost = 0, False, 0, 0
    for mine, help_us in zip(ours.tolist(), helped.tolist(), strict=True):
        if tied:
            won, lost = (won + 2, lost) if mine else (won + help_us, lost + 2 - help_us)
            tied = False
        elif mine:
            lead += 1
        elif lead == 0:
            lost += 1
        elif lead == 1:
            lead, tied = 0, True
        elif lead == 2:
            won, lead = won + 2, 0
        else:
            won, lead = won + 1, lead - 1
    assert won / (won + lost) == pytest.approx(sec.selfish_revenue(share, gamma), abs=0.01)


def test_double_spend_agrees_with_a_simulated_race() -> None:
    rng = np.random.default_rng(6)
    found = rng.negative_binomial(6, 0.7, 200_000)
    behind = 6 - found
    chance = np.where(behind <= 0, 1.0, (0.3 / 0.7) ** np.maximum(behind, 0))
    assert sec.double_spend(0.3, 6) == pytest.approx(chance.mean(), abs=0.002)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.3, 0.4, 0.45])
def test_the_exact_form_is_rosenfelds_sum(share: float) -> None:
    """1 - sum C(m+n-1, m) (p^n q^m - p^m q^n), as written in arXiv:1402.2009."""
    p, q = 1 - share, share
    for n in range(1, 30):
        terms = (comb(m + n - 1, m) * (p**n * q**m - p**m * q**n) for m in range(n + 1))
        assert sec.double_spend(share, n) == pytest.approx(1 - fsum(terms), abs=1e-14)


def test_a_share_known_from_a_day_asks_for_16_to_92_confirmations() -> None:
    assert [sec.confirmations_needed(share) for share in (0.23, 0.30, 0.38)] == [16, 32, 92]


def test_edges() -> None:
    assert sec.double_spend(0.5, 1000) == sec.double_spend(0.9, 3, "nakamoto") == 1
    assert sec.double_spend(0, 1) == 0
    assert sec.confirmations_needed(0.0) == sec.confirmations_needed(0.3, 1.0) == 1
    assert sec.confirmations_needed(0.5) is None
    assert sec.confirmations_needed(0.49999) is None
    assert sec.selfish_revenue(0, 1) == 0
    assert sec.selfish_revenue(0.5, 0) == 1
    against = sec.confirmations_against(70, 144)
    assert against.point is not None
    assert against.high is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: sec.double_spend(-0.1, 1),
        lambda: sec.double_spend(0.1, -1),
        lambda: sec.confirmations_needed(0.1, 0),
        lambda: sec.confirmations_against(1, 0),
        lambda: sec.selfish_revenue(0.2, 2),
        lambda: sec.selfish_threshold(-1),
    ],
)
def test_refuses_arguments_out_of_range(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"0|0\.\."):
        call()


@given(st.floats(0.01, 0.49), st.integers(1, 40))
def test_more_confirmations_are_safer(share: float, confirmations: int) -> None:
    forms: tuple[sec.Form, ...] = ("exact", "nakamoto")
    for form in forms:
        fewer = sec.double_spend(share, confirmations, form)
        assert 0 <= sec.double_spend(share, confirmations + 1, form) <= fewer <= 1 + 1e-12
