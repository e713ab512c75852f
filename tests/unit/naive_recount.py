"""A recount of exports in plain Python; it shares no code with the generator or the loader."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Refusal(Exception):
    pass


@dataclass(frozen=True)
class NaiveKind:
    """What a record of a kind must be, said once more. `types` of fields that are no text; `content`: what
    winners_digest64 takes of a winner, before its instant."""

    name: str
    prefix: str
    key: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    nullable: tuple[str, ...]
    enums: Mapping[str, str]
    types: Mapping[str, type]
    patterns: Mapping[str, str]
    lengths: Mapping[str, int]
    instants: tuple[str, ...]
    content: tuple[str, ...]
    further: Callable[[Record], None]


def _pii_is_redacted(record: Record) -> None:
    if record["pii_level"] == "high" and record.get("pii_redacted") is not True:
        raise Refusal("pii_not_redacted")


TICKETS = NaiveKind(
    name="ticket_v1",
    prefix="tickets",
    key="ticket_id",
    required=(
        "ticket_id", "schema_version", "source_id", "ingest_batch_id", "customer_id", "status", "priority",
        "product_line", "created_at", "pii_level", "quality_gate", "owner",
    ),
    optional=(
        "org_id", "category", "product_version", "subject", "description", "error_codes", "asset_ids",
        "assignee_id", "sla_tier", "sla_due_at", "updated_at", "resolved_at", "pii_redacted", "tags",
    ),
    nullable=("assignee_id", "sla_due_at", "updated_at", "resolved_at"),
    enums={
        "status": "open pending in_progress resolved closed escalated",
        "priority": "p1_critical p2_high p3_medium p4_low",
        "category": "installation configuration connectivity authentication billing feature_request bug_report "
        "documentation performance security other",
        "product_line": "northstar_workspace northstar_edge_gateway northstar_studio cross_product",
        "sla_tier": "enterprise professional standard free",
        "quality_gate": "pass warn fail pending",
        "pii_level": "none low high",
    },
    types={"tags": list, "error_codes": list, "asset_ids": list, "pii_redacted": bool},
    patterns={"ticket_id": "TKT-[0-9]{8}-[0-9]{6}"},
    lengths={"subject": 512, "source_id": 255, "customer_id": 255},
    instants=("created_at", "updated_at", "resolved_at", "sla_due_at"),
    content=("ticket_id", "status"),
    further=_pii_is_redacted,
)  # fmt: skip


def _is_whole(number: Decimal) -> bool:
    return number == int(number)


def _numbers_and_attachments(record: Record) -> None:
    for name in ("word_count", "seconds_to_reply"):
        if record.get(name) is not None and record[name] < 0:
            raise Refusal("value_out_of_bounds")
    if not _is_whole(record.get("word_count", Decimal(0))):
        raise Refusal("wrong_type")
    attachments = record.get("attachments", [])
    if len(attachments) > 50:
        raise Refusal("value_out_of_bounds")
    for attachment in attachments:
        if not isinstance(attachment, dict):
            raise Refusal("wrong_type")
        if {"asset_id", "size_bytes"} - set(attachment):
            raise Refusal("missing_required_field")
        if len(attachment) > 2:
            raise Refusal("unknown_field")
        if not isinstance(attachment["size_bytes"], Decimal) or not _is_whole(attachment["size_bytes"]):
            raise Refusal("wrong_type")
        if attachment["size_bytes"] < 0:
            raise Refusal("value_out_of_bounds")
        if not re.fullmatch("asset-[0-9]{5}", attachment["asset_id"]):
            raise Refusal("pattern_mismatch")


COMMENTS = NaiveKind(
    name="ticket_comment_v1",
    prefix="comments",
    key="comment_id",
    required=(
        "comment_id", "schema_version", "source_id", "ingest_batch_id", "ticket_id", "author_id", "author_role",
        "visibility", "created_at", "comment_body",
    ),
    optional=("word_count", "seconds_to_reply", "attachments", "updated_at"),
    nullable=("seconds_to_reply", "updated_at"),
    enums={"author_role": "customer agent system", "visibility": "public internal"},
    types={"word_count": Decimal, "seconds_to_reply": Decimal, "attachments": list},
    patterns={"comment_id": "CMT-[0-9]{8}-[0-9]{6}", "ticket_id": "TKT-[0-9]{8}-[0-9]{6}"},
    lengths={"source_id": 255, "author_id": 255},
    instants=("created_at", "updated_at"),
    content=("comment_id", "visibility", "word_count", "seconds_to_reply"),
    further=_numbers_and_attachments,
)  # fmt: skip

INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


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


def plain(number: Decimal) -> str:
    """The one text of a number, whatever its spelling."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def numbers_in(value: Any) -> Iterator[Decimal]:
    if isinstance(value, Decimal):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from numbers_in(inner)


