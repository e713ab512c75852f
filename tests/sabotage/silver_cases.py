"""Damages to Silver, its ledgers, and whole days."""

from __future__ import annotations

from tests.sabotage.case import Case, double
from tests.sabotage.victims import CUSTOMER, DAY, LOAD, OLDER, TICKET, TICKET_ASSET, TICKET_DAY

_CUSTOMER_ASSET = f"select asset_id from silver.customer_dim where customer_id = {CUSTOMER}"
_ASSET_OF_DAY = f"select min(asset_id) from bronze.asset_line where partition_key = {DAY}"


def _ticket_edit(
    column: str, value: str, check_name: str = "record_differs_from_bronze", other_days: str | None = None
) -> Case:
    return Case(
        f"edit ticket_fact.{column}",
        (f"update silver.ticket_fact set {column} = {value} where ticket_id = {TICKET}",),
        "silver.ticket_fact",
        check_name,
        TICKET_DAY,
        TICKET_ASSET,
        other_days,
    )


def _customer_edit(column: str, value: str, check_name: str = "customer_differs_from_bronze") -> Case:
    return Case(
        f"edit customer_dim.{column}",
        (f"update silver.customer_dim set {column} = {value} where customer_id = {CUSTOMER}",),
        "silver.customer_dim",
        check_name,
        None,
        _CUSTOMER_ASSET,
    )


# Every column of ticket_fact: nulled where it may be null, else changed.
_TICKET_EDITS = {
    "record_source": "record_source || 'x'",
    "schema_version": "schema_version || 'x'",
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
    "created_at": "created_at + interval '1 microsecond'",
    "updated_at": "case when updated_at is null then created_at end",
    "resolved_at": "case when resolved_at is null then created_at end",
    "pii_level": "case pii_level when 'none' then 'low' else 'none' end",
    "pii_redacted": "case when pii_redacted is null then false end",
    "quality_gate": "case quality_gate when 'pass' then 'fail' else 'pass' end",
    "owner": "owner || 'x'",
    "tags": "case when tags is null then '[]'::jsonb end",
    "is_open": "not is_open",
    "version_count": "version_count + 1",
    "warning_codes": "warning_codes || 'x'::text",
    "record_fingerprint": "repeat('0', 64)",
    "asset_id": "asset_id + 1000",
    "line_number": "line_number + 100000",
    "ingest_batch_id": "ingest_batch_id || 'x'",
    "run_id": "'00000000-0000-7000-8000-00000000dead'",
    "dlt_load_id": "'1.1'",
}

TICKETS = (
    Case(
        "delete a row of ticket_fact",
        (f"delete from silver.ticket_fact where ticket_id = {TICKET}",),
        "silver.ticket_fact",
        "record_missing",
        TICKET_DAY,
        TICKET_ASSET,
    ),
    Case(
        "double a row of ticket_fact",
        double("silver.ticket_fact", f"ticket_id = {TICKET}"),
        "silver.ticket_fact",
        "record_doubled",
        TICKET_DAY,
        TICKET_ASSET,
    ),
    *(_ticket_edit(column, value) for column, value in _TICKET_EDITS.items()),
    _ticket_edit("partition_key", "partition_key + 1", other_days="the day after shows a row that is not its own"),
    _ticket_edit("ticket_id", "'TKT-19990101-000001'", "record_missing"),
    _ticket_edit("source_fingerprint", "repeat('0', 64)", "lineage_differs"),
    _ticket_edit("manifest_id", "manifest_id || 'x'", "lineage_differs"),
    _ticket_edit("batch_id", "batch_id || 'x'", "lineage_differs"),
    *(
        Case(
            name,
            (f"update silver.ticket_fact set {change} where ticket_id = {TICKET}",),
            "silver.ticket_fact",
            check_name,
            TICKET_DAY,
            TICKET_ASSET,
        )
        for name, change, check_name in (
            ("write a status that no record may have", "status = 'lost'", "value_not_accepted"),
            ("edit away whose manifest a ticket is of", "manifest_id = null", "value_not_accepted"),
            ("edit the customer to one that is not there", "customer_id = 'nobody'", "ticket_without_customer"),
        )
    ),
    _ticket_edit("event_id", "'00000000-0000-7000-8000-00000000dead'", "record_shows_another_version"),
    Case(
        "let an older version win",
        (
            """
            update silver.ticket_fact as shown
            set event_id = older.event_id,
                record_fingerprint = encode(older.record_fingerprint, 'hex'),
                status = older.raw_payload::jsonb ->> 'status',
                is_open = older.raw_payload::jsonb ->> 'status' not in ('resolved', 'closed'),
                updated_at = older.updated_at,
                resolved_at = (older.raw_payload::jsonb ->> 'resolved_at')::timestamptz,
                sla_due_at = (older.raw_payload::jsonb ->> 'sla_due_at')::timestamptz,
                asset_id = older.asset_id,
                line_number = older.line_number,
                run_id = older.run_id,
                dlt_load_id = older._dlt_load_id
            from bronze.raw_ticket_event as older
            where older.event_id = """
            + OLDER
            + " and shown.ticket_id = older.record_key",
        ),
        "silver.ticket_fact",
        "record_shows_another_version",
        "select partition_key from silver.ticket_fact where ticket_id ="
        f" (select record_key from bronze.raw_ticket_event where event_id = {OLDER})",
        "select asset_id from silver.ticket_fact where ticket_id ="
        f" (select record_key from bronze.raw_ticket_event where event_id = {OLDER})",
    ),
)

