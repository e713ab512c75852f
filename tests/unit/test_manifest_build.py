"""The manifest of a folder: complete, deterministic, and admitted by the gate."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loader.bounds import ExpansionLimits
from loader.errors import CommandUsageError, InfrastructureError
from loader.gate import inspect_manifest
from loader.manifest.build import BatchTerms
from tests.unit.manifest_building import (
    DAY,
    LINE,
    ROOT,
    build,
    ignored,
    judged,
    source_ids,
)


def test_the_same_folder_gives_the_same_bytes_whatever_its_time_stamps(exports: Path) -> None:
    """Prevents a manifest that a fresh checkout cannot make again."""
    first = build(exports).manifest.content
    os.utime(exports / DAY, (1_000_000_000, 1_000_000_000))
    assert build(exports).manifest.content == first


def test_any_difference_gives_another_manifest_id(exports: Path) -> None:
    """Prevents two manifests with one id: a shrunk one would hide a file."""
    ids = [build(exports).manifest.manifest_id]
    for terms in (
        BatchTerms(),
        BatchTerms(owner="other", license="CC0-1.0", pii_scan_status="clean"),
        BatchTerms(owner="desk", license="CC-BY-4.0", pii_scan_status="clean"),
        BatchTerms(owner="desk", license="CC0-1.0", pii_scan_status="clean", is_canonized=True),
    ):
        ids.append(build(exports, terms=terms).manifest.manifest_id)
    ids.append(build(exports, out=exports / "m.json").manifest.manifest_id)
    (exports / DAY).write_bytes(LINE * 2)
    ids.append(build(exports).manifest.manifest_id)
    (exports / "tickets-2026-04-18.jsonl").write_bytes(b"")
    ids.append(build(exports).manifest.manifest_id)
    assert len(set(ids)) == len(ids) == 8
    assert all(one.startswith("manifest-exports-") for one in ids)


def test_the_id_begins_with_a_plain_form_of_the_name(tmp_path: Path) -> None:
    """Prevents an id that its own pattern refuses."""
    for name, label in (("März & Co.", "m-rz-co"), ("東京", "exports"), ("x" * 300, "x" * 64)):
        (tmp_path / DAY).write_bytes(LINE)
        built = build(tmp_path, terms=BatchTerms(name=name))
        assert built.manifest.manifest_id[: -len("-0123456789ab")] == f"manifest-{label}"


def test_days_come_from_names_else_from_time_stamps(exports: Path) -> None:
    """Prevents a batch or an export time that depends on the day of the command."""
    (exports / "20260418-0600.jsonl").write_bytes(LINE)
    manifest = build(exports).manifest
    assert manifest.batch_id == "batch-20260418-001"
    assert [(asset.source_id, asset.sequence, (asset.metadata or {})["exported_at"]) for asset in manifest.assets] == [
        ("20260418-0600.jsonl", 20260418_10000000 + 6 * 3_600_000, "2026-04-18T06:00:00Z"),
        (DAY, 20260417000, "2026-04-17T23:59:59Z"),
    ]
    for name in ("20260418-0600.jsonl", DAY):
        (exports / name).unlink()
    (exports / "late.jsonl").write_bytes(LINE)
    os.utime(exports / "late.jsonl", (1_777_680_000.9, 1_777_680_000.9))
    built = build(exports, terms=BatchTerms())
    assert built.manifest.batch_id == "batch-20260502-001"
    assert built.manifest.assets[0].sequence == 20260502_10000900
    assert (built.manifest.assets[0].metadata or {})["exported_at"] == "2026-05-02T00:00:00Z"
    assert "no name says when this was delivered" in built.notes[0]


def test_what_is_no_export_is_reported_never_dropped_in_silence(exports: Path) -> None:
    """Prevents a file that nobody misses until its tickets are."""
    for name in ("notes.txt", "tickets-2026-04-18.xml", "guide.md", ".jsonl", "a.jsonl.bz2", "JSONL"):
        (exports / name).write_bytes(b"x")
    (exports / ".git").mkdir()
    (exports / ".git" / "x.jsonl").write_bytes(b"x")
    (exports / "folder.jsonl").mkdir()
    os.mkfifo(exports / "pipe.jsonl")
    built = build(exports)
    assert source_ids(built) == [DAY]
    ending = "its ending is none of the contract's"
    assert ignored(built) == {
        "notes.txt": ending,
        "tickets-2026-04-18.xml": ending,
        "guide.md": ending,
        "a.jsonl.bz2": ending,
        "JSONL": ending,
        ".jsonl": "hidden",
        ".git/": "hidden",
        "pipe.jsonl": "not a regular file",
    }


def test_files_of_the_same_name_in_subfolders_keep_their_own_names(exports: Path) -> None:
    """Prevents one of two files with one name from hiding the other."""
    for region in ("eu", "us"):
        (exports / region).mkdir()
        (exports / region / DAY).write_bytes(LINE)
    built = build(exports)
    assert [(asset.source_id, asset.sequence) for asset in built.manifest.assets] == [
        (f"eu/{DAY}", 20260417000),
        (DAY, 20260417001),
        (f"us/{DAY}", 20260417002),
    ]
    assert set(judged(inspect_manifest(built.manifest, ROOT)).values()) == {("admitted", ())}


def test_a_pattern_picks_files_and_reports_the_others(exports: Path) -> None:
    """Prevents a monthly manifest that quietly holds the whole year, or half of the month."""
    (exports / "tickets-2026-05-01.jsonl").write_bytes(LINE)
    built = build(exports, terms=BatchTerms(include="tickets-2026-05-*"))
    assert source_ids(built) == ["tickets-2026-05-01.jsonl"]
    assert ignored(built) == {DAY: "does not match tickets-2026-05-*"}


def test_odd_names_are_declared_and_found_by_the_gate(exports: Path) -> None:
    """Prevents a name that the manifest holds and the gate cannot open: spaces, schemes, other scripts."""
    names = [
        "file:2026.jsonl", "s3:x.JSONL", "a b#c?d%20e.jsonl", "-rf.jsonl", "Zürich 東京 🚧.jsonl",
        "e\u0301.jsonl", "\u00e9.jsonl", "quote'\"`$(x).jsonl", "back\\slash.jsonl", "~.jsonl",
    ]  # fmt: skip
    for name in names:
        (exports / name).write_bytes(LINE)
    for out in (exports.parent / "m.json", exports / "m.json"):
        built = build(exports, out=out)
        assert source_ids(built) == sorted([*names, DAY])
        assert set(judged(inspect_manifest(built.manifest, ROOT)).values()) == {("admitted", ())}


@pytest.mark.parametrize("name", [
    b"a\nb.jsonl", b"\xff.jsonl", b"tab\t.jsonl", b"\x1b[2J.jsonl", "line\u2028end.jsonl".encode(),
    "\u009b2J.jsonl".encode(), "\u202elnosj.exe.jsonl".encode(), "\u2066.jsonl".encode(),
])  # fmt: skip
def test_a_name_that_no_manifest_can_hold_stops_the_command(exports: Path, name: bytes) -> None:
    """Prevents an export left out because its name is strange."""
    Path(os.fsdecode(os.fsencode(exports) + b"/" + name)).write_bytes(LINE)
    with pytest.raises(CommandUsageError, match="no manifest can hold this name"):
        build(exports)


def test_too_long_a_path_below_the_folder_stops_the_command(exports: Path) -> None:
    """Prevents a manifest that its own schema refuses."""
    deep = exports / ("d" * 200) / ("e" * 60)
    deep.mkdir(parents=True)
    (deep / DAY).write_bytes(LINE)
    with pytest.raises(CommandUsageError, match="has 286 characters, expected at most 255"):
        build(exports)


def test_links_are_followed_to_files_outside_only(exports: Path, tmp_path: Path) -> None:
    """Prevents the same bytes declared twice, an endless walk, and a linked export that is left out."""
    store = tmp_path / "store"
    store.mkdir()
    (store / "object").write_bytes(LINE)
    (exports / "latest.jsonl").symlink_to(DAY)
    (exports / "nowhere.jsonl").symlink_to("gone")
    (exports / "loop").symlink_to(".")
    (exports / "linked.jsonl").symlink_to(store / "object")
    built = build(exports, out=exports / "m.json")
    assert source_ids(built) == ["linked.jsonl", DAY]
    assert ignored(built) == {
        "latest.jsonl": f"a link to {DAY}",
        "nowhere.jsonl": "a link that leads nowhere",
        "loop/": "a link to a folder",
    }
    assert built.roots_to_allow == (store,)
    assert judged(inspect_manifest(built.manifest, ROOT, [store])) == {
        "linked.jsonl": ("admitted", ()),
        DAY: ("admitted", ()),
    }


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"x"}])
def test_a_folder_without_exports_is_a_usage_error(tmp_path: Path, content: dict[str, bytes]) -> None:
    """Prevents an empty manifest, which would prove a day without data."""
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CommandUsageError, match=r"holds no export of ticket_v1 \(jsonl, jsonl_gz\)") as raised:
        build(tmp_path)
    assert all(name in raised.value.message for name in content)
    with pytest.raises(CommandUsageError, match="is no folder"):
        build(tmp_path / "absent")


def test_a_day_has_room_for_any_number_of_its_files(exports: Path) -> None:
    """Prevents two files in one place of upstream's order, and a folder of parts that cannot be declared."""
    (exports / DAY).unlink()
    for number in range(1_001):
        (exports / f"2026-04-17-{number:04d}.jsonl").touch()
    sequences = [asset.sequence for asset in build(exports, terms=BatchTerms()).manifest.assets]
    assert sequences == list(range(20260417_00000000, 20260417_00001001))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "cannot read .*: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), "cannot read .*: Input/output error"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "went away while its folder was read"),
    ],
)
def test_a_file_that_cannot_be_read_is_no_statement_about_the_data(
    exports: Path, monkeypatch: pytest.MonkeyPatch, fault: OSError, message: str
) -> None:
    """Prevents a manifest with a hole where the disk failed. (root may read everything: simulated)"""

    def refuse(path: Path) -> None:
        raise fault

    monkeypatch.setattr("loader.manifest.exports.open_regular", refuse)
    with pytest.raises(InfrastructureError, match=message):
        build(exports)


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"\n \r\n\t\n", 0),
        (b"{}\r\n\r\n{}\n", 2),
        (b"{}\n{}", 2),
        ("{}\u2028{}\x85{}\x0b{}\n".encode(), 1),
        (b"\xa0\n\x0c\n", 2),
    ],
)
def test_records_are_the_lines_that_are_not_blank(exports: Path, content: bytes, count: int) -> None:
    """Prevents a declared count that the reader can never reach."""
    (exports / DAY).write_bytes(content)
    half = len(content) // 2
    (exports / f"{DAY}.gz").write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))
    assert [asset.record_count for asset in build(exports).manifest.assets] == [count, count]


