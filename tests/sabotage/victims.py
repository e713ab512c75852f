"""The rows that a sabotage touches, and their kind: scalar subqueries that pick them, so that no literal id is
needed.

SQL of this folder has names for what differs between kinds, written as psql's variables are: Victim.bind puts in what
they mean.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Victim:
    """A kind that is damaged, while the rows of the `other` one stay as they are. `events` and `fact`: its tables in
    Bronze and in Silver; `field`: a text that every record has; `listed`: a column of a closed list; `restated`:
    columns of Silver that versions differ in, as they are made from the event `older`. `inner`: what holds of a line in
    the middle of its file, or of the one that a file is. `fact_read`: of files, a number that was read of each."""

    kind: str
    other: str
    events: str
    fact: str
    key: str
    field: str
    listed: str
    restated: str
    inner: str = "line.line_number > 1"
    is_of_files: bool = False
    fact_read: str = ""

    def bind(self, statement: str) -> str:
        names = {name: str(value) for name, value in asdict(self).items()}
        return _NAME.sub(lambda found: names[found[1]], statement)


TICKETS = Victim(
    kind="ticket_v1",
    other="ticket_comment_v1",
    events="raw_ticket_event",
    fact="ticket_fact",
    key="ticket_id",
    field="owner",
    listed="status",
    restated="""
                updated_at = older.updated_at,
                status = older.raw_payload::jsonb ->> 'status',
                is_open = older.raw_payload::jsonb ->> 'status' not in ('resolved', 'closed'),
                resolved_at = (older.raw_payload::jsonb ->> 'resolved_at')::timestamptz,
                sla_due_at = (older.raw_payload::jsonb ->> 'sla_due_at')::timestamptz""",
)
COMMENTS = Victim(
    kind="ticket_comment_v1",
    other="ticket_v1",
    events="raw_ticket_comment_event",
    fact="ticket_comment_fact",
    key="comment_id",
    field="comment_body",
    listed="author_role",
    restated="""
                updated_at = older.updated_at,
                visibility = older.raw_payload::jsonb ->> 'visibility',
                word_count = (older.raw_payload::jsonb ->> 'word_count')::numeric,
                seconds_to_reply = (older.raw_payload::jsonb ->> 'seconds_to_reply')::numeric,
                attachments = older.raw_payload::jsonb -> 'attachments'""",
)
DOCUMENTS = Victim(
    kind="document_v1",
    other="ticket_v1",
    events="raw_doc_asset",
    fact="knowledge_doc",
    key="source_id",
    field="license",
    listed="asset_type",
    restated="""
                language = older.raw_payload::jsonb ->> 'language',
                captured_at = older.created_at""",
    inner="true",
    is_of_files=True,
    fact_read="word_count",
)


def _media(kind: str, events: str, fact: str, fact_read: str) -> Victim:
    """A kind of recordings or images: in all but its names and its facts it is as documents are."""
    restated = """
                language = older.raw_payload::jsonb ->> 'language',
                recorded_at = older.created_at"""
    return replace(DOCUMENTS, kind=kind, events=events, fact=fact, restated=restated, fact_read=fact_read)


CALLS = _media("call_v1", "raw_audio_asset", "call_asset", "sample_rate_hz")
VIDEOS = _media("video_v1", "raw_video_asset", "video_asset", "width_pixels")
IMAGES = _media("image_v1", "raw_image_asset", "image_asset", "height_pixels")
# Kinds that stand for all, where a case is of no kind; and those of files, which have cases of their own.
TEXTS = _media("ocr_text_v1", "raw_ocr_text", "ocr_text", "character_count")
OF_EVERY_FRAMING = (TICKETS, COMMENTS, DOCUMENTS)
OF_FILES = (DOCUMENTS, CALLS, VIDEOS, IMAGES, TEXTS)
VICTIMS = (TICKETS, COMMENTS, *OF_FILES)
_NAME = re.compile(rf"(?<![:\w]):({'|'.join(asdict(TICKETS))})\b")

# The event that Silver shows for some record of several versions, and an older version of the same record.
SHOWN = """(
    select shown.event_id from silver.:fact as shown
    where shown.version_count > 1 order by shown.:key limit 1
)"""
OLDER = """(
    select older.event_id
    from bronze.:events as older
    inner join silver.:fact as shown
        on older.record_key = shown.:key and older.event_id <> shown.event_id
    order by older.record_key, older.event_id limit 1
)"""
LATEST = "(select max(latest.ruleset_id) from ops.asset_index as latest where latest.asset_id = line.asset_id)"
# By what the manifests declare, which no case deletes together with an asset.
ASSETS = """(
    select declared.asset_id from ops.manifest_asset as declared
    inner join ops.manifest using (manifest_id)
    where contract_ref = ':kind' and declared.asset_id is not null
)"""


def _line(condition: str) -> str:
    return f"""(
        select line.ctid from bronze.asset_line as line
        where line.asset_id in {ASSETS} and line.ruleset_id = {LATEST} and {condition}
        order by line.asset_id, line.line_number limit 1
    )"""


def _reject(condition: str) -> str:
    return f"""(
    select reject.ctid from bronze.rejected_record as reject
    where reject.asset_id in {ASSETS} and {condition}
    order by reject.asset_id, reject.line_number, reject.ruleset_id limit 1
)"""


RECORD_LINE = _line("line.kind = 'record' and :inner")
LANDED_LINE = _line(f"line.event_id = {SHOWN}")
DUPLICATE_LINE = _line(
    """line.kind = 'record' and exists (
            select from bronze.:events as event
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
REJECT = _reject("reject.partition_key is not null and octet_length(reject.raw_line) between 1 and 65535")
REJECT_WITHOUT_DAY = _reject("reject.partition_key is null")
# What no file that is a record has.
LINES_ALONE = (DUPLICATE_LINE, BLANK_LINE, REJECT_WITHOUT_DAY)
# An asset with indexed lines, and a day that it reaches.
ASSET = f"(select min(asset_id) from {ASSETS} as of_kind)"
PLAIN_ASSET = f"""(
    select min(asset_id) from ops.source_asset where content_encoding = 'identity' and asset_id in {ASSETS}
)"""
RULESET = f"(select max(ruleset_id) from ops.asset_index where asset_id in {ASSETS})"
DAY_OF_ASSET = f"(select min(partition_key) from ops.asset_partition where asset_id = {ASSET})"
# A day of every kind.
DAY = """(
    select min(partition_key) from silver.ticket_fact
    where partition_key in (select partition_key from silver.ticket_comment_fact)
        and partition_key in (select partition_key from silver.knowledge_doc)
)"""
ENTRY = """(
    select entry.ctid from ops.manifest_asset as entry
    inner join ops.manifest using (manifest_id)
    where entry.asset_id is not null and contract_ref = ':kind' order by entry.manifest_id, entry.source_id limit 1
)"""
PARTITION = f"""(
    select part.ctid from ops.asset_partition as part
    where part.asset_id = {ASSET} and part.record_line_count > 0 and part.taken_by_run_id is not null
    order by part.ruleset_id desc, part.partition_key limit 1
)"""
LOAD = """(
    select min(load_id) from ops.completed_load
    where table_name = 'record_event' and row_count > 0 and record_kind = ':kind'
)"""
RECORD = "(select min(:key) from silver.:fact)"
CUSTOMER = "(select min(customer_id) from silver.customer_dim)"
OTHER_UUID = "'00000000-0000-7000-8000-00000000dead'"

EVENT_DAY = "select partition_key from bronze.:events where event_id = "
EVENT_ASSET = "select asset_id from bronze.:events where event_id = "
LINE_DAY = "select partition_key from bronze.asset_line where ctid = "
LINE_ASSET = "select asset_id from bronze.asset_line where ctid = "
REJECT_DAY = "select partition_key from bronze.rejected_record where ctid = "
REJECT_ASSET = "select asset_id from bronze.rejected_record where ctid = "
RECORD_DAY = f"select partition_key from silver.:fact where :key = {RECORD}"
RECORD_ASSET = f"select asset_id from silver.:fact where :key = {RECORD}"

# For tests of tickets alone.
TICKET = TICKETS.bind(RECORD)
SHOWN_TICKET = TICKETS.bind(SHOWN)
