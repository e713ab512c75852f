from __future__ import annotations

import hashlib
import json
import shutil
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.errors import CommandUsageError
from loader.kinds import Ruleset, load_ruleset
from loader.kinds.judge import too_long

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
TICKET: dict[str, Any] = {
    "ticket_id": "TKT-20260417-000001",
    "schema_version": "ticket_v1",
    "source_id": "structured:tickets:synthetic",
    "ingest_batch_id": "batch-20260417-001",
    "customer_id": "cust_0042",
    "status": "open",
    "priority": "p2_high",
    "product_line": "northstar_studio",
    "created_at": "2026-04-17T08:00:00Z",
    "pii_level": "low",
    "quality_gate": "pass",
    "owner": "team_edge",
}


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load_ruleset(CONTRACTS)


def line_of(**changes: Any) -> bytes:
    return json.dumps({**TICKET, **changes}, separators=(",", ":")).encode()


def accepted(ruleset: Ruleset, line: bytes) -> AcceptedRecord:
    judged = ruleset.judge(line)
    assert isinstance(judged, AcceptedRecord), judged
    return judged


def rejected(ruleset: Ruleset, line: bytes) -> RejectedRecord:
    judged = ruleset.judge(line)
    assert isinstance(judged, RejectedRecord), judged
    return judged


def test_the_canonical_form_is_sorted_compact_and_without_the_batch(ruleset: Ruleset) -> None:
    """Prevents: a fingerprint that SQL cannot recompute from the stored payload."""
    record = accepted(ruleset, line_of(subject="é😀\u2028"))
    assert record.canonical == (
        b'{"created_at":"2026-04-17T08:00:00Z","customer_id":"cust_0042","owner":"team_edge","pii_level":"low",'
        b'"priority":"p2_high","product_line":"northstar_studio","quality_gate":"pass",'
        b'"schema_version":"ticket_v1","source_id":"structured:tickets:synthetic","status":"open",'
        b'"subject":"\xc3\xa9\xf0\x9f\x98\x80\xe2\x80\xa8","ticket_id":"TKT-20260417-000001"}'
    )
    assert record.record_fingerprint == hashlib.sha256(record.canonical).digest()
    assert record.event_id.hex() == record.record_fingerprint.hex()[:32]
    assert record.envelope == b'{"ingest_batch_id":"batch-20260417-001"}'


def test_layout_key_order_escapes_and_batch_do_not_change_the_fingerprint(ruleset: Ruleset) -> None:
    """Prevents: the same record delivered twice becomes two events."""
    one = accepted(ruleset, line_of(subject="é"))
    reordered = dict(reversed([*TICKET.items(), ("subject", "é")])) | {"ingest_batch_id": "batch-20260418-001"}
    for text in (json.dumps(reordered), json.dumps(reordered, ensure_ascii=False, indent=1)):
        other = accepted(ruleset, text.encode())
        assert other.record_fingerprint == one.record_fingerprint
        assert other.envelope == b'{"ingest_batch_id":"batch-20260418-001"}'


def test_null_absent_empty_and_normalisation_make_different_records(ruleset: Ruleset) -> None:
    """Prevents: two versions of a ticket that differ collapse into one event."""
    lines = [
        line_of(),
        line_of(assignee_id=None),
        line_of(assignee_id=""),
        line_of(subject="é"),
        line_of(subject="e\u0301"),
        line_of(created_at="2026-04-17T08:00:00.0Z"),
    ]
    assert len({accepted(ruleset, line).record_fingerprint for line in lines}) == len(lines)


def test_a_reject_repeats_no_value_and_no_doubtful_name_of_the_payload(ruleset: Ruleset) -> None:
    """Prevents: personal data leaves the line and lands in messages, logs and reports."""
    secret = "ana.secret@example.com"
    faults = [
        line_of(**{secret: "x"}),
        line_of(status=secret),
        line_of(ticket_id=secret),
        line_of(created_at=secret),
        line_of(schema_version=secret),
        line_of(subject=secret * 40),
        line_of(tags=[secret, {secret: secret}]),
        line_of(**{secret: "\ud800"}),
        line_of(pii_level="high", description=secret),
        line_of(description=secret)[:-2],
        line_of(description=secret).replace(b"ana", b"\xff"),
        line_of(description=secret)[:-1] + b',"' + secret.encode() + b'":1,"' + secret.encode() + b'":2}',
    ]
    for line in faults:
        reject = rejected(ruleset, line)
        assert "secret" not in reject.message
        assert "secret" not in reject.json_path
        assert reject.message.isascii()
        assert reject.message.isprintable()
        assert 0 < len(reject.message) <= 500


def test_a_message_says_place_rule_and_what_came(ruleset: Ruleset) -> None:
    """Prevents: an operator who has to open the file to learn what is wrong."""
    reject = rejected(ruleset, line_of(priority="urgent", sla_tier=3))
    assert reject.message == (
        "$.priority: expected one of p1_critical, p2_high, p3_medium, p4_low; got text of 6 characters; "
        "$.sla_tier: expected string, got a number"
    )
    assert reject.json_path == "$.priority"


