"""Where blocks come from when nothing that was asked answers."""

from monitor.config import load_settings
from monitor.sources.choose import Choice, choose_sources

NOBODY = [{"url": "http://u:p@127.0.0.1:1"}]
"""Nothing listens on port 1."""


async def chosen(*, store: str = "", live_store: bool = False) -> Choice:
    settings = load_settings(None, {"offline": True, "bitcoind": NOBODY, "store": store})
    return await choose_sources(settings, live_store=live_store, reached={})


async def test_the_sample_is_shown_until_there_is_something_else() -> None:
    assert (await chosen()).synthetic == "sample"


async def test_the_sample_never_follows_live_blocks() -> None:
    assert [source.name for source in (await chosen(live_store=True)).sources] == ["bitcoind"]


async def test_the_sample_is_never_written_to_a_store_that_was_named() -> None:
    choice = await chosen(store="sqlite:///named.sqlite")
    assert (choice.synthetic, [source.name for source in choice.sources]) == ("", ["bitcoind"])
