"""Merkle roots over many txids, level by level on the kernels.

`hashing.wire` has the same for a few txids without NumPy, and branches.
"""

from __future__ import annotations

import numpy as np

from hashing.errors import WireError
from hashing.sha256d import Bytes, sha256d_nodes


def merkle_root(txids: Bytes, *, kernel: str | None = None, threads: int = 1) -> bytes:
    """Return the Merkle root over `txids`, ``uint8[N, 32]`` in internal order.

    Raises
    ------
    WireError
        If there is no txid, the array has another shape or type, or two adjacent equal nodes
        show the duplicate-txid malleation (CVE-2012-2459): such a list proves nothing about
        the block.
    HashingError
        If `kernel` does not run here.
    """
    if txids.ndim != 2 or txids.shape[1] != 32 or txids.dtype != np.uint8:
        raise WireError(f"expected uint8[N, 32], got {txids.dtype}{list(txids.shape)}")
    if len(txids) == 0:
        raise WireError("a Merkle root needs at least one txid")
    level = txids
    while len(level) > 1:
        pairs = len(level) // 2
        nodes = np.ascontiguousarray(level[: 2 * pairs]).reshape(pairs, 64)
        if np.any(np.all(nodes[:, :32] == nodes[:, 32:], axis=1)):
            raise WireError("duplicate adjacent Merkle nodes (CVE-2012-2459)")
        if len(level) % 2:
            last = np.concatenate([level[-1], level[-1]])[np.newaxis]
            nodes = np.concatenate([nodes, last])
        level = sha256d_nodes(nodes, kernel=kernel, threads=threads)
    return bytes(level[0])
