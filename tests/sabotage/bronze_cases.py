"""Damages to the rows of Bronze."""

from __future__ import annotations

from tests.sabotage.case import Case, double, unlock
from tests.sabotage.victims import (
    BLANK_LINE,
    COMMENTS,
    DUPLICATE_LINE,
    EVENT_ASSET,
    EVENT_DAY,
    LAST_LINE,
    LINE_ASSET,
    LINE_DAY,
    OLDER,
    OTHER_UUID,
    RECORD_LINE,
    REJECT,
    REJECT_ASSET,
    REJECT_DAY,
    REJECT_WITHOUT_DAY,
    REJECTED_LINE,
    SHOWN,
    TICKETS,
    Victim,
)

# Documents name no person, and a manifest's batch is no part of their records.
_OF_LINES = (TICKETS, COMMENTS)


def _event_edit(
    column: str,
    value: str,
    check_name: str,
    event: str = SHOWN,
    other_days: str | None = None,
    only: tuple[Victim, ...] = (),
) -> Case:
    return Case(
        f"edit record_event.{column}",
        (f"update bronze.:events set {column} = {value} where event_id = {event}",),
        "bronze.record_event",
        check_name,
        EVENT_DAY + event,
        EVENT_ASSET + event,
        other_days,
        only=only,
    )


def _line_edit(
    column: str,
    value: str,
    check_name: str,
    *,
    day: bool = True,
    other_days: str | None = None,
    only: tuple[Victim, ...] = (),
) -> Case:
    return Case(
        f"edit asset_line.{column}",
        (
            unlock("bronze.asset_line"),
            f"update bronze.asset_line set {column} = {value} where ctid = {RECORD_LINE}",
        ),
        "bronze.asset_line",
        check_name,
        LINE_DAY + RECORD_LINE if day else None,
        LINE_ASSET + RECORD_LINE,
        other_days,
        only=only,
    )


def _reject_edit(column: str, value: str, check_name: str, is_named: bool = True) -> Case:
    return Case(
        f"edit rejected_record.{column}",
        (
            unlock("bronze.rejected_record"),
            f"update bronze.rejected_record set {column} = {value} where ctid = {REJECT}",
        ),
        "bronze.rejected_record",
        check_name,
        REJECT_DAY + REJECT if is_named else None,
        REJECT_ASSET + REJECT if is_named else None,
    )


EVENTS = (
    Case(
        "delete a shown event",
        (f"delete from bronze.:events where event_id = {SHOWN}",),
        "bronze.record_event",
        "event_missing",
        EVENT_DAY + SHOWN,
        EVENT_ASSET + SHOWN,
    ),
    Case(
        "delete a superseded event",
        (f"delete from bronze.:events where event_id = {OLDER}",),
        "bronze.record_event",
        "event_missing",
        EVENT_DAY + OLDER,
        EVENT_ASSET + OLDER,
    ),
    Case(
        "double an event",
        double("bronze.record_event", f"event_id = {SHOWN}"),
        "bronze.record_event",
        "event_doubled",
        EVENT_DAY + SHOWN,
        EVENT_ASSET + SHOWN,
    ),
    _event_edit(
        "raw_payload", 'replace(raw_payload, \'":field":"\', \'":field":"x\')', "payload_differs_from_fingerprint"
    ),
    _event_edit("raw_payload", "'no JSON at all'", "payload_differs_from_fingerprint", OLDER),
    _event_edit(
        "record_fingerprint",
        "set_byte(record_fingerprint, 31, get_byte(record_fingerprint, 31) # 1)",
        "payload_differs_from_fingerprint",
    ),
    _event_edit("event_id", OTHER_UUID, "event_missing"),
    _event_edit("record_source", "record_source || '_x'", "columns_differ_from_payload"),
    _event_edit("record_key", "'GONE-19990101-000001'", "columns_differ_from_payload"),
    _event_edit("person_id", "person_id || 'x'", "columns_differ_from_payload", only=_OF_LINES),
    _event_edit("person_id", "null", "columns_differ_from_payload", only=_OF_LINES),
    _event_edit("created_at", "created_at + interval '1 microsecond'", "columns_differ_from_payload"),
    _event_edit("updated_at", "coalesce(updated_at, created_at) - interval '1 year'", "columns_differ_from_payload"),
    _event_edit("updated_at", "case when updated_at is null then created_at end", "columns_differ_from_payload", OLDER),
    _event_edit(
        "partition_key",
        "partition_key + 1",
        "partition_differs_from_created_at",
        other_days="the day after has an event too many",
    ),
    _event_edit("envelope", """'{"ingest_batch_id":"x"}'""", "record_differs_from_bronze", only=_OF_LINES),
    _event_edit("envelope", "'broken'", "record_differs_from_bronze", only=_OF_LINES),
    _event_edit("warning_codes", "warning_codes || 'x'::text", "record_differs_from_bronze"),
    _event_edit("asset_id", "asset_id + 1000", "first_delivery_missing"),
    _event_edit("line_number", "line_number + 100000", "first_delivery_missing"),
    _event_edit("run_id", OTHER_UUID, "run_differs_from_load"),
    Case(
        "move an event to a load that never was",
        (f"update bronze.:events set _dlt_load_id = '1.1' where event_id = {SHOWN}",),
        "bronze.record_event",
        "rows_never_completed",
        EVENT_DAY + SHOWN,
        EVENT_ASSET + SHOWN,
    ),
    Case(
        "edit the batch of an event that Silver does not show",
        (f"update bronze.:events set envelope = '{{}}' where event_id = {OLDER}",),
        "bronze.record_event",
        "content_differs_from_completed_load",
        only=_OF_LINES,
    ),
    Case(
        "forge an event: payload, fingerprint and id agree",
        (
            (
                'update bronze.:events set raw_payload = replace(raw_payload, \'":field":"\', \'":field":"x\')'
                f" where event_id = {SHOWN}"
            ),
            (
                "update bronze.:events set record_fingerprint = sha256(convert_to(raw_payload, 'UTF8')),"
                " event_id = encode(substr(sha256(convert_to(raw_payload, 'UTF8')), 1, 16), 'hex')::uuid"
                f" where event_id = {SHOWN}"
            ),
        ),
        "bronze.record_event",
        "event_missing",
        EVENT_DAY + SHOWN,
        EVENT_ASSET + SHOWN,
    ),
    Case(
        "forge an event that no line delivers",
        (
            "insert into bronze.:events select record_kind, "
            + OTHER_UUID
            + "::uuid, decode(repeat('00', 32), 'hex'), record_source,"
            " 'GONE-20200101-000001', person_id, created_at, updated_at, partition_key, '{broken',"
            " envelope, warning_codes, asset_id, line_number, run_id, _dlt_load_id"
            f" from bronze.:events where event_id = {SHOWN}",
        ),
        "bronze.record_event",
        "first_delivery_missing",
        EVENT_DAY + SHOWN,
        EVENT_ASSET + SHOWN,
    ),
)

