"""Consensus parameters, and the subsidy that follows from them.

Source of the table: ``src/kernel/chainparams.cpp`` of Bitcoin Core; BIP94 for testnet4.
"""

import pytest

from hashing.params import MAINNET, NETWORKS, REGTEST

FACTS = {  # limit, halving, 20-minute rule, no retarget, BIP94, BIP34, BIP65, BIP66
    "mainnet": (2**224 - 1, 210_000, False, False, False, 227_931, 388_381, 363_725),
    "testnet3": (2**224 - 1, 210_000, True, False, False, 21_111, 581_885, 330_776),
    "testnet4": (2**224 - 1, 210_000, True, False, True, 1, 1, 1),
    "signet": (0x377AE << 216, 210_000, False, False, False, 1, 1, 1),
    "regtest": (2**255 - 1, 150, True, True, False, 1, 1, 1),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_parameters(network: str) -> None:
    params = NETWORKS[network]
    assert params.min_difficulty_after in {None, 1200}
    assert FACTS[network] == (
        *(params.pow_limit, params.halving_interval, params.min_difficulty_after == 1200),
        *(params.no_retarget, params.enforce_bip94),
        *(params.bip34_height, params.bip65_height, params.bip66_height),
    )


@pytest.mark.parametrize(
    ("height", "satoshi"),
    [
        *((0, 50 * 10**8), (209_999, 50 * 10**8), (210_000, 25 * 10**8)),
        *((840_000, 312_500_000), (32 * 210_000, 1), (33 * 210_000, 0), (64 * 210_000, 0)),
    ],
)
def test_the_subsidy_halves(height: int, satoshi: int) -> None:
    assert MAINNET.subsidy(height) == satoshi


def test_regtest_halves_sooner() -> None:
    assert [REGTEST.subsidy(150 * i) for i in range(3)] == [50 * 10**8, 25 * 10**8, 125 * 10**7]
