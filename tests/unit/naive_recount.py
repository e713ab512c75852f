"""A recount of exports in plain Python; it shares no code with the generator or the loader."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

REQUIRED = (
    "ticket_id", "schema_version", "source_id", "ingest_batch_id", "customer_id", "status", "priority",
    "product_line", "created_at", "pii_level", "quality_gate", "owner",
)  # fmt: skip
OPTIONAL = (
    "org_id", "category", "product_version", "subject", "description", "error_codes", "asset_ids",
    "assignee_id", "sla_tier", "sla_due_at", "updated_at", "resolved_at", "pii_redacted", "tags",
)  # fmt: skip
ENUMS = {
    "status": "open pending in_progress resolved closed escalated",
    "priority": "p1_critical p2_high p3_medium p4_low",
    "category": "installation configuration connectivity authentication billing feature_request bug_report "
    "documentation performance security other",
    "product_line": "northstar_workspace northstar_edge_gateway northstar_studio cross_product",
    "sla_tier": "enterprise professional standard free",
    "quality_gate": "pass warn fail pending",
    "pii_level": "none low high",
}
INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
NULLABLE = ("assignee_id", "sla_due_at", "updated_at", "resolved_at")


class Refusal(Exception):
    pass


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refusal("duplicate_key")
    return dict(pairs)


def epoch_us(instant: datetime) -> int:
    past = instant - datetime(1970, 1, 1, tzinfo=UTC)
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def instant_us(text: str) -> int:
    found = INSTANT.fullmatch(text)
    if not found:
        raise Refusal("invalid_timestamp")
    try:
        moment = datetime.fromisoformat(found[1] + (found[2] or "")[:7] + found[3].replace("Z", "+00:00"))
    except ValueError:
        raise Refusal("invalid_timestamp") from None
    try:
        return epoch_us(moment.astimezone(UTC))
    except OverflowError:
        raise Refusal("timestamp_out_of_range") from None


def naive_record(body: bytes) -> dict[str, Any]:
    """The record of a line, or the one reason against it."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise Refusal("byte_order_mark")
    try:
        record = json.loads(body.decode("utf-8"), object_pairs_hook=no_duplicates)
    except UnicodeDecodeError:
        raise Refusal("invalid_utf8") from None
    except json.JSONDecodeError:
        raise Refusal("malformed_json") from None
    if not isinstance(record, dict):
        raise Refusal("not_an_object")
    text = json.dumps(record, ensure_ascii=False)
    if "\\u0000" in text:
        raise Refusal("unstorable_character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal("lone_surrogate")
    if any(name not in record for name in REQUIRED):
        raise Refusal("missing_required_field")
    if any(name not in REQUIRED + OPTIONAL for name in record):
        raise Refusal("unknown_field")
    for name, value in record.items():
        kind = {"tags": list, "error_codes": list, "asset_ids": list, "pii_redacted": bool}.get(name, str)
        if not isinstance(value, kind) and not (value is None and name in NULLABLE):
            raise Refusal("wrong_type")
        if name in ENUMS and value not in ENUMS[name].split():
            raise Refusal("invalid_enum_value")
    if record["schema_version"] != "ticket_v1":
        raise Refusal("schema_version_mismatch")
    if not re.fullmatch(r"TKT-[0-9]{8}-[0-9]{6}", record["ticket_id"]):
        raise Refusal("pattern_mismatch")
    if len(record.get("subject", "")) > 512 or any(len(record[name]) > 255 for name in ("source_id", "customer_id")):
        raise Refusal("value_too_long")
    for name in ("created_at", "updated_at", "resolved_at", "sla_due_at"):
        if record.get(name) is not None:
            instant_us(record[name])
    if record["pii_level"] == "high" and record.get("pii_redacted") is not True:
        raise Refusal("pii_not_redacted")
    return record


def uncompressed(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def day_text(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).date().isoformat()


def naive_recount(folder: Path) -> dict[str, dict[str, Any]]:
    """`files` and `partitions` as expected.json has them, from the files alone."""
    files: dict[str, Any] = {}
    events: dict[str, Counter[str]] = {"events": Counter(), "duplicates": Counter()}
    seen: dict[str, str] = {}
    winners: dict[str, tuple[int, str, str]] = {}
    touched: dict[str, set[str]] = {}
    for path in sorted(folder.glob("tickets-*")):
        content = uncompressed(path)
        lines = content.split(b"\n")
        if not lines[-1]:
            lines.pop()
        kinds: Counter[str] = Counter(blank=0, duplicates=0, events=0, delivered_late=0)
        reasons: Counter[str] = Counter()
        warnings: Counter[str] = Counter()
        for line in lines:
            body = line.removesuffix(b"\r")
            if not body.strip(b" \t\r"):
                kinds["blank"] += 1
                continue
            try:
                record = naive_record(body)
            except Refusal as refusal:
                reasons[str(refusal)] += 1
                continue
            created = instant_us(record["created_at"])
            updated = instant_us(record["updated_at"]) if record.get("updated_at") else None
            resolved = instant_us(record["resolved_at"]) if record.get("resolved_at") else None
            day = day_text(created)
            del record["ingest_batch_id"]
            fingerprint = json.dumps(record, sort_keys=True)
            kind = "duplicates" if fingerprint in seen else "events"
            kinds[kind] += 1
            events[kind][day] += 1
            if kind == "duplicates":
                continue
            seen[fingerprint] = day
            moment = created if updated is None else updated
            kinds["delivered_late"] += day_text(moment) < path.name[8:18]
            warnings["updated_before_created"] += updated is not None and updated < created
            warnings["resolved_before_created"] += resolved is not None and resolved < created
            warnings["ticket_day_mismatch"] += record["ticket_id"][4:12] != day.replace("-", "")
            ticket_id = record["ticket_id"]
            touched.setdefault(ticket_id, set()).add(day)
            if ticket_id not in winners or moment >= winners[ticket_id][0]:
                winners[ticket_id] = (moment, day, record["status"])
        files[path.name] = {
            "lines": len(lines),
            "rejected": sum(reasons.values()),
            "rejected_by_reason": dict(reasons),
            "warnings": dict(+warnings),
            "content_bytes": len(content),
            **kinds,
        }
    partitions: dict[str, Any] = {}
    for day in sorted(set(events["events"]) | set(events["duplicates"])):
        rows = {ticket_id: winner for ticket_id, winner in winners.items() if winner[1] == day}
        digest = 0
        for ticket_id, (moment, _, status) in rows.items():
            half = hashlib.md5(f"{ticket_id}|{status}|{moment}".encode()).hexdigest()[:16]
            number = int(half, 16)
            digest += number - 2**64 if number >= 2**63 else number
        partitions[day] = {
            "record_lines": events["events"][day] + events["duplicates"][day],
            "events": events["events"][day],
            "duplicates": events["duplicates"][day],
            "superseded": events["events"][day] - len(rows),
            "silver_rows": len(rows),
            "moved": sum(day in days and winners[ticket_id][1] != day for ticket_id, days in touched.items()),
            "winners_digest64": str(digest),
        }
    return {"files": files, "partitions": partitions}
