"""Which rows a sabotage touches: scalar subqueries that pick them, so that no literal id is needed."""

from __future__ import annotations

# The event that Silver shows for some ticket of several versions, and an older version of the same ticket.
SHOWN = """(
    select shown.event_id from silver.ticket_fact as shown
    where shown.version_count > 1 order by shown.ticket_id limit 1
)"""
OLDER = """(
    select older.event_id
    from bronze.raw_ticket_event as older
    inner join silver.ticket_fact as shown
        on older.record_key = shown.ticket_id and older.event_id <> shown.event_id
    order by older.record_key, older.event_id limit 1
)"""
LATEST = "(select max(latest.ruleset_id) from ops.asset_index as latest where latest.asset_id = line.asset_id)"


def _line(condition: str) -> str:
    return f"""(
        select line.ctid from bronze.asset_line as line
        where line.ruleset_id = {LATEST} and {condition}
        order by line.asset_id, line.line_number limit 1
    )"""


RECORD_LINE = _line("line.kind = 'record' and line.line_number > 1")
LANDED_LINE = _line(f"line.event_id = {SHOWN}")
DUPLICATE_LINE = _line(
    """line.kind = 'record' and exists (
            select from bronze.raw_ticket_event as event
            where event.event_id = line.event_id
                and (event.asset_id, event.line_number) <> (line.asset_id, line.line_number)
        ) and line.line_number > 1"""
)
LAST_LINE = _line(
    """line.kind = 'record' and line.line_number = (
            select max(other.line_number) from bronze.asset_line as other
            where other.asset_id = line.asset_id and other.ruleset_id = line.ruleset_id
        )"""
)
BLANK_LINE = _line("line.kind = 'blank'")
REJECTED_LINE = _line("line.kind = 'rejected' and line.partition_key is not null")
REJECT = """(
    select reject.ctid from bronze.rejected_record as reject
    where reject.partition_key is not null and octet_length(reject.raw_line) between 1 and 65535
    order by reject.asset_id, reject.line_number, reject.ruleset_id limit 1
)"""
REJECT_WITHOUT_DAY = """(
    select reject.ctid from bronze.rejected_record as reject
    where reject.partition_key is null
    order by reject.asset_id, reject.line_number, reject.ruleset_id limit 1
)"""
# An asset with indexed lines, and a day that it reaches.
ASSET = "(select min(asset_id) from ops.asset_index)"
DAY_OF_ASSET = f"(select min(partition_key) from ops.asset_partition where asset_id = {ASSET})"
DAY = "(select min(partition_key) from silver.ticket_fact)"
ENTRY = """(
    select entry.ctid from ops.manifest_asset as entry
    where entry.asset_id is not null order by entry.manifest_id, entry.source_id limit 1
)"""
PARTITION = f"""(
    select part.ctid from ops.asset_partition as part
    where part.asset_id = {ASSET} and part.record_line_count > 0 and part.taken_by_run_id is not null
    order by part.ruleset_id desc, part.partition_key limit 1
)"""
LOAD = "(select min(load_id) from ops.completed_load where table_name = 'record_event' and row_count > 0)"
TICKET = "(select min(ticket_id) from silver.ticket_fact)"
CUSTOMER = "(select min(customer_id) from silver.customer_dim)"
OTHER_UUID = "'00000000-0000-7000-8000-00000000dead'"

EVENT_DAY = "select partition_key from bronze.raw_ticket_event where event_id = "
EVENT_ASSET = "select asset_id from bronze.raw_ticket_event where event_id = "
LINE_DAY = "select partition_key from bronze.asset_line where ctid = "
LINE_ASSET = "select asset_id from bronze.asset_line where ctid = "
REJECT_DAY = "select partition_key from bronze.rejected_record where ctid = "
REJECT_ASSET = "select asset_id from bronze.rejected_record where ctid = "
TICKET_DAY = f"select partition_key from silver.ticket_fact where ticket_id = {TICKET}"
TICKET_ASSET = f"select asset_id from silver.ticket_fact where ticket_id = {TICKET}"