LINES = (
    Case(
        "delete a line in the middle",
        (f"delete from bronze.asset_line where ctid = {RECORD_LINE}",),
        "bronze.asset_line",
        "partition_counts_differ",
        LINE_DAY + RECORD_LINE,
        LINE_ASSET + RECORD_LINE,
    ),
    Case(
        "delete the last line",
        (f"delete from bronze.asset_line where ctid = {LAST_LINE}",),
        "bronze.asset_line",
        "lines_do_not_end_with_content",
        None,
        LINE_ASSET + LAST_LINE,
    ),
    Case(
        "delete the line that landed an event",
        (f"delete from bronze.asset_line where event_id = {SHOWN}",),
        "bronze.asset_line",
        "first_delivery_missing",
        EVENT_DAY + SHOWN,
        EVENT_ASSET + SHOWN,
    ),
    Case(
        "delete a duplicate line",
        (f"delete from bronze.asset_line where ctid = {DUPLICATE_LINE}",),
        "bronze.asset_line",
        "partition_counts_differ",
        LINE_DAY + DUPLICATE_LINE,
        LINE_ASSET + DUPLICATE_LINE,
    ),
    Case(
        "delete a blank line",
        (f"delete from bronze.asset_line where ctid = {BLANK_LINE}",),
        "bronze.asset_line",
        "line_count_differs",
        None,
        LINE_ASSET + BLANK_LINE,
    ),
    Case(
        "double a line",
        double("bronze.asset_line", f"ctid = {RECORD_LINE}"),
        "bronze.asset_line",
        "partition_counts_differ",
        LINE_DAY + RECORD_LINE,
        LINE_ASSET + RECORD_LINE,
    ),
    _line_edit("byte_offset", "byte_offset + 1", "lines_do_not_tile", day=False),
    _line_edit("byte_length", "byte_length + 1", "lines_do_not_tile", day=False, only=_OF_LINES),
    _line_edit("event_id", OTHER_UUID, "event_missing"),
    _line_edit("asset_id", "asset_id + 1000", "partition_counts_differ"),
    _line_edit("line_number", "line_number + 100000", "lines_do_not_tile", day=False),
    _line_edit("ruleset_id", "ruleset_id + 100", "partition_counts_differ"),
    _line_edit(
        "partition_key",
        "partition_key + 400",
        "partition_counts_differ",
        other_days="the day that the line names now has a line too many",
    ),
    Case(
        "turn a duplicate line into a blank one",
        (
            (
                "update bronze.asset_line set kind = 'blank', event_id = null, partition_key = null"
                f" where ctid = {DUPLICATE_LINE}"
            ),
        ),
        "bronze.asset_line",
        "partition_counts_differ",
        LINE_DAY + DUPLICATE_LINE,
        LINE_ASSET + DUPLICATE_LINE,
    ),
    Case(
        "turn a rejected line into a blank one",
        (f"update bronze.asset_line set kind = 'blank', partition_key = null where ctid = {REJECTED_LINE}",),
        "bronze.asset_line",
        "reject_without_rejected_line",
        LINE_DAY + REJECTED_LINE,
        LINE_ASSET + REJECTED_LINE,
    ),
    Case(
        "turn a blank line into a rejected one",
        (f"update bronze.asset_line set kind = 'rejected' where ctid = {BLANK_LINE}",),
        "bronze.asset_line",
        "reject_missing",
        None,
        LINE_ASSET + BLANK_LINE,
    ),
    Case(
        "let a duplicate line deliver another event",
        (f"update bronze.asset_line set event_id = {SHOWN} where ctid = {DUPLICATE_LINE}",),
        "bronze.asset_line",
        "content_differs_from_completed_load",
    ),
    Case(
        "the reader drops the last line and every count with it",
        (
            (
                "delete from bronze.asset_line where (asset_id, line_number) ="
                f" (select asset_id, line_number from bronze.asset_line where ctid = {LAST_LINE})"
            ),
            (
                "update ops.completed_load as done set row_count = content.row_count, row_digest = content.row_digest"
                " from ops.load_content as content"
                " where content.load_id = done.load_id and content.table_name = done.table_name"
            ),
            (
                "update ops.asset_index as found set line_count = counted.n, indexed_line_count = counted.n"
                " from (select asset_id, ruleset_id, count(*) as n from bronze.asset_line group by 1, 2) as counted"
                " where counted.asset_id = found.asset_id and counted.ruleset_id = found.ruleset_id"
            ),
            (
                "delete from ops.asset_partition as part where not exists (select from bronze.asset_line as line"
                " where line.asset_id = part.asset_id and line.partition_key = part.partition_key)"
            ),
            (
                "update ops.asset_partition as part set record_line_count = counted.n from ("
                " select asset_id, ruleset_id, partition_key, count(*) filter (where kind = 'record') as n"
                " from bronze.asset_line group by 1, 2, 3) as counted"
                " where counted.asset_id = part.asset_id and counted.ruleset_id = part.ruleset_id"
                " and counted.partition_key = part.partition_key"
            ),
        ),
        "bronze.asset_line",
        "lines_do_not_end_with_content",
        None,
        LINE_ASSET + LAST_LINE,
    ),
)

