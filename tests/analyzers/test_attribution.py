from __future__ import annotations

import json
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.attribution import (
    RULES,
    SETTLED_LASTS,
    attribute,
    attribute_parts,
    payout_owner,
    pool_of,
    pools_of,
    tag_owner,
)
from analyzers.model import Attribution, Label
from analyzers.registry import Pool, Registry, load_registry, parse_registry
from analyzers.registry.address import script_of
from analyzers.registry.importers import import_list
from analyzers.registry.loader import make_registry
from hashing.build import build_coinbase, push_height
from hashing.wire import TxOut, parse_coinbase
from tests.analyzers.coinbase_vectors import disagreements, real_coinbases, reasons

REGISTRY = load_registry()
BLOCK = 312_500_000


def judge(text: bytes, *pays: tuple[str, int], height: int | None = None) -> Attribution:
    outputs = tuple(TxOut(value, script_of(address)) for address, value in pays)
    found = attribute_parts(text, outputs, REGISTRY, height=height)
    assert pool_of(text, outputs, REGISTRY, height) == found.pool
    assert found.rule in RULES
    return found


def test_real_coinbases() -> None:
    for real in real_coinbases():
        found = attribute_parts(real.script_sig, real.outputs, REGISTRY, height=real.height)
        assert (found.pool, found.rule) == (real.pool, real.rule), real.key


def test_every_disagreement_is_explained() -> None:
    table = disagreements()
    for real in real_coinbases():
        opinions = {real.pool, real.longest_bytes, real.first_regex}
        if real.published:
            opinions.add(None if real.published == "unknown" else real.published)
        assert (len(opinions) > 1) == (real.key in table), real.key
    assert {row["why"] for row in table.values()} == set(reasons())


def test_the_right_pool_is_published() -> None:
    assert [row for row in disagreements().values() if row["right"] != row["pool"]] == []


def test_never_another_pool_than_the_longest_tag_names() -> None:
    for real in real_coinbases():
        assert real.longest_bytes in (None, real.pool), real.key


def test_fast_paths_agree_with_the_full_one() -> None:
    real = real_coinbases()
    expected = [one.pool for one in real]
    assert [pool_of(r.script_sig, r.outputs, REGISTRY, r.height) for r in real] == expected
    sigs, outputs, heights = zip(*((r.script_sig, r.outputs, r.height) for r in real), strict=True)
    assert pools_of(sigs, REGISTRY, outputs, heights) == expected
    assert pools_of(sigs, REGISTRY) == [pool_of(sig, (), REGISTRY) for sig in sigs]


def test_order_of_entries_never_matters() -> None:
    pools = list(REGISTRY)
    for seed in range(5):
        random.Random(seed).shuffle(pools)
        shuffled = make_registry(pools, REGISTRY.sources)
        assert shuffled.version == REGISTRY.version
        for real in real_coinbases()[::5]:
            expected = attribute_parts(real.script_sig, real.outputs, REGISTRY)
            assert attribute_parts(real.script_sig, real.outputs, shuffled) == expected


def test_joined_coinbases_do_not_match_across_their_border() -> None:
    assert pools_of([b"..../Via", b"BTC/....", b"/ViaBTC/"], REGISTRY) == [None, None, "viabtc"]
    with pytest.raises(ValueError, match="2 outputs or heights for 1"):
        pools_of([b""], REGISTRY, [(), ()])


# The known collisions of public registries, each with its expected outcome.


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        (b"/EMCD/", "emcdpool"),
        (b"EMC: US2", "eclipsemc"),
        (b"EMC US1", "eclipsemc"),
        (b"xEMCx", None),
        (b"/ViaBTC/TATMAS Pool/", "tatmaspool"),
        (b"/ViaBTC/Mined by rme100/,", "viabtc"),
        (b"viabtc.com deploy", "viabtc"),
        (b"Mined By 175btc.com", "175btc"),
        (b"eu/BTC.com/", "btccom"),
        (b"btc.com", None),
        (b"\xc0_BTCPool\xfa\xbemm", None),
        (b"btcpool/b8dsg", None),
        (b"\nckpool", None),
        (b"\nckpool\x0c/solo.ckpool.org/", "solock"),
        (b"\nckpool\x0b/BitClub Network/", "bitclub"),
        (b"/Kano /BEBOP/\nckpool", "kanopool"),
        (b"binance/fr214", "binancepool"),
        (b"hz/Binance/", "binancepool"),
        (b"/$Mined by 7pool.com/", "7pool"),
        ("七彩神仙鱼".encode(), "f2pool"),
        ("🐟\x15Mined by chenguanghai".encode(), "f2pool"),
        ("/八宝池 8baochi.com/".encode(), "8baochi"),
        ("🐵🚀".encode(), "mononaut"),
        (b"https://x.io/c/9b2cbd4e-7b1f-4d43-8f0c-0d8f2c1f8a11", None),
        (b"", None),
    ],
)
def test_tag_collisions(text: bytes, pool: str | None) -> None:
    assert judge(b"\x03\xa0\xbb\x0d" + text).pool == pool


