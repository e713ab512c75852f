"""Damages to Silver, its ledgers, and whole days."""

from __future__ import annotations

from dataclasses import replace

from tests.sabotage.case import Case, double
from tests.sabotage.victims import (
    ASSET,
    ASSETS,
    COMMENTS,
    CUSTOMER,
    DAY,
    DOCUMENTS,
    LOAD,
    OLDER,
    RECORD,
    RECORD_ASSET,
    RECORD_DAY,
    TICKETS,
    Victim,
)

_CUSTOMER_ASSET = f"select asset_id from silver.customer_dim where customer_id = {CUSTOMER}"
_ASSET_OF_DAY = f"select min(asset_id) from bronze.asset_line where partition_key = {DAY} and kind = 'record' and asset_id in {ASSETS}"


def _edit(
    column: str,
    value: str,
    check_name: str = "record_differs_from_bronze",
    other_days: str | None = None,
    only: tuple[Victim, ...] = (),
) -> Case:
    return Case(
        f"edit a record's {column}",
        (f"update silver.:fact set {column} = {value} where :key = {RECORD}",),
        "silver.:fact",
        check_name,
        RECORD_DAY,
        RECORD_ASSET,
        other_days,
        only=only,
    )


def _customer_edit(column: str, value: str, check_name: str = "customer_differs_from_bronze") -> Case:
    return Case(
        f"edit customer_dim.{column}",
        (f"update silver.customer_dim set {column} = {value} where customer_id = {CUSTOMER}",),
        "silver.customer_dim",
        check_name,
        None,
        _CUSTOMER_ASSET,
        only=(TICKETS,),
    )


# Every column of Silver: nulled where it may be null, else changed.
_EDITS = {
    "record_source": "record_source || 'x'",
    "version_count": "version_count + 1",
    "warning_codes": "warning_codes || 'x'::text",
    "record_fingerprint": "repeat('0', 64)",
    "asset_id": "asset_id + 1000",
    "line_number": "line_number + 100000",
    "run_id": "'00000000-0000-7000-8000-00000000dead'",
    "dlt_load_id": "'1.1'",
}
_EDITS_OF_LINES = {
    "schema_version": "schema_version || 'x'",
    "created_at": "created_at + interval '1 microsecond'",
    "updated_at": "case when updated_at is null then created_at end",
    "ingest_batch_id": "ingest_batch_id || 'x'",
}
_EDITS_OF_TICKETS = {
    "customer_id": "customer_id || 'x'",
    "org_id": "coalesce(org_id, '') || 'x'",
    "status": "case status when 'open' then 'closed' else 'open' end",
    "priority": "case priority when 'p4_low' then 'p1_critical' else 'p4_low' end",
    "category": "case when category is null then 'other' end",
    "product_line": "case product_line when 'cross_product' then 'northstar_studio' else 'cross_product' end",
    "product_version": "case when product_version is null then '' end",
    "error_codes": "case when error_codes is null then '[]'::jsonb end",
    "asset_ids": "case when asset_ids is null then '[]'::jsonb end",
    "assignee_id": "case when assignee_id is null then '' end",
    "sla_tier": "case sla_tier when 'free' then 'standard' else 'free' end",
    "sla_due_at": "case when sla_due_at is null then created_at end",
    "resolved_at": "case when resolved_at is null then created_at end",
    "pii_level": "case pii_level when 'none' then 'low' else 'none' end",
    "pii_redacted": "case when pii_redacted is null then false end",
    "quality_gate": "case quality_gate when 'pass' then 'fail' else 'pass' end",
    "owner": "owner || 'x'",
    "tags": "case when tags is null then '[]'::jsonb end",
    "is_open": "not is_open",
}
_EDITS_OF_COMMENTS = {
    "ticket_id": "'TKT-19990101-000001'",
    "author_id": "author_id || 'x'",
    "author_role": "case author_role when 'agent' then 'system' else 'agent' end",
    "visibility": "case visibility when 'public' then 'internal' else 'public' end",
    "word_count": "case when word_count is null then 0 end",
    "seconds_to_reply": "seconds_to_reply + 0.000000001",
    "attachments": "case when attachments is null then '[]'::jsonb end",
}
_EDITS_OF_DOCUMENTS = {
    "asset_type": "case asset_type when 'html' then 'markdown' else 'html' end",
    "license": "license || 'x'",
    "owner": "coalesce(owner, '') || 'x'",
    "title": "coalesce(title, '') || 'x'",
    "language": "coalesce(language, '') || 'x'",
    "product_line": "case when product_line is null then '' end",
    "tags": "case when tags is null then '[]'::jsonb end",
    "captured_at": "captured_at + interval '1 microsecond'",
    "media_type": "case media_type when 'text/html' then 'text/markdown' else 'text/html' end",
    "page_count": "case when page_count is null then 1 end",
    "word_count": "word_count + 1",
    "size_bytes": "size_bytes + 1",
    "content_sha256": "repeat('0', 64)",
    "raw_zone_key": "'sha256/elsewhere'",
}

