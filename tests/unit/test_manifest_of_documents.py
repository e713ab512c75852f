"""Manifests of files that are records: what a made one says of them, and what an ad-hoc file has to say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from loader.cli.manifest_command import command
from loader.errors import CommandUsageError
from loader.kinds import load_kinds
from loader.manifest import implicit_manifest, require_file_of_kind
from loader.manifest.build import BatchTerms
from tests.unit.manifest_building import ROOT, build

KIND = "document_v1"
TERMS = BatchTerms(contract_ref=KIND)
BATCH = "batch-20260417-001"
DATED, UNDATED = "limits-2026-04-17.html", "queues.md"


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / DATED).write_bytes(b"<!doctype html><p>Limits</p>")
    (folder / UNDATED).write_bytes(b"# Queues\n\nDrain first.\n")
    return folder


def test_files_that_are_records_are_counted_as_such(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents: "2 files, 0 records" of two documents."""
    words = ["--from", str(documents), "--out", str(documents.parent / "m.json"), "--kind", KIND]
    assert command.main(words, standalone_mode=False) == 0
    assert "is written: 2 files, 51 bytes." in " ".join(capsys.readouterr().out.split())
    assert command.main([*words, "--json"], standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["asset_count"], told["record_count"]) == (2, 2)


def test_a_note_about_undated_files_moves_no_dated_one(documents: Path) -> None:
    """Prevents: an advice that gives one undated file a day, and takes their own from all others; a note a file."""
    (note,) = build(documents, terms=TERMS).notes
    assert note.startswith(f"{UNDATED}: no day in the name, so no captured_at, ")
    assert note.endswith("; to say it: a day in each name")
    (documents / DATED).rename(documents / "limits.html")
    (_, note) = build(documents, terms=TERMS).notes
    assert note.startswith("limits.html and 1 more: no day in the name, ")
    assert note.endswith("; to say it: a day in each name, or CAPTURED_AT=<instant>")
    said = replace(TERMS, captured_at=datetime(2026, 4, 17, tzinfo=UTC))
    assert all("captured_at" not in note for note in build(documents, terms=said).notes)


def test_what_is_said_of_all_files_is_in_the_field_that_gives_their_kinds_day(tmp_path: Path) -> None:
    """Prevents: a call whose day is said in the words of documents, and is then nobody's."""
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "a.WAV").write_bytes(b"RIFF")
    (folder / "b-2026-04-18.ogg").write_bytes(b"OggS")
    terms = BatchTerms(contract_ref="call_v1")
    named, said = (
        [asset.metadata for asset in build(folder, terms=each).manifest.assets]
        for each in (terms, replace(terms, captured_at=datetime(2026, 4, 17, tzinfo=UTC)))
    )
    assert [(each or {}).get("recorded_at") for each in named] == [None, "2026-04-18T23:59:59Z"]
    assert [(each or {}).get("recorded_at") for each in said] == ["2026-04-17T00:00:00Z"] * 2


@pytest.mark.parametrize(("name", "batch"), [("absent.pdf", BATCH), (UNDATED, "yesterday")])
def test_the_next_command_for_an_ad_hoc_file_is_of_its_kind(documents: Path, name: str, batch: str) -> None:
    """Prevents: a document that is read as lines of tickets, because the advice forgot its kind."""
    with pytest.raises(CommandUsageError) as refusal:
        implicit_manifest(documents / name, batch, record_kind=KIND)
    assert refusal.value.next_command.endswith(f" KIND={KIND}")


@pytest.mark.parametrize(
    ("name", "kind", "next_kind"),
    [("guide.pdf", None, f" KIND={KIND}"), ("guide.PDF", "ticket_comment_v1", f" KIND={KIND}"), ("t.jsonl", KIND, "")],
)
def test_a_file_that_is_by_its_name_another_kinds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str | None, next_kind: str
) -> None:
    """Prevents: a PDF archived and rejected line by line as tickets, when the operator only forgot KIND."""
    monkeypatch.chdir(tmp_path)
    kinds = load_kinds(ROOT / "contracts")
    # A file that is not there is refused as such, by whoever opens it.
    require_file_of_kind(Path(name), BATCH, kinds, kind)
    Path(name).touch()
    with pytest.raises(CommandUsageError, match="nothing was started") as refusal:
        require_file_of_kind(Path(name), BATCH, kinds, kind)
    assert refusal.value.next_command == f"make ingest INPUT={name} BATCH={BATCH}{next_kind}"


