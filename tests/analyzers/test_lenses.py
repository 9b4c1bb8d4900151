from __future__ import annotations

from pathlib import Path

import pytest

from analyzers.mined import EntityOf, Mined
from analyzers.registry import RegistryError, load_registry
from analyzers.registry.lenses import load_lenses, parse_lenses
from analyzers.windows import tally

REGISTRY = load_registry()
LENSES = load_lenses()
DEC_2020, APR_2021 = 1_606_780_800, 1_617_235_200


def test_what_ships() -> None:
    assert list(LENSES) == ["tag", "template", "template-narrow", "owner", "custody", "country"]
    for lens in LENSES.values():
        assert lens.title
        for rows in lens.rows.values():
            assert all(row.source and "general knowledge" not in row.source for row in rows)


@pytest.mark.parametrize(
    ("lens", "pool", "height", "time", "entity"),
    [
        ("tag", "btccom", 800_000, 1_690_000_000, "btccom"),
        ("template", "poolin", 800_000, 1_690_000_000, "antpoolandfriends"),
        ("template", "poolin", 750_000, 1_661_990_399, "poolin"),
        ("template", "poolin", 750_000, 1_661_990_400, "antpoolandfriends"),
        ("template", "viabtc", 800_000, 1_690_000_000, "viabtc"),
        ("template-narrow", "binancepool", 858_815, 0, "binancepool"),
        ("template-narrow", "binancepool", 858_816, 0, "antpool"),
        ("template-narrow", "binancepool", 895_105, 0, "binancepool"),
        ("owner", "btccom", 0, DEC_2020 - 1, "bitmain"),
        ("owner", "btccom", 0, DEC_2020, "bitdeergroup"),
        ("owner", "btccom", 0, APR_2021, "bitmining"),
        ("country", "foundryusa", 0, 0, "us"),
        ("country", "eligius", 0, 0, None),
        ("country", "binancepool", 0, 0, None),
    ],
)
def test_entities(lens: str, pool: str, height: int, time: int, entity: str | None) -> None:
    assert LENSES[lens].entity(pool, height, time) == entity


def test_a_lens_is_what_windows_take() -> None:
    lens: EntityOf = LENSES["template"]
    chain = [Mined(900_000, 1_749_000_000, pool) for pool in ("antpool", "luxor", "viabtc")]
    assert tally(chain, lens).counts == {"antpoolandfriends": 2, "viabtc": 1}


def test_names() -> None:
    assert LENSES["template"].name_of("antpoolandfriends", REGISTRY) == "AntPool & friends"
    assert LENSES["template"].name_of("viabtc", REGISTRY) == "ViaBTC"


ROW = 'pool = "viabtc", entity = "x"'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "not TOML"),
        ("lens = 5", "tables"),
        ("lens = [5]", "tables"),
        ('[[lens]]\nname = "a"\ntitle = "t"\nrows = 5', "rows are tables"),
        ('[[lens]]\nname = "a"\ntitle = "t"\nnames = 5', "names a table"),
        ('[[lens]]\nname = "a"', "needs a title"),
        ('[[lens]]\nname = "A"\ntitle = "t"', "a name is"),
        ('[[lens]]\nname = "tag"\ntitle = "t"', "there twice"),
        (f'[[lens]]\nname = "a"\ntitle = "t"\nrows = [{{ {ROW} }}]', "has a source"),
    ]
    + [
        (f'[[lens]]\nname = "a"\ntitle = "t"\nsource = "s"\nrows = [{rows}]', message)
        for rows, message in (
            ('{ pool = "nobody", entity = "x" }', "no pool 'nobody'"),
            ('{ pool = "viabtc" }', "a pool and an entity"),
            (f"{{ {ROW}, now = 1 }}", "known keys"),
            (f"{{ {ROW}, since = 2024 }}", "no date"),
            (f'{{ {ROW}, first = "1" }}', "first is a height"),
            (f"{{ {ROW} }}, {{ {ROW}, first = 5 }}", "at the same time"),
            (f"{{ {ROW}, last = 5 }}, {{ {ROW}, first = 5 }}", "at the same time"),
        )
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused(text: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        parse_lenses(text, REGISTRY)


def test_neighbours_are_no_overlap(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[[lens]]\nname = "own"\ntitle = "t"\nsource = "s"\nrows = [\n'
        f"{{ {ROW}, until = 2024-04-01, last = 9 }}, {{ {ROW}, since = 2024-04-01 }},\n"
        f"{{ {ROW}, until = 2024-04-01, first = 10 }}]"
    )
    assert list(load_lenses(file)) == ["tag", "own"]