RECORDS = (
    Case(
        "delete a record of Silver",
        (f"delete from silver.:fact where :key = {RECORD}",),
        "silver.:fact",
        "record_missing",
        RECORD_DAY,
        RECORD_ASSET,
    ),
    Case(
        "double a record of Silver",
        double("silver.:fact", f":key = {RECORD}"),
        "silver.:fact",
        "record_doubled",
        RECORD_DAY,
        RECORD_ASSET,
    ),
    *(_edit(column, value) for column, value in _EDITS.items()),
    *(_edit(column, value, only=(TICKETS, COMMENTS)) for column, value in _EDITS_OF_LINES.items()),
    *(_edit(column, value, only=(TICKETS,)) for column, value in _EDITS_OF_TICKETS.items()),
    *(_edit(column, value, only=(COMMENTS,)) for column, value in _EDITS_OF_COMMENTS.items()),
    *(_edit(column, value, only=(DOCUMENTS,)) for column, value in _EDITS_OF_DOCUMENTS.items()),
    _edit("partition_key", "partition_key + 1", other_days="the day after shows a row that is not its own"),
    _edit(":key", "'GONE-19990101-000001'", "record_missing"),
    _edit("source_fingerprint", "repeat('0', 64)", "lineage_differs"),
    _edit("manifest_id", "manifest_id || 'x'", "lineage_differs"),
    _edit("batch_id", "batch_id || 'x'", "lineage_differs"),
    *(
        Case(
            name,
            (f"update silver.:fact set {change} where :key = {RECORD}",),
            "silver.:fact",
            check_name,
            RECORD_DAY,
            RECORD_ASSET,
        )
        for name, change, check_name in (
            ("write a value that no record may have", ":listed = 'lost'", "value_not_accepted"),
            ("edit away whose manifest a record is of", "manifest_id = null", "value_not_accepted"),
        )
    ),
    Case(
        "edit the customer to one that is not there",
        (f"update silver.:fact set customer_id = 'nobody' where :key = {RECORD}",),
        "silver.:fact",
        "ticket_without_customer",
        RECORD_DAY,
        RECORD_ASSET,
        only=(TICKETS,),
    ),
    _edit("event_id", "'00000000-0000-7000-8000-00000000dead'", "record_shows_another_version"),
    Case(
        "let an older version win",
        (
            """
            update silver.:fact as shown
            set event_id = older.event_id,
                record_fingerprint = encode(older.record_fingerprint, 'hex'),
                :restated,
                asset_id = older.asset_id,
                line_number = older.line_number,
                run_id = older.run_id,
                dlt_load_id = older._dlt_load_id
            from bronze.:events as older
            where older.event_id = """
            + OLDER
            + " and shown.:key = older.record_key",
        ),
        "silver.:fact",
        "record_shows_another_version",
        "select partition_key from silver.:fact where :key ="
        f" (select record_key from bronze.:events where event_id = {OLDER})",
        "select asset_id from silver.:fact where :key ="
        f" (select record_key from bronze.:events where event_id = {OLDER})",
    ),
)