def naive_record(body: bytes, kind: NaiveKind) -> Record:
    """The record of a line, or the one reason against it."""
    if body.startswith(b"\xef\xbb\xbf"):
        raise Refusal("byte_order_mark")
    try:
        record = json.loads(
            body.decode("utf-8"), object_pairs_hook=no_duplicates, parse_int=Decimal, parse_float=Decimal
        )
    except UnicodeDecodeError:
        raise Refusal("invalid_utf8") from None
    except json.JSONDecodeError:
        raise Refusal("malformed_json") from None
    if not isinstance(record, dict):
        raise Refusal("not_an_object")
    text = json.dumps(record, ensure_ascii=False, default=plain)
    if "\\u0000" in text:
        raise Refusal("unstorable_character")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Refusal("lone_surrogate")
    if any(name not in record for name in kind.required):
        raise Refusal("missing_required_field")
    if any(name not in kind.required + kind.optional for name in record):
        raise Refusal("unknown_field")
    for name, value in record.items():
        if not isinstance(value, kind.types.get(name, str)) and not (value is None and name in kind.nullable):
            raise Refusal("wrong_type")
        if name in kind.enums and value not in kind.enums[name].split():
            raise Refusal("invalid_enum_value")
    if any(len(plain(number).strip("-").replace(".", "")) > 38 for number in numbers_in(record)):
        raise Refusal("number_too_long")
    if record["schema_version"] != kind.name:
        raise Refusal("schema_version_mismatch")
    if not all(re.fullmatch(pattern, record[name]) for name, pattern in kind.patterns.items()):
        raise Refusal("pattern_mismatch")
    if any(len(record.get(name, "")) > length for name, length in kind.lengths.items()):
        raise Refusal("value_too_long")
    for name in kind.instants:
        if record.get(name) is not None:
            instant_us(record[name])
    kind.further(record)
    return record


def uncompressed(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def day_text(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us // 1_000_000, UTC).date().isoformat()


def naive_recount(folder: Path, kind: NaiveKind = TICKETS) -> dict[str, dict[str, Any]]:
    """`files` and `partitions` as expected.json has them, from the files alone."""
    files: dict[str, Any] = {}
    events: dict[str, Counter[str]] = {"events": Counter(), "duplicates": Counter()}
    seen: dict[str, str] = {}
    winners: dict[str, tuple[int, str, str]] = {}
    touched: dict[str, set[str]] = {}
    for path in sorted(folder.glob(f"{kind.prefix}-*")):
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
                record = naive_record(body, kind)
            except Refusal as refusal:
                reasons[str(refusal)] += 1
                continue
            created = instant_us(record["created_at"])
            updated = instant_us(record["updated_at"]) if record.get("updated_at") else None
            resolved = instant_us(record["resolved_at"]) if record.get("resolved_at") else None
            day = day_text(created)
            del record["ingest_batch_id"]
            fingerprint = json.dumps(record, sort_keys=True, default=plain)
            fate = "duplicates" if fingerprint in seen else "events"
            kinds[fate] += 1
            events[fate][day] += 1
            if fate == "duplicates":
                continue
            seen[fingerprint] = day
            moment = created if updated is None else updated
            kinds["delivered_late"] += day_text(moment) < path.name.removeprefix(f"{kind.prefix}-")[:10]
            warnings["updated_before_created"] += updated is not None and updated < created
            warnings["resolved_before_created"] += resolved is not None and resolved < created
            key = record[kind.key]
            warnings["ticket_day_mismatch"] += key[4:12] != day.replace("-", "")
            touched.setdefault(key, set()).add(day)
            if key not in winners or moment >= winners[key][0]:
                shown = [record[name] for name in kind.content if record.get(name) is not None]
                winners[key] = (
                    moment,
                    day,
                    "|".join(plain(value) if isinstance(value, Decimal) else value for value in shown),
                )
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
        rows = [winner for winner in winners.values() if winner[1] == day]
        digest = 0
        for moment, _, text in rows:
            half = hashlib.md5(f"{text}|{moment}".encode()).hexdigest()[:16]
            number = int(half, 16)
            digest += number - 2**64 if number >= 2**63 else number
        partitions[day] = {
            "record_lines": events["events"][day] + events["duplicates"][day],
            "events": events["events"][day],
            "duplicates": events["duplicates"][day],
            "superseded": events["events"][day] - len(rows),
            "silver_rows": len(rows),
            "moved": sum(day in days and winners[key][1] != day for key, days in touched.items()),
            "winners_digest64": str(digest),
        }
    return {"files": files, "partitions": partitions}
