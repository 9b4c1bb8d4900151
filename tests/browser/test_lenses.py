"""The page under lenses of each kind: only those of control speak of who could decide."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from analyzers.registry.lenskind import LensKind
from tests.browser.conftest import Open, shown
from tests.support.kinds import LATE, lenses_of_each_kind
from tests.support.webagent import WebAgent, mixed

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebAgent]:
    with WebAgent(tmp_path_factory.mktemp("agent"), lenses=lenses_of_each_kind()) as agent:
        agent.mine(mixed(200))
        yield agent


@pytest.mark.parametrize("kind", LensKind)
async def test_the_sentence_is_of_what_the_lens_groups(visit: Open, kind: LensKind) -> None:
    page = await visit(f"/?window=144&lens={kind.value}")
    await shown(page)
    sentence = page.locator("#sentence")
    said = kind.pools_of("Big")
    await expect(sentence).to_contain_text(f"{said[0].upper()}{said[1:]} found")
    risk, third = page.locator("#risk"), page.locator("#third")
    chances = page.locator("#concentration").get_by_text("Chance of one above a quarter")
    if kind.is_control:
        await expect(sentence).to_contain_text("Its true share of the work")
        await expect(risk).to_contain_text("If Big attacked")
        await expect(third).to_be_visible()
        await expect(chances).to_be_visible()
    else:
        await expect(sentence).not_to_contain_text("share of the work")
        await expect(risk).to_be_hidden()
        await expect(third).to_be_hidden()
        await expect(chances).to_have_count(0)
        await expect(page.locator("#lens-note")).to_contain_text(kind.why_withheld)
        await expect(page.get_by_label("Chance of a third")).to_have_count(0)
        await expect(page.locator("#shares .mark")).to_have_count(0)
    await expect(page.locator("#shares tr").first.get_by_text("weak source")).to_be_visible()
    await page.get_by_text("Who says so").click()
    await expect(page.locator("#lens-sources")).to_contain_text("antpool: Big (s)weak source")


async def test_a_lens_without_a_row_for_the_blocks_says_so(visit: Open) -> None:
    page = await visit(f"/?window=144&lens={LATE}")
    await expect(page.locator("#sentence")).to_contain_text(
        "Late: no row of this lens applies to these blocks."
    )
    await expect(page.locator("#shares-table")).to_be_hidden()
    await expect(page.locator("#concentration")).to_be_hidden()
    await page.get_by_label("Lens").select_option("tag")
    await expect(page.locator("#sentence")).to_contain_text("Of the last 144 blocks")
    await expect(page.locator("#concentration")).to_be_visible()
    await expect(page.locator("#risk")).to_contain_text("If Foundry USA attacked")
