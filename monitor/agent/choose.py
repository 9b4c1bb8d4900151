"""Choosing where blocks come from: an order of preference, for as long as the agent runs.

Sources that the settings name are asked in their order, and waited for; nothing else is asked
in their place. Only where nothing is named is something looked for: a node on this machine,
then public APIs, then the built-in sample. A public API learns from us what we look at, so it
is asked only after saying so, never when offline, and never because a node of this machine is
away for a moment. The sample is no substitute once a store holds live blocks, nor is it
written to a store that was named: that one could never take the live chain again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hashing.header import BlockRef
from monitor.agent.roster import Standby
from monitor.config import EsploraSettings, Settings
from monitor.errors import ConfigError, SourceError, SourceStarting
from monitor.sources.base import BlockSource
from monitor.urls import shown

if TYPE_CHECKING:
    from monitor.sources.bitcoind_find import NodeCandidate

log = logging.getLogger(__name__)

LEAVE_NODE_AFTER: Final = 300.0
"""Seconds that a node of this machine may be away before public APIs are asked that nobody
named."""
LOOK_AGAIN: Final = 60.0
"""Seconds between looks for something else than the sample."""
_PATIENCE: Final = 10.0
"""Seconds that a source may take to answer while none is chosen yet."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The sources to follow, the preferred one first, all of one kind.

    `synthetic` is empty for the live chain, else what `Capabilities.synthetic` says. `find`
    returns nodes of this machine that have appeared since; they come before the source at the
    place `find_before`. `standby` comes last. `makeshift` says that the sample is shown only
    because nothing else answers.
    """

    sources: Sequence[BlockSource]
    synthetic: str = ""
    find: LocalNodes | None = None
    find_before: int = 0
    standby: Sequence[Standby] = ()
    makeshift: bool = False

    @property
    def all(self) -> list[BlockSource]:
        """All sources that are known now."""
        found = self.find.found if self.find else []
        standby = [late.source for late in self.standby]
        return list(dict.fromkeys([*self.sources, *found, *standby]))

    def in_order(self) -> tuple[list[BlockSource], int]:
        """Return `sources` with what was found since in its place, and the place behind that."""
        found = self.find.found if self.find else []
        late = [source for source in found if source not in self.sources]
        place = self.find_before
        return [*self.sources[:place], *late, *self.sources[place:]], place + len(late)


async def choose_sources(
    settings: Settings, *, live_store: bool, reached: Mapping[str, BlockRef]
) -> Choice:
    """Return the sources to follow by the settings.

    Only where the settings name none, and no store of the live chain is there, is anything
    asked now.

    Parameters
    ----------
    live_store:
        Whether the store of the live chain holds blocks already.
    reached:
        Tip of the store of a synthetic chain, by its name.

    Raises
    ------
    ConfigError
        If what the settings demand cannot be used.
    """
    match settings.sources:
        case ("sample",):
            return _sample(settings, reached)
        case ("rehearsal",):
            return _rehearsal(settings, reached)
        case ("auto",):
            if named := _named(settings):
                return _beside(settings, named)
            return await _found(settings, live_store, reached)
        case names:
            return _in_order(settings, names)


def _named(settings: Settings) -> list[str]:
    """Return what the settings name though `source` does not."""
    named = []
    if settings.bitcoind:
        named.append("bitcoind")
    if settings.blkfiles.dir is not None:
        named.append("blkfiles")
    if settings.esplora.urls != EsploraSettings().urls:
        if settings.offline:
            log.warning("source: --offline forbids to ask the APIs of esplora.urls")
        else:
            named.append("esplora")
    return named


def _in_order(settings: Settings, names: Sequence[str]) -> Choice:
    """Return the sources of these names, to be asked in this order and no other."""
    sources: list[BlockSource] = []
    find, place = None, 0
    for name in names:
        match name:
            case "bitcoind" if settings.bitcoind:
                sources += node_sources(settings)
            case "bitcoind":
                find = LocalNodes(settings)
                sources += find()
                place = len(sources)
            case "blkfiles":
                sources.append(file_source(settings))
            case "esplora":
                sources += _named_apis(settings)
    return Choice(sources, find=find, find_before=place)


def _beside(settings: Settings, named: Sequence[str]) -> Choice:
    """Return what is named by settings of its own: node, files, API, in this order.

    The files of a node that is named stand in for it; without one, a node that this machine
    shows stands in for what is named.
    """
    if "bitcoind" in named:
        files = [Standby(file_source(settings))] if "blkfiles" in named else []
        rest = [name for name in named if name != "blkfiles"]
        choice = _in_order(settings, rest)
        return Choice(choice.sources, standby=files)
    choice = _in_order(settings, [*named, "bitcoind"])
    return Choice(choice.sources, find=choice.find, find_before=choice.find_before)


async def _found(settings: Settings, live_store: bool, reached: Mapping[str, BlockRef]) -> Choice:
    """Look for a source: a node on this machine, public APIs, the sample."""
    find = LocalNodes(settings)
    nodes = find()
    apis = _usual_apis(settings)
    standby = [Standby(api, LEAVE_NODE_AFTER) for api in apis]
    live = Choice(nodes, find=find, find_before=len(nodes), standby=standby)
    hosts = ", ".join(shown(url) for url in settings.esplora.urls)
    if live_store or settings.store or settings.network != "mainnet":
        asked = f", else public APIs ({hosts}; --offline forbids that)" if apis else ""
        log.info("source: a bitcoind node of this machine%s; trying until one answers", asked)
        return live
    if await _one_answers(nodes, logging.INFO):
        log.info("source: a bitcoind node of your own")
        return live
    log.info("source: no bitcoind node %s", "answers" if nodes else "found on this machine")
    if apis:
        log.info("source: asking public APIs (%s); --offline forbids that", hosts)
        if await _one_answers(apis, logging.INFO):
            log.info("source: a public API; every block proves itself before it is believed")
            return live
        log.info("source: no public API answers")
    log.warning(
        "source: the built-in SAMPLE of real blocks of 2023/24; it is not the live chain, which "
        "is shown as soon as a source of it answers"
    )
    for source in live.all:
        await source.close()
    return Choice(_sample(settings, reached).sources, "sample", makeshift=True)


async def until_live(settings: Settings) -> str:
    """Look for a source of the live chain once a minute; return the name of one that answers."""
    find = LocalNodes(settings)
    apis = _usual_apis(settings)
    try:
        while True:
            await asyncio.sleep(LOOK_AGAIN)
            find()
            for source in [*find.found, *apis]:
                if await _one_answers([source], logging.DEBUG):
                    return source.name
    finally:
        for source in [*find.found, *apis]:
            await source.close()


def _rehearsal(settings: Settings, reached: Mapping[str, BlockRef]) -> Choice:
    from monitor.sources.rehearsal import RehearsalSource
    from monitor.sources.rehearsal_chain import Silence

    tip = reached.get("rehearsal")
    rehearsal = RehearsalSource(
        settings.rehearsal.seed,
        settings.rehearsal.speed,
        fork_probability=settings.rehearsal.fork_probability,
        fork_depth=settings.rehearsal.fork_depth,
        silences=[Silence(s.height, s.seconds) for s in settings.rehearsal.silences],
        resume_height=tip.height if tip else None,
        resume_hash=tip.hash if tip else None,
    )
    return Choice([rehearsal], "rehearsal")


def _sample(settings: Settings, reached: Mapping[str, BlockRef]) -> Choice:
    from monitor.sources.sample import SampleSource

    if settings.network != SampleSource.network:
        raise ConfigError(
            f"no source for {settings.network}: the sample is of mainnet; name a node with "
            "--bitcoind, or take --source rehearsal"
        )
    tip = reached.get("sample")
    return Choice([SampleSource(settings.sample.speed, tip.height if tip else None)], "sample")


class LocalNodes:
    """The nodes that this machine shows: each call returns those that are new."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: set[NodeCandidate] = set()
        self.found: list[BlockSource] = []
        """All that were returned so far."""

    def __call__(self) -> list[BlockSource]:
        """Look in the usual places; nothing is contacted."""
        from monitor.sources.bitcoind import BitcoindSource
        from monitor.sources.bitcoind_find import find_local_node

        new: list[BlockSource] = []
        for node in find_local_node(self._settings.network):
            if node in self._known:
                continue
            self._known.add(node)
            try:
                source = BitcoindSource(
                    node.url,
                    user=node.user,
                    password=node.password,
                    cookie=node.cookie,
                    network=self._settings.network,
                    left_out=node.left_out,
                )
            except ConfigError as error:
                log.warning("source: the node of %s cannot be used: %s", node.found_in, error)
                continue
            new.append(_with_files(source, self._settings))
        for number, added in enumerate(new, start=len(self.found) + 1):
            added.name = added.name if number == 1 else f"{added.name}-{number}"
        self.found += new
        return new


