"""Numbers of records as exact decimals: read from their tokens, written in one form."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loader.contract.exact_json import InexactError, exact_number, number_json, number_text, read_exactly, values_at
from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.kinds import Ruleset, load_ruleset
from tests.numbered_kind import READING, contracts_with


@pytest.fixture(scope="module")
def ruleset(tmp_path_factory: pytest.TempPathFactory) -> Ruleset:
    return load_ruleset(contracts_with(tmp_path_factory.mktemp("numbers"), "meter_v1"), "meter_v1")


# As JSON spells them, whatever they are worth.
TOKENS = st.from_regex(r"-?(0|[1-9][0-9]{0,45})(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)


def _plain(token: str) -> str:
    """The digits of a token without an exponent, by moving the point in its text."""
    mantissa, _, exponent = token.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    places = int(exponent or 0)
    digits, point = whole + fraction, len(whole) + places
    digits = digits.rjust(len(digits) - min(point, 0), "0") if point < 0 else digits.ljust(point, "0")
    point = max(point, 0)
    text = (digits[:point].lstrip("0") or "0") + "." + digits[point:]
    text = text.rstrip("0").rstrip(".")
    return f"-{text}" if token.startswith("-") and text != "0" else text


@given(TOKENS)
def test_a_number_is_what_its_token_spells_or_is_refused(token: str) -> None:
    """Prevents a float between delivery and Silver, two spellings of one number, and a number cut to fit."""
    expected = _plain(token)
    digits = expected.lstrip("-").removeprefix("0.").replace(".", "")
    if len(digits) > 38:
        with pytest.raises(InexactError):
            exact_number(token)
        return
    number = exact_number(token)
    assert number_text(number) == expected
    assert orjson.dumps(number, default=number_json) == expected.encode()
    # Again, from what was written.
    assert number_text(exact_number(expected)) == expected


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("1.0", "1"),
        ("-0", "0"),
        ("-0.000e9", "0"),
        ("1e2", "100"),
        ("0.1000", "0.1"),
        ("-12.50E-1", "-1.25"),
        ("9" * 38, "9" * 38),
        ("1e-38", "0." + "0" * 37 + "1"),
        ("0." + "1" * 38 + "0" * 5_000, "0." + "1" * 38),
    ],
)
def test_spellings(token: str, text: str) -> None:
    assert number_text(exact_number(token)) == text


@pytest.mark.parametrize("token", ["9" * 39, "1e38", "1e-39", "1e999999999", "-1e-999999999999999999999", "1" * 99_999])
def test_what_has_too_many_digits_is_refused_before_it_is_written_out(token: str) -> None:
    """Prevents a line of ten characters that takes gigabytes."""
    with pytest.raises(InexactError):
        exact_number(token)


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"a":{"b":1,"b":2}}]', "[NaN]", "[" * 65 + "]" * 65])
def test_json_of_which_no_reading_is_the_right_one_is_refused(text: str) -> None:
    with pytest.raises(InexactError):
        read_exactly(text)


def test_values_at_a_place() -> None:
    value = {"a": [{"b": "x"}, {"c": 1}, {"b": None}], "b": "y"}
    assert list(values_at(value, ("a", "*", "b"))) == ["x", None]
    assert list(values_at(value, ("b", "*"))) == []
    assert list(values_at(value, ("b",))) == ["y"]


def _judged(ruleset: Ruleset, **tokens: str) -> AcceptedRecord | RejectedRecord:
    """A reading with these fields spelled so."""
    return ruleset.judge(orjson.dumps({**READING, **{name: orjson.Fragment(token) for name, token in tokens.items()}}))


def test_spellings_of_one_number_are_one_record(ruleset: Ruleset) -> None:
    """Prevents a second version of a record of which nothing changed but how its platform prints numbers."""
    spellings = {"7": "0.7", "7.0": "7e-1", "70e-1": "0.70"}
    found = [_judged(ruleset, count=count, share=share) for count, share in spellings.items()]
    accepted = [judged for judged in found if isinstance(judged, AcceptedRecord)]
    assert [judged.canonical for judged in accepted] == [
        b'{"count":7,"read_at":"2026-04-17T09:00:00Z","reading":"R-1","share":0.7}'
    ] * 3


@pytest.mark.parametrize(
    ("field", "token", "code", "place"),
    [
        ("share", "0." + "1" * 39, "number_too_long", "$.share"),
        ("parts", '[{"size":1},{"size":1e400}]', "number_too_long", "$.parts[1].size"),
        ("share", "1.00000000000000000000000001", "value_out_of_bounds", "$.share"),
        ("parts", "[" + ",".join(['{"size":1}'] * 21) + "]", "value_out_of_bounds", "$.parts"),
        ("parts", '[{"size":-1}]', "value_out_of_bounds", "$.parts[0].size"),
        ("count", "2.5", "wrong_type", "$.count"),
        ("count", '"2"', "wrong_type", "$.count"),
        ("parts", '[{"size":1,"labels":["x",7]}]', "wrong_type", "$.parts[0].labels[1]"),
        ("parts", "[7]", "wrong_type", "$.parts[0]"),
        ("parts", '[{"labels":[]}]', "missing_required_field", "$.parts[0].size"),
        ("parts", '[{"size":1,"owner":"x"}]', "unknown_field", "$.parts[0].owner"),
        ("parts", '[{"size":1,"seen_at":"2026-04-17T23:59:60Z"}]', "timestamp_out_of_range", "$.parts[0].seen_at"),
        ("parts", '[{"size":1,"seen_at":"yesterday"}]', "invalid_timestamp", "$.parts[0].seen_at"),
        ("parts", '[{"size":1,"size":2}]', "duplicate_key", "$"),
        ("parts", '[{"size":1,"labels":["\\u0000"]}]', "unstorable_character", "$.parts[0].labels[0]"),
        ("parts", "[" * 65 + "]" * 65, "malformed_json", "$"),
    ],
)
def test_a_fault_names_its_code_and_its_place(ruleset: Ruleset, field: str, token: str, code: str, place: str) -> None:
    """Prevents a reject of which nobody can say what is wrong, and where inside of a field."""
    judged = _judged(ruleset, **{field: token})
    assert isinstance(judged, RejectedRecord)
    assert (judged.reason_codes, judged.json_path) == ((code,), place), judged.message


@given(
    st.recursive(
        st.one_of(st.decimals(allow_nan=False, allow_infinity=False, places=4), st.text(max_size=5), st.booleans()),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_place_of_a_number_is_judged_and_told_with_its_place(
    ruleset: Ruleset, value: Any
) -> None:
    """Prevents a judge and an explanation that disagree, and a fault without a place."""
    token = orjson.dumps(value, default=number_json).decode()
    judged = _judged(ruleset, parts=f'[{{"size":{token}}}]')
    is_whole = isinstance(value, Decimal) and value == value.to_integral_value() and value >= 0
    if isinstance(value, Decimal) and len(number_text(value).lstrip("-").replace(".", "")) > 38:
        is_whole = False
    assert isinstance(judged, AcceptedRecord) == is_whole
    if isinstance(judged, RejectedRecord):
        assert judged.json_path.startswith("$.parts[0].size"), judged


def test_the_same_bytes_under_two_kinds_are_two_events(tmp_path: Path) -> None:
    """Prevents one event_id of two kinds: a line of one would be taken for a delivery of the other."""
    contracts = contracts_with(tmp_path, "meter_v1", "gauge_v1")
    found = [load_ruleset(contracts, name).judge(orjson.dumps(READING)) for name in ("meter_v1", "gauge_v1")]
    accepted = [judged for judged in found if isinstance(judged, AcceptedRecord)]
    canonical = b'{"count":0,"read_at":"2026-04-17T09:00:00Z","reading":"R-1"}'
    assert [(judged.canonical, judged.record_fingerprint) for judged in accepted] == [
        (canonical, hashlib.sha256(b"meter_v1" + canonical).digest()),
        (canonical, hashlib.sha256(b"gauge_v1" + canonical).digest()),
    ]


def test_records_that_say_their_kind_themselves_keep_their_ids(tmp_path: Path) -> None:
    """Prevents other ids of every ticket that has ever landed."""
    contracts = contracts_with(tmp_path, "meter_v1", say_themselves=True)
    judged = load_ruleset(contracts, "meter_v1").judge(orjson.dumps({**READING, "kind_name": "meter_v1"}))
    assert isinstance(judged, AcceptedRecord)
    assert judged.record_fingerprint == hashlib.sha256(judged.canonical).digest()
