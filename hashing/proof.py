"""What the bytes of a block prove, whoever brings them.

The rules are said here once: for what sources send (`monitor.proof`), for block files
(`monitor.sources.blkfiles_records`), and for backfills of them (`monitor.backfill.files`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hashing.build import push_height
from hashing.errors import WireError
from hashing.params import NetworkParams
from hashing.wire import merkle_root

MIN_SCRIPT_SIG: Final = 2
MAX_SCRIPT_SIG: Final = 100
"""Bytes of a coinbase's scriptSig."""


def leads_to_root(txids: Sequence[bytes], root: bytes) -> bool:
    """Say whether transactions are those of a header with the Merkle root `root`.

    They are not if they are twice there in a way that leaves the root as it is (CVE-2012-2459).
    """
    try:
        return merkle_root(txids) == root
    except WireError:
        return False


def may_be_script_sig(script_sig: bytes) -> bool:
    """Say whether a coinbase's scriptSig is as long as consensus allows (``bad-cb-length``)."""
    return MIN_SCRIPT_SIG <= len(script_sig) <= MAX_SCRIPT_SIG


def binds_height(height: int, params: NetworkParams) -> bool:
    """Say whether a coinbase at `height` has to begin with it (BIP34)."""
    return height >= params.bip34_height


def begins_with_height(script_sig: bytes, height: int, params: NetworkParams) -> bool:
    """Say whether a coinbase begins with `height`, or need not."""
    return not binds_height(height, params) or script_sig.startswith(push_height(height))