def node_sources(settings: Settings) -> list[BlockSource]:
    """Return a source for each configured node."""
    from monitor.sources.bitcoind import BitcoindSource

    nodes: list[BlockSource] = [
        BitcoindSource(
            node.url,
            user=node.user,
            password=node.password.get_secret_value(),
            cookie=node.cookie,
            datadir=node.datadir,
            network=settings.network,
            log_in=node.login == "auto",
            headers=node.sent_headers,
            rest=node.rest,
            zmq=node.zmq,
        )
        for node in settings.bitcoind
    ]
    return _numbered([_with_files(node, settings) for node in nodes])


def _with_files(node: BlockSource, settings: Settings) -> BlockSource:
    """Let a node's past come from its block files, where the settings name them."""
    if settings.blkfiles.dir is None:
        return node
    from monitor.sources.paired import NodeWithFiles

    return NodeWithFiles(node, file_source(settings))


def file_source(settings: Settings) -> BlockSource:
    """Return the block files that the settings name.

    Raises
    ------
    ConfigError
        If they name none.
    """
    from monitor.sources.blkfiles import BlkFilesSource

    if settings.blkfiles.dir is None:
        raise ConfigError(
            "source blkfiles needs the blocks folder of a bitcoind: give --blocks-dir"
        )
    return BlkFilesSource(settings.blkfiles.dir, settings.network)


