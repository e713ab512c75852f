"""Reads contracts/fixtures: one JSON file a case, which says what it is about and what must come of it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"


def cases(kind: str, validity: str) -> list[Any]:
    """The fixtures of contracts/fixtures/<kind>/<validity>, of a record kind those beside its declaration, as pytest
    parameters, named by their files."""
    own = CONTRACTS / "kinds" / kind / "fixtures"
    folder = (own if own.is_dir() else CONTRACTS / "fixtures" / kind) / validity
    return [pytest.param(json.loads(path.read_text("utf-8")), id=path.stem) for path in sorted(folder.glob("*.json"))]


def content_of(case: dict[str, Any]) -> bytes:
    """The bytes of a case: its `instance` as compact JSON, or the exact bytes given as text or base64."""
    for name in ("line", "content"):
        if name in case:
            return str(case[name]).encode()
        if f"{name}_base64" in case:
            return base64.b64decode(case[f"{name}_base64"], validate=True)
    return json.dumps(_repeated(case), separators=(",", ":")).encode()


def prefix_of(request: pytest.FixtureRequest) -> str:
    """The reason code that the file's name promises: `<reason_code>.<case>.json`."""
    return str(request.node.callspec.id).split(".")[0]


def _repeated(case: dict[str, Any]) -> Any:
    """The instance; with `repeat_asset` n, a manifest whose one asset stands n times under numbered names."""
    instance = case["instance"]
    if "repeat_asset" in case:
        (asset,) = instance["assets"]
        stem = asset["source_id"]
        numbered = [{**asset, "source_id": f"{stem}-{number}"} for number in range(case["repeat_asset"])]
        return {**instance, "assets": numbered}
    return instance
