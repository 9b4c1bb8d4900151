"""Who the pools are: their tags, payout scripts and names, each row with its source.

`load_registry` reads the list that ships (``pools.toml``) or another file of the same
format; `analyzers.registry.importers` reads other people's lists as they are;
`analyzers.registry.lenses` says who stands behind a pool, by dated and sourced rows.
"""

from analyzers.registry.loader import load_registry, parse_registry
from analyzers.registry.registry import Registry
from analyzers.registry.values import Payout, Pool, RegistryError, Tag

__all__ = ["Payout", "Pool", "Registry", "RegistryError", "Tag", "load_registry", "parse_registry"]