def test_inner_tags_are_covered_not_conflicts() -> None:
    found = judge(b"/ViaBTC/TATMAS Pool/")
    assert {(e.pool, e.strength) for e in found.evidence} == {
        ("tatmaspool", "strong"),
        ("viabtc", "covered"),
    }
    assert found.conflicts == ()


def test_a_software_default_gives_way_to_payouts() -> None:
    solo = judge(b"ckpool", ("18HEMWFXM9UGPVZHUMdBPD3CMFWYn2NPRX", BLOCK))
    assert (solo.pool, solo.rule) == ("shawnp0wers", "payout")
    rotated = judge(b"btcpool/b8dsg", ("1Bf9sZvBHPFGVPX71WX2njhd1NXKv5y7v5", BLOCK))
    assert (rotated.pool, rotated.rule) == ("btccom", "payout")
    alone = judge(b"BTCPool")
    assert (alone.pool, alone.rule) == (None, "weak")
    assert alone.evidence[0].pool == "btcpoolunidentified"
    named = judge(b"BTCPool", ("1Ca1KNQQo8akbrwTjjXuk8aikvC2pwodU2", BLOCK))
    assert (named.pool, named.rule) == ("btcpoolunidentified", "payout")


def test_addresses_claimed_by_two_pools_have_one_owner_and_tags_decide() -> None:
    antpool = judge(b"Mined by AntPool57", ("12dRugNcdxK39288NjcDV4GX7rMsKCGn6B", BLOCK))
    assert (antpool.pool, antpool.rule) == ("antpool", "tag+payout")
    other = judge(b"/BTC.COM/", ("12dRugNcdxK39288NjcDV4GX7rMsKCGn6B", BLOCK))
    assert (other.pool, other.rule) == ("btccom", "tag")
    assert [(e.kind, e.pool) for e in other.conflicts] == [("payout", "antpool")]
    assert (tag_owner(other), payout_owner(other)) == ("btccom", "antpool")
    again = judge(b"Mined by AntPool57", ("1Bf9sZvBHPFGVPX71WX2njhd1NXKv5y7v5", BLOCK))
    assert again.pool == "antpool"
    assert payout_owner(again) == "btccom"


