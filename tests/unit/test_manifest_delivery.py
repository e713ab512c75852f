"""The manifest of a folder: which order it declares, when it says that the files were delivered, and when it asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loader.errors import CommandUsageError
from loader.manifest.build import BatchTerms, BuiltManifest
from tests.unit.manifest_building import LINE, build, ignored, source_ids

MAY_2 = 1_777_680_000


def exports(tmp_path: Path, *names: str) -> Path:
    """Files of one line, each a second newer than the one before, the first of 2026-05-02."""
    folder = tmp_path / "exports"
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(LINE)
        os.utime(path, (MAY_2 + number, MAY_2 + number))
    return folder


def oldest_first(built: BuiltManifest) -> list[str]:
    assets = built.manifest.assets
    assert len({asset.sequence for asset in assets}) == len(assets)
    return [asset.source_id for asset in sorted(assets, key=lambda asset: asset.sequence)]


def made(folder: Path, **terms: str) -> BuiltManifest:
    return build(folder, terms=BatchTerms(**terms))  # type: ignore[arg-type]


def test_names_that_leave_the_order_open_stop_the_command_by_reason(tmp_path: Path) -> None:
    """Prevents a guess, and an error that does not say which files it is about."""
    folder = exports(tmp_path, "04.05.2026.jsonl", "05.05.2026.jsonl", *(f"{word}.jsonl" for word in "bacdef"))
    with pytest.raises(CommandUsageError) as raised:
        made(folder)
    message = raised.value.message
    assert "a date with the day or the month first can be read in two ways: '04.05.2026.jsonl'" in message
    assert (
        "no date, and no number says which is older: 'a.jsonl', 'b.jsonl', 'c.jsonl', 'd.jsonl' and 2 more" in message
    )
    assert message.endswith("no manifest was written")
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("4000000001", "4000000002"), "epoch in the future"),
        (("12-2026", "1-2027"), "year after another number"),
        (("2026-05-13 13.30 PM", "2026-05-13 11.30 AM"), "AM or PM"),
        (("20260504T233000-05", "20260504T233000Z"), "offset from UTC, or a number"),
    ],
)
def test_names_that_are_read_in_two_ways_stop_the_command(tmp_path: Path, names: tuple[str, ...], reason: str) -> None:
    """Prevents a wrong order without a word: a serial number in 2096, December before January of the year before."""
    with pytest.raises(CommandUsageError, match=reason):
        made(exports(tmp_path, *(f"{name}.jsonl" for name in names)))


def test_one_file_needs_no_order(tmp_path: Path) -> None:
    """Prevents a question that has one answer."""
    built = made(exports(tmp_path, "04.05.2026.jsonl"))
    assert built.manifest.batch_id == "batch-20260502-001"
    assert built.manifest.assets[0].sequence == 20260502_10000000
    assert len(built.notes) == 1


def test_the_operator_says_what_names_leave_open(tmp_path: Path) -> None:
    """Prevents an answer that is not taken: by time stamp, by name, by a list."""
    folder = exports(tmp_path, "emea-10.jsonl", "apac.jsonl", "emea-9.jsonl")
    assert oldest_first(made(folder, order="mtime")) == ["emea-10.jsonl", "apac.jsonl", "emea-9.jsonl"]
    assert oldest_first(made(folder, order="name")) == ["apac.jsonl", "emea-9.jsonl", "emea-10.jsonl"]
    (tmp_path / "order").write_bytes(b"emea-9.jsonl\r\n\napac.jsonl\nemea-10.jsonl")
    assert oldest_first(made(folder, order=str(tmp_path / "order"))) == [
        "emea-9.jsonl",
        "apac.jsonl",
        "emea-10.jsonl",
    ]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ("a.jsonl\n", "not listed: 'b.jsonl'"),
        ("a.jsonl\nb.jsonl\nb.jsonl\n", "listed twice: 'b.jsonl'"),
        ("a.jsonl\nb.jsonl\nc.jsonl\n", "no export of this folder: 'c.jsonl'"),
        (None, "cannot read"),
    ],
)
def test_a_list_that_is_not_that_of_the_folder_is_refused(tmp_path: Path, listed: str | None, message: str) -> None:
    """Prevents a file whose place nobody said, because of a typing error."""
    folder = exports(tmp_path, "a.jsonl", "b.jsonl")
    if listed is not None:
        (tmp_path / "order").write_text(listed)
    with pytest.raises(CommandUsageError, match=message):
        made(folder, order=str(tmp_path / "order"))


def test_time_stamps_that_are_equal_are_no_order(tmp_path: Path) -> None:
    """Prevents the order of a copy, which gave all files one time."""
    folder = exports(tmp_path, "a.jsonl", "b.jsonl")
    os.utime(folder / "a.jsonl", (MAY_2 + 1, MAY_2 + 1))
    with pytest.raises(CommandUsageError, match="share a time stamp"):
        made(folder, order="mtime")


def test_parts_stand_where_their_folder_or_batch_says(tmp_path: Path) -> None:
    """Prevents parts that are placed by the time of a copy although something says when they were delivered."""
    names = ("part-10.json", "part-2.json")
    day = exports(tmp_path, *names).rename(tmp_path / "dt=2026-05-09")
    of_day, of_batch = made(day), made(day, batch_id="batch-20260601-002")
    assert (of_day.manifest.batch_id, of_batch.manifest.batch_id) == ("batch-20260509-001", "batch-20260601-002")
    assert of_day.notes == of_batch.notes == ()
    for built, first in ((of_day, 20260509_00000000), (of_batch, 20260601_00020000)):
        assert oldest_first(built) == ["part-2.json", "part-10.json"]
        assert all(first <= asset.sequence < first + 100 for asset in built.manifest.assets)
    assert {(asset.metadata or {})["exported_at"] for asset in of_day.manifest.assets} == {"2026-05-09T23:59:59Z"}


@pytest.mark.parametrize("batch_id", ["batch-20260230-001", "20260601", "batch-20260601-1"])
def test_a_batch_that_means_nothing_is_a_usage_error(tmp_path: Path, batch_id: str) -> None:
    """Prevents a day that no calendar has in every place of the delivery."""
    with pytest.raises(CommandUsageError, match="expected batch-YYYYMMDD-NNN"):
        made(exports(tmp_path, "a.jsonl"), batch_id=batch_id)


def test_a_folder_of_documents_is_not_asked_for_an_order(tmp_path: Path) -> None:
    """Prevents a question about files that hold no versions of each other."""
    folder = exports(tmp_path, "guide.md", "handbook.pdf")
    built = build(folder, terms=BatchTerms(contract_ref="document_v1"))
    assert oldest_first(built) == ["guide.md", "handbook.pdf"]


def test_what_engines_write_is_taken_and_their_markers_are_not(tmp_path: Path) -> None:
    """Prevents a folder of an engine that must be renamed before it can be declared, and a half-written part that
    counts as delivered."""
    taken = [
        f"part-{number}{ending}"
        for number, ending in enumerate(
            (".json", ".json.gz", ".ndjson", ".ndjson.gz", ".jsonlines", ".jl", ".ldjson.gz", ".JSONL")
        )
    ]
    markers = ["_SUCCESS", "_metadata", "_started_7", "_committed.json"]
    folder = exports(
        tmp_path, *taken, *markers, ".part-0.json.crc", "_temporary/0/part-9.json", "_delta_log/1.json", "part-0.crc"
    )
    (folder / "schema.json").write_bytes(b'{\n  "type": "object"\n}\n')
    (folder / "m.json").write_bytes(b'{"manifest_version": "manifest_v1", "assets": []}\n')
    built = made(folder)
    assert source_ids(built) == sorted(taken)
    types = {asset.source_id: asset.asset_type for asset in built.manifest.assets}
    assert types == {name: "jsonl_gz" if name.endswith(".gz") else "jsonl" for name in taken}
    reasons = ignored(built)
    assert {reasons[name] for name in markers} == {"a marker of an engine"}
    assert reasons["_temporary/"] == reasons["_delta_log/"] == "an engine's own folder"
    assert reasons["schema.json"] == reasons["m.json"] == "one JSON document, no JSON lines"
    assert reasons["part-0.crc"] == "its ending is none of the contract's"
