"""Condense recordings of real nodes into ``tests/vectors/bitcoind_shapes.json``.

    python tools/make_bitcoind_shapes.py RECORDINGS

Kept are request, status, headers and the shape of the body: keys, types, and the literal
words that a client may depend on. Hashes and bytes are left out; in requests a hash becomes
the role that its block played.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "bitcoind_shapes.json"
SOURCE = (
    "Replies of Bitcoin Core 30.0, 31.0 and master (2026-08) on regtest, recorded for this "
    "project on 2026-11-22; condensed by tools/make_bitcoind_shapes.py"
)
LITERAL_KEYS = {"chain", "code", "jsonrpc", "message", "status", "type"}
VARYING_HEADERS = {"Date", "Content-Length"}
HASH = re.compile(r"[0-9a-f]{64}")
# The recordings of releases name no request; these are what they show.
RELEASE_REQUESTS: dict[str, Any] = {
    "err_401": {"auth": "wrong"},
    "err_block_not_found": {"method": "getblock", "params": ["0" * 64, 1], "id": 1},
    "getblock_1": {"method": "getblock", "params": ["<tip>", 1], "id": 1},
    "getblockchaininfo": {"method": "getblockchaininfo", "params": [], "id": 1},
    "getblockheader": {"method": "getblockheader", "params": ["<tip>"], "id": 1},
    "getchaintips": {"method": "getchaintips", "params": [], "id": 1},
    "getnetworkinfo": {"method": "getnetworkinfo", "params": [], "id": 1},
    "rest_blockpart": {"GET": "/rest/blockpart/<tip>.bin?offset=80&size=20"},
    "rest_headers": {"GET": "/rest/headers/<tip>.bin?count=1"},
}
NOT_OFFERED = re.compile(
    r"estimate|sendraw|zmq|getblock_[23]|getblock_1_generate|err_getblockstats|getblockstats|"
    r"getblocktemplate|getchaintips_(after|invalid|linear)|getchaintx|getdeploy|getdiff|getindex|"
    r"getmem|getmining|getnet(totals|workhashps)|getpeer|getraw|getrpc|rest_(mempool|deploy)|"
    r"rest_block_json"
)
"""Recordings of what the test node does not offer, because poolscope never asks for it."""


def shape(value: Any, key: str = "") -> Any:
    """Return the shape of a JSON value."""
    if isinstance(value, dict):
        return {name: shape(member, name) for name, member in value.items()}
    if isinstance(value, list):
        members = {json.dumps(shape(member), sort_keys=True) for member in value}
        return [json.loads(member) for member in sorted(members)]
    if key in LITERAL_KEYS and isinstance(value, str | int):
        return HASH.sub("<hash>", value) if isinstance(value, str) else value
    if isinstance(value, str):
        return "<hash>" if HASH.fullmatch(value) else "<text>"
    return f"<{type(value).__name__}>"


def body_shape(content_type: str, body: bytes) -> Any:
    """Return the shape of a reply's body."""
    if content_type == "application/json":
        return shape(json.loads(body))
    if content_type == "application/octet-stream":
        return "<bytes>"
    text = HASH.sub("<hash>", body.decode())
    return "<hex line>" if re.fullmatch(r"([0-9a-f]{2}|<hash>)+\n", text) else text


def request_of(name: str, recording: dict[str, Any]) -> Any:
    """Return the request with roles in place of hashes."""
    request = json.dumps(recording["request"])
    role = next(
        (
            role
            for role in ("stale", "genesis", "pruned")
            if f"_{role}" in name and name != "getblockchaininfo_pruned"
        ),
        "first" if name.startswith("rest_headers_") else "tip",
    )
    return json.loads(
        HASH.sub(lambda m: m[0] if set(m[0]) in ({"0"}, {"z"}) else f"<{role}>", request)
    )


def recorded_body(path: Path, recording: dict[str, Any]) -> bytes:
    """Return the bytes of a recorded body."""
    raw = path.with_suffix(".body")
    if raw.exists():
        return raw.read_bytes()
    if "body_hex" in recording:
        return bytes.fromhex(recording["body_hex"])
    if "body_text" in recording:
        text: str = recording["body_text"]
        # Texts beyond ASCII were recorded as if they were Latin-1.
        return text.encode("latin-1")
    body = recording["body"]
    return body.encode("latin-1") if isinstance(body, str) else json.dumps(body).encode()


def exchange(flavour: str, path: Path, request: Any) -> dict[str, Any]:
    """Return one condensed exchange."""
    recording = json.loads(path.read_text())
    headers = {k: v for k, v in recording["headers"] if k not in VARYING_HEADERS}
    body = recorded_body(path, recording)
    return {
        "name": path.stem,
        "flavour": flavour,
        "request": request_of(path.stem, recording) if request is None else request,
        "status": recording["status"],
        "headers": headers,
        "body": body_shape(headers.get("Content-Type", ""), body),
    }


def zmq_shape(frames: list[dict[str, Any]]) -> list[list[Any]]:
    """Return topic, body length (None where it varies) and label of each message."""
    return [
        [
            frame["topic"],
            None if frame["topic"].startswith("raw") else frame["body_len"],
            frame.get("decoded", {}).get("label"),
        ]
        for frame in frames
    ]


def main(recordings: Path) -> None:
    """Write the vector file."""
    exchanges = [
        exchange(flavour, recordings / flavour / f"{name}.json", request)
        for flavour in ("core-30.0", "core-31.0")
        for name, request in RELEASE_REQUESTS.items()
    ]
    exchanges += [
        exchange("core-master", path, None)
        for path in sorted(recordings.glob("core-master/*.json"))
        if not NOT_OFFERED.match(path.stem)
    ]
    for entry in exchanges:
        entry["flavour"] = entry["flavour"].removesuffix(".0")
    frames = json.loads((recordings / "core-master" / "zmq_frames.json").read_text())
    fork = next(
        i
        for i, frame in enumerate(frames["reorg_part"])
        if frame.get("decoded", {}).get("label") == "D" and i > 20
    )
    content = {
        "source": SOURCE,
        "zmq": {
            "one block": zmq_shape(frames["first_80"][:5]),
            "reorg of one block": zmq_shape(frames["reorg_part"][fork - 2 : fork + 9]),
        },
        "exchanges": exchanges,
    }
    OUTPUT.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
