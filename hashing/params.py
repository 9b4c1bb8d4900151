"""The consensus parameters of each Bitcoin network.

Source: ``src/kernel/chainparams.cpp`` of Bitcoin Core; BIP94 for testnet4; BIP325 for signets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from hashing.build import compact_size
from hashing.header import sha256d

TARGET_SPACING: Final = 600
"""Seconds between blocks that every network aims at but some signets."""
RETARGET_INTERVAL: Final = 2016
TARGET_TIMESPAN: Final = TARGET_SPACING * RETARGET_INTERVAL
"""Seconds that a difficulty period should take, on every network."""
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
    also precedes each record of a blk file; `spacing` is in seconds. `core_name` is what
    Bitcoin Core calls the network, where custom signets have no name of their own. `milestone`
    is no rule of consensus: it tells the chain from an easy one that somebody made up.
    """

    name: str
    core_name: str
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
    spacing: int = TARGET_SPACING

    @property
    def retarget_interval(self) -> int:
        """Blocks of a difficulty period: 14 days of them."""
        return TARGET_TIMESPAN // self.spacing

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
    core_name="main",
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
    core_name="test",
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
    core_name="testnet4",
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
    core_name="signet",
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
    core_name="regtest",
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

_CUSTOM: Final = re.compile(r"signet-([0-9a-f]{8})(?:-([1-9][0-9]{0,6}))?", re.ASCII)


def signet_magic(challenge: bytes) -> bytes:
    """Return the magic of the signet whose blocks answer `challenge` (a script, BIP325).

    Examples
    --------
    >>> signet_magic(bytes.fromhex("51")).hex()
    '54d26fbd'
    """
    return sha256d(compact_size(len(challenge)) + challenge)[:4]


def signet(magic: bytes, spacing: int | None = None) -> NetworkParams:
    """Return the parameters of the signet with a magic.

    `spacing` is the node's ``-signetblocktime`` in seconds; None means the one that is known of
    this signet, else ten minutes, which Bitcoin Core itself knows no other than. All signets
    have the same genesis block, so the name says magic and spacing, where it is not a known one.

    Examples
    --------
    >>> signet(bytes.fromhex("a5df2dcb")).name, signet(bytes.fromhex("01020304"), 60).name
    ('mutinynet', 'signet-01020304-60')

    Raises
    ------
    ValueError
        If `spacing` is no time between blocks.
    """
    known = next((net for net in (SIGNET, *SIGNETS.values()) if net.magic == magic), SIGNET)
    wanted = known.spacing if spacing is None else spacing
    if not 0 < wanted <= TARGET_TIMESPAN // 2:
        raise ValueError(f"{wanted} seconds are no time between blocks")
    if (magic, wanted) == (known.magic, known.spacing):
        return known
    name = f"signet-{magic.hex()}"
    if wanted != TARGET_SPACING:
        name = f"{name}-{wanted}"
    return replace(SIGNET, name=name, magic=magic, spacing=wanted)


class _Networks(dict[str, NetworkParams]):
    """Networks by name; those that it lists are Bitcoin Core's own."""

    def __missing__(self, name: str) -> NetworkParams:
        if (known := SIGNETS.get(name)) is not None:
            return known
        custom = _CUSTOM.fullmatch(name)
        if custom is None:
            raise KeyError(name)
        try:
            found = signet(bytes.fromhex(custom[1]), int(custom[2] or TARGET_SPACING))
        except ValueError:
            raise KeyError(name) from None
        if found.name != name:
            raise KeyError(name)
        return found


MUTINYNET: Final = replace(
    SIGNET,
    name="mutinynet",
    magic=signet_magic(
        bytes.fromhex("512102f7561d208dd9ae99bf497273e16f389bdbd6c4742ddb8e6b216e64fa2928ad8f51ae")
    ),
    spacing=30,
)
SIGNETS: Final = {p.name: p for p in (MUTINYNET,)}
"""Signets with a name of their own. Source: github.com/benthecarman/bitcoin."""
NETWORKS: Final = _Networks({p.name: p for p in (MAINNET, TESTNET3, TESTNET4, SIGNET, REGTEST)})
"""Networks by name. Beside those it lists it finds signets: `SIGNETS`, and custom ones by what
`signet` calls them."""
CORE_CHAIN_NAMES: Final = {p.core_name: p for p in NETWORKS.values()}
"""Networks by the name that ``getblockchaininfo`` gives them."""
