"""The OpenAPI document, made from the endpoints."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import models_json_schema

from monitor import __version__
from monitor.answers import ErrorAnswer
from monitor.web.endpoints import ENDPOINTS, PREFIX, Endpoint

_REF = "#/components/schemas/{model}"


def document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    models = {endpoint.answer for endpoint in ENDPOINTS} | {ErrorAnswer}
    _, schemas = models_json_schema(
        [(model, "serialization") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template=_REF,
    )
    paths: dict[str, Any] = {
        PREFIX + endpoint.path: {"get": _operation(endpoint)} for endpoint in ENDPOINTS
    }
    paths[f"{PREFIX}/events"] = {"get": _events()}
    paths[f"{PREFIX}/openapi.json"] = {
        "get": {
            "summary": "This document.",
            "operationId": "openapi",
            "responses": {"200": {"description": "OpenAPI 3.1", "content": _json({})}},
        }
    }
    return json.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "poolscope",
                "version": __version__,
                "description": (
                    "Who mines Bitcoin, how surely, and on what evidence. Answers carry an ETag; "
                    "ask with If-None-Match and get 304 while nothing has changed. Errors are "
                    "JSON; unknown parameters are refused. Intervals are 95 %."
                ),
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": schemas["$defs"]},
        },
        ensure_ascii=False,
    ).encode()


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    parts = endpoint.path.replace("{", "").replace("}", "").split("/")
    return {
        "summary": endpoint.summary,
        "operationId": "_".join(part for part in parts if part),
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": place.description,
                "schema": {"type": "string", "pattern": f"^({place.pattern})$"},
            }
            for name, place in endpoint.places.items()
        ]
        + _parameters(endpoint),
        "responses": {
            "200": {
                "description": (endpoint.answer.__doc__ or "").strip(),
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": _json({"$ref": _REF.format(model=endpoint.answer.__name__)}),
            },
            "304": {"description": "Not changed since the ETag of If-None-Match."},
            "default": {
                "description": "An error: 400, 404, 405, 421, 500 or 503.",
                "content": _json({"$ref": _REF.format(model="ErrorAnswer")}),
            },
        },
    }


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema()
    found = []
    for name, part in schema.get("properties", {}).items():
        kept = {key: value for key, value in part.items() if key not in ("title", "description")}
        found.append(
            {"name": name, "in": "query", "description": part["description"], "schema": kept}
        )
    return found


def _events() -> dict[str, Any]:
    return {
        "summary": "Server-sent events: `overview` at each change, `status` at least every 10 s.",
        "operationId": "events",
        "responses": {
            "200": {
                "description": (
                    "The data of an event is the JSON of /overview or /status. A reader that is "
                    "too slow misses states in between, never the latest."
                ),
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
