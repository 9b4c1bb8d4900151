"""What the audits of blocks look at."""

from __future__ import annotations

from dataclasses import dataclass

from analyzers.model import Attribution
from hashing.wire import TxOut


@dataclass(frozen=True, slots=True)
class AttributedBlock:
    """A block's coinbase with its attribution."""

    height: int
    script_sig: bytes
    outputs: tuple[TxOut, ...]
    attribution: Attribution

    @property
    def main_script(self) -> bytes | None:
        """The script that is paid more than half of the value, if there is one."""
        total = sum(out.value for out in self.outputs)
        paid: dict[bytes, int] = {}
        for out in self.outputs:
            paid[out.script] = paid.get(out.script, 0) + out.value
        return next((script for script, value in paid.items() if 2 * value > total), None)
