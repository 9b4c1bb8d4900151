"""The claims over HTTP: the same verdicts as in the terminal, moved by what a reader gives."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any, Final

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analyzers.claims import CLAIMS
from analyzers.economics import Terms
from monitor.cli import cli
from monitor.terms import TipTerms
from monitor.web.claims import judged, terms_of_chain
from monitor.web.errors import ApiError
from monitor.web.queries import ClaimsQuery
from tests.monitor.web.conftest import Client
from tests.support.webagent import WebAgent

TIP = TipTerms(Terms(300e12, 312_500_000, 0.02), 950_000, 1_780_000_000, 144)


async def get(client: Client, **query: str) -> tuple[int, Any]:
    async with client.get("/api/v1/claims", params=query) as response:
        return response.status, await response.json()


def verdicts(query: ClaimsQuery, chain: TipTerms | None = None) -> dict[str, str]:
    return {claim.slug: claim.verdict for claim in judged(query, chain).claims}


@pytest.mark.slow
async def test_the_answer_is_that_of_the_terminal(client: Client) -> None:
    status, answer = await get(client)
    assert status == 200
    printed = json.loads(CliRunner().invoke(cli, ["claims", "--json"]).stdout)
    assert answer["claims"] == printed["claims"]
    assert answer["terms"] == "shipped"
    assert not answer["chain"]
    assert "Hashrate Index" in answer["series"]
    assert "cloud infrastructure" in answer["markets"]


@pytest.mark.slow
async def test_a_reader_moves_a_verdict(client: Client) -> None:
    _, answer = await get(client, claim="cost-united-states", tariff="0.05", efficiency="17.5")
    (claim,) = answer["claims"]
    assert claim["verdict"] == "does not hold"
    by_reader = {i["name"] for i in claim["inputs"] if i["source"] == "given by the reader"}
    assert by_reader == {"tariff", "efficiency"}
    _, answer = await get(client, claim="geography", series="CBECI map")
    (claim,) = answer["claims"]
    assert claim["verdict"] == "cannot be said"
    assert [case["label"] for case in claim["cases"]] == ["CBECI map"]
    assert claim["as_of"].startswith("as of 2022-01-31, ")


MISTAKES: Final[tuple[tuple[dict[str, str], str], ...]] = (
    ({"tariff": "nan"}, "parameter 'tariff'"),
    ({"tariff": "-1"}, "parameter 'tariff'"),
    ({"tariff": "1e200"}, "tariff cannot be 1e+200"),
    ({"life": "1e-200"}, "life cannot be"),
    ({"pue": "0.5"}, "PUE is 1 or more"),
    ({"difficulty": "0"}, "difficulty must be above zero"),
    ({"series": "nope"}, "no series 'nope'"),
    ({"market": "nope"}, "no market 'nope'"),
    ({"claim": "nope"}, "no claim 'nope'"),
    ({"terms": "nope"}, "parameter 'terms'"),
    ({"terms": "chain"}, "does not follow the live mainnet"),
    ({"price": "1"}, "unknown parameter 'price'"),
)


@pytest.mark.slow
async def test_mistakes_are_named(client: Client) -> None:
    for query, message in MISTAKES:
        status, answer = await get(client, **query)
        assert status == 400, query
        assert message in answer["error"]["message"]


def test_terms_of_the_chain_move_the_costs() -> None:
    assert verdicts(ClaimsQuery())["cost-united-states"] == "cannot be said"
    dearer = judged(ClaimsQuery(terms="chain", claim="cost-united-states"), TIP)
    assert dearer.chain
    (claim,) = dearer.claims
    assert claim.verdict == "holds"
    inputs = {item.name: item for item in claim.inputs}
    assert inputs["difficulty"].value == 300e12
    assert inputs["fees"].source == "coinbases of 144 blocks to block 950000 of this agent's chain"
    own = judged(ClaimsQuery(terms="chain", claim="cost-united-states", difficulty=1e12), TIP)
    assert own.claims[0].verdict == "does not hold"


def test_only_the_live_mainnet_has_terms_of_the_market(agent: WebAgent) -> None:
    snapshot = replace(agent.board.snapshot, network="mainnet", terms=TIP)
    assert snapshot.synthetic == "rehearsal"
    assert terms_of_chain(snapshot) is None
    assert terms_of_chain(replace(snapshot, synthetic="")) == TIP
    assert terms_of_chain(replace(snapshot, synthetic="", network="testnet4")) is None


NUMBERS = st.floats(min_value=0, allow_nan=False, allow_infinity=False)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(("tariff", "pue", "capital", "life", "fees")), NUMBERS))
def test_any_numbers_are_judged_or_refused(given: dict[str, float]) -> None:
    query = ClaimsQuery.model_validate({"claim": "cost-all-in", **given})
    with contextlib.suppress(ApiError):
        json.dumps(judged(query, None).model_dump(), allow_nan=False)


def test_every_claim_is_served() -> None:
    assert list(verdicts(ClaimsQuery())) == list(CLAIMS)
