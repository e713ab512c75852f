"""Which sidecars go on with the files that they name, and which are withheld with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loader.config import load_settings
from loader.gate import inspect_manifest
from loader.ingest.sidecars import JudgedFile, JudgedFiles, NamedSidecars, withheld_with_their_files
from loader.kinds import load_kinds
from loader.manifest import Manifest, SidecarOf, parse_manifest, parse_manifests
from tests import documents, source_manifests
from tests.checkouts import ROOT
from tests.media import CALLS, VIDEOS
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


def _native(folder: Path, kind: str = "call_v1", **said: Any) -> Manifest:
    """A manifest of one recording, of which that is declared."""
    media = {"call_v1": CALLS, "video_v1": VIDEOS}[kind]
    ending, content = next(iter(media.good.items()))
    path = documents.deliver(folder, "media", {f"a-2026-04-17.{ending}": content}, of=kind, a=said)
    return parse_manifest(path.read_bytes(), path)


def _told(manifest: Manifest, *others: Manifest, registered: tuple[Path, ...] = ()) -> tuple[Any, ...]:
    """Judgement, disposition and the findings of its only file, and the lines that are said while it is judged."""

    class Cursor:
        def execute(self, _sql: str, parameters: tuple[list[str]]) -> None:
            self.asked = parameters[0]

        def fetchall(self) -> list[tuple[str]]:
            return [(path,) for path in self.asked if Path(path) in registered]

    @contextmanager
    def transaction() -> Iterator[Cursor]:
        yield Cursor()

    folder = manifest.path.parent
    settings = load_settings()
    lines: list[str] = []
    named = NamedSidecars((manifest, *others), settings, transaction if registered else None)
    (one,) = named.told(inspect_manifest(manifest, folder), lines.append).assets
    found = one.judgement
    return found.judgement, found.disposition, [(each.reason_code, each.message) for each in found.findings], lines


def test_a_sidecar_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    """Prevents a transcript that is promised, never comes, and is missed by nobody: its recording is none the worse."""
    manifest = _native(tmp_path, transcript_path="texts/a.jsonl")
    gone = manifest.path.parent / "texts" / "a.jsonl"
    what = f"transcript_path names 'texts/a.jsonl', which no manifest declares: no file at '{gone}'"
    expected = ("warn", "admitted", [("sidecar_missing", what)], [f"gate: a-2026-04-17.mp3: {what}"])
    assert _told(manifest) == expected
    gone.parent.mkdir()
    gone.mkdir()
    assert [code for code, _ in _told(manifest)[2]] == ["sidecar_missing"]
    gone.rmdir()
    gone.write_bytes(b"")
    assert _told(manifest) == ("accept", "admitted", [], [])


def test_a_sidecar_that_an_entry_declares_is_judged_as_that_entry(tmp_path: Path) -> None:
    """Prevents one missing file that is told twice, and one that is told to be missing while it is in the archive."""
    manifest = _native(tmp_path, transcript_path="transcripts/texts/call.wav-2026-04-17.jsonl")
    path = deliver(manifest.path.parent, "texts", {"call.wav-2026-04-17.jsonl": transcript(1)})
    gone = manifest.path.parent / "transcripts" / "texts" / "call.wav-2026-04-17.jsonl"
    gone.unlink()
    settled = ("accept", "admitted", [], [])
    assert _told(manifest, registered=(gone,)) == _told(manifest, parse_manifest(path.read_bytes(), path)) == settled
    assert _told(manifest, registered=(gone.with_name("other"),))[0] == "warn"


def test_every_path_that_cannot_be_read_is_told_by_its_field(tmp_path: Path) -> None:
    """Prevents a hundred key frames of a warning each, and a path to another machine that counts as there."""
    frames = [f"frames/{number}.png" for number in range(3)]
    manifest = _native(tmp_path, "video_v1", key_frame_paths=frames, audio_track_path="s3://sound/a.wav")
    (frames_fault, track_fault) = sorted(message for _, message in _told(manifest)[2])[::-1]
    assert frames_fault.endswith(f"no file at '{manifest.path.parent / frames[0]}'; and 2 more")
    assert "'s3://sound/a.wav' lies in an object store" in track_fault
    (manifest.path.parent / "frames").mkdir()
    for frame in frames:
        (manifest.path.parent / frame).write_bytes(b"x")
    assert len(_told(manifest)[2]) == 1


def test_a_file_that_was_not_admitted_promises_nothing(tmp_path: Path) -> None:
    """Prevents a missing transcript from being looked for whose recording nobody may hear."""
    manifest = _native(tmp_path, transcript_path="texts/a.jsonl", entry={"checksum_sha256": "7" * 64})
    assert _told(manifest)[:2] == ("reject", "withheld")
    assert [code for code, _ in _told(manifest)[2]] == ["checksum_mismatch"]


def test_a_sidecar_of_the_other_dialect_is_an_entry(tmp_path: Path) -> None:
    """Prevents a missing transcript that is told as its own missing file, and again of its recording."""
    (tmp_path / "call.mp3").write_bytes(CALLS.good["mp3"])
    said = source_manifests.manifest(
        source_manifests.asset(
            "call:1",
            source_url_or_path="call.mp3",
            asset_type="audio",
            contract_ref=source_manifests.AUDIO,
            checksum_sha256=None,
            size_bytes=None,
            transcript_path="call.jsonl",
        )
    )
    calls, texts = parse_manifests(json.dumps(said).encode(), tmp_path / "m.json")
    assert (calls.contract_ref, texts.contract_ref) == ("call_v1", "transcript_line_v1")
    assert [code for code, _ in _told(calls, texts)[2]] == ["checksum_missing"]
    assert _told(texts, calls)[1] == "missing"