def test_small_payouts_to_known_pools_name_nobody() -> None:
    miners = [("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", BLOCK // 3)] * 3
    fee = ("1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY", BLOCK // 50)
    ocean = judge(b"< OCEAN.XYZ >\x0fF2Pool fan\x00", *miners, fee)
    assert ocean.pool == "ocean"
    assert ocean.conflicts == ()
    untagged = judge(b"", *miners, fee)
    assert (untagged.pool, untagged.rule) == (None, "weak")
    assert untagged.evidence[0].share == pytest.approx(0.02, abs=0.001)


def test_a_payout_needs_more_than_half_of_the_value() -> None:
    f2pool, viabtc = "1KFHE7w8BhaENAswwryaoccDb6qcT6DbYY", "1PuJjnF476W3zXfVYmJfGnouzFDAXakkL4"
    assert judge(b"", (f2pool, 50), (viabtc, 50)).pool is None
    assert judge(b"", (f2pool, 51), (viabtc, 49)).pool == "f2pool"
    assert judge(b"", (f2pool, 30), (viabtc, 40), (f2pool, 30)).pool == "f2pool"
    assert judge(b"", (f2pool, 0)).pool is None


@pytest.mark.parametrize(
    "text",
    [
        b"/ViaBTC/Mined by F2Pool/,",
        "🐟\x10Mined by AntPool\x00\x00".encode(),
        b"/F2Pool/e\x10Mined by AntPool\x00",
        b"OCEAN.XYZ\x0fMined by AntPool\x00",
    ],
)
def test_a_miner_may_call_himself_like_a_pool(text: bytes) -> None:
    found = judge(text)
    assert found.pool in ("viabtc", "f2pool", "ocean")
    assert found.conflicts == ()
    assert {e.pool for e in found.evidence if e.strength == "weak"} <= {"f2pool", "antpool"}


@pytest.mark.parametrize("name", [b"Mined by AntPool", b"/F2Pool/", b"/ViaBTC/"])
def test_a_name_is_only_a_name_where_the_other_pool_is_known(name: bytes) -> None:
    """All paths agree, too, under a list that knows none but the pool in the name."""
    gateway = b"\x03\x01\x02\x03\x20Lazarus\x0f" + name + b"\x00\x03abc"
    assert judge(gateway).pool in ("antpool", "f2pool", "viabtc")
    array = [{"name": "Some", "tags": [name.decode(), "Pool", "BTC"], "addresses": []}]
    few = import_list(json.dumps(array)).registry
    for text in (gateway, b"/ViaBTC/Mined by " + name + b"/", "🐟".encode() + name):
        found = attribute_parts(text, (), few)
        assert pool_of(text, (), few) == pools_of([text], few)[0] == found.pool


def test_tags_of_equal_length_name_nobody_unless_the_payout_decides() -> None:
    tied = judge(b"/BTCC/ and /EMCD/")
    assert (tied.pool, tied.rule) == (None, "ambiguous")
    assert {e.pool for e in tied.conflicts} == {"btcc", "emcdpool"}
    paid = judge(b"/BTCC/ and /EMCD/", ("152f1muMCNa7goXYhYAQC61hxEgGacmncB", BLOCK))
    assert (paid.pool, paid.rule) == ("btcc", "tag+payout")
    assert {e.pool for e in paid.conflicts} == {"emcdpool"}


def test_text_in_an_op_return_is_anybodys_and_names_nobody() -> None:
    text = b"Mined by 1hash.com"
    outputs = (TxOut(BLOCK, b"\x51"), TxOut(0, bytes([0x6A, len(text)]) + text))
    found = attribute_parts(b"\x03\xe6\xb5\x06", outputs, REGISTRY)
    assert (found.pool, found.rule, found.conflicts) == (None, "weak", ())
    assert found.evidence[0].where == ("outputs[1]", 2, len(text))
    assert found.evidence[0].strength == "weak"
    assert pool_of(b"\x03\xe6\xb5\x06", outputs, REGISTRY) is None


def test_tags_hold_within_their_heights() -> None:
    assert judge(b"/xxxxxx.com/", height=708_622).pool == "poolin"
    assert judge(b"/xxxxxx.com/", height=900_000).pool is None
    assert judge(b"/xxxxxx.com/").pool == "poolin"


def test_a_mask_without_a_name_is_known_by_its_whole_form_and_time() -> None:
    masked = bytes.fromhex("0339d90a04d3d49c61") + b"//\xfa\xbemm" + bytes(40)
    assert judge(masked[4:], height=710_969).pool is None
    assert (judge(masked, height=710_969).pool, judge(masked, height=900_000).pool) == (
        "poolin",
        None,
    )


def test_labels_are_the_weakest() -> None:
    coinbase = parse_coinbase(build_coinbase(830_000, b"/ViaBTC/", [TxOut(BLOCK, b"\x51")]))
    label = Label("btcpool(unidentified)", "sorukumar")
    tagged = attribute(coinbase, REGISTRY, height=830_000, label=label)
    assert (tagged.pool, tagged.rule) == ("viabtc", "tag")
    assert [e.kind for e in tagged.conflicts] == ["label"]
    alone = attribute(None, REGISTRY, label=label)
    assert (alone.pool, alone.rule) == ("btcpoolunidentified", "label")
    assert alone.evidence[0].source == "sorukumar"
    nobody = attribute(None, REGISTRY, label=Label("unknown", "sorukumar"))
    assert (nobody.pool, nobody.rule, nobody.evidence) == (None, "none", ())
    assert nobody.registry_version == REGISTRY.version


def test_a_strong_pattern_tag_and_its_anchor() -> None:
    registry = parse_registry(
        """
        [sources]
        s = "here"
        [[pool]]
        slug = "rotating"
        name = "Rotating"
        tags = [{ pattern = 'url/[0-9a-f]{8}', anchor = "url/", sources = ["s"], note = "rotates" }]
        """
    )
    for text, pool in ((b".url/0123abcd.", "rotating"), (b"url/xyz", None)):
        assert pool_of(text, (), registry) == pool
        assert pools_of([text], registry) == [pool]
        found = attribute_parts(text, (), registry)
        assert found.pool == pool
    assert attribute_parts(b"..url/0123abcd", (), registry).evidence[0].matched == b"url/0123abcd"


PIECES = [tag.literal for tag in REGISTRY.tags] + [b"Mined by ", b"\x0f", b"/", b"\xfa\xbemm"]
STARTS = [b"", b"\x03\x01\x02\x03\x20Lazarus\x0f", b"/ViaBTC/Mined by ", b"OCEAN.XYZ\x0f"]


@pytest.mark.slow
@given(
    st.tuples(
        st.sampled_from(STARTS),
        st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=20),
    ).map(lambda parts: parts[0] + b"".join(parts[1])),
    st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1),
            st.one_of(st.binary(max_size=60), st.sampled_from(sorted(REGISTRY.payouts))),
        ),
        max_size=5,
    ),
)
def test_any_bytes_are_read_and_all_paths_agree(
    script_sig: bytes, pays: list[tuple[int, bytes]]
) -> None:
    outputs = [TxOut(value, script) for value, script in pays]
    found = attribute_parts(script_sig, outputs, REGISTRY)
    assert pool_of(script_sig, outputs, REGISTRY) == found.pool
    assert pools_of([b"/", script_sig], REGISTRY, [(), outputs])[1] == found.pool
    for item in found.evidence:
        if item.kind == "tag":
            place = item.where
            data = script_sig
            if place.field != "script_sig":
                data = outputs[int(re.sub(r"\D", "", place.field))].script
            assert data[place.offset : place.offset + place.length] == item.matched
    assert all(item in found.evidence for item in found.conflicts)


