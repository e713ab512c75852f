"""Files of evidence are written once; what a power cut left of them is completed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from loader.report_files import append_line, unused, write_once

RECORD = b'{\n  "act": "hold",\n  "holds": []\n}\n'


def test_a_file_with_other_bytes_is_never_replaced(tmp_path: Path) -> None:
    """Prevents that a release number given again takes the record of what readers saw away."""
    path = tmp_path / "release" / "release_000012.json"
    assert write_once(path, RECORD)
    assert not write_once(path, RECORD.replace(b"hold", b"free"))
    assert path.read_bytes() == RECORD
    assert write_once(path, RECORD)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("left", [b"", RECORD[:10], RECORD[:10] + b"\0" * 12, b"\0" * len(RECORD)])
def test_what_a_power_cut_left_is_completed(tmp_path: Path, left: bytes) -> None:
    """Prevents a record whose file stays cut off for ever."""
    path = tmp_path / "hold.json"
    path.write_bytes(left)
    assert write_once(path, RECORD)
    assert path.read_bytes() == RECORD


@pytest.mark.parametrize("other", [b"{}\n", RECORD + b"\n", RECORD[:10] + b"x", RECORD[:10] + b"\0" * 99])
def test_what_no_power_cut_leaves_stays(tmp_path: Path, other: bytes) -> None:
    """Prevents that a short file of somebody else's passes for the beginning of ours."""
    path = tmp_path / "hold.json"
    path.write_bytes(other)
    assert not write_once(path, RECORD)
    assert path.read_bytes() == other


def test_of_two_writers_at_once_the_second_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents the moment between a look at a name and its use."""
    path = tmp_path / "hold.json"
    link = os.link

    def after_another(*arguments: str) -> None:
        path.write_bytes(b"{}\n")
        link(*arguments)

    monkeypatch.setattr(os, "link", after_another)
    assert not write_once(path, RECORD)
    assert path.read_bytes() == b"{}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_without_links_takes_files_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: str) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    assert write_once(tmp_path / "hold.json", RECORD)
    assert (tmp_path / "hold.json").read_bytes() == RECORD


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    path = tmp_path / "01a2.1.json"
    path.touch()
    assert unused(path, lambda each: each.name == "01a2.1.2.json") == tmp_path / "01a2.1.3.json"


def test_a_line_that_was_torn_stays_by_itself(tmp_path: Path) -> None:
    """Prevents that a power cut takes the next line of the journal, too."""
    path = tmp_path / "chain" / "w.jsonl"
    append_line(path, b'{"a": 1}')
    with path.open("ab") as file:
        file.write(b'{"b"')
    append_line(path, b'{"c": 1}')
    assert path.read_bytes() == b'{"a": 1}\n{"b"\n{"c": 1}\n'
