"""Which pool mined a block, by which rule, on what evidence.

The published pool follows from the evidence by rules that do not depend on the order of
anything. The first that applies decides:

``tag+payout``  the longest strong tag of the scriptSig, and most of the value pays its pool
``tag``         the longest strong tag of the scriptSig
``payout``      most of the value is paid to scripts of one pool
``label``       somebody else's list
``ambiguous``   nobody: strong tags of equal length name several pools
``weak``        nobody: weak evidence only
``none``        nobody: no evidence

A match inside a longer one is *covered* and speaks for nobody (``EMC`` in ``/EMCD/``). A
tag where miners of another pool write, which a strong tag of its own names before it, is
weak: anybody may call himself so. So is one in an OP_RETURN output, which may be anybody's.
A tag whose block pays none of its pool's scripts, where these are known and settled, has that
as evidence of the kind ``elsewhere``.
By a list of somebody else its owner's rule decides: `analyzers.owners`.
See ``docs/attribution.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from analyzers.coinbase import free_texts, stated_height
from analyzers.model import Attribution, Evidence, Label, Strength, Where
from analyzers.owners import Decided, decide, pool_by_owner
from analyzers.registry.matcher import Matcher, TagMatch, stands_alone
from analyzers.registry.registry import Registry
from analyzers.registry.values import Heights, Pool
from hashing.wire import CoinbaseTx, TxOut

RULES: Final = (
    "tag+payout",
    "tag",
    "payout",
    "label",
    "ambiguous",
    "weak",
    "none",
)
"""Every value that `Attribution.rule` can have, the strongest first."""

SETTLED_LASTS: Final = 105_000
"""Blocks (two years) after the last that was seen for which a pool's scripts are held to be those
that are known; later it may have others."""

_OP_RETURN: Final = b"\x6a"
_WITNESS_COMMITMENT: Final = b"\x6a\x24\xaa\x21\xa9\xed"


def pool_of(
    script_sig: bytes,
    outputs: Sequence[TxOut],
    registry: Registry,
    height: int | None = None,
) -> str | None:
    """Return the slug of the pool alone, as `attribute` would without a label.

    Several times as fast as `attribute`: most scriptSigs are settled by one look.
    """
    matcher = registry.matcher
    pool: str | None = ""
    for index, start, end in matcher.find(script_sig, True):
        named = matcher.names[index]
        if named is None and (tag := matcher.bounded[index]):
            named = tag.pool if stands_alone(tag, script_sig, start, end) else ""
        if named not in (pool, ""):
            if pool != "":
                pool = None
                break
            pool = named
    if pool:
        return pool
    if registry.rule != "ours":
        return pool_by_owner(script_sig, outputs, registry)
    leaders = (
        _leaders(_weigh(script_sig, matcher.tags_in(script_sig, height))) if pool is None else set()
    )
    if len(leaders) == 1:
        return _only(leaders)
    if not outputs:
        return None
    paid = _payout_owner(outputs, matcher, height)
    if leaders:
        return paid if paid in leaders else None
    return paid


def pools_of(
    script_sigs: Sequence[bytes],
    registry: Registry,
    outputs: Sequence[Sequence[TxOut]] | None = None,
    heights: Sequence[int] | None = None,
) -> list[str | None]:
    """Return `pool_of` each of many coinbases, in one pass over all their bytes.

    Raises
    ------
    ValueError
        If `outputs` or `heights` do not go with `script_sigs`.
    """
    for other in (outputs, heights):
        if other is not None and len(other) != len(script_sigs):
            raise ValueError(f"{len(other)} outputs or heights for {len(script_sigs)} coinbases")
    if registry.rule != "ours":
        paid = outputs or [()] * len(script_sigs)
        cases = zip(script_sigs, paid, strict=True)
        return [pool_by_owner(*case, registry) for case in cases]
    matcher = registry.matcher
    names, bounded = matcher.names, matcher.bounded
    pools: list[str | None] = []
    matches = iter(matcher.find(b"".join(script_sigs), True))
    index, start, end = next(matches, _NO_MATCH)
    first = 0
    for place, script_sig in enumerate(script_sigs):
        last = first + len(script_sig)
        pool: str | None = ""
        while end <= last:
            named = names[index]
            if named is None and (tag := bounded[index]) and start >= first:
                alone = stands_alone(tag, script_sig, start - first, end - first)
                named = tag.pool if alone else ""
            # a match that begins before is an accident of joining
            if named not in (pool, "") and start >= first:
                pool = named if pool == "" else None
            index, start, end = next(matches, _NO_MATCH)
        first = last
        if not pool and (pool is None or outputs is not None):
            pool = pool_of(
                script_sig,
                () if outputs is None else outputs[place],
                registry,
                None if heights is None else heights[place],
            )
        pools.append(pool or None)
    return pools


_NO_MATCH: Final = (-1, 0, 1 << 62)


def attribute(
    coinbase: CoinbaseTx | None,
    registry: Registry,
    *,
    height: int | None = None,
    label: Label | None = None,
) -> Attribution:
    """Attribute a block to a pool, with all that speaks for and against.

    `height` limits tags and payouts to where they hold (None: anywhere). `label` is what
    somebody else's list says; it decides only where the bytes say nothing.
    """
    if coinbase is None:
        return attribute_parts(b"", (), registry, height=height, label=label)
    return attribute_parts(
        coinbase.script_sig, coinbase.outputs, registry, height=height, label=label
    )


def attribute_parts(
    script_sig: bytes,
    outputs: Sequence[TxOut],
    registry: Registry,
    *,
    height: int | None = None,
    label: Label | None = None,
) -> Attribution:
    """Attribute a block of which only scriptSig and outputs are known; see `attribute`."""
    pool, rule, rivals, evidence = (
        _decide(script_sig, outputs, registry, height)
        if registry.rule == "ours"
        else decide(script_sig, outputs, registry)
    )
    listed = None if label is None else registry.slug_of_label(label.source, label.pool)
    if label is not None and listed is not None:
        text = label.pool.encode()
        where = Where(label.source, 0, len(text))
        evidence.append(Evidence("label", listed, text, where, "weak", source=label.source))
        if rule in ("weak", "none"):
            pool, rule = listed, "label"
    conflicts = tuple(
        item
        for item in evidence
        if item.pool != pool
        and (pool is not None or item.pool in rivals)
        and (item.strength == "strong" or item.kind == "label")
    )
    return Attribution(pool, rule, tuple(evidence), conflicts, registry.version)


def tag_owner(attribution: Attribution) -> str | None:
    """Return whom the tags of the scriptSig name, whatever the outputs pay."""
    strong = [
        item
        for item in attribution.evidence
        if item.kind == "tag" and item.strength == "strong" and item.where.field == "script_sig"
    ]
    longest = max((len(item.matched) for item in strong), default=0)
    return _only({item.pool for item in strong if len(item.matched) == longest})


def payout_owner(attribution: Attribution) -> str | None:
    """Return the pool that most of the coinbase's value is paid to, whatever the tags say."""
    paid = (e for e in attribution.evidence if e.kind == "payout" and e.strength == "strong")
    return next((item.pool for item in paid), None)


