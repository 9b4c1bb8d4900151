"""From judged claims to the answers about them."""

from __future__ import annotations

import math

from analyzers.claims import Finding, Quantity, Swing
from analyzers.intervals import Interval
from monitor.answers import claims as shapes
from monitor.answers.convert import spread


def claim(found: Finding) -> shapes.Claim:
    """Return a judged claim."""
    return shapes.Claim(
        slug=found.slug,
        claim=found.claim,
        said_by=found.said_by,
        verdict=found.verdict,
        as_of=found.as_of,
        claimed=shapes.Quantity(
            value=found.claimed.value, unit=found.claimed.unit, text=found.claimed.text
        ),
        found=_found(found.found, found.interval),
        measure=found.measure,
        because=found.because,
        turns=found.turns,
        inputs=[shapes.ClaimInput(**item._asdict()) for item in found.inputs],
        sensitivity=[_swing(swing, found) for swing in found.swings],
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


def _swing(swing: Swing, found: Finding) -> shapes.ClaimSwing:
    known = {item.name: item.value for item in found.inputs}
    return shapes.ClaimSwing(
        name=swing.name,
        input=spread(known.get(swing.name, math.nan), Interval(swing.low, swing.high)),
        unit=swing.unit,
        found=spread(found.found.value, Interval(swing.at_low, swing.at_high)),
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
