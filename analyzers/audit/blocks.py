"""Attribution of blocks against somebody else's labels, and how it drifts with time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

from analyzers.audit.values import AttributedBlock
from analyzers.escape import escape_text
from analyzers.intervals import LEVEL, Interval, share_interval
from analyzers.model import Attribution, Evidence
from analyzers.registry.address import address_of
from analyzers.registry.registry import Registry
from analyzers.registry.values import names_nobody
from hashing.params import MAINNET, NetworkParams


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two attributions of the same blocks agree.

    `confusion` counts pairs (ours, theirs); None is nobody. `share` is the part of `blocks`
    on which both say the same, with its Wilson `interval`; `named` are the blocks that both
    give to somebody, `named_agreed` those of them given to the same.
    """

    blocks: int
    agreed: int
    named: int
    named_agreed: int
    share: float
    interval: Interval
    confusion: Mapping[tuple[str | None, str | None], int]

    @property
    def ranked(self) -> list[tuple[tuple[str | None, str | None], int]]:
        """The pairs with their blocks, most first."""
        return sorted(self.confusion.items(), key=lambda item: (-item[1], str(item[0])))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A block that is given to another pool than a list says, with the reason for ours."""

    height: int
    pool: str | None
    label: str | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """Over which heights a tag or a payout script of `pool` was seen, in how many blocks.

    `registered` is false for scripts that the registry does not have: the blocks were
    attributed by their tags. `ended` and `began` tell that the pool's blocks go on after
    the last or before the first sighting.
    """

    pool: str
    kind: Literal["tag", "payout"]
    subject: str
    registered: bool
    blocks: int
    first: int
    last: int
    began: bool
    ended: bool


def agreement(pairs: Iterable[tuple[str | None, str | None]], level: float = LEVEL) -> Agreement:
    """Return how far pairs of (our pool, their pool) agree; both in our slugs.

    Examples
    --------
    >>> found = agreement([("a", "a"), ("a", "b"), (None, None), ("b", "b")])
    >>> found.share, found.named, found.named_agreed, [round(end, 3) for end in found.interval]
    (0.75, 3, 2, [0.301, 0.954])
    """
    confusion = Counter(pairs)
    blocks = confusion.total()
    agreed = sum(found for (ours, theirs), found in confusion.items() if ours == theirs)
    named = {pair: found for pair, found in confusion.items() if None not in pair}
    return Agreement(
        blocks=blocks,
        agreed=agreed,
        named=sum(named.values()),
        named_agreed=sum(found for (ours, theirs), found in named.items() if ours == theirs),
        share=agreed / blocks if blocks else float("nan"),
        interval=share_interval(agreed, blocks, level, "wilson"),
        confusion=dict(confusion),
    )


def disagreements(
    blocks: Iterable[tuple[int, Attribution]],
    labels: Mapping[int, str],
    registry: Registry,
    list_name: str = "",
    network: NetworkParams = MAINNET,
) -> tuple[Agreement, list[Disagreement]]:
    """Hold blocks against `labels` by height, as the list `list_name` spells them.

    A label that the registry does not know counts as one of a pool of its own, except the
    empty one and ``unknown``, which name nobody. Blocks without a label are left out. A
    label is looked up when its block has been taken, so both may come from one stream.
    Reasons have addresses of `network`.
    """
    found: list[Disagreement] = []

    def pairs() -> Iterator[tuple[str | None, str | None]]:
        for height, made in blocks:
            if height not in labels:
                continue
            text = labels[height]
            theirs = registry.slug_of_label(list_name, text)
            if theirs is None and not names_nobody(text):
                theirs = f"?{escape_text(text)}"
            if made.pool != theirs:
                reason = explain(made, theirs, registry, network)
                found.append(Disagreement(height, made.pool, theirs, made.rule, reason))
            yield made.pool, theirs

    return agreement(pairs()), found


def explain(
    attribution: Attribution,
    other: str | None,
    registry: Registry,
    network: NetworkParams = MAINNET,
) -> str:
    """Return in one line why a block is attributed as it is, and what speaks for `other`.

    Payouts are told as addresses of `network`.
    """
    own = [e for e in attribution.evidence if e.pool == attribution.pool and e.kind != "label"]
    strong = [e for e in own if e.strength == "strong"]
    parts = [_tell(e, network) for e in strong or own]
    parts += [_tell(e, network) for e in own if e.kind == "elsewhere" and strong]
    if attribution.pool is None:
        parts = [f"nothing decides (rule {attribution.rule})"]
    elif attribution.rule == "label":
        parts = ["by a label alone"]
    if other is not None:
        rival = [_tell(e, network, weight=True) for e in attribution.evidence if e.pool == other]
        name = registry.name_of(other)
        parts.append(f"for {name}: {'; '.join(rival)}" if rival else f"nothing for {name}")
    return "; ".join(parts)


def _tell(item: Evidence, network: NetworkParams, *, weight: bool = False) -> str:
    strength = f"{item.strength} " if weight else ""
    if item.kind == "payout":
        paid = address_of(item.matched, network) or item.matched.hex()
        return f"{strength}{item.share:.0%} of the value to {paid}"
    if item.kind == "elsewhere":
        paid = address_of(item.matched, network) or item.matched.hex()
        return f"but {item.share:.0%} of the value to {paid}: it {item.source}"
    if item.kind == "label":
        return f"label of {escape_text(item.source)}"
    where = f"{item.where.field}, byte {item.where.offset}"
    return f"{strength}tag {escape_text(item.matched)} ({where})"


def sightings(
    blocks: Iterable[AttributedBlock], margin: int = 2016, network: NetworkParams = MAINNET
) -> list[Sighting]:
    """Return when each pool's tags and payout scripts were seen, by pool and first height.

    A sighting `began` (`ended`) where the pool has blocks more than `margin` heights before
    its first (after its last): the pool changed what it writes or whom it pays. Scripts are
    told as addresses of `network`.
    """
    seen: dict[tuple[str, Literal["tag", "payout"], str, bool], _Span] = {}
    pools: dict[str, _Span] = {}
    for block in blocks:
        pool = block.attribution.pool
        if pool is None:
            continue
        pools[pool] = _Span.with_one_more(pools.get(pool), block.height)
        for kind, subject, registered in _marks(block, pool, network):
            mark = (pool, kind, subject, registered)
            seen[mark] = _Span.with_one_more(seen.get(mark), block.height)
    return [
        Sighting(
            pool,
            kind,
            subject,
            registered,
            *span,
            began=span.first - pools[pool].first > margin,
            ended=pools[pool].last - span.last > margin,
        )
        for (pool, kind, subject, registered), span in sorted(
            seen.items(), key=lambda item: (item[0][0], item[0][1], item[1].first, item[0][2])
        )
    ]


class _Span(NamedTuple):
    """How many blocks there are from the first height to the last."""

    blocks: int
    first: int
    last: int

    @classmethod
    def with_one_more(cls, span: Self | None, height: int) -> Self:
        if span is None:
            return cls(1, height, height)
        return cls(span.blocks + 1, min(span.first, height), max(span.last, height))


def _marks(
    block: AttributedBlock, pool: str, network: NetworkParams
) -> set[tuple[Literal["tag", "payout"], str, bool]]:
    """Return the tags that named `pool` in a block, and the script that its value went to."""
    evidence = [item for item in block.attribution.evidence if item.pool == pool]
    marks: set[tuple[Literal["tag", "payout"], str, bool]] = {
        ("tag", escape_text(item.matched), True)
        for item in evidence
        if item.kind == "tag" and item.strength == "strong"
    }
    script = block.main_script
    if script is not None:
        known = any(item.kind == "payout" and item.matched == script for item in evidence)
        marks.add(("payout", address_of(script, network) or script.hex(), known))
    return marks