def test_checksum_and_size_are_of_the_delivered_bytes(exports: Path) -> None:
    """Prevents a checksum of the decompressed content, which the gate would call a mismatch."""
    packed = gzip.compress(LINE * 10_000)
    (exports / f"{DAY}.gz").write_bytes(packed)
    asset = build(exports).manifest.assets[1]
    assert (asset.checksum_sha256, asset.size_bytes) == (hashlib.sha256(packed).hexdigest(), len(packed))
    assert asset.record_count == 10_000


def test_a_broken_file_is_declared_with_a_note_and_without_a_count(exports: Path) -> None:
    """Prevents a damaged export that disappears: it is declared, so the gate withholds it with its reason."""
    packed = gzip.compress(LINE * 1_000)
    (exports / "cut-2026-04-18.jsonl.gz").write_bytes(packed[:-9])
    (exports / "fake-2026-04-19.jsonl.gz").write_bytes(LINE)
    (exports / "tail-2026-04-20.jsonl.gz").write_bytes(packed + b"xx")
    (exports / "wild-2026-04-21.jsonl").write_bytes(packed)
    built = build(exports)
    notes = {note.split(":")[0]: note for note in built.notes}
    assert sorted(notes) == [name for name in source_ids(built) if name != DAY]
    counts = {asset.source_id: asset.record_count for asset in built.manifest.assets}
    assert counts["cut-2026-04-18.jsonl.gz"] is None
    assert counts["tail-2026-04-20.jsonl.gz"] is None
    reasons = {name: codes for name, (_, codes) in judged(inspect_manifest(built.manifest, ROOT)).items()}
    assert reasons == {
        "cut-2026-04-18.jsonl.gz": ("truncated_gzip",),
        "fake-2026-04-19.jsonl.gz": ("encoding_mismatch",),
        "tail-2026-04-20.jsonl.gz": ("trailing_garbage",),
        DAY: (),
        "wild-2026-04-21.jsonl": ("encoding_mismatch",),
    }


