"""Where jsonschema, jsonschema-rs and the loader's parser differ: contracts/validator_divergences.json."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from loader.contract.record import AcceptedRecord
from loader.contract.schema import load_reason_codes
from loader.contract.timestamps import PARSER_OF_FORMAT, TimestampError, parse_date_start, parse_instant
from loader.kinds import Ruleset, load_ruleset
from tests.contract.contract_fixtures import CONTRACTS
from tests.contract.near_valid import dates, lines, records
from tests.contract.reference import contract, fast_accepts, reference_accepts, verdicts_of_format
from tests.ingests import ticket

TABLE: list[dict[str, Any]] = json.loads((CONTRACTS / "validator_divergences.json").read_bytes())
VALUES = [entry for entry in TABLE if entry["level"] == "value" and "field" in entry]
# Formats that no field of a ticket has.
FORMATS = [entry for entry in TABLE if entry["level"] == "value" and "format" in entry]
LINES = [entry for entry in TABLE if entry["level"] == "line"]
BASE = ticket()
# Both validators accept such a record, and the judge does not: no schema keyword could say it.
LOADER_ONLY = {
    code for entry in TABLE if entry["reference"] and entry["jsonschema_rs"] for code in entry["reason_codes"]
}
RULESET = load_ruleset(CONTRACTS)
ANY_SPEED = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return RULESET


@pytest.mark.parametrize("entry", VALUES, ids=lambda entry: entry["name"])
def test_a_listed_value_divides_the_validators_as_the_table_says(ruleset: Ruleset, entry: dict[str, Any]) -> None:
    """Prevents: an upgrade of a validator changes what is accepted, and the table keeps saying the old."""
    record = {**BASE, entry["field"]: entry["example"]}
    assert reference_accepts(record) is entry["reference"]
    assert fast_accepts(record) is entry["jsonschema_rs"]
    judged = ruleset.judge(orjson.dumps(record))
    assert not isinstance(judged, AcceptedRecord)
    assert list(judged.reason_codes) == entry["reason_codes"]
    assert re.fullmatch(entry["matches"], entry["example"])


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry["name"])
def test_a_listed_text_of_a_format_divides_the_validators_as_the_table_says(entry: dict[str, Any]) -> None:
    """The same of a format that tickets do not have."""
    assert verdicts_of_format(entry["format"], entry["example"]) == (entry["reference"], entry["jsonschema_rs"])
    with pytest.raises(TimestampError) as refusal:
        PARSER_OF_FORMAT[entry["format"]](entry["example"])
    assert [refusal.value.reason_code] == entry["reason_codes"]
    assert re.fullmatch(entry["matches"], entry["example"])


@given(text=dates())
@ANY_SPEED
def test_dates_divide_the_validators_only_where_the_table_says_and_the_loader_takes_none_that_one_refuses(
    text: str,
) -> None:
    """Prevents a date in Bronze that some tool, asked later, calls invalid; and a date that both take, refused."""
    verdicts = verdicts_of_format("date", text)
    try:
        parse_date_start(text)
    except TimestampError:
        assert verdicts != (True, True), text
    else:
        assert verdicts == (True, True), text
    if verdicts[0] != verdicts[1]:
        assert any(
            re.fullmatch(entry["matches"], text) and verdicts == (entry["reference"], entry["jsonschema_rs"])
            for entry in FORMATS
        ), (text, verdicts)


@pytest.mark.parametrize("entry", LINES, ids=lambda entry: entry["name"])
def test_a_listed_line_divides_the_parsers_as_the_table_says(ruleset: Ruleset, entry: dict[str, Any]) -> None:
    """Prevents: a line that one parser reads in its own way lands."""
    line = entry["line"].encode() if "line" in entry else base64.b64decode(entry["line_base64"])
    assert _reference_accepts_line(line) is entry["reference"]
    assert _fast_accepts_line(line) is entry["jsonschema_rs"]
    judged = ruleset.judge(line)
    assert not isinstance(judged, AcceptedRecord)
    assert list(judged.reason_codes) == entry["reason_codes"]


def test_the_table_names_each_divergence_once_and_by_a_line_reject() -> None:
    """Prevents: a table that explains nothing, because its names or codes are made up."""
    assert len({entry["name"] for entry in TABLE}) == len(TABLE)
    codes = {code for entry in TABLE for code in entry["reason_codes"]}
    assert codes <= load_reason_codes(CONTRACTS).codes("line", "reject")
    assert not any(entry["loader"] for entry in TABLE)


@given(line=lines())
@ANY_SPEED
def test_what_the_judge_accepts_both_validators_and_the_parser_accept(line: bytes) -> None:
    """Prevents: a record in Bronze that some tool, asked later, calls invalid."""
    judged = RULESET.judge(line)
    if isinstance(judged, AcceptedRecord):
        assert _reference_accepts_line(line)
        assert _fast_accepts_line(line)
        record = orjson.loads(line)
        assert judged.created_at == parse_instant(record["created_at"])
        assert orjson.loads(judged.canonical) | orjson.loads(judged.envelope) == record
    else:
        assert set(judged.reason_codes) <= load_reason_codes(CONTRACTS).codes("line", "reject")
        assert "\0" not in judged.message
        assert judged.message.isascii()
        if _reference_accepts_line(line) and _fast_accepts_line(line):
            assert set(judged.reason_codes) <= LOADER_ONLY


@given(record=records())
@ANY_SPEED
def test_validators_divide_only_over_values_that_the_table_lists(record: dict[str, Any]) -> None:
    """Prevents: an unknown divergence, found by chance in production instead of here."""
    if any("\ud800" <= character <= "\udfff" for character in json.dumps(record, ensure_ascii=False)):
        return  # jsonschema-rs cannot be shown one; the line-level table has it
    for name, value in record.items():
        schema = {"properties": {name: contract()["properties"].get(name, {})}}
        if not isinstance(value, str) or not schema["properties"][name]:
            continue
        probe = {**BASE, name: value}
        verdicts = (reference_accepts(probe), fast_accepts(probe))
        if verdicts[0] != verdicts[1]:
            assert any(
                re.fullmatch(entry["matches"], value) and verdicts == (entry["reference"], entry["jsonschema_rs"])
                for entry in VALUES
            ), (name, value, verdicts)


def _reference_accepts_line(line: bytes) -> bool:
    try:
        return reference_accepts(json.loads(line))
    except (ValueError, RecursionError):
        return False


def _fast_accepts_line(line: bytes) -> bool:
    try:
        return fast_accepts(orjson.loads(line))
    except orjson.JSONDecodeError:
        return False