DAYS = (
    Case(
        "drop a day from Silver",
        (f"delete from silver.ticket_fact where partition_key = {DAY}",),
        "silver.ticket_fact",
        "record_missing",
        f"select {DAY}",
    ),
    Case(
        "drop a day from Bronze's events and Silver",
        (
            f"delete from bronze.raw_ticket_event where partition_key = {DAY}",
            f"delete from silver.ticket_fact where partition_key = {DAY}",
        ),
        "bronze.record_event",
        "event_missing",
        f"select {DAY}",
        _ASSET_OF_DAY,
    ),
    Case(
        "drop a day from events, lines and Silver",
        (
            f"delete from bronze.raw_ticket_event where partition_key = {DAY}",
            f"delete from bronze.asset_line where partition_key = {DAY}",
            f"delete from bronze.rejected_record where partition_key = {DAY}",
            f"delete from silver.ticket_fact where partition_key = {DAY}",
        ),
        "bronze.asset_line",
        "partition_counts_differ",
        f"select {DAY}",
        _ASSET_OF_DAY,
    ),
    Case(
        "drop a day from events, lines, Silver and asset_partition",
        (
            f"delete from bronze.raw_ticket_event where partition_key = {DAY}",
            f"delete from bronze.asset_line where partition_key = {DAY}",
            f"delete from bronze.rejected_record where partition_key = {DAY}",
            f"delete from ops.asset_partition where partition_key = {DAY}",
            f"delete from silver.ticket_fact where partition_key = {DAY}",
        ),
        "bronze.asset_line",
        "line_count_differs",
        None,
        _ASSET_OF_DAY,
    ),
    Case(
        "empty Silver",
        ("delete from silver.ticket_fact",),
        "silver.ticket_fact",
        "record_missing",
        f"select {DAY}",
        other_days="every day is emptied",
    ),
    Case(
        "empty Bronze's events",
        ("delete from bronze.raw_ticket_event",),
        "bronze.record_event",
        "event_missing",
        f"select {DAY}",
        other_days="every day is emptied",
    ),
    Case(
        "empty Bronze's lines",
        ("delete from bronze.asset_line",),
        "bronze.asset_line",
        "partition_counts_differ",
        f"select {DAY}",
        other_days="every day is emptied",
    ),
    Case(
        "empty Bronze and Silver",
        (
            "delete from bronze.raw_ticket_event",
            "delete from bronze.asset_line",
            "delete from bronze.rejected_record",
            "delete from silver.ticket_fact",
            "delete from silver.customer_dim",
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
    ),
    Case(
        "double a customer",
        double("silver.customer_dim", f"customer_id = {CUSTOMER}"),
        "silver.customer_dim",
        "customer_differs_from_bronze",
        None,
        _CUSTOMER_ASSET,
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
        ("insert into silver.built_load (load_id, record_kind) values ('1.1', 'ticket_v1')",),
        "silver.built_load",
        "built_load_never_completed",
    ),
    Case(
        "edit built_asset.sequence",
        (
            (
                "update silver.built_asset set sequence = sequence + 1"
                " where asset_id = (select min(asset_id) from silver.built_asset)"
            ),
        ),
        "silver.built_asset",
        "built_asset_differs",
        None,
        "select min(asset_id) from silver.built_asset",
    ),
    Case(
        "delete a built asset",
        ("delete from silver.built_asset where asset_id = (select min(asset_id) from silver.built_asset)",),
        "silver.built_asset",
        "built_asset_differs",
        None,
        "select min(asset_id) from silver.built_asset",
    ),
)