def test_a_bomb_is_declared_with_a_note_and_not_read_to_its_end(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a small upload that keeps `make manifest` counting for hours."""
    limits = ExpansionLimits(free_bytes=1_000, max_ratio=10)
    monkeypatch.setattr("loader.manifest.exports.ExpansionLimits", lambda: limits)
    (exports / "bomb-2026-04-18.jsonl.gz").write_bytes(gzip.compress(b"\n" * 10_000_000))
    built = build(exports)
    (note,) = built.notes
    assert "expands to more than" in note
    assert {asset.source_id: asset.record_count for asset in built.manifest.assets}["bomb-2026-04-18.jsonl.gz"] is None


def test_without_terms_what_is_unknown_is_said_to_be_unknown(exports: Path) -> None:
    """Prevents an owner, a license or a PII scan that nobody vouched for."""
    built = build(exports, terms=BatchTerms())
    assert judged(inspect_manifest(built.manifest, ROOT)) == {
        DAY: ("admitted", ("license_unknown", "metadata_partial", "pii_scan_not_run"))
    }


def test_a_window_is_declared_and_makes_the_load_incremental(exports: Path) -> None:
    """Prevents a window that is given and lost."""
    start, end = datetime(2026, 4, 17, tzinfo=UTC), datetime(2026, 4, 18, tzinfo=UTC)
    manifest = build(exports, terms=BatchTerms(window=(start, end), window_field="updated_at")).manifest
    window = manifest.selection_window
    assert window is not None
    assert (manifest.load_mode, window.field, window.start, window.end) == (
        "incremental",
        "updated_at",
        start,
        end,
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (BatchTerms(is_canonized=True), "canonized_with_unknown_license"),
        (BatchTerms(license=""), "manifest_invalid_value"),
        (
            BatchTerms(window=(datetime(2026, 4, 2, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))),
            "window_empty",
        ),
        (BatchTerms(contract_ref="ticket_v9"), "expected one of ticket_v1"),
        (BatchTerms(owner="a\ud800"), "no manifest can hold this name"),
    ],
)
def test_terms_that_no_manifest_allows_are_a_usage_error(exports: Path, terms: BatchTerms, message: str) -> None:
    """Prevents a manifest that is written first and refused later."""
    with pytest.raises(CommandUsageError, match=message):
        build(exports, terms=terms)
