"""Registries that differ from ours in a way that shows."""

from __future__ import annotations

from pathlib import Path

import analyzers.registry

OURS = Path(analyzers.registry.__file__).with_name("pools.toml")


def without_slug(slug: str, folder: Path) -> Path:
    """Write our registry with an ``x`` behind one pool's slug; return the file."""
    text = OURS.read_text("utf-8")
    assert f'slug = "{slug}"' in text
    file = folder / f"without-{slug}.toml"
    file.write_text(text.replace(f'slug = "{slug}"', f'slug = "{slug}x"'), "utf-8")
    return file
