"""From what audits found to the answers about it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable

from analyzers.audit import (
    Agreement,
    Cluster,
    Difference,
    Disagreement,
    Finding,
    Lesson,
    Sighting,
    propose_entry,
)
from analyzers.escape import escape_text
from analyzers.leftout import LeftOut
from analyzers.registry import Registry
from analyzers.registry.address import address_of
from hashing.params import NetworkParams
from monitor.answers import audit, convert


def registry(
    held: Registry, findings: list[Finding], faults: list[str], left_out: Iterable[LeftOut]
) -> audit.RegistryAudit:
    """Return what is wrong within a registry."""
    return audit.RegistryAudit(
        registry_version=held.version,
        date=_day(held.date),
        as_of=_day(held.as_of),
        sources=[
            audit.RegistrySource(
                name=name, where=item.where, date=_day(item.date), followed=item.followed
            )
            for name, item in held.sources.items()
        ],
        registry_pools=len(held),
        owner_rule=held.rule,
        findings=[
            audit.Finding(
                kind=item.kind,
                pool=item.pool,
                subject=item.subject,
                other_pool=item.other_pool or None,
                other_subject=item.other_subject or None,
                expected_hits=item.expected,
            )
            for item in findings
        ],
        faults=faults,
        left_out=convert.left_out(left_out),
    )


def _day(date: datetime.date | None) -> str | None:
    return None if date is None else date.isoformat()


def comparison(
    ours: Registry, theirs: Registry, found: list[Difference], left_out: Iterable[LeftOut]
) -> audit.RegistryComparison:
    """Return how `theirs` differs from `ours`."""
    return audit.RegistryComparison(
        first_registry_version=ours.version,
        second_registry_version=theirs.version,
        differences=[
            audit.Difference(
                kind=item.kind,
                subject=item.subject,
                first_pool=item.first,
                second_pool=item.second,
            )
            for item in found
        ],
        left_out=convert.left_out(left_out),
    )


def blocks(
    found: Agreement, told: list[Disagreement], left_out: Iterable[LeftOut]
) -> audit.BlocksAudit:
    """Return how far our attribution and a list agree."""
    return audit.BlocksAudit(
        blocks=found.blocks,
        agreed_blocks=found.agreed,
        named_blocks=found.named,
        named_agreed_blocks=found.named_agreed,
        share=convert.spread(found.share, found.interval),
        confusion=[
            audit.Confusion(pool=ours, label=theirs, blocks=blocks)
            for (ours, theirs), blocks in found.ranked
        ],
        disagreements=[audit.Disagreement(**dataclasses.asdict(item)) for item in told],
        left_out=convert.left_out(left_out),
    )


def unknown(
    blocks: int, clusters: list[Cluster], network: NetworkParams, left_out: Iterable[LeftOut]
) -> audit.UnknownAudit:
    """Return what hangs together of `blocks` that nothing names a pool for."""
    return audit.UnknownAudit(
        unknown=blocks,
        clusters=[
            audit.Cluster(
                heights=list(item.heights),
                payouts=[
                    audit.ClusterPayout(
                        script=script.hex(), address=address_of(script, network), blocks=seen
                    )
                    for script, seen in item.payouts
                ],
                texts=[
                    audit.ClusterText(text=escape_text(text), blocks=seen)
                    for text, seen in item.texts
                ],
                shapes=[
                    audit.ClusterShape(shape=shape, blocks=seen) for shape, seen in item.shapes
                ],
                commitments=[
                    audit.ClusterCommitment(kind=kind, blocks=seen)
                    for kind, seen in item.commitments
                ],
                proposal=propose_entry(item, network),
            )
            for item in clusters
        ],
        left_out=convert.left_out(left_out),
    )


def drift(found: list[Sighting], left_out: Iterable[LeftOut]) -> audit.DriftAudit:
    """Return where pools changed what they write and whom they pay."""
    return audit.DriftAudit(
        sightings=[
            audit.Sighting(
                pool=item.pool,
                kind=item.kind,
                subject=item.subject,
                registered=item.registered,
                blocks=item.blocks,
                first_height=item.first,
                last_height=item.last,
                began=item.began,
                ended=item.ended,
            )
            for item in found
        ],
        left_out=convert.left_out(left_out),
    )


def learn(
    lesson: Lesson,
    min_blocks: int,
    proposal: str,
    network: NetworkParams,
    left_out: Iterable[LeftOut],
) -> audit.LearnAudit:
    """Return what proved blocks taught about whom pools pay."""
    return audit.LearnAudit(
        blocks=lesson.blocks,
        min_blocks=min_blocks,
        learned=[
            audit.LearnedPayout(
                pool=item.pool,
                script=item.script.hex(),
                address=address_of(item.script, network),
                blocks=item.blocks,
                first_height=item.first,
                last_height=item.last,
            )
            for item in lesson.learned
        ],
        contested=[
            audit.ContestedPayout(
                script=item.script.hex(),
                address=address_of(item.script, network),
                claims=_claims(item.pools),
                registered_pool=item.registered,
            )
            for item in lesson.contested
        ],
        paying_miners=_claims(lesson.direct),
        settled=[
            audit.SettledPool(
                pool=item.pool,
                blocks=item.blocks,
                first_height=item.first,
                last_height=item.last,
            )
            for item in lesson.settled
        ],
        proposal=proposal,
        left_out=convert.left_out(left_out),
    )


def _claims(pools: Iterable[tuple[str, int]]) -> list[audit.PayoutClaim]:
    return [audit.PayoutClaim(pool=pool, blocks=blocks) for pool, blocks in pools]