@pytest.mark.slow
def test_hostile_sizes_take_linear_time() -> None:
    huge = b"Mined by AntPoolEMC /ViaBTC/F2Pool" * 5_000
    outputs = (TxOut(1, b"\x6a" + huge),) + (TxOut(0, b"\x6a"),) * 20_000
    found = attribute_parts(huge, outputs, REGISTRY)
    assert Counter(e.kind for e in found.evidence)["tag"] > 25_000


def test_an_empty_registry_is_no_registry() -> None:
    with pytest.raises(ValueError, match=r"at least one \[\[pool\]\]"):
        parse_registry("")
    assert isinstance(REGISTRY, Registry)


NAME = b"Foundry USA Pool"


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        (b"OCEAN.XYZ " + NAME, "ocean"),
        (b"< OCEAN.XYZ >\x0fbob\x00" + NAME, "ocean"),
        (b"< OCEAN.XYZ >\x00\x0f" + NAME + b"\x0f", "ocean"),
        (b"\x09/F2Pool/\x10Mined by " + NAME, "f2pool"),
        (b"/F2Pool/ Mined by a b " + NAME, "f2pool"),
        ("🐟\x05Mined by user ".encode() + NAME, "f2pool"),
        ("七彩神仙鱼".encode() + b"\x00\x00" + NAME, "f2pool"),
        (b"/ViaBTC/Mined by a/b " + NAME + b"/", "viabtc"),
        (b"/ViaBTC/Mined by F2Pool " + NAME + b"/", "viabtc"),
        (b"/DMND/" + NAME + b"/", "dmnd"),
        (b"ckpool\x05/Kano /" + NAME + b"/", "kanopool"),
        (b"\x03\x01\x02\x03\x20/BTC.TOP/\x0f" + NAME + b"\x00" + NAME, "btctop"),
        (NAME + b" OCEAN.XYZ", "foundryusa"),
    ],
)
def test_what_a_miner_writes_never_names_another_pool(text: bytes, pool: str) -> None:
    found = judge(b"\x03\x10\x96\x0e" + text if text[:1] != b"\x03" else text)
    assert found.pool == pool
    if pool != "foundryusa":
        assert found.conflicts == ()
        assert {e.strength for e in found.evidence if e.pool == "foundryusa"} <= {"weak", "covered"}


@pytest.mark.parametrize(
    "text",
    [
        *(b"/Apollo II solo/", b"Apollo", b"Deluxe Luxor hotel", b"/memcdb/", b"AHHTTP", b"HHTTP"),
        *(b"down with binance!", b"binance", b"Kanonical", b"the /Kanoe/", b"/pooling/"),
        *(b"a parasite here", b"my EMC is", b"reward 50BTC", b"150BTC", b"emcdx", b"xEligius"),
        *(b"Our Public Pool of", b"a Lucky pool", b"Carbon Negative now", b"CODEBLACKS"),
    ],
)
def test_words_that_anybody_writes_name_nobody(text: bytes) -> None:
    assert judge(text).pool is None