def api_sources(settings: Settings) -> list[BlockSource]:
    """Return a source for each configured public API."""
    from monitor.sources.esplora import EsploraSource

    return _numbered(
        [
            EsploraSource(
                url,
                settings.network,
                headers=settings.esplora.sent_headers,
                poll_interval=settings.esplora.poll_interval,
            )
            for url in settings.esplora.urls
        ]
    )


def _named_apis(settings: Settings) -> list[BlockSource]:
    if settings.offline:
        raise ConfigError("source esplora asks public APIs, and --offline forbids that")
    return api_sources(settings)


def _usual_apis(settings: Settings) -> list[BlockSource]:
    """Return the APIs that nobody named; they serve mainnet."""
    if settings.offline or settings.network != "mainnet":
        return []
    return api_sources(settings)


def _numbered(sources: list[BlockSource]) -> list[BlockSource]:
    """Tell sources of one kind apart: the second and later ones get a number."""
    for number, source in enumerate(sources[1:], start=2):
        source.name = f"{source.name}-{number}"
    return sources


async def _one_answers(sources: Sequence[BlockSource], level: int) -> bool:
    """Say whether a source answers, or will by itself; why not is said at this log level."""
    for source in sources:
        try:
            async with asyncio.timeout(_PATIENCE):
                await source.open()
        except SourceStarting as error:
            log.log(level, "source: %s", error)
            return True
        except SourceError as error:
            log.log(level, "source: %s", error)
        except TimeoutError:
            log.log(level, "source: no answer of %s within %.0f s", source.name, _PATIENCE)
        else:
            return True
    return False
