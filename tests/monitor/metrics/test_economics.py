"""The exported figures of cost, against the formulas worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from analyzers.economics import Terms
from hashing.params import REGTEST
from monitor.config import EconomicsSettings
from monitor.metrics.economics import economics_metrics
from monitor.metrics.exporter import Exporter
from monitor.terms import TipTerms
from tests.support.webagent import WebAgent, mixed

TIP = TipTerms(Terms(148.26e12, 312_500_000, 0.0055), 932_000, 1_768_176_000, 144)


def figures(known: TipTerms | None, **settings: object) -> dict[tuple[str, ...], float]:
    found = {}
    for metric in economics_metrics(known, EconomicsSettings.model_validate(settings)):
        assert metric.documentation.endswith(".")
        for sample in metric.samples:
            found[sample.name.removeprefix("poolscope_"), *sample.labels.values()] = sample.value
    return found


def test_hashprice_in_base_units() -> None:
    # Hashrate Index roundup, 2026-01-12, by the formula: 0.00042634 BTC/PH/day.
    found = figures(TIP)
    assert found["hashprice_bitcoins_per_hash",] * 1e15 * 86_400 == pytest.approx(
        0.00042634, abs=5e-9
    )
    assert found["block_subsidy_bitcoins",] == 3.125
    assert found["block_fees_bitcoins",] == pytest.approx(3.125 * 0.0055)
    assert found["block_fees_blocks",] == 144


def test_unknown_fees_are_not_said_to_be_none() -> None:
    found = figures(TIP._replace(fee_blocks=0))
    assert ("block_fees_bitcoins",) not in found
    assert found["block_fees_blocks",] == 0


def test_energy_and_electricity_by_machine_and_tariff() -> None:
    # 1,132,056 kWh per BTC at D 148.26 T, 20 J/TH and no fees, worked by hand.
    known = TIP._replace(terms=Terms(148.26e12, 312_500_000))
    found = figures(known, pue=1, efficiencies=[20, 20], tariffs=[0.05, 0.0702])
    assert found["energy_per_bitcoin_joules", "20"] / 3.6e6 == pytest.approx(1_132_056, abs=0.5)
    assert found["electricity_per_bitcoin_dollars", "20", "0.05"] == pytest.approx(56_602.8, abs=1)
    assert ("electricity_per_bitcoin_dollars", "20", "0.0702") in found
    assert figures(known, pue=1.2, efficiencies=[20])["energy_per_bitcoin_joules", "20"] == (
        pytest.approx(1.2 * found["energy_per_bitcoin_joules", "20"])
    )


def test_nothing_before_the_first_block(tmp_path: Path) -> None:
    assert figures(None) == {}
    with WebAgent(tmp_path) as agent:
        assert agent.board.snapshot.terms is None
        assert b"hashprice" not in Exporter(agent.board, agent.metrics).render("")[0]


def test_the_agent_exports_them_at_its_settings(tmp_path: Path) -> None:
    settings = EconomicsSettings(efficiencies=(17.5,), tariffs=(0.06,))
    with WebAgent(tmp_path) as agent:
        agent.mine(mixed(3))
        text = Exporter(agent.board, agent.metrics, settings).render("")[0].decode()
    samples = {sample.name: sample for family in parse_text(text) for sample in family.samples}
    found = samples["poolscope_electricity_per_bitcoin_dollars"]
    assert found.labels == {"joules_per_terahash": "17.5", "dollars_per_kilowatthour": "0.06"}
    assert samples["poolscope_block_fees_blocks"].value == 3


def test_fees_of_the_snapshot_are_of_the_last_144_blocks(tmp_path: Path) -> None:
    with WebAgent(tmp_path) as agent:
        agent.mine(mixed(150))
        known = agent.board.snapshot.terms
    assert known is not None
    assert known.fee_blocks == 144
    assert known.height == 150
    # The chain of the tests halves its subsidy at 150 blocks and claims no fees.
    assert known.terms.subsidy == REGTEST.subsidy(150)
    assert known.terms.fee_ratio == 0
