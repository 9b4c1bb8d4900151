"""Tell, as JSON over HTTP, what Grafana would find in its container and reach from there."""

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import yaml

PROVISIONING = Path("/etc/grafana/provisioning")
DATA = Path("/var/lib/grafana")


def told() -> dict[str, Any]:
    """Return the dashboards' titles, and what each datasource answers."""
    home = Path(os.environ["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    (DATA / "grafana.db").touch()
    return {
        "home": title(home),
        "dashboards": sorted(
            title(path)
            for provider in provisioned("dashboards", "providers")
            for path in Path(provider["options"]["path"]).glob("*.json")
        ),
        "datasources": {
            source["uid"]: answer(source) for source in provisioned("datasources", "datasources")
        },
    }


def provisioned(kind: str, items: str) -> Iterator[dict[str, Any]]:
    for path in sorted((PROVISIONING / kind).glob("*.yml")):
        yield from yaml.safe_load(os.path.expandvars(path.read_text()))[items]


def title(dashboard: Path) -> str:
    name: str = json.loads(dashboard.read_text())["title"]
    return name


def answer(source: dict[str, Any]) -> Any:
    """Return Prometheus' tip height; blocks in PostgreSQL and why none can be deleted."""
    try:
        if source["type"] == "prometheus":
            query = f"{source['url']}/api/v1/query?query=poolscope_tip_height"
            with urllib.request.urlopen(query, timeout=30) as reply:
                return json.load(reply)["data"]["result"]
        host, _, port = source["url"].partition(":")
        with psycopg.connect(
            host=host,
            port=port,
            user=source["user"],
            password=source["secureJsonData"]["password"],
            dbname=source["jsonData"]["database"],
        ) as reader:
            (count,) = reader.execute("SELECT count(*) FROM block").fetchone() or (None,)
            try:
                reader.execute("DELETE FROM block")
            except psycopg.Error as refused:
                return [count, type(refused).__name__]
            return [count, "deleted"]
    except (OSError, psycopg.Error) as error:
        return repr(error)


class Handler(BaseHTTPRequestHandler):
    """Answers the health check, and everything else with what is told."""

    def do_GET(self) -> None:
        """Answer one request."""
        body = b"ok" if self.path == "/api/health" else json.dumps(told()).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    ThreadingHTTPServer(("", 3000), Handler).serve_forever()
