"""A kind of one's own is written whole, or nothing of it is; what a schema needs to be served is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.cli.kind_command import spelled_link
from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.errors import CommandUsageError
from loader.kinds import load_ruleset
from loader.kinds.cases import NoSampleError, sample
from loader.kinds.check import check_kinds
from loader.kinds.dbt_models import SERVING_FOLDER, SILVER_FOLDER
from loader.kinds.declaration import Link
from loader.kinds.new import Wish, write_kind
from tests.checkouts import ROOT
from tests.unlanded_kind import UNLANDED, add_unlanded

FOLDERS = (
    Path("contracts"),
    SILVER_FOLDER,
    SERVING_FOLDER,
    Path("dbt_project/models/staging"),
    Path("dbt_project/macros/kinds"),
    Path("infra/postgres"),
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Building permit",
    "additionalProperties": False,
    "required": ["permitId", "office", "decidedAt", "decision"],
    "properties": {
        "permitId": {"type": "string", "pattern": "^P-[0-9]{4}$", "examples": ["P-0001"]},
        "office": {"type": "string", "maxLength": 40},
        "applicant": {"type": ["string", "null"]},
        "decidedAt": {
            "type": "string",
            "format": "date-time",
            "description": "When it was decided; {{ no template }}.",
        },
        "changedAt": {"type": ["string", "null"], "format": "date-time"},
        "decision": {"type": "string", "enum": ["granted", "refused"]},
        "order": {"type": "string", "maxLength": 8},
        "fee": {"type": "number", "minimum": 10},
        "isUrgent": {"type": "boolean"},
        "codes": {"type": "array", "items": {"type": "string", "maxLength": 8}},
        "site": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"parcel": {"type": "string", "pattern": "^[0-9]+$", "examples": ["12"]}},
        },
        "remarks": {"type": "string"},
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / "project" / folder)
    return tmp_path / "project"


def wished(root: Path, schema: Any = SCHEMA) -> Wish:
    file = root.parent / "permit.json"
    file.write_text(json.dumps(schema))
    return Wish("permit_v1", file, "permit", "permitId", "decidedAt", "changedAt", "applicant", "office")


def _files(root: Path) -> dict[Path, bytes]:
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _changed(**properties: Any) -> dict[str, Any]:
    return {**SCHEMA, "properties": {**SCHEMA["properties"], **properties}}


def test_a_kind_is_written_whole_and_is_as_it_declares(root: Path) -> None:
    """Prevents a folder that `kind check` refuses, and a generated file that was forgotten."""
    before = _files(root)
    written = write_kind(root, wished(root))
    after = _files(root)
    assert {path for path, content in after.items() if before.get(path) != content} == set(written)
    assert check_kinds(root, "permit_v1")[1] == []
    declared = yaml.safe_load((root / "contracts/kinds/permit_v1/kind.yml").read_text())
    assert declared["roles"] == {
        "key": "permitId",
        "source": "office",
        "person": "applicant",
        "partition": "decidedAt",
        "version": ["changedAt", "decidedAt"],
    }
    columns = {name: field.get("silver") for name, field in declared["fields"].items()}
    assert columns == {
        **dict.fromkeys(("office", "applicant", "decision", "fee", "codes", "site")),
        **{name: name for name in ("office", "applicant", "decision", "fee", "codes", "site")},
        "permitId": "permit_id",
        "decidedAt": "decided_at",
        "changedAt": "changed_at",
        "order": "permit_order",
        "isUrgent": "is_urgent",
        "remarks": None,
    }
    model = yaml.safe_load((root / SILVER_FOLDER / "permit.yml").read_text())["models"][0]
    types = {column["name"]: column["data_type"] for column in model["columns"]}
    assert (types["fee"], types["site"], types["decided_at"]) == ("numeric", "jsonb", "timestamptz")
    assert "{{" not in next(each["description"] for each in model["columns"] if each["name"] == "decided_at")


def test_its_cases_are_judged_as_they_say(root: Path) -> None:
    """The judge itself: one line is landed with its roles, the others are refused for their reason."""
    write_kind(root, wished(root))
    ruleset = load_ruleset(root / "contracts", "permit_v1")
    folder = root / "contracts/kinds/permit_v1/fixtures"
    case = json.loads((folder / "valid/whole.json").read_text())
    judged = ruleset.judge(json.dumps(case["instance"]).encode())
    assert isinstance(judged, AcceptedRecord)
    assert (judged.record_key, judged.record_source, judged.person_id) == ("P-0001", "office", "applicant")
    codes = set()
    for path in (folder / "invalid").glob("*.json"):
        case = json.loads(path.read_text())
        line = case["line"] if "line" in case else json.dumps(case["instance"])
        judged = ruleset.judge(line.encode())
        assert isinstance(judged, RejectedRecord), path.name
        codes |= {path.name.split(".")[0]}.intersection(judged.reason_codes)
    assert codes == {
        "missing_required_field",
        "wrong_type",
        "invalid_timestamp",
        "malformed_json",
        "unknown_field",
        "invalid_enum_value",
    }


def test_a_kind_of_dates_with_an_integer_as_key_is_as_it_declares(root: Path) -> None:
    """Prevents a date that Silver takes for an instant, and fixtures without one that is wrong."""
    day = {"type": "string", "format": "date"}
    schema = _changed(permitId={"type": "integer", "minimum": 3}, decidedAt=day, changedAt=day)
    write_kind(root, wished(root, schema))
    assert check_kinds(root, "permit_v1")[1] == []
    model = yaml.safe_load((root / SILVER_FOLDER / "permit.yml").read_text())["models"][0]
    types = {column["name"]: column["data_type"] for column in model["columns"]}
    assert (types["permit_id"], types["decided_at"], types["changed_at"]) == ("text", "date", "date")
    sql = (root / SILVER_FOLDER / "permit.sql").read_text()
    assert "(record_fields ->> 'decidedAt')::date as decided_at" in sql
    assert "(record_fields ->> 'changedAt')::date as changed_at" in sql
    judge = load_ruleset(root / "contracts", "permit_v1").judge
    invalid = root / "contracts/kinds/permit_v1/fixtures/invalid"
    places = {}
    for path in invalid.glob("invalid_date.*"):
        judged = judge(json.dumps(json.loads(path.read_text())["instance"]).encode())
        assert isinstance(judged, RejectedRecord)
        places[path.name] = judged.json_path
    assert places == {
        "invalid_date.decidedAt.json": "$.decidedAt",
        "invalid_date.decidedAt.no_such_day.json": "$.decidedAt",
    }


def test_an_integer_names_a_record_and_its_source_by_its_digits(root: Path) -> None:
    """Prevents two records of which one is another spelling of the other, and a key that has to be quoted upstream."""
    write_kind(root, wished(root, _changed(permitId={"type": "integer", "minimum": 3}, office={"type": "integer"})))
    assert check_kinds(root, "permit_v1")[1] == []
    model = yaml.safe_load((root / SILVER_FOLDER / "permit.yml").read_text())["models"][0]
    types = {column["name"]: column["data_type"] for column in model["columns"]}
    assert (types["permit_id"], types["office"], types["fee"]) == ("text", "text", "numeric")
    record = {"office": 12, "decidedAt": "2026-06-01T00:00:00Z", "decision": "granted"}
    text = json.dumps(record)[:-1]
    judge = load_ruleset(root / "contracts", "permit_v1").judge
    found = [judge(f'{text}, "permitId": {spelled}}}'.encode()) for spelled in ("70", "70.0", "7e1")]
    assert [(each.record_key, each.record_source) for each in found if isinstance(each, AcceptedRecord)] == [
        ("70", "12")
    ] * 3


REFUSED: list[tuple[str, Any, str]] = [
    ("no object", {"type": "array"}, 'expected "type": "object"'),
    ("a bound that is no number", _changed(office={"type": "string", "maxLength": "x"}), "$.properties.office.maxL"),
    ("examples that are no list", _changed(office={"type": "string", "examples": 3}), "$.properties.office.examples"),
    ("a step of nothing", _changed(fee={"type": "integer", "multipleOf": 0}), "$.properties.fee.multipleOf"),
    ("another draft's bound", _changed(fee={"type": "number", "exclusiveMinimum": True}), "$.properties.fee.excl"),
    ("no field of that name", _changed(permitId=...), "the schema has no field permitId"),
    ("a key that may be absent", {**SCHEMA, "required": ["office", "decidedAt"]}, 'add it to "required"'),
    ("a key of no scalar type", _changed(permitId={"type": "object"}), 'permitId is object: declare it as "type"'),
    ("a key that is a number", _changed(permitId={"type": "number"}), 'permitId is number: declare it as "type"'),
    ("a person that is a number", _changed(applicant={"type": "integer"}), "applicant is integer"),
    ("a key that may be null", _changed(permitId={"type": ["string", "null"]}), "take null out of its type"),
    ("no instant", _changed(decidedAt={"type": "string"}), 'declare it with "format": "date-time" or "date"'),
    (
        "an example that is no text",
        _changed(decidedAt={"type": "string", "format": "date", "examples": [20260601]}),
        "no RFC 3339 full-date",
    ),
    (
        "an example that is no date",
        _changed(decidedAt={"type": "string", "format": "date", "examples": ["2026-02-29"]}),
        "the month has no such day",
    ),
    ("a name with a blank", _changed(**{"the fee": {"type": "number"}}), "the fee: expected letters"),
    ("a format without an example", _changed(office={"type": "string", "format": "uuid"}), 'add "examples"'),
    ("a pattern without an example", _changed(office={"type": "string", "pattern": "^x$"}), 'add "examples"'),
    (
        "a keyword that nobody explains",
        _changed(fee={"type": "number", "not": {"const": 3}}),
        "no reason code explains",
    ),
]


@pytest.mark.parametrize(("schema", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_schema_that_cannot_be_served_is_refused_with_what_to_change(root: Path, schema: Any, words: str) -> None:
    """Nothing is left behind: what was written by then is gone, generated files are as they were."""
    if "properties" in schema:
        schema["properties"] = {name: each for name, each in schema["properties"].items() if each is not ...}
    before = _files(root)
    with pytest.raises(CommandUsageError) as refused:
        write_kind(root, wished(root, schema))
    assert words in str(refused.value)
    assert _files(root) == before


def test_names_that_are_taken_are_refused(root: Path) -> None:
    wish = wished(root)
    write_kind(root, wish)
    before = _files(root)
    for other, words in (
        (wish, "is declared already"),
        (replace(wish, name="permit_v2"), "permit is permit_v1's"),
        (replace(wish, name="permit_v2", silver="customer_dim"), "customer_dim is ticket_v1's"),
        (replace(wish, name="../up"), "NAME: got ../up"),
        (replace(wish, name="permit_v2", silver="ticket_version"), "there is a model ticket_version"),
    ):
        with pytest.raises(CommandUsageError) as refused:
            write_kind(root, other)
        assert words in str(refused.value)
    assert _files(root) == before


def test_fields_that_name_records_of_other_kinds_are_declared_as_links(root: Path) -> None:
    """Prevents a field that is taken for somebody's words, and so stays where nobody can look up what it names."""
    schema = _changed(ticket={"type": "string"}, follows={"type": ["string", "null"]})
    links = (Link("ticket", ("ticket_v1",), False), Link("follows", ("permit_v1",), True))
    write_kind(root, replace(wished(root, schema), links=links))
    assert check_kinds(root, "permit_v1")[1] == []
    declared = yaml.safe_load((root / "contracts/kinds/permit_v1/kind.yml").read_text())
    assert declared["linked_to"] == [
        {"field": "ticket", "kind": "ticket_v1", "missing": "warn"},
        {"field": "follows", "kind": "permit_v1", "missing": "wait"},
    ]
    assert [declared["fields"][name]["silver"] for name in ("ticket", "follows")] == ["ticket", "follows"]


