"""Choosing where blocks come from, and saying which and why.

``auto`` takes the first that answers: a local node, a public API, the built-in sample. A
public API learns from us what we look at, so it is asked only after saying so, and never
when offline. The sample is no substitute once a store holds live blocks, nor is it written to
a store that was named: that one could never take the live chain again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.config import Settings
from monitor.errors import ConfigError, SourceError
from monitor.sources.base import BlockRef, BlockSource
from monitor.urls import shown

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Choice:
    """The sources to follow, the preferred one first, all of one kind.

    `synthetic` is empty for the live chain, else what `Capabilities.synthetic` says.
    """

    sources: Sequence[BlockSource]
    synthetic: str = ""


async def choose_sources(
    settings: Settings, *, live_store: bool, reached: Mapping[str, BlockRef]
) -> Choice:
    """Return the sources to follow by the settings.

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
    match settings.source:
        case "bitcoind":
            nodes = node_sources(settings)
            if not nodes:
                raise ConfigError(
                    f"no {settings.network} node found: no cookie in the usual datadirs; name "
                    "one with --bitcoind http://USER:PASSWORD@HOST:PORT"
                )
            return Choice(nodes)
        case "blkfiles":
            from monitor.sources.blkfiles import BlkFilesSource

            if settings.blkfiles.dir is None:
                raise ConfigError(
                    "source blkfiles needs the blocks folder of a bitcoind: give --blocks-dir"
                )
            return Choice([BlkFilesSource(settings.blkfiles.dir, settings.network)])
        case "esplora":
            if settings.offline:
                raise ConfigError("source esplora asks public APIs, and --offline forbids that")
            return Choice(api_sources(settings))
        case "sample":
            return _sample(settings, reached)
        case "rehearsal":
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
        case "auto":
            return await _first_that_answers(settings, live_store=live_store, reached=reached)


async def _first_that_answers(
    settings: Settings, *, live_store: bool, reached: Mapping[str, BlockRef]
) -> Choice:
    nodes = node_sources(settings)
    if await _one_answers(nodes):
        log.info("source: a bitcoind node of your own")
        return Choice(nodes)
    log.info("source: no bitcoind node %s", "answers" if nodes else "found on this machine")
    apis: list[BlockSource] = []
    if not settings.offline:
        hosts = ", ".join(shown(url) for url in settings.esplora.urls)
        log.info("source: asking public APIs (%s); --offline forbids that", hosts)
        apis = api_sources(settings)
        if await _one_answers(apis):
            log.info("source: a public API; every block proves itself before it is believed")
            return Choice(apis)
        log.info("source: no public API answers")
    if (live_store or settings.store) and (nodes or apis):
        log.warning("source: nothing answers; serving what is stored, trying again")
        return Choice([*nodes, *apis])
    log.warning("source: the built-in SAMPLE of real blocks of 2023/24; it is not the live chain")
    return _sample(settings, reached)


def _sample(settings: Settings, reached: Mapping[str, BlockRef]) -> Choice:
    from monitor.sources.sample import SampleSource

    if settings.network != SampleSource.network:
        raise ConfigError(
            f"no source for {settings.network}: the sample is of mainnet; name a node with "
            "--bitcoind, or take --source rehearsal"
        )
    tip = reached.get("sample")
    return Choice([SampleSource(settings.sample.speed, tip.height if tip else None)], "sample")


def node_sources(settings: Settings) -> list[BlockSource]:
    """Return a source for each configured node, or for each that this machine shows."""
    from monitor.sources.bitcoind import BitcoindSource
    from monitor.sources.bitcoind_find import find_local_node

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
    ] or [
        BitcoindSource(
            found.url,
            user=found.user,
            password=found.password,
            cookie=found.cookie,
            network=settings.network,
            left_out=found.left_out,
        )
        for found in find_local_node(settings.network)
    ]
    return _numbered([_with_files(node, settings) for node in nodes])


def _with_files(node: BlockSource, settings: Settings) -> BlockSource:
    """Let a node's past come from its block files, where the settings name them."""
    if settings.blkfiles.dir is None:
        return node
    from monitor.sources.blkfiles import BlkFilesSource
    from monitor.sources.paired import NodeWithFiles

    return NodeWithFiles(node, BlkFilesSource(settings.blkfiles.dir, settings.network))


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


def _numbered(sources: list[BlockSource]) -> list[BlockSource]:
    """Tell sources of one kind apart: the second and later ones get a number."""
    for number, source in enumerate(sources[1:], start=2):
        source.name = f"{source.name}-{number}"
    return sources


async def _one_answers(sources: Sequence[BlockSource]) -> bool:
    for source in sources:
        try:
            await source.open()
        except SourceError as error:
            log.info("source: %s", error)
        else:
            return True
    return False