def _decide(
    script_sig: bytes, outputs: Sequence[TxOut], registry: Registry, height: int | None
) -> Decided:
    """Return what the bytes of a coinbase say by our own rule."""
    matcher = registry.matcher
    weighed = _weigh(script_sig, matcher.tags_in(script_sig, height))
    evidence = _tag_evidence("script_sig", weighed)
    for place, script in _data_outputs(outputs):
        marks: list[tuple[TagMatch, Strength]] = [
            (match, "covered" if strength == "covered" else "weak")
            for match, strength in _weigh(script, matcher.tags_in(script, height))
        ]
        evidence += _tag_evidence(f"outputs[{place}]", marks)
    payouts = _payout_evidence(outputs, matcher, height)
    evidence += payouts
    tagged = _leaders(weighed)
    paid = next((item.pool for item in payouts if item.strength == "strong"), None)
    if tagged:
        if paid in tagged:
            return Decided(paid, "tag+payout", (), evidence)
        if (pool := _only(tagged)) is None:
            return Decided(None, "ambiguous", tagged, evidence)
        if paid is None:
            evidence += _paid_elsewhere(registry.pools[pool], script_sig, outputs, height)
        return Decided(pool, "tag", (), evidence)
    if paid is not None:
        return Decided(paid, "payout", (), evidence)
    return Decided(None, "weak" if evidence else "none", (), evidence)


def _paid_elsewhere(
    pool: Pool, script_sig: bytes, outputs: Sequence[TxOut], height: int | None
) -> list[Evidence]:
    """Return that a block tagged by `pool` pays none of its scripts, where that says something.

    It does where every block seen paid one of them, and for two years after. A height that is
    not given is taken from the coinbase; where that has none either, it may be any.
    """
    if pool.settled is None or not outputs:
        return []
    if height is None:
        height = stated_height(script_sig)
    span = Heights(pool.settled.first, (pool.settled.last or 0) + SETTLED_LASTS)
    known = {pay.script for pay in pool.payouts if height in pay.heights}
    total = sum(out.value for out in outputs)
    if height not in span or not total or any(out.script in known for out in outputs):
        return []
    place, most = max(enumerate(outputs), key=lambda item: item[1].value)
    where = Where(f"outputs[{place}]", 0, len(most.script))
    told = f"pays none of the {len(known)} known scripts"
    part = most.value / total
    return [Evidence("elsewhere", pool.slug, most.script, where, "weak", part, told)]


