"""A regtest node for tests: real consensus code behind the replies of real nodes.

See `RegtestNode`; ``python -m tests.support.node --help`` runs one by hand.
"""

from tests.support.callfault import FORBIDDEN, NO_FAULT, UNKNOWN, CallFault, Failure
from tests.support.node.chain import Refused
from tests.support.node.faults import Faults
from tests.support.node.flavours import (
    CORE_28,
    CORE_30,
    CORE_31,
    CORE_MASTER,
    FLAVOURS,
    Flavour,
)
from tests.support.node.node import RegtestNode, blocks_folder

__all__ = [
    "CORE_28",
    "CORE_30",
    "CORE_31",
    "CORE_MASTER",
    "FLAVOURS",
    "FORBIDDEN",
    "NO_FAULT",
    "UNKNOWN",
    "CallFault",
    "Failure",
    "Faults",
    "Flavour",
    "Refused",
    "RegtestNode",
    "blocks_folder",
]
