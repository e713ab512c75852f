"""Lines whose records are composed: what the entry says is put in, and nothing that the line says can stand for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.contract import AcceptedRecord, RejectedRecord
from loader.kinds import framed, judged_line, load_ruleset
from loader.reader import Framed, iter_lines
from tests.checkouts import ROOT

RULES = load_ruleset(ROOT / "contracts", "transcript_line_v1")
DAY = date(2026, 4, 17)
DECLARED: dict[str, Any] = {
    "asset_type": "jsonl",
    "license": "CC0-1.0",
    "linked_source_id": "call-1",
    "recorded_at": "2026-04-17T08:00:00Z",
    "source_type": "transcript_export",
}
SEGMENT = {"start_seconds": 0, "end_seconds": 1.25, "speaker": "agent", "text": "Hello"}


def judged(content: bytes, **declared: Any) -> list[AcceptedRecord | RejectedRecord | None]:
    said = {name: value for name, value in (DECLARED | declared).items() if value is not None}
    file = framed(Framed(Path("gone"), "identity", "a" * 64), RULES.landing, orjson.dumps(said).decode(), None)
    return [judged_line(line, RULES, file) for line in iter_lines([content])]


def line(**changes: Any) -> bytes:
    return json.dumps({**SEGMENT, **changes}).encode()


def test_a_line_is_a_record_of_what_it_says_what_is_declared_and_its_place() -> None:
    """Prevents a segment of nobody knows which call, and two files whose lines are one event."""
    _, found = judged(b"\n" + line(text="Größe 日本"))
    assert isinstance(found, AcceptedRecord)
    assert json.loads(found.canonical) == {
        **SEGMENT,
        **DECLARED,
        "text": "Größe 日本",
        "segment_number": 2,
        "segment_id": "call-1:2",
        "content_sha256": "a" * 64,
    }
    assert (found.record_key, found.record_source, found.partition_key) == ("call-1:2", "transcript_export", DAY)
    assert b'"end_seconds":1.25' in found.canonical


def test_other_names_of_a_field_are_read_as_the_field() -> None:
    """Prevents a transcript of the course from being rejected line by line, and words in a text from being renamed."""
    text = '"start_ts" : he said "end_ts": \\"end_ts":'
    course = {"start_ts": 0.50, "end_ts": 2.4, "speaker": "narrator", "text": text}
    (found,) = judged(json.dumps(course).encode().replace(b'"start_ts":', b'"start_ts"\t :', 1))
    assert isinstance(found, AcceptedRecord)
    read = json.loads(found.canonical)
    assert (read["start_seconds"], read["end_seconds"], read["text"]) == (0.5, 2.4, course["text"])
    (ours,) = judged(line(start_seconds=0.5, end_seconds=2.4, speaker="narrator", text=course["text"]))
    assert isinstance(ours, AcceptedRecord) and ours.event_id == found.event_id
    for text in ("start_ts", '"end_ts', "end_ts\\\\"):
        (said,) = judged(line(text=text))
        assert isinstance(said, AcceptedRecord) and json.loads(said.canonical)["text"] == text
    # What is no object is told of as it stands.
    (refused,) = judged(b'{"start_ts":0,,"end_ts":1}')
    assert isinstance(refused, RejectedRecord) and "(character 14)" in refused.message


@pytest.mark.parametrize(
    ("content", "codes", "place"),
    [
        (line(start_ts=0), ("duplicate_key",), "$.start_seconds"),
        (line()[:-1] + b', "end_ts": 1.25, "end_ts": 1.25}', ("duplicate_key",), "$.end_seconds"),
        (b'{"start_ts":0,"end_ts":-1,"text":""}', ("ends_before_start", "value_out_of_bounds"), "$.end_seconds"),
        (b'{"start_ts":0,"end_ts":1', ("malformed_json",), "$"),
        (b'{"start_ts":0,"end_ts":1,"text":""', ("malformed_json",), "$"),
        (line(text={"end_ts": 1}), ("wrong_type",), "$.text"),
        (line(linked_source_id="call-2"), ("duplicate_key",), "$.linked_source_id"),
        (line(segment_number=1), ("duplicate_key",), "$.segment_number"),
        (line(segment_id="call-2:1"), ("duplicate_key",), "$.segment_id"),
        (line(recorded_at="2026-04-18T08:00:00Z"), ("duplicate_key",), "$.recorded_at"),
        (line(end_seconds=-1), ("ends_before_start", "value_out_of_bounds"), "$.end_seconds"),
        (line(start_seconds=2), ("ends_before_start",), "$.end_seconds"),
        (line(speaker="Maria Lopez"), ("pattern_mismatch",), "$.speaker"),
        (line(text="\ud800"), ("lone_surrogate",), "$.text"),
        (b'{"start_seconds":0,', ("malformed_json",), "$"),
        (b'{"text":"}', ("malformed_json",), "$"),
        (b'{"start_seconds":0,"end_seconds":1,"text":"', ("malformed_json",), "$"),
        (b'{"start_seconds":0,"end_seconds":1,"text":{"a":1}', ("malformed_json",), "$"),
        (b"[1]", ("not_an_object",), "$"),
        (b"}", ("malformed_json",), "$"),
        (b"\xff\xfe{}", ("utf16_text",), "$"),
        (b"{}", ("missing_required_field",), "$.start_seconds"),
        (b" { } ", ("missing_required_field",), "$.start_seconds"),
    ],
)
def test_a_line_that_is_no_record_has_its_own_reasons_and_the_declared_day(
    content: bytes, codes: tuple[str, ...], place: str
) -> None:
    """Prevents a line that says of which call it is, and a reject of a day that nobody is shown."""
    (found,) = judged(content)
    assert isinstance(found, RejectedRecord), found
    assert (found.reason_codes, found.json_path, found.partition_key) == (codes, place, DAY)


def test_a_line_of_a_file_of_which_nobody_said_what_it_transcribes_is_rejected() -> None:
    (found,) = judged(line(), linked_source_id=None)
    assert isinstance(found, RejectedRecord)
    assert (found.reason_codes, found.json_path) == (("missing_required_field",), "$.linked_source_id")
    (undated,) = judged(line(), recorded_at="yesterday")
    assert isinstance(undated, RejectedRecord)
    assert (undated.reason_codes, undated.partition_key) == (("invalid_timestamp",), None)


def _texts() -> Iterator[st.SearchStrategy[str]]:
    yield st.text()
    yield st.text(alphabet='{}[]",:\\ ab1')


@given(st.one_of(*_texts()), st.booleans())
def test_no_text_becomes_a_record_by_what_is_put_into_it(text: str, is_wrapped: bool) -> None:
    """Prevents a line that is no JSON, and that the end of what is declared makes one."""
    body = (f'{{"start_seconds":0,"end_seconds":1,{text}}}' if is_wrapped else text).replace("\n", " ").encode()
    for found in judged(body):
        if isinstance(found, AcceptedRecord):
            said = orjson.loads(body)
            record = json.loads(found.canonical)
            assert {name: record[name] for name in DECLARED} == DECLARED
            assert not said.keys() & {*DECLARED, "segment_id", "segment_number", "content_sha256"}
