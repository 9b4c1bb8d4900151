"""Forks children that attribute a store anew until they are killed.

``python -m tests.support.relabeller STORE REGISTRY BATCH``: each line on stdin starts a child,
whose process id is printed; it attributes `BATCH` blocks at a time and prints a line behind each
batch, then ends. Forking saves the second that importing takes.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

from monitor import relabel
from monitor.store.sql import open_store


def main() -> None:
    """Fork a child for each line of stdin."""
    path, registry = Path(sys.argv[1]), relabel.registry_of(Path(sys.argv[2]))
    relabel._BATCH = int(sys.argv[3])  # type: ignore[misc]
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            with closing(open_store(path, "mainnet")) as store:
                store.claim("")
                for part in relabel.relabel(store, registry):
                    print("batch", part.blocks, len(part.moved), flush=True)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main()
