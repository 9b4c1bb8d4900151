"""The consensus parameters of each Bitcoin network.

Source: ``src/kernel/chainparams.cpp`` of Bitcoin Core; BIP94 for testnet4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TARGET_SPACING: Final = 600
RETARGET_INTERVAL: Final = 2016
TARGET_TIMESPAN: Final = TARGET_SPACING * RETARGET_INTERVAL
MEDIAN_TIME_SPAN: Final = 11


@dataclass(frozen=True, slots=True)
class Milestone:
    """The first block of a difficulty period that is known to be in the chain."""

    height: int
    hash: bytes
    nbits: int


@dataclass(frozen=True, slots=True)
class NetworkParams:
    """What distinguishes one network's header and subsidy rules from another's.

    Heights are those from which a rule binds; `magic` is the 4-byte message start that
    also precedes each record of a blk file. `milestone` is no rule of consensus: it tells the
    chain from an easy one that somebody made up.
    """

    name: str
    genesis_header: bytes
    magic: bytes
    pow_limit: int
    bip34_height: int
    bip65_height: int
    bip66_height: int
    halving_interval: int = 210_000
    min_difficulty_after: int | None = None
    no_retarget: bool = False
    enforce_bip94: bool = False
    rpc_port: int = 8332
    datadir: str = ""
    bech32_hrp: str = "bc"
    p2pkh_prefix: int = 0x00
    p2sh_prefix: int = 0x05
    milestone: Milestone | None = None

    def subsidy(self, height: int) -> int:
        """Return the scheduled block subsidy at `height` in satoshi."""
        halvings = height // self.halving_interval
        return 0 if halvings >= 64 else 50 * 100_000_000 >> halvings


def _genesis(merkle_root: str, time: int, nbits: int, nonce: int) -> bytes:
    numbers = b"".join(n.to_bytes(4, "little") for n in (time, nbits, nonce))
    return (1).to_bytes(4, "little") + bytes(32) + bytes.fromhex(merkle_root)[::-1] + numbers


_SATOSHI_ROOT: Final = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
_TESTNET4_ROOT: Final = "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e"

MAINNET: Final = NetworkParams(
    name="mainnet",
    genesis_header=_genesis(_SATOSHI_ROOT, 1231006505, 0x1D00FFFF, 2083236893),
    magic=bytes.fromhex("f9beb4d9"),
    pow_limit=(1 << 224) - 1,
    bip34_height=227_931,
    bip65_height=388_381,
    bip66_height=363_725,
    # 2026-07-25, from mempool.space through deadmanoz/merge-mining-research.
    milestone=Milestone(
        959_616,
        bytes.fromhex("00000000000000000000eec74314bff05daf67223b96a1a2c3452ac418424d13")[::-1],
        0x17023AD4,
    ),
)
TESTNET3: Final = NetworkParams(
    name="testnet3",
    genesis_header=_genesis(_SATOSHI_ROOT, 1296688602, 0x1D00FFFF, 414098458),
    magic=bytes.fromhex("0b110907"),
    pow_limit=(1 << 224) - 1,
    bip34_height=21_111,
    bip65_height=581_885,
    bip66_height=330_776,
    min_difficulty_after=2 * TARGET_SPACING,
    rpc_port=18332,
    datadir="testnet3",
    bech32_hrp="tb",
    p2pkh_prefix=0x6F,
    p2sh_prefix=0xC4,
)
TESTNET4: Final = NetworkParams(
    name="testnet4",
    genesis_header=_genesis(_TESTNET4_ROOT, 1714777860, 0x1D00FFFF, 393743547),
    magic=bytes.fromhex("1c163f28"),
    pow_limit=(1 << 224) - 1,
    bip34_height=1,
    bip65_height=1,
    bip66_height=1,
    min_difficulty_after=2 * TARGET_SPACING,
    enforce_bip94=True,
    rpc_port=48332,
    datadir="testnet4",
    bech32_hrp="tb",
    p2pkh_prefix=0x6F,
    p2sh_prefix=0xC4,
)
SIGNET: Final = NetworkParams(
    name="signet",
    genesis_header=_genesis(_SATOSHI_ROOT, 1598918400, 0x1E0377AE, 52613770),
    magic=bytes.fromhex("0a03cf40"),
    pow_limit=0x377AE << 216,
    bip34_height=1,
    bip65_height=1,
    bip66_height=1,
    rpc_port=38332,
    datadir="signet",
    bech32_hrp="tb",
    p2pkh_prefix=0x6F,
    p2sh_prefix=0xC4,
)
REGTEST: Final = NetworkParams(
    name="regtest",
    genesis_header=_genesis(_SATOSHI_ROOT, 1296688602, 0x207FFFFF, 2),
    magic=bytes.fromhex("fabfb5da"),
    pow_limit=(1 << 255) - 1,
    bip34_height=1,
    bip65_height=1,
    bip66_height=1,
    halving_interval=150,
    min_difficulty_after=2 * TARGET_SPACING,
    no_retarget=True,
    rpc_port=18443,
    datadir="regtest",
    bech32_hrp="bcrt",
    p2pkh_prefix=0x6F,
    p2sh_prefix=0xC4,
)

NETWORKS: Final = {p.name: p for p in (MAINNET, TESTNET3, TESTNET4, SIGNET, REGTEST)}
CORE_CHAIN_NAMES: Final = {
    "main": MAINNET,
    "test": TESTNET3,
    "testnet4": TESTNET4,
    "signet": SIGNET,
    "regtest": REGTEST,
}
"""Networks by the name that ``getblockchaininfo`` gives them."""
