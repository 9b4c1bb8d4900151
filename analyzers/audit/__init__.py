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
from analyzers.audit.registries import Difference, Finding, compare_registries, inspect_registry
from analyzers.audit.unknown import Cluster, Feature, propose_entry, unknown_clusters
from analyzers.audit.values import AttributedBlock

__all__ = [
    "Agreement",
    "AttributedBlock",
    "Cluster",
    "Difference",
    "Disagreement",
    "Feature",
    "Finding",
    "Sighting",
    "agreement",
    "compare_registries",
    "disagreements",
    "explain",
    "inspect_registry",
    "propose_entry",
    "sightings",
    "unknown_clusters",
]
