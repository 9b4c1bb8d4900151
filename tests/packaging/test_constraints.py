"""What is installed is said release by release, and is what the project asks for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def pinned(python: str) -> dict[str, str]:
    """Return the release of each package under a Python."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
    }
    rows = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [row for row in rows if row.marker is None or row.marker.evaluate(environment)]
    names = [canonicalize_name(row.name) for row in here]
    assert len(set(names)) == len(names), "one release each"
    return {
        name: str(row.specifier).removeprefix("==") for name, row in zip(names, here, strict=True)
    }


def asked() -> Iterator[Requirement]:
    """Yield all that pyproject.toml asks for: to run, with extras, to test."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)
    texts = [*project["project"]["dependencies"]]
    for group in (project["project"]["optional-dependencies"], project["dependency-groups"]):
        texts += [text for texts in group.values() for text in texts if isinstance(text, str)]
    yield from map(Requirement, texts)


@pytest.mark.parametrize("python", PYTHONS)
def test_all_that_is_asked_for_has_a_release(python: str) -> None:
    releases = pinned(python)
    wrong = [
        f"{asked.name}: {releases.get(canonicalize_name(asked.name))} is not {asked.specifier}"
        for asked in asked()
        if not asked.specifier.contains(releases.get(canonicalize_name(asked.name), "0"))
    ]
    assert not wrong, "renew constraints.txt by the command at its head"


def test_launcher_and_image_install_these() -> None:
    for file in ("poolscope", "Dockerfile"):
        assert "--constraint constraints.txt" in (ROOT / file).read_text("utf-8")
