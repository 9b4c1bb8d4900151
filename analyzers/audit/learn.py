"""Payout scripts that proved blocks teach: whom blocks paid that one pool's tag names."""

from __future__ import annotations

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analyzers.attribution import tag_owner
from analyzers.audit.values import AttributedBlock
from analyzers.registry.address import address_of
from analyzers.registry.registry import Registry
from hashing.params import MAINNET, NetworkParams

MIN_BLOCKS: Final = 2
"""Blocks that must pay a script before it is learned. One block may be anybody's who wrote the
tag; for two of them the writer has found two blocks and given nobody else his reward."""

SETTLED_BLOCKS: Final = 5
"""Blocks in a row, the last that were seen of a pool, that must pay a known script before a block
that pays none is doubted (`analyzers.registry.values.Pool.settled`)."""


@dataclass(frozen=True, slots=True)
class LearnedPayout:
    """A script that `blocks` tagged by `pool` paid most of their value, from `first` to `last`."""

    pool: str
    script: bytes
    blocks: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ContestedPayout:
    """A script that blocks of several pools' tags paid, or that the registry gives to another.

    `pools` are the tags with their blocks, most first; `registered` is whose the registry says
    it is, None for nobody's.
    """

    script: bytes
    pools: tuple[tuple[str, int], ...]
    registered: str | None


@dataclass(frozen=True, slots=True)
class SettledPool:
    """A pool of whose blocks the last `blocks`, from `first` to `last`, paid a known script.

    Known are those that the registry has and those that the same blocks taught.
    """

    pool: str
    blocks: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """What `blocks` blocks with a pool's tag taught.

    `learned` is by pool and first height. `contested` is left out of it, and so is what fewer
    blocks paid, and what the blocks of `direct` pools paid (with their blocks): their coinbases
    pay miners, whose scripts name no pool. `settled` are the pools of which a block that pays
    nobody known is to be doubted.
    """

    blocks: int
    learned: tuple[LearnedPayout, ...]
    contested: tuple[ContestedPayout, ...]
    direct: tuple[tuple[str, int], ...]
    settled: tuple[SettledPool, ...]


def learn_payouts(
    blocks: Iterable[AttributedBlock], registry: Registry, min_blocks: int = MIN_BLOCKS
) -> Lesson:
    """Return the payout scripts that `blocks` teach and `registry` does not have.

    A script is learned where at least `min_blocks` blocks, all tagged by the same pool, paid it
    more than half of their value. The blocks must be proved, or they teach what a stranger
    invented. A block that comes twice counts once; one whose outputs are not known, not at all.

    Raises
    ------
    ValueError
        If `min_blocks` is less than 1.
    """
    if min_blocks < 1:
        raise ValueError(f"min_blocks is 1 or more, not {min_blocks}")
    seen = _Seen(registry)
    for block in blocks:
        seen.add(block)
    learned, contested = [], []
    for script, pools in seen.payees.items():
        listed = registry.payouts.get(script)
        if listed is not None or len(pools) > 1:
            ranked = sorted(pools.items(), key=lambda item: (-len(item[1]), item[0]))
            counted = tuple((pool, len(heights)) for pool, heights in ranked)
            contested.append(ContestedPayout(script, counted, listed.pool if listed else None))
            continue
        ((pool, heights),) = pools.items()
        if len(heights) >= min_blocks:
            found = LearnedPayout(pool, script, len(heights), min(heights), max(heights))
            learned.append(found)
    return Lesson(
        blocks=seen.blocks,
        learned=tuple(sorted(learned, key=lambda item: (item.pool, item.first, item.script))),
        contested=tuple(sorted(contested, key=lambda item: (item.pools, item.script))),
        direct=tuple(sorted(seen.direct.items(), key=lambda item: (-item[1], item[0]))),
        settled=tuple(seen.settled({item.script for item in learned})),
    )


