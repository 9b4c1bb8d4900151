"""Labels that somebody else gives blocks, as files: CSV, JSONL or Parquet, packed or not."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from analyzers.leftout import Kind, LeftOut, Tally
from analyzers.registry.values import name_key
from analyzers.textrows import clean, decoded, number_of, quoted, rows_of
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from analyzers.audit import Agreement

_HEIGHT: Final = ("height", "blockheight", "block")
_LABEL: Final = ("label", "pool", "poolslug", "slug", "poolname", "name", "miner")
"""Names of columns as `_plain` spells them, the first that is there holds."""
_LARGEST: Final = 1 << 28
"""Bytes of a file once it is unpacked."""
_FORMS: Final = "columns are height and one of label, pool, pool_slug, slug, pool_name, name"


def read_labels(path: Path) -> dict[int, str]:
    """Return labels by height from a CSV, JSONL or Parquet file, packed (.gz) or not.

    Raises
    ------
    ConfigError
        If the file cannot be read, a row has no height, or a height has two labels.
    """
    labels: dict[int, str] = {}
    try:
        for place, row in enumerate(_rows(path), 1):
            height, label = _height_and_label(row, f"{path}, row {place}")
            if name_key(labels.setdefault(height, label)) != name_key(label):
                raise ConfigError(
                    f"{path}, row {place}: height {height} has a second label; keep one of "
                    f"{labels[height]!r} and {label!r}"
                )
    except (OSError, EOFError, zlib.error, ValueError, ImportError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return labels


def unused_labels(
    labels: Mapping[int, str], compared: Collection[int], found: Agreement
) -> tuple[LeftOut, ...]:
    """Return which of `labels` are of no stored block, and which names are no pool's."""
    tally = Tally()
    for height in sorted(labels.keys() - set(compared)):
        tally.add(
            Kind.LABEL_ROW,
            "no stored block of the active chain has this height",
            f"height {height}: {labels[height]}",
        )
    for (_, theirs), blocks in sorted(found.confusion.items(), key=str):
        if theirs is not None and theirs.startswith("?"):
            tally.add(
                Kind.LABEL_ROW,
                "no pool of the registry has this name: it counts as one of its own",
                theirs[1:],
                blocks,
            )
    return tally.found


def _height_and_label(row: Mapping[str, Any], where: str) -> tuple[int, str]:
    named = {_plain(str(name)): value for name, value in row.items()}
    height = next((named[name] for name in _HEIGHT if name in named), None)
    label = next((named[name] for name in _LABEL if name in named), None)
    if height is None or not any(name in named for name in _LABEL):
        raise ConfigError(f"{where}: no height and label; {_FORMS}")
    number = number_of(str(height))
    if number is None or number != int(number) or not 0 <= number < 1 << 63:
        raise ConfigError(f"{where}: {quoted(str(height))} is no height; {_FORMS}")
    return int(number), clean(str(label if label is not None else ""))


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".parquet":
        import pandas as pd

        for row in pd.read_parquet(path).to_dict("records"):
            yield {str(name): None if pd.isna(value) else value for name, value in row.items()}
        return
    packed = path.suffix == ".gz"
    kind = Path(path.stem).suffix if packed else path.suffix
    with (gzip.open if packed else open)(path, "rb") as file:
        raw: bytes = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError(f"it is larger than {_LARGEST >> 20} MB")
    text = decoded(raw)
    if kind in {".jsonl", ".ndjson", ".json"}:
        lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
        yield from map(_json_row, lines)
        return
    heading: list[str] | None = None
    for line, fields in rows_of(text, range(2, 20)):
        if heading is None and number_of(fields[0]) is None:
            heading = [field.casefold() for field in fields]
            continue
        names = heading or ["height", "label"]
        if len(fields) < 2 or len(fields) > len(names):
            raise ValueError(f"line {line}: expected {','.join(names)}")
        yield dict(zip(names, fields, strict=False))


def _json_row(line: str) -> Mapping[str, Any]:
    row = json.loads(line)
    if not isinstance(row, dict):
        raise ValueError(f"not an object: {line[:60]!r}")
    return row
