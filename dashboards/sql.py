"""Questions to the store in PostgreSQL, as Grafana's plug-in takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

STORE: Final = DataSourceRef(type_val="grafana-postgresql-datasource", uid="${store}")


@dataclass(frozen=True, slots=True)
class Sql:
    """A query that yields a column ``time`` and values, or just rows for a table."""

    text: str


class SqlTarget(Dataquery, Builder[Dataquery]):
    """The query of a panel; the library has no type for this plug-in."""

    def __init__(self, query: Sql, *, as_table: bool) -> None:
        self._text = query.text.strip()
        self._format = "table" if as_table else "time_series"

    def build(self) -> Dataquery:
        """Return itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return it as the plug-in stores queries."""
        return {
            "datasource": STORE,
            "editorMode": "code",
            "format": self._format,
            "rawQuery": True,
            "rawSql": self._text,
            "refId": "A",
        }
