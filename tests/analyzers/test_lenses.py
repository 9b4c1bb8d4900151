from __future__ import annotations

import datetime
import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from analyzers.mined import Chain, EntityOf, Mined
from analyzers.registry import RegistryError, load_registry
from analyzers.registry.lenses import TAG_LENS, applies_to, load_lenses, look, parse_lenses
from analyzers.registry.lenskind import LensKind
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


def test_each_that_ships_says_its_kind() -> None:
    text = (resources.files("analyzers.registry") / "lenses.toml").read_text("utf-8")
    assert all("kind" in table for table in tomllib.loads(text)["lens"])
    kinds = {name: lens.kind.value for name, lens in LENSES.items()}
    assert kinds == {
        "tag": "control",
        "template": "coordination",
        "template-narrow": "coordination",
        "owner": "control",
        "custody": "custody",
        "country": "jurisdiction",
    }
    for lens in LENSES.values():
        assert bool(lens.kind.why_withheld) != lens.kind.is_control


def test_rows_of_weak_sources_are_marked() -> None:
    for lens in LENSES.values():
        for row in (row for rows in lens.rows.values() for row in rows):
            if re.search(r"skelig\.best|mybitcoin\.com|multizone\.cz", row.source):
                assert row.weak, row


@pytest.mark.parametrize("kind", [None, *LensKind])
def test_a_lens_file_says_a_kind_or_is_of_coordination(kind: LensKind | None) -> None:
    said = f'kind = "{kind.value}"\n' if kind else ""
    text = f'[[lens]]\nname = "a"\ntitle = "t"\n{said}source = "s"\nrows = [{{ {ROW} }}]'
    assert parse_lenses(text, REGISTRY)["a"].kind is (kind or LensKind.COORDINATION)


def test_what_a_lens_did_to_blocks() -> None:
    lens = LENSES["custody"]
    before, after = 1_705_000_000, 1_719_000_000
    early = look(lens, [("antpool", 1, before, 3), ("ocean", 1, before, 1), (None, 1, before, 2)])
    assert not early.applies
    late = look(lens, [("antpool", 1, before, 3), ("f2pool", 2, after, 4), ("ocean", 3, after, 1)])
    assert late.applies
    assert late.by_rows == {"sharedcustodian": 4}
    assert late.called("ocean", "OCEAN") == "OCEAN"
    assert late.called("sharedcustodian", "X") == "pools whose rewards are kept by X"
    assert look(TAG_LENS, []).applies
    country = look(LENSES["country"], [("f2pool", 1, after, 4), ("binancepool", 1, after, 5)])
    assert country.by_rows == {"cn": 4, None: 5}
    assert country.weak == {"cn": 4, None: 5}


@pytest.mark.parametrize("name", LENSES)
def test_which_blocks_a_row_applies_to(name: str) -> None:
    lens = LENSES[name]
    chain = Chain.of(
        [
            Mined(height, time, pool)
            for height, time in ((500_000, 1_512_000_000), (850_000, 1_719_000_000))
            for pool in ("antpool", "poolin", "sigmapoolcom", "ocean", None)
        ]
    )
    said = applies_to(lens, chain).tolist()
    assert said == [
        not lens.rows or (pool is not None and lens.row(pool, height, time) is not None)
        for height, time, pool in chain
    ]


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
        ('[[lens]]\nname = "a"\ntitle = "t"\nkind = "moon"', "'moon' is no kind of lens: control"),
        ('[[lens]]\nname = "a"\ntitle = "t"\nkind = 5', "is no kind of lens"),
        (f'[[lens]]\nname = "a"\ntitle = "t"\nrows = [{{ {ROW} }}]', "has a source"),
        ('[[lens]]\nname = "a"\ntitle = "t"\ndate = "2024-04-01"', "is no date"),
        ('[[lens]]\nname = "a"\ntitle = "t"\ndate = 2024-04-01T12:00:00', "is no date"),
    ]
    + [
        (f'[[lens]]\nname = "a"\ntitle = "t"\nsource = "s"\nrows = [{rows}]', message)
        for rows, message in (
            ('{ pool = "nobody", entity = "x" }', "no pool 'nobody'"),
            ('{ pool = "viabtc" }', "a pool and an entity"),
            (f"{{ {ROW}, now = 1 }}", "known keys"),
            (f"{{ {ROW}, weak = 1 }}", "weak is true or false"),
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


def test_a_lens_says_of_which_day_its_source_is() -> None:
    text = '[[lens]]\nname = "a"\ntitle = "t"\ndescription = "Some."\ndate = 2024-04-01'
    lens = parse_lenses(text, REGISTRY)["a"]
    assert lens.date == datetime.date(2024, 4, 1)
    assert lens.description == "Some. Its source is of 2024-04-01: it shows nothing newer."
    undated = parse_lenses(text.replace("date = 2024-04-01", ""), REGISTRY)["a"]
    assert (undated.date, undated.description) == (None, "Some.")
    assert LENSES["template"].date == datetime.date(2025, 5, 10)
    assert "2025-05-10" in LENSES["template"].description


def test_neighbours_are_no_overlap(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(
        '[[lens]]\nname = "own"\ntitle = "t"\nsource = "s"\nrows = [\n'
        f"{{ {ROW}, until = 2024-04-01, last = 9 }}, {{ {ROW}, since = 2024-04-01 }},\n"
        f"{{ {ROW}, until = 2024-04-01, first = 10 }}]"
    )
    assert list(load_lenses(file)) == ["tag", "own"]
