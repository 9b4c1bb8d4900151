"""From judged claims to the answers about them."""

from __future__ import annotations

import math

from analyzers.claims import Finding, Quantity
from analyzers.intervals import Interval
from monitor.answers import claims as shapes


def claim(found: Finding) -> shapes.Claim:
    """Return a judged claim."""
    return shapes.Claim(
        slug=found.slug,
        claim=found.claim,
        said_by=found.said_by,
        verdict=found.verdict,
        claimed=shapes.Quantity(
            value=found.claimed.value, unit=found.claimed.unit, text=found.claimed.text
        ),
        found=_found(found.found, found.interval),
        measure=found.measure,
        because=found.because,
        turns=found.turns,
        inputs=[shapes.ClaimInput(**item._asdict()) for item in found.inputs],
        sensitivity=[shapes.ClaimSwing(**swing._asdict()) for swing in found.swings],
        cases=[
            shapes.ClaimCase(
                label=case.label,
                found=_found(case.found, case.interval),
                verdict=case.verdict,
                note=case.note,
            )
            for case in found.cases
        ],
        sources=list(found.sources),
        cannot_show=list(found.unsaid),
    )


def _found(found: Quantity, interval: Interval) -> shapes.Finding:
    known = all(map(math.isfinite, interval))
    return shapes.Finding(
        value=found.value,
        unit=found.unit,
        text=found.text,
        low=interval.low if known else None,
        high=interval.high if known else None,
    )