@pytest.mark.parametrize(
    ("line", "day"),
    [
        (line_of(status="x"), date(2026, 4, 17)),
        (line_of(status="x", created_at="2026-04-17T23:30:00-01:00"), date(2026, 4, 18)),
        (b"\xef\xbb\xbf" + line_of(), date(2026, 4, 17)),
        (line_of(owner="X").replace(b'"X"', b'"\xff"'), date(2026, 4, 17)),
        (line_of()[:-1] + b',"created_at":"2026-04-17T08:00:00Z"}', None),
        (line_of()[:-1], None),
        (b"[]", None),
        (line_of(created_at=None), None),
        (line_of(created_at="2026-04-17T08:00:60Z"), None),
    ],
)
def test_a_reject_belongs_to_its_day_only_when_that_is_beyond_doubt(
    ruleset: Ruleset, line: bytes, day: date | None
) -> None:
    """Prevents: a rejected line is missing from its partition, or counted in a wrong one."""
    assert rejected(ruleset, line).partition_key == day


def test_a_line_that_is_too_long_is_a_reject_without_a_day() -> None:
    """Prevents: a line that was not kept whole is judged by its head."""
    reject = too_long(20_000_000, b'{"ticket_id": ')
    assert reject.reason_codes == ("line_too_long",)
    assert "20000000 bytes" in reject.message
    assert reject.partition_key is None


def test_a_whole_file_in_one_line_is_told_as_what_it_is() -> None:
    """Prevents: of an export that is one long JSON array nothing is known but its length."""
    reject = too_long(20_000_000, b'[{"ticket_id": "TKT-20260417-000001"')
    assert reject.reason_codes == ("json_document", "line_too_long")
    assert reject.message.startswith("$: one JSON array")


MANY = 200_000


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b'{"tags":[' + b"1," * MANY + b"1]}", id="many_wrong_items"),
        pytest.param(b'{"tags":[' + b'"a",' * MANY + b"1]}", id="one_wrong_item_at_the_end"),
        pytest.param(b"{" + b",".join(b'"k%d":1' % n for n in range(MANY)) + b"}", id="many_unknown_fields"),
        pytest.param(b"{" + b'"a":1,' * MANY + b'"a":1}', id="many_duplicates"),
        pytest.param(b"[" * MANY, id="deep"),
        pytest.param(b'{"owner":' + b"9" * MANY + b"}", id="many_digits"),
        pytest.param(b'{"tags":[' + b'"\\u0000",' * MANY + b'"\\ud800"]}', id="many_bad_characters"),
        pytest.param(b'{"status":"' + b"x" * MANY + b'"}', id="long_value"),
    ],
)
def test_a_hostile_line_costs_no_more_than_its_bytes(ruleset: Ruleset, line: bytes) -> None:
    """Prevents: one bad line takes minutes and gigabytes (the validator alone: 20 µs and 2 KB a fault)."""
    started = time.process_time()
    reject = rejected(ruleset, line)
    seconds = time.process_time() - started
    assert seconds < 2
    assert len(reject.message) <= 500


def test_a_ruleset_is_known_by_what_it_judges_with(tmp_path: Path, ruleset: Ruleset) -> None:
    """Prevents: lines read under an older contract count as read under today's."""
    assert load_ruleset(CONTRACTS).sha256 == ruleset.sha256
    assert sorted(ruleset.components) == [
        "business_rules_version",
        "contract_ref",
        "contract_sha256",
        "line_reason_codes_sha256",
        "reader_version",
    ]
    folder = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, folder)
    contract = folder / "kinds" / "ticket_v1" / "schema.json"
    contract.write_text(contract.read_text("utf-8") + "\n", "utf-8")
    assert load_ruleset(folder).sha256 != ruleset.sha256


def test_a_broken_contract_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    """Prevents: a run that judges by half a contract."""
    folder = tmp_path / "contracts"
    with pytest.raises(CommandUsageError, match=r"kinds/kind_v1\.schema\.json"):
        load_ruleset(folder)
    shutil.copytree(CONTRACTS, folder)
    contract = folder / "kinds" / "ticket_v1" / "schema.json"
    schema = json.loads(contract.read_bytes())
    for change, complaint in [
        (
            {"properties": {**schema["properties"], "tags": {"type": "array", "contains": {"const": 1}}}},
            "contains",
        ),
        (
            {"properties": {**schema["properties"], "tags": {"type": "array", "items": {"oneOf": []}}}},
            "oneOf",
        ),
        ({"properties": {**schema["properties"], "tags": {"type": "list"}}}, "list"),
    ]:
        contract.write_text(json.dumps({**schema, **change}), "utf-8")
        with pytest.raises(CommandUsageError, match=complaint) as refusal:
            load_ruleset(folder)
        assert refusal.value.next_command
    contract.write_text(json.dumps(schema), "utf-8")
    reasons = folder / "reason_codes.json"
    entries = [entry for entry in json.loads(reasons.read_bytes()) if entry["code"] != "duplicate_key"]
    reasons.write_text(json.dumps(entries), "utf-8")
    with pytest.raises(CommandUsageError, match="duplicate_key"):
        load_ruleset(folder)
