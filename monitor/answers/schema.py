"""JSON Schema of what commands write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from monitor.answers.base import SCHEMA_VERSION
from monitor.answers.vocabulary import unit_of

MODE: Final[Literal["serialization"]] = "serialization"
"""Answers are described as they are written."""
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def commands_schema(shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of the answers of commands by name, and under ``$defs`` their shapes."""
    asked = [(name, MODE, TypeAdapter(shape)) for name, shape in shapes.items()]
    by_name, shared = TypeAdapter.json_schemas(asked)
    return {
        "$schema": DIALECT,
        "schema_version": SCHEMA_VERSION,
        "commands": {name: by_name[name, MODE] for name in shapes},
        "$defs": _with_units(shared["$defs"]),
    }


def command_schema(name: str, shape: Any) -> dict[str, Any]:
    """Return the JSON Schema of the answer of one command."""
    whole = commands_schema({name: shape})
    head = {"$schema": whole["$schema"], "title": f"poolscope {name} --json"}
    return {**head, **whole["commands"][name], "$defs": whole["$defs"]}


def _with_units(shapes: dict[str, Any]) -> dict[str, Any]:
    """Return `shapes` with the unit of every number beside it, as the vocabulary has it."""
    for shape in shapes.values():
        for name, about in shape.get("properties", {}).items():
            unit = unit_of(name)
            if unit is not None and is_number(about):
                about["unit"] = unit
    return shapes


def is_number(about: dict[str, Any]) -> bool:
    """Return whether a field holds numbers: alone, as a choice, in a list or by name."""
    match about:
        case {"type": "integer" | "number"}:
            return True
        case {"anyOf": choices}:
            return any(map(is_number, choices))
        case {"items": dict(item)}:
            return is_number(item)
        case {"additionalProperties": dict(value)}:
            return is_number(value)
        case {"$ref": str(reference)}:
            return reference.rpartition("/")[2] in INTERVALS
    return False


INTERVALS: Final = frozenset({"CountEstimate", "Estimate", "Range", "WhenEstimate"})
"""Shapes that are {value, low, high}."""
