"""The versions of Bitcoin Core that the test node can pass for.

The facts are those of the recordings that `tests/vectors/bitcoind_shapes.json` condenses;
`CORE_28` has none and follows the release notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Flavour:
    """What differs between versions in the replies that poolscope reads.

    `blockpart`: REST offers parts of blocks. `coinbase_tx`: ``getblock`` shows the
    coinbase's fields. `cache_control`: REST and refusals carry that header. `wait_tip`:
    ``waitfornewblock`` takes the tip that the caller knows. `target_fields`: nBits and
    target appear beside the difficulty. `send_buckets`: ``getnetworkinfo`` shows them.
    """

    version: int
    subversion: str
    protocol: int = 70016
    blockpart: bool = True
    coinbase_tx: bool = True
    cache_control: bool = False
    wait_tip: bool = True
    target_fields: bool = True
    send_buckets: bool = False
    warnings: tuple[str, ...] = ()


CORE_28: Final = Flavour(
    version=280000,
    subversion="/Satoshi:28.0.0/",
    blockpart=False,
    coinbase_tx=False,
    wait_tip=False,
    target_fields=False,
)
CORE_30: Final = Flavour(
    version=300000, subversion="/Satoshi:30.0.0/", blockpart=False, coinbase_tx=False
)
CORE_31: Final = Flavour(version=310000, subversion="/Satoshi:31.0.0/")
CORE_MASTER: Final = Flavour(
    version=319900,
    subversion="/Satoshi:31.99.0/",
    protocol=70017,
    cache_control=True,
    send_buckets=True,
    warnings=(
        "This is a pre-release test build - use at your own risk"
        " - do not use for mining or merchant applications",
    ),
)
FLAVOURS: Final = {
    "core-28": CORE_28,
    "core-30": CORE_30,
    "core-31": CORE_31,
    "core-master": CORE_MASTER,
}