UNLINKED: list[tuple[str, Link, str]] = [
    ("no field", Link("visit", ("ticket_v1",), False), "--link: the schema has no field visit; it has permitId"),
    (
        "no kind",
        Link("order", ("visit_v1",), False),
        "--link: got the kind visit_v1, expected one that lands: ticket_v1, ",
    ),
    ("not landed", Link("order", (UNLANDED,), False), f"--link: got the kind {UNLANDED}, expected one that lands: "),
    ("another type", Link("fee", ("ticket_v1",), True), "--link: fee is number; ticket_id of ticket_v1, which it is"),
    ("once more", Link("office", ("ticket_v1",), True), "--link: office stands there for the second time"),
]


@pytest.mark.parametrize(("link", "words"), [case[1:] for case in UNLINKED], ids=[case[0] for case in UNLINKED])
def test_a_link_to_nothing_is_refused_with_what_to_change(root: Path, link: Link, words: str) -> None:
    add_unlanded(root / "contracts")
    before = _files(root)
    with pytest.raises(CommandUsageError) as refused:
        write_kind(root, replace(wished(root), links=(Link("office", ("permit_v1",), False), link)))
    assert words in str(refused.value) and str(refused.value).endswith("; nothing was written")
    assert _files(root) == before


def test_how_a_link_is_spelled() -> None:
    spelled = {"a=k_v1": False, "a=k_v1:warn": False, "a=k_v1:wait": True}
    assert {text: spelled_link(text) for text in spelled} == {
        text: Link("a", ("k_v1",), is_awaited) for text, is_awaited in spelled.items()
    }
    for text in ("a", "a=", "=k_v1", "a=k_v1:later"):
        with pytest.raises(CommandUsageError, match=f"--link: got {text}, expected FIELD=KIND"):
            spelled_link(text)


SAMPLES: list[tuple[Mapping[str, Any], Any]] = [
    ({"examples": ["a", "b"]}, "a"),
    ({"const": 7}, 7),
    ({"enum": [None, "x"]}, "x"),
    ({"type": "string", "minLength": 9}, "textxxxxx"),
    ({"type": "string", "maxLength": 2}, "te"),
    ({"type": ["null", "string"], "format": "date"}, "2026-04-17"),
    ({"type": "integer", "exclusiveMinimum": 3, "multipleOf": 5}, 5),
    ({"type": "number", "minimum": 1.5}, 2),
    ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
]


@pytest.mark.parametrize(("schema", "value"), SAMPLES)
def test_a_sample_is_what_its_schema_lets_in(schema: Mapping[str, Any], value: Any) -> None:
    assert sample(schema, "$.text") == value


@pytest.mark.parametrize(
    "schema", [{}, {"type": ["string", "integer"]}, {"type": "integer", "minimum": 3, "maximum": 2}]
)
def test_where_nothing_says_what_a_value_is_an_example_is_asked_for(schema: Mapping[str, Any]) -> None:
    with pytest.raises(NoSampleError, match="examples"):
        sample(schema)