@pytest.mark.parametrize(
    ("name", "kind"), [("download", None), ("call.flac", None), ("download", KIND), ("a.md", KIND), ("a.TXT", None)]
)
def test_a_name_that_says_no_other_kind_is_any_kinds(tmp_path: Path, name: str, kind: str | None) -> None:
    (tmp_path / name).touch()
    require_file_of_kind(tmp_path / name, BATCH, load_kinds(ROOT / "contracts"), kind)


def test_what_is_said_of_single_files_is_declared(documents: Path) -> None:
    """Prevents calls that can name their ticket only in a manifest that is written by hand."""
    said = documents.parent / "said.json"
    said.write_text(
        json.dumps({UNDATED: {"captured_at": "2026-04-18T08:00:00Z", "language": "en"}, DATED: {"owner": "x"}})
    )
    built = build(documents, terms=replace(TERMS, owner="docs", metadata=said))
    declared = {asset.source_id: asset.metadata or {} for asset in built.manifest.assets}
    assert (declared[UNDATED]["language"], declared[UNDATED]["captured_at"]) == ("en", "2026-04-18T08:00:00Z")
    assert (declared[UNDATED]["owner"], declared[DATED]["owner"]) == ("docs", "x")
    assert declared[DATED]["captured_at"] == "2026-04-17T23:59:59Z"
    assert built.notes == ()
    other = build(documents, terms=replace(TERMS, owner="docs"))
    assert other.manifest.manifest_id != built.manifest.manifest_id


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("[]", "expected {"),
        ('{"queues.md": 1}', "expected {"),
        ("{broken", "cannot be read"),
        ('{"gone.md": {"language": "en"}}', "names 1 file that is not in the folder: 'gone.md'"),
        ('{"queues.md": {}, "queues.md": {}}', "'queues.md' stands there twice"),
        ('{"queues.md": {"langage": "en"}}', "langage"),
        ("[" * 100_000, "cannot be read"),
    ],
    ids=["list", "no fields", "broken", "no such file", "twice", "no such field", "deep"],
)
def test_what_cannot_be_declared_is_refused_before_anything_is_written(documents: Path, said: str, fault: str) -> None:
    """Prevents a slip of a name that silently declares nothing."""
    path = documents.parent / "said.json"
    path.write_text(said)
    with pytest.raises(CommandUsageError, match="no manifest was written") as refusal:
        build(documents, terms=replace(TERMS, owner="docs", metadata=path))
    assert fault in str(refusal.value)


def test_a_file_of_metadata_that_is_not_there_is_refused(documents: Path) -> None:
    with pytest.raises(CommandUsageError, match="No such file"):
        build(documents, terms=replace(TERMS, metadata=documents.parent / "gone.json"))


@pytest.mark.parametrize(("of", "is_asked"), [(("a.wav", "b.wav"), False), (("a.wav", "a.wav"), True)])
def test_the_order_of_transcripts_is_asked_for_where_two_are_of_one_recording(
    tmp_path: Path, of: tuple[str, str], is_asked: bool
) -> None:
    """Prevents a question that nobody needs to answer, and two transcripts of which the wrong one counts."""
    folder = tmp_path / "transcripts"
    folder.mkdir()
    names = ("one-2026-04-17.jsonl", "two-2026-04-17.jsonl")
    said = {name: {"linked_source_id": recording} for name, recording in zip(names, of, strict=True)}
    for name in names:
        (folder / name).write_text("{}")
    (tmp_path / "said.json").write_text(json.dumps(said))
    terms = BatchTerms(contract_ref="transcript_line_v1", metadata=tmp_path / "said.json")
    if is_asked:
        with pytest.raises(CommandUsageError, match="which are older"):
            build(folder, terms=terms)
        return
    found = build(folder, terms=terms).manifest.assets
    assert [(each.metadata or {})["linked_source_id"] for each in found] == [*of]
    assert [each.partition_key for each in found] == [date(2026, 4, 17)] * 2