REJECTS = (
    Case(
        "delete a reject",
        (f"delete from bronze.rejected_record where ctid = {REJECT}",),
        "bronze.rejected_record",
        "reject_missing",
        REJECT_DAY + REJECT,
        REJECT_ASSET + REJECT,
    ),
    Case(
        "delete a reject without a day",
        (f"delete from bronze.rejected_record where ctid = {REJECT_WITHOUT_DAY}",),
        "bronze.rejected_record",
        "reject_missing",
        None,
        REJECT_ASSET + REJECT_WITHOUT_DAY,
    ),
    Case(
        "double a reject",
        double("bronze.rejected_record", f"ctid = {REJECT}"),
        "bronze.rejected_record",
        "reject_doubled",
        REJECT_DAY + REJECT,
        REJECT_ASSET + REJECT,
    ),
    _reject_edit("asset_id", "asset_id + 1000", "reject_missing"),
    _reject_edit("line_number", "line_number + 100000", "reject_missing"),
    _reject_edit("ruleset_id", "ruleset_id + 100", "reject_missing"),
    _reject_edit("partition_key", "partition_key + 1", "reject_partition_differs"),
    _reject_edit("raw_line", "set_byte(raw_line, 0, get_byte(raw_line, 0) # 1)", "raw_line_differs"),
    _reject_edit("raw_line_sha256", "sha256('x')", "raw_line_differs"),
    _reject_edit("reason_codes", "array['unknown_field', 'x']", "content_differs_from_completed_load", is_named=False),
    _reject_edit("message", "message || 'x'", "content_differs_from_completed_load", is_named=False),
    _reject_edit("json_path", "'$.x'", "content_differs_from_completed_load", is_named=False),
    _reject_edit("_dlt_load_id", "'1.1'", "rows_never_completed"),
    Case(
        "replace a reject's bytes and their hash",
        (
            (
                "update bronze.rejected_record set raw_line = raw_line || 'xyz', raw_line_sha256 = sha256(raw_line || 'xyz')"
                f" where ctid = {REJECT}"
            ),
        ),
        "bronze.rejected_record",
        "raw_line_length_differs",
        REJECT_DAY + REJECT,
        REJECT_ASSET + REJECT,
        only=_OF_LINES,
    ),
)

# What can be done to a partition as a whole.
WHOLES = (
    Case(
        "detach the partition of a kind",
        ("alter table bronze.record_event detach partition bronze.:events",),
        "bronze.record_event",
        "content_differs_from_completed_load",
    ),
    Case(
        "drop the partition of a kind",
        ("drop table bronze.:events cascade",),
        "bronze.record_event",
        "content_differs_from_completed_load",
    ),
    Case(
        "put an empty partition in the place of one",
        (
            "alter table bronze.record_event detach partition bronze.:events",
            "alter table bronze.:events rename to was_detached",
            "create table bronze.:events partition of bronze.record_event for values in (':kind')",
            "drop table bronze.was_detached cascade",
        ),
        "bronze.record_event",
        "content_differs_from_completed_load",
    ),
)
