"""What a node may refuse, not have, answer late or answer wrong: done without, and said once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from monitor.errors import SourceError, SourceUnavailable
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_errors import METHOD_NOT_FOUND, RpcError
from monitor.sources.bitcoind_methods import WITHOUT
from monitor.sources.reply import Fields

log = logging.getLogger(__name__)

T = TypeVar("T")


class OptionalCalls:
    """The calls that one node need not answer, over all its runs.

    Attributes
    ----------
    temporary:
        Whether something failed since the last `begin` in a way that may pass by itself.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._said: dict[str, tuple[type[SourceError], int]] = {}
        self.temporary = False

    def begin(self) -> None:
        """Look at everything anew: the node was restarted, or out of reach."""
        self.temporary = False

    async def ask(
        self, client: NodeClient, method: str, *params: Any, read: Callable[[Any], T]
    ) -> T | None:
        """Return what `read` makes of the reply to a method, None where there is no good one."""
        try:
            answer = read(await client.aside(method, *params, timeout=client.optional_timeout))
        except SourceError as error:
            if client.closed:
                raise
            self.missed(method, error, WITHOUT[method])
            return None
        self.works(method)
        return answer

    async def fields(self, client: NodeClient, method: str) -> Fields | None:
        """Return the object that a method answers, None where there is none."""
        return await self.ask(client, method, read=lambda reply: Fields(reply, method))

    def missed(self, call: str, error: SourceError, without: str) -> None:
        """Note that a call failed; it is said where it did not fail so before."""
        self.temporary |= isinstance(error, SourceUnavailable)
        code = error.code if isinstance(error, RpcError) else 0
        kind = (type(error), code)
        if self._said.get(call) == kind:
            return
        self._said[call] = kind
        # What a node was built without is no trouble: nobody can mend it.
        level = logging.INFO if code == METHOD_NOT_FOUND else logging.WARNING
        log.log(level, "%s: %s; going on: %s", self._where, error, without)

    def works(self, call: str) -> None:
        """Note that a call was answered."""
        if self._said.pop(call, None) is not None:
            log.info("%s: %s is answered now", self._where, call)
