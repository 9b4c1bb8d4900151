"""What the guide to the API says is held against the API."""

from __future__ import annotations

import re
from pathlib import Path

from monitor.web.endpoints import ENDPOINTS, PREFIX

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")


def test_every_endpoint_is_documented_with_its_parameters() -> None:
    rows = dict(re.findall(r"^\| `(/api/v1/[^`]+)` \| .*? \| (.*?) ?\|$", GUIDE, re.MULTILINE))
    documented = {path: re.findall(r"`(\w+)`", named) for path, named in rows.items()}
    wanted = {PREFIX + e.path: list(e.query.model_fields) for e in ENDPOINTS}
    assert documented == wanted | {f"{PREFIX}/events": [], f"{PREFIX}/openapi.json": []}


def test_every_parameter_is_explained() -> None:
    for endpoint in ENDPOINTS:
        for name in [*endpoint.query.model_fields, *(f"{{{place}}}" for place in endpoint.places)]:
            assert re.search(rf"^- .*`{re.escape(name)}`", GUIDE, re.MULTILINE), name
