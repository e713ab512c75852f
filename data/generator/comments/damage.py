"""In which ways the line of a comment is damaged."""

from __future__ import annotations

from data.generator.damage import (
    Change,
    Record,
    breaking_key,
    changed,
    damages_of_text,
    dropping,
    inventing,
    reason_codes,
    setting,
)
from data.generator.randomness import Draw

_TOO_LONG = 10**39 + 1


def _in_an_attachment(change: Change) -> Change:
    """The change made to the last attachment; where there is none, to one that is put there."""

    def changed_inside(record: Record, draw: Draw) -> None:
        attachments = record.setdefault("attachments", [])
        attachments.append({"asset_id": "asset-00001", "size_bytes": 1})
        change(attachments[-1], draw)

    return changed_inside


def _attach_too_many(record: Record, draw: Draw) -> None:
    record["attachments"] = [{"asset_id": f"asset-{number:05d}", "size_bytes": number} for number in range(51)]


DAMAGES = (
    changed("missing_required_field", dropping("ticket_id", "author_id", "visibility", "comment_body")),
    changed("missing_required_field", dropping("created_at", "comment_id")),
    changed("missing_required_field", _in_an_attachment(dropping("asset_id", "size_bytes"))),
    changed("invalid_enum_value", setting("author_role", "bot", "Agent", "")),
    changed("invalid_enum_value", setting("visibility", "private")),
    changed("wrong_type", setting("author_id", 4711, None)),
    changed("wrong_type", setting("word_count", "12", 7.5, None)),
    changed("wrong_type", setting("seconds_to_reply", "soon", True)),
    changed("wrong_type", setting("attachments", {}, ["asset-00001"])),
    changed("wrong_type", _in_an_attachment(setting("size_bytes", "12 kB", 0.5, None))),
    changed("value_out_of_bounds", setting("word_count", -1)),
    changed("value_out_of_bounds", setting("seconds_to_reply", -0.5)),
    changed("value_out_of_bounds", _attach_too_many),
    changed("value_out_of_bounds", _in_an_attachment(setting("size_bytes", -1))),
    changed("number_too_long", setting("word_count", _TOO_LONG)),
    changed("number_too_long", setting("seconds_to_reply", _TOO_LONG, 1e-40)),
    changed("number_too_long", _in_an_attachment(setting("size_bytes", _TOO_LONG))),
    changed("invalid_timestamp", setting("created_at", "17.04.2026 10:00", "2026-02-30T10:00:00Z")),
    changed("invalid_timestamp", setting("updated_at", "2026-04-17T10:00:00", "2026-04-17", "2026-04-17T24:30:00Z")),
    changed("timestamp_out_of_range", setting("updated_at", "9999-12-31T23:30:00-02:00", "0001-01-01T00:30:00+02:00")),
    changed("unknown_field", inventing("comment_url", "Visibility", "updatedAt")),
    changed("unknown_field", _in_an_attachment(inventing("name"))),
    changed("pattern_mismatch", breaking_key("comment_id")),
    changed("pattern_mismatch", breaking_key("ticket_id")),
    changed("pattern_mismatch", _in_an_attachment(setting("asset_id", "asset-1", "asset-00001\n"))),
    changed("schema_version_mismatch", setting("schema_version", "ticket_comment_v2", "ticket_v1")),
    changed("value_too_long", setting("author_id", "x" * 256)),
    *damages_of_text("visibility", "public", "comment_body", "comment"),
)

REASON_CODES = reason_codes(DAMAGES)
