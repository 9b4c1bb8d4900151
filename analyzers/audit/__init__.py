"""Audits: registry against registry, attribution against labels, unknown blocks, drift.

Pure functions over values; `analyzers.audit.frames` turns their results into DataFrames.
"""

from analyzers.audit.blocks import (
    Agreement,
    Disagreement,
    Sighting,
    agreement,
    disagreements,
    explain,
    sightings,
)
from analyzers.audit.learn import (
    MIN_BLOCKS,
    SETTLED_BLOCKS,
    ContestedPayout,
    LearnedPayout,
    Lesson,
    SettledPool,
    learn_payouts,
    propose_payouts,
)
from analyzers.audit.registries import Difference, Finding, compare_registries, inspect_registry
from analyzers.audit.unknown import Cluster, Feature, propose_entry, unknown_clusters
from analyzers.audit.values import AttributedBlock

__all__ = [
    "MIN_BLOCKS",
    "SETTLED_BLOCKS",
    "Agreement",
    "AttributedBlock",
    "Cluster",
    "ContestedPayout",
    "Difference",
    "Disagreement",
    "Feature",
    "Finding",
    "LearnedPayout",
    "Lesson",
    "SettledPool",
    "Sighting",
    "agreement",
    "compare_registries",
    "disagreements",
    "explain",
    "inspect_registry",
    "learn_payouts",
    "propose_entry",
    "propose_payouts",
    "sightings",
    "unknown_clusters",
]
