"""Dates of records: read in one way, ordered in one way, and refused with their place."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.contract.timestamps import TimestampError, parse_date_start
from loader.kinds import Ruleset, load_kinds, load_ruleset
from loader.kinds.generate import generated_files
from tests.dated_kind import LEASE, RECORD, contracts_with_lease

NO_DATES = [
    "",
    "yesterday",
    "2026-6-1",
    "20260601",
    "2026-W23-1",
    "2026-06-01T00:00:00Z",
    "2026-06-01\n",
    " 2026-06-01",
    "2026/06/01",
    "2026-06-0/",
    "-026-06-01",
    "10000-01-01",
    "٢٠٢٦-06-01",
    "2026−06−01",
    "0000-01-01",
    "2026-00-01",
    "2026-13-01",
    "2026-06-00",
    "2026-06-31",
    "2026-02-29",
    "1900-02-29",
]


@pytest.fixture(scope="module")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return contracts_with_lease(tmp_path_factory.mktemp("dates"))


@pytest.fixture(scope="module")
def ruleset(contracts: Path) -> Ruleset:
    return load_ruleset(contracts, LEASE)


def _judged(ruleset: Ruleset, **changed: Any) -> AcceptedRecord | RejectedRecord:
    return ruleset.judge(orjson.dumps({**RECORD, **changed}))


@given(st.dates())
def test_a_date_is_the_start_of_its_utc_day(day: date) -> None:
    """Prevents a day that is another one where the session, or the machine, is in another time zone."""
    assert parse_date_start(day.isoformat()) == datetime(day.year, day.month, day.day, tzinfo=UTC)


@pytest.mark.parametrize("text", NO_DATES)
def test_a_text_that_is_no_date_is_refused_wherever_it_stands(ruleset: Ruleset, text: str) -> None:
    """Prevents two layers that read one text as two days, and a reject of which nobody knows where it is wrong."""
    with pytest.raises(TimestampError) as refusal:
        parse_date_start(text)
    assert refusal.value.reason_code == "invalid_date"
    places: dict[str, Any] = {
        "$.signed_on": {"signed_on": text},
        "$.changed_on": {"changed_on": text},
        "$.ends_on": {"ends_on": text},
        "$.viewings[1]": {"viewings": ["2026-05-01", text]},
        "$.visits[1].on": {"visits": [{"on": "2026-05-01"}, {"on": text}]},
    }
    for place, changed in places.items():
        judged = _judged(ruleset, **changed)
        assert isinstance(judged, RejectedRecord), changed
        assert (judged.reason_codes, judged.json_path) == (("invalid_date",), place)
        # The day of a line is told where it can be read.
        assert judged.partition_key == (None if "signed_on" in changed else date(2026, 6, 1))


def test_a_record_is_of_the_day_that_it_names_and_ordered_by_its_start(ruleset: Ruleset) -> None:
    """An integer names the record by its digits, however it is spelled."""
    judged = ruleset.judge(b'{"lease":7.0,"signed_on":"0001-01-01","changed_on":"9999-12-31"}')
    assert isinstance(judged, AcceptedRecord)
    assert (judged.record_key, judged.partition_key) == ("7", date(1, 1, 1))
    assert (judged.created_at, judged.updated_at) == (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    )
    assert judged.canonical == b'{"changed_on":"9999-12-31","lease":7,"signed_on":"0001-01-01"}'
    early = _judged(ruleset, changed_on="2026-05-31")
    assert isinstance(early, AcceptedRecord)
    assert early.warning_codes == ("updated_before_created",)


def test_what_is_wrong_beside_a_date_has_its_own_code(ruleset: Ruleset) -> None:
    """Prevents a date that is called a timestamp, and a form of text that is called either."""
    for changed, code in (
        ({"signed_on": 20260601}, "wrong_type"),
        ({"visits": [{"at": "2026-06-01"}]}, "invalid_timestamp"),
        ({"visits": [{"at": "2016-12-31T23:59:60Z"}]}, "timestamp_out_of_range"),
        ({"paper": "12"}, "pattern_mismatch"),
    ):
        judged = _judged(ruleset, **changed)
        assert isinstance(judged, RejectedRecord), changed
        assert judged.reason_codes == (code,)


def test_times_in_an_array_are_read_as_strictly_as_elsewhere(tmp_path: Path) -> None:
    """Prevents what the validator alone lets pass, of a kind that has neither numbers nor objects."""
    contracts = contracts_with_lease(tmp_path)
    path = contracts / "kinds" / LEASE / "schema.json"
    schema = json.loads(path.read_text())
    schema["properties"] |= {
        "lease": {"type": "string"},
        "visits": {"type": "array", "items": {"type": "string", "format": "date-time"}},
    }
    path.write_text(json.dumps(schema))
    ruleset = load_ruleset(contracts, LEASE)
    for changed, code, place in (
        ({"viewings": ["2026-05-0/"]}, "invalid_date", "$.viewings[0]"),
        ({"visits": ["2016-12-31T23:59:60Z"]}, "timestamp_out_of_range", "$.visits[0]"),
    ):
        judged = _judged(ruleset, lease="7", **changed)
        assert isinstance(judged, RejectedRecord), changed
        assert (judged.reason_codes, judged.json_path) == ((code,), place)


def test_dates_are_dates_in_every_generated_file(contracts: Path) -> None:
    """Prevents a day that Silver, the witness or the released rows type as text, or as an instant of some zone."""
    kinds = load_kinds(contracts)
    landing = kinds[LEASE].landing
    assert landing is not None
    assert {each.name: each.type for each in landing.fields} == {
        "lease": "text",
        **dict.fromkeys(("signed_on", "changed_on", "ends_on"), "date"),
        **dict.fromkeys(("viewings", "visits"), "json"),
        "paper": "text",
    }
    files = {path.name: text for path, text in generated_files(kinds).items()}
    assert '{"field":"ends_on","column":"ends_on","type":"date"' in files["declared_kinds.sql"]
    assert "'ends_on date'" in files["04_release_rows.sql"]