def _weigh(data: bytes, matches: Sequence[TagMatch]) -> list[tuple[TagMatch, Strength]]:
    """Return how strongly each match speaks, given the others."""
    if len(matches) < 2:
        return [(match, match.tag.strength) for match in matches]
    free = _free(data, matches) if len({match.tag.pool for match in matches}) > 1 else []
    weighed: list[tuple[TagMatch, Strength]] = []
    longest_strong, longest_any = _Cover(), _Cover()
    for match in sorted(matches, key=lambda match: (match.start, -match.end)):
        strength = match.tag.strength
        if free and _is_in(match, free):
            strength = "weak"
        cover = longest_strong if strength == "strong" else longest_any
        weighed.append((match, "covered" if cover.holds(match) else strength))
        longest_any.extend(match)
        if strength == "strong":
            longest_strong.extend(match)
    return weighed


def _free(data: bytes, matches: Sequence[TagMatch]) -> list[tuple[str, int, int]]:
    """Return where miners of a pool write that a strong tag before that names.

    What they write opens no other such text: ``/ViaBTC/Mined by F2Pool ...`` is ViaBTC's.
    """
    free: list[tuple[str, int, int]] = []
    for owner, start, end in free_texts(data):
        for match in matches:
            named = match.tag.strength == "strong" and match.end <= start
            if named and owner in (match.tag.pool, "datum") and not _is_in(match, free):
                free.append((match.tag.pool, start, end))
                break
    return free


def _is_in(match: TagMatch, free: Sequence[tuple[str, int, int]]) -> bool:
    """Tell whether `match` lies in what a miner of another pool chose."""
    return any(
        start <= match.start and match.end <= end and match.tag.pool != owner
        for owner, start, end in free
    )


class _Cover:
    """The match so far that reaches furthest, of matches in order of their starts."""

    __slots__ = ("end", "start")

    def __init__(self) -> None:
        self.start = self.end = -1

    def extend(self, match: TagMatch) -> None:
        if match.end > self.end:
            self.start, self.end = match.start, match.end

    def holds(self, match: TagMatch) -> bool:
        """Tell whether `match` is a part, and not the whole, of it."""
        return self.end > match.end or (self.end == match.end and self.start < match.start)


def _leaders(weighed: Iterable[tuple[TagMatch, Strength]]) -> set[str]:
    """Return the pools of the longest strong matches: one, none, or several that tie."""
    longest, leaders = 0, set[str]()
    for match, strength in weighed:
        size = match.end - match.start
        if strength == "strong" and size >= longest:
            if size > longest:
                longest, leaders = size, set()
            leaders.add(match.tag.pool)
    return leaders


def _tag_evidence(field: str, weighed: Iterable[tuple[TagMatch, Strength]]) -> list[Evidence]:
    return [
        Evidence(
            "tag",
            match.tag.pool,
            match.found,
            Where(field, match.start, len(match.found)),
            strength,
        )
        for match, strength in weighed
    ]


def _data_outputs(outputs: Sequence[TxOut]) -> Iterable[tuple[int, bytes]]:
    """Return place and script of OP_RETURN outputs that can hold text."""
    return [
        (place, out.script)
        for place, out in enumerate(outputs)
        if out.script[:1] == _OP_RETURN and not out.script.startswith(_WITNESS_COMMITMENT)
    ]


def _payout_owner(outputs: Sequence[TxOut], matcher: Matcher, height: int | None) -> str | None:
    """Return the pool whose scripts are paid more than half of the value."""
    total, paid = 0, dict[str, int]()
    for out in outputs:
        total += out.value
        row = matcher.payouts.get(out.script)
        if row is not None and row.strength == "strong" and height in row.heights:
            paid[row.pool] = paid.get(row.pool, 0) + out.value
    return next((pool for pool, value in paid.items() if 2 * value > total), None)


def _payout_evidence(
    outputs: Sequence[TxOut], matcher: Matcher, height: int | None
) -> list[Evidence]:
    """Return every output that pays a known script; strong where its pool has the majority."""
    known = [
        (place, out, row)
        for place, out in enumerate(outputs)
        if (row := matcher.payouts.get(out.script)) is not None and height in row.heights
    ]
    if not known:
        return []
    owner = _payout_owner(outputs, matcher, height)
    total = sum(out.value for out in outputs) or 1
    return [
        Evidence(
            "payout",
            row.pool,
            out.script,
            Where(f"outputs[{place}]", 0, len(out.script)),
            row.strength if row.pool == owner else "weak",
            out.value / total,
        )
        for place, out, row in known
    ]


def _only(pools: Collection[str]) -> str | None:
    return next(iter(pools)) if len(pools) == 1 else None