class _Seen:
    """What blocks with a pool's tag paid.

    `payees` has the scripts that were paid most and are not known as their pool's, with the
    heights by pool.
    """

    def __init__(self, registry: Registry) -> None:
        self.blocks = 0
        self.direct = Counter[str]()
        self.payees: defaultdict[bytes, defaultdict[str, list[int]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self._registry = registry
        self._once = set[int]()
        self._heights: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
        self._strange: defaultdict[str, list[tuple[int, bytes | None]]] = defaultdict(list)

    def add(self, block: AttributedBlock) -> None:
        pool = tag_owner(block.attribution)
        key = hash((block.height, block.script_sig))
        if pool is None or not block.outputs or key in self._once:
            return
        self._once.add(key)
        self.blocks += 1
        known = self._registry.pools.get(pool)
        if known is not None and known.pays == "miners":
            self.direct[pool] += 1
            return
        self._heights[pool].append(block.height)
        payouts = self._registry.payouts
        owners = {row.pool for out in block.outputs if (row := payouts.get(out.script))}
        script = block.main_script
        if pool not in owners:
            self._strange[pool].append((block.height, script))
        if script is not None and (script not in payouts or payouts[script].pool != pool):
            self.payees[script][pool].append(block.height)

    def settled(self, learned: Collection[bytes]) -> Iterator[SettledPool]:
        for pool, heights in sorted(self._heights.items()):
            strange = [h for h, script in self._strange[pool] if script not in learned]
            last = max(strange, default=-1)
            since = [height for height in heights if height > last]
            if len(since) >= SETTLED_BLOCKS:
                yield SettledPool(pool, len(since), min(since), max(since))


def propose_payouts(lesson: Lesson, registry: Registry, network: NetworkParams = MAINNET) -> str:
    """Return what a lesson taught as a registry file (TOML), to be read and merged by a person.

    Scripts are written as addresses of `network`, or as hex where no address pays them. What is
    contested stands in comments.
    """
    blocks = f"{lesson.blocks} blocks that carry a pool's tag"
    lines = [
        f"# Payout scripts that {blocks} taught. Read them, and move the rows to their pools.",
        *(f"# left out: {_contested(item, network)}" for item in lesson.contested),
        *(
            f"# left out: {count} blocks of {pool}, which pays its miners"
            for pool, count in lesson.direct
        ),
        *(
            f"# settled: {item.pool}, whose last {item.blocks} blocks, {item.first} to "
            f"{item.last}, paid a known script"
            for item in lesson.settled
        ),
        "",
        "[sources]",
        'coinbase = "read from proved coinbases"',
    ]
    rows: dict[str, list[LearnedPayout]] = {}
    for item in lesson.learned:
        rows.setdefault(item.pool, []).append(item)
    for pool, found in rows.items():
        name = json.dumps(registry.name_of(pool), ensure_ascii=False)
        lines += ["", "[[pool]]", f'slug = "{pool}"', f"name = {name}"]
        lines += [
            f"settled = [{item.first}, {item.last}]" for item in lesson.settled if item.pool == pool
        ]
        lines += ["payouts = [", *(f"  {_row(item, network)}," for item in found), "]"]
    return "\n".join(lines) + "\n"


def _row(item: LearnedPayout, network: NetworkParams) -> str:
    seen = f"seen = [{item.first}, {item.last}]"
    note = f'note = "most of {item.blocks} blocks with its tag"'
    return f'{{ {_spelled(item.script, network)}, {seen}, sources = ["coinbase"], {note} }}'


def _spelled(script: bytes, network: NetworkParams) -> str:
    address = address_of(script, network)
    return f'hex = "{script.hex()}"' if address is None else f'address = "{address}"'


def _contested(item: ContestedPayout, network: NetworkParams) -> str:
    paid = address_of(item.script, network) or item.script.hex()
    claims = ", ".join(_claims(item.pools))
    listed = "" if item.registered is None else f"; the registry gives it to {item.registered}"
    return f"{paid} is paid by {claims}{listed}"


def _claims(pools: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{count} blocks of {pool}" for pool, count in pools]
