"""RPC methods that a node may refuse, not have, answer late or answer wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from monitor.errors import SourceError
from monitor.reply import Fields
from monitor.sources.bitcoind_client import NodeClient
from monitor.sources.bitcoind_errors import is_unknown
from monitor.sources.bitcoind_methods import WITHOUT
from monitor.sources.missing import Missing

T = TypeVar("T")


class OptionalCalls(Missing):
    """The calls that one node need not answer, over all its runs."""

    async def ask(
        self, client: NodeClient, method: str, *params: Any, read: Callable[[Any], T]
    ) -> T | None:
        """Return what `read` makes of the reply to a method, None where there is no good one."""
        try:
            answer = read(await client.aside(method, *params, timeout=client.optional_timeout))
        except SourceError as error:
            if client.closed:
                raise
            self.missed_method(method, error)
            return None
        self.works(method)
        return answer

    async def fields(self, client: NodeClient, method: str) -> Fields | None:
        """Return the object that a method answers, None where there is none."""
        return await self.ask(client, method, read=lambda reply: Fields(reply, method))

    def missed_method(self, method: str, error: SourceError) -> None:
        """Note that a method failed. One that a node was built without is no cause for alarm."""
        self.missed(method, error, WITHOUT[method], expected=is_unknown(error))
