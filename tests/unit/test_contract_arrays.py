"""What a reject says of a long array: it is looked at some items at a time, and told of as a whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from loader.contract.record import RejectedRecord
from loader.kinds import Ruleset, load_ruleset

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
# The tags of a document are at most so many here: more than are looked at at a time.
BOUNDS = {"minItems": 2, "maxItems": 150}


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    folder = tmp_path_factory.mktemp("rules") / "contracts"
    shutil.copytree(CONTRACTS, folder)
    schema = folder / "kinds" / "document_v1" / "schema.json"
    contract = json.loads(schema.read_bytes())
    contract["properties"]["tags"] |= BOUNDS
    schema.write_text(json.dumps(contract), "utf-8")
    return load_ruleset(folder, "document_v1")


def explained(ruleset: Ruleset, tags: list[object]) -> list[str]:
    document = {
        "source_id": "a.md",
        "source_type": "document_collection",
        "asset_type": "markdown",
        "license": "CC0-1.0",
        "captured_at": "2026-04-17T00:00:00Z",
        "media_type": "text/markdown",
        "word_count": 1,
        "size_bytes": 1,
        "content_sha256": "0" * 64,
        "tags": tags,
    }
    judged = ruleset.judge(json.dumps(document).encode())
    assert isinstance(judged, RejectedRecord), judged
    return judged.message.split("; ")


@pytest.mark.parametrize("count", [151, 200, 201, 10_000])
def test_an_array_that_is_too_long_is_told_by_its_own_length(bounded: Ruleset, count: int) -> None:
    """Prevents: a bound of more items than are looked at at a time ends the run; 10,000 tags are told as 100."""
    assert explained(bounded, ["x"] * count) == [f"$.tags: expected maxItems 150, got an array of {count}"]


def test_an_item_is_named_by_its_place_and_the_rest_is_no_array_of_its_own(bounded: Ruleset) -> None:
    """Prevents: the last item of 101 told as an array that is too short."""
    assert explained(bounded, ["x"] * 100 + [7]) == ["$.tags[100]: expected string, got a number"]
    assert explained(bounded, ["x"]) == ["$.tags: expected minItems 2, got an array of 1"]
