"""Which sidecars go on with the files that they name, and which are withheld with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loader.gate import inspect_manifest
from loader.ingest.sidecars import JudgedFile, JudgedFiles, withheld_with_their_files
from loader.kinds import load_kinds
from loader.manifest import Manifest, SidecarOf, parse_manifest
from tests.checkouts import ROOT
from tests.transcripts import deliver, transcript

CONTRACTS = ROOT / "contracts"
BEFORE, NOW, AFTER = "batch-20260416-001", "batch-20260417-001", "batch-20260417-0002"


def _transcript(folder: Path) -> Manifest:
    """A manifest of one transcript, of `call.wav`."""
    path = deliver(folder, "texts", {"call.wav-2026-04-17.jsonl": transcript(1)})
    body = {**json.loads(path.read_bytes()), "batch_id": NOW}
    return parse_manifest(json.dumps(body).encode(), path)


def _call(batch_id: str, *, admitted: bool, kind: str = "call_v1", source_id: str = "call.wav") -> JudgedFile:
    return JudgedFile(SidecarOf(f"calls-{batch_id}", source_id), kind, batch_id, admitted)


GOOD, BAD = True, False
CASES = {
    "of nobody has declared it": ([], True),
    "came with it, admitted": ([_call(NOW, admitted=GOOD)], True),
    "came with it, not admitted": ([_call(NOW, admitted=BAD)], False),
    "came before, not admitted": ([_call(BEFORE, admitted=BAD)], False),
    "came before, admitted": ([_call(BEFORE, admitted=GOOD)], True),
    "came anew, not admitted": ([_call(BEFORE, admitted=GOOD), _call(NOW, admitted=BAD)], False),
    "mended by a later batch": ([_call(NOW, admitted=BAD), _call(AFTER, admitted=GOOD)], True),
    "not mended by a later one": ([_call(NOW, admitted=BAD), _call(AFTER, admitted=BAD)], False),
    "twice, once admitted": ([_call(NOW, admitted=BAD), _call(NOW, admitted=GOOD)], True),
    "a video is as good": ([_call(NOW, admitted=GOOD, kind="video_v1")], True),
    "an image is no recording": ([_call(NOW, admitted=BAD, kind="image_v1")], True),
    "another file": ([_call(NOW, admitted=BAD, source_id="other.wav")], True),
}


@pytest.mark.parametrize("case", CASES)
def test_a_sidecar_goes_where_the_file_goes_that_it_names(tmp_path: Path, case: str) -> None:
    """Prevents words of a recording that nobody may hear from reaching readers, and a transcript that waits for good
    although its recording was mended, or was there all the time."""
    known, goes_on = CASES[case]
    report = inspect_manifest(_transcript(tmp_path), tmp_path)
    (judged,) = withheld_with_their_files(report, JudgedFiles(known), load_kinds(CONTRACTS)).assets
    expected = ("admitted", ()) if goes_on else ("withheld", ("media_not_admitted",))
    assert (judged.judgement.disposition, judged.judgement.reason_codes) == expected
