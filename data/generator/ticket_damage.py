"""In which ways the line of a ticket is damaged."""

from __future__ import annotations

from data.generator.damage import (
    Record,
    breaking_key,
    changed,
    damages_of_text,
    dropping,
    inventing,
    reason_codes,
    setting,
)
from data.generator.randomness import Draw, pick


def _break_pii(record: Record, draw: Draw) -> None:
    record["pii_level"] = "high"
    record.pop("pii_redacted", None)
    if draw() < 0.5:
        record["pii_redacted"] = False


def _answer_pii_in_words(record: Record, draw: Draw) -> None:
    record["pii_level"] = "low"  # or the rule about redaction would be broken too
    record["pii_redacted"] = pick(draw, ("yes", 1))


DAMAGES = (
    changed("missing_required_field", dropping("priority", "owner", "customer_id", "status")),
    changed("missing_required_field", dropping("created_at", "ticket_id")),
    changed("invalid_enum_value", setting("status", "on_hold", "Open", "")),
    changed("invalid_enum_value", setting("priority", "p5_none", "P1")),
    changed("invalid_enum_value", setting("category", "hardware")),
    changed("wrong_type", setting("customer_id", 4711, None)),
    changed("wrong_type", setting("tags", "vip", {"vip": True})),
    changed("wrong_type", _answer_pii_in_words),
    changed("invalid_timestamp", setting("created_at", "17.04.2026 10:00", "2026-02-30T10:00:00Z")),
    changed("invalid_timestamp", setting("updated_at", "2026-04-17T10:00:00", "2026-04-17", "2026-04-17T24:30:00Z")),
    changed("timestamp_out_of_range", setting("sla_due_at", "9999-12-31T23:30:00-02:00", "0001-01-01T00:30:00+02:00")),
    changed("unknown_field", inventing("ticket_url", "Status", "updatedAt")),
    changed("pii_not_redacted", _break_pii),
    changed("pattern_mismatch", breaking_key("ticket_id")),
    changed("schema_version_mismatch", setting("schema_version", "ticket_v2", "ticket_v0")),
    changed("value_too_long", setting("subject", "again and " * 60)),
    *damages_of_text("status", "open", "subject", "ticket"),
)

REASON_CODES = reason_codes(DAMAGES)