@pytest.mark.parametrize(
    ("text", "pool"),
    [
        (b"/DMND/bob/", "dmnd"),
        (b"\x05DDxDD\x00", "dmnd"),
        (b"p2p-spb.xyz", "p2pool"),
        (b"://428cd33b-5e41-4fc7-af8f-9941b5a36f55", "uuidminer"),
        (b"://428cd33b-5e41-1fc7-af8f-9941b5a36f55", None),
        (b"pool1/KnoxPool/", "knoxpool"),
        (b"\x0ehydrapool/256f", "256foundation"),
        (b"\nckpool\x12/mined by Lumerin/", "lumerin"),
        (b"\ntitan/jtgrassie\n", "titan"),
        (b"/Mined @ SoloPool.Com/", "solopoolcom"),
        (b"/sololuck.io/", "sololuck"),
        (b"/Rabid Pool/", "rabidpool"),
        (b"\x00bitclockers\xac\x1e\xee\xed\x88", "bitclockers"),
        (bytes(7) + b"bitcl\xac\x1e\xee\xed\x88", "bitclockers"),
        (bytes(7) + b"bitcoin\xac\x1e\xee\xed\x88", None),
        (b"/mined by a Solo FutureBit Apollo/", "futurebitapollosolo"),
        (b"Powered by Luxor Tech/128", "luxor"),
        (b"`binance/fr6", "binancepool"),
        (b"ckpool\r/Kano /BEBOP/", "kanopool"),
        (b"/parasite/", "parasite"),
        (b"\x00HHTT\x00", "hhtt"),
    ],
)
def test_pools_of_later_years_and_words_in_their_place(text: bytes, pool: str | None) -> None:
    assert judge(text).pool == pool


STRANGER = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def elsewhere(found: Attribution) -> list[tuple[str, float, str]]:
    return [(e.pool, e.share, e.source) for e in found.evidence if e.kind == "elsewhere"]


@pytest.mark.parametrize("pool", [pool for pool in REGISTRY if pool.settled])
def test_a_settled_pool_that_pays_a_stranger_is_told(pool: Pool) -> None:
    assert pool.settled is not None
    assert pool.settled.first is not None
    assert pool.settled.last is not None
    tag = next(tag.literal for tag in pool.tags if tag.strength == "strong" and not tag.pattern)
    known = pool.payouts[0].address
    told = [(pool.slug, 1.0, f"pays none of the {len(pool.payouts)} known scripts")]
    for height in (None, pool.settled.first, pool.settled.last + SETTLED_LASTS):
        assert elsewhere(judge(tag, (STRANGER, BLOCK), height=height)) == told
    for height in (pool.settled.first - 1, pool.settled.last + SETTLED_LASTS + 1):
        assert elsewhere(judge(tag, (STRANGER, BLOCK), height=height)) == []
        before = push_height(height) + tag
        assert elsewhere(judge(before, (STRANGER, BLOCK))) == [], "its own height counts"
    assert elsewhere(judge(tag, (STRANGER, BLOCK), (known, 1))) == []
    assert elsewhere(judge(tag)) == []
    assert elsewhere(judge(tag, (STRANGER, 0))) == []


@pytest.mark.parametrize("slug", ["ocean", "solock", "ckpool", "p2pool", "braiinspool", "poolin"])
def test_pools_that_pay_miners_or_whose_scripts_change_are_not_judged(slug: str) -> None:
    tag = next(t.literal for t in REGISTRY.pools[slug].tags if t.strength == "strong")
    found = judge(tag, (STRANGER, BLOCK), height=900_000)
    assert (found.pool, elsewhere(found)) == (slug, [])


def test_no_real_block_of_a_settled_pool_pays_a_stranger() -> None:
    for real in real_coinbases():
        if real.outputs:
            found = attribute_parts(real.script_sig, real.outputs, REGISTRY, height=real.height)
            assert elsewhere(found) == [], real.key


def test_random_letters_name_nobody() -> None:
    letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    chance = random.Random(7)
    texts = [bytes(chance.choices(letters, k=100)) for _ in range(20_000)]
    assert [pool for pool in pools_of(texts, REGISTRY) if pool] == []