_LINES_OF_A_DAY = Case(
    "drop a day from events, lines and Silver",
    (
        f"delete from bronze.:events where partition_key = {DAY}",
        f"delete from bronze.asset_line where partition_key = {DAY} and asset_id in {ASSETS}",
        f"delete from bronze.rejected_record where partition_key = {DAY} and asset_id in {ASSETS}",
        f"delete from silver.:fact where partition_key = {DAY}",
    ),
    "bronze.asset_line",
    "partition_counts_differ",
    f"select {DAY}",
    _ASSET_OF_DAY,
    only=(TICKETS, COMMENTS),
)
DAYS = (
    Case(
        "drop a day from Silver",
        (f"delete from silver.:fact where partition_key = {DAY}",),
        "silver.:fact",
        "record_missing",
        f"select {DAY}",
    ),
    Case(
        "drop a day from Bronze's events and Silver",
        (
            f"delete from bronze.:events where partition_key = {DAY}",
            f"delete from silver.:fact where partition_key = {DAY}",
        ),
        "bronze.record_event",
        "event_missing",
        f"select {DAY}",
        _ASSET_OF_DAY,
    ),
    _LINES_OF_A_DAY,
    replace(
        _LINES_OF_A_DAY,
        only=(DOCUMENTS,),
        other_days="a load of files has lost rows, and nothing is left that says of which day",
    ),
    Case(
        "drop a day from events, lines, Silver and asset_partition",
        (
            f"delete from bronze.:events where partition_key = {DAY}",
            f"delete from bronze.asset_line where partition_key = {DAY} and asset_id in {ASSETS}",
            f"delete from bronze.rejected_record where partition_key = {DAY} and asset_id in {ASSETS}",
            f"delete from ops.asset_partition where partition_key = {DAY} and asset_id in {ASSETS}",
            f"delete from silver.:fact where partition_key = {DAY}",
        ),
        "bronze.asset_line",
        "line_count_differs",
        None,
        _ASSET_OF_DAY,
    ),
    Case(
        "empty Silver",
        ("delete from silver.:fact",),
        "silver.:fact",
        "record_missing",
        f"select {DAY}",
        other_days="every day is emptied",
    ),
    Case(
        "empty Bronze's events",
        ("delete from bronze.:events",),
        "bronze.record_event",
        "event_missing",
        f"select {DAY}",
        other_days="every day is emptied",
    ),
    Case(
        "empty Bronze's lines",
        (f"delete from bronze.asset_line where asset_id in {ASSETS}",),
        "bronze.asset_line",
        "partition_counts_differ",
        f"select {DAY}",
        other_days="every day is emptied",
    ),
    Case(
        "empty Bronze and Silver",
        (
            "delete from bronze.:events",
            f"delete from bronze.asset_line where asset_id in {ASSETS}",
            f"delete from bronze.rejected_record where asset_id in {ASSETS}",
            "delete from silver.:fact",
            "delete from silver.customer_dim where ':kind' = 'ticket_v1'",
        ),
        "bronze.record_event",
        "content_differs_from_completed_load",
    ),
)

CUSTOMERS_AND_LEDGERS = (
    Case(
        "delete a customer",
        (f"delete from silver.customer_dim where customer_id = {CUSTOMER}",),
        "silver.customer_dim",
        "customer_differs_from_bronze",
        None,
        _CUSTOMER_ASSET,
        only=(TICKETS,),
    ),
    Case(
        "double a customer",
        double("silver.customer_dim", f"customer_id = {CUSTOMER}"),
        "silver.customer_dim",
        "customer_differs_from_bronze",
        None,
        _CUSTOMER_ASSET,
        only=(TICKETS,),
    ),
    _customer_edit("org_id", "coalesce(org_id, '') || 'x'"),
    _customer_edit("sla_tier", "case sla_tier when 'free' then 'standard' else 'free' end"),
    Case(
        "write a level that no customer may have",
        (f"update silver.customer_dim set sla_tier = 'gold' where customer_id = {CUSTOMER}",),
        "silver.customer_dim",
        "value_not_accepted",
        None,
        _CUSTOMER_ASSET,
        only=(TICKETS,),
    ),
    _customer_edit("last_seen_at", "last_seen_at + interval '1 second'"),
    _customer_edit("batch_id", "batch_id || 'x'", "lineage_differs"),
    Case(
        "delete a built load",
        (f"delete from silver.built_load where load_id = {LOAD}",),
        "silver.built_load",
        "load_not_built",
    ),
    Case(
        "add a built load that was never completed",
        ("insert into silver.built_load (load_id, record_kind) values ('1.1', ':kind')",),
        "silver.built_load",
        "built_load_never_completed",
    ),
    Case(
        "edit built_asset.sequence",
        ((f"update silver.built_asset set sequence = sequence + 1 where asset_id = {ASSET}"),),
        "silver.built_asset",
        "built_asset_differs",
        None,
        f"select {ASSET}",
    ),
    Case(
        "delete a built asset",
        (f"delete from silver.built_asset where asset_id = {ASSET}",),
        "silver.built_asset",
        "built_asset_differs",
        None,
        f"select {ASSET}",
    ),
)
