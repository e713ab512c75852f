"""Archived lines against Bronze's rows, line by line: the proof that does not rest on anything a run has counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any

from loader.errors import CheckFailedError
from loader.kinds import Ruleset
from loader.raw_zone import RawZone
from loader.reader import ContentChangedError
from loader.verify.claims import Claim, read_claims, window_of_run
from loader.verify.reread import MAKE_EXPECTED, copy_lines, reread
from loader.warehouse import Warehouse

_STRIDE = 50_000
_NO_LINE_BEYOND = 2**31 - 1
_SHOWN = 20

# What Bronze holds of a stretch of lines, beside what the archive says; a row for each line that differs, with the
# first reason. A payload that is not that of its fingerprint differs too: the fingerprint alone could be kept.
COMPARE = """
with
held as (
    select line.*
    from bronze.visible_line as line
    where line.asset_id = %(asset)s and line.ruleset_id = %(ruleset)s
        and line.line_number between %(first)s and %(last)s
),
events as (
    select event.event_id, event.record_fingerprint, event.asset_id, event.line_number, event.warning_codes,
        event.envelope,
        sha256(convert_to(bronze.hash_domain(event.record_kind) || event.raw_payload, 'UTF8'))
            = event.record_fingerprint as is_authentic,
        decode(md5(
            ops.instant_text(event.created_at) || ops.instant_text(event.updated_at)
            || event.record_source || chr(31) || event.record_key || chr(31) || coalesce(event.person_id, '')
        ), 'hex') as columns_md5,
        event.partition_key
    from bronze.visible_event as event
    where event.event_id in (select event_id from held)
),
rejects as (
    select reject.line_number, reject.reason_codes, reject.raw_line_sha256, reject.message, reject.json_path,
        sha256(reject.raw_line) as kept_sha256
    from bronze.visible_reject as reject
    where reject.asset_id = %(asset)s and reject.ruleset_id = %(ruleset)s
        and reject.line_number between %(first)s and %(last)s
),
judged as (
    select
        coalesce(expected.line_number, held.line_number) as line_number,
        case
            when held.line_number is null then 'line_missing'
            when expected.line_number is null then 'line_invented'
            when (held.byte_offset, held.byte_length) <> (expected.byte_offset, expected.byte_length)
                then 'bytes_differ'
            when (held.kind = 'blank') <> expected.is_blank then 'kind_differs'
            -- Its facts could not be read then, by a bound of time or memory. Today they may be.
            when rejects.reason_codes = '{facts_limit}' and expected.kind is not null then null
            when held.kind <> expected.kind then 'kind_differs'
            when expected.kind is not null and held.partition_key is distinct from expected.partition_key
                then 'partition_differs'
            when held.kind = 'record' and uuid_send(held.event_id) is distinct from substr(expected.fingerprint, 1, 16)
                then 'event_differs'
            when held.kind = 'record' and events.event_id is null and held.partition_key >= %(start)s
                and held.partition_key < %(end)s then 'event_missing'
            when held.kind = 'record' and events.record_fingerprint <> expected.fingerprint then 'event_differs'
            when held.kind = 'record' and not events.is_authentic then 'payload_differs'
            when held.kind = 'record' and (
                events.columns_md5 <> expected.columns_md5 or events.partition_key <> expected.partition_key
            ) then 'columns_differ'
            when (events.asset_id, events.line_number) = (%(asset)s, expected.line_number)
                and (events.warning_codes, events.envelope)
                <> (expected.warning_codes, expected.envelope) then 'delivery_differs'
            when held.kind <> 'rejected' and rejects.line_number is not null then 'reject_invented'
            when held.kind = 'rejected' and rejects.line_number is null then 'reject_missing'
            when held.kind = 'rejected' and (rejects.raw_line_sha256, rejects.kept_sha256)
                <> (expected.body_sha256, expected.kept_sha256) then 'reject_differs'
            when held.kind = 'rejected' and (rejects.reason_codes, rejects.message, rejects.json_path)
                <> (expected.reason_codes, expected.message, expected.json_path) then 'reject_differs'
        end as difference
    from pg_temp.expected_line as expected
    full join held on held.line_number = expected.line_number
    left join events on events.event_id = held.event_id
    left join rejects on rejects.line_number = held.line_number
)
select line_number, difference from judged where difference is not null order by line_number
"""


@dataclass(frozen=True, slots=True)
class LineDifference:
    """A line that Bronze does not hold as the archive has it."""

    asset_id: int
    line_number: int
    difference: str


@dataclass(slots=True)
class Verification:
    """What was compared, and what differs: `differences` counts lines by kind, `shown` are the first of them.

    `unreadable`: assets of which no line is proved, with the reason: the archived object is gone or damaged, or the run
    did not come to index it.
    """

    asset_count: int = 0
    line_count: int = 0
    differences: Counter[str] = field(default_factory=Counter)
    shown: list[LineDifference] = field(default_factory=list)
    unreadable: dict[int, str] = field(default_factory=dict)

    @property
    def is_proved(self) -> bool:
        return not self.differences and not self.unreadable


def verify_run(
    warehouse: Warehouse,
    raw_zone: RawZone,
    ruleset: Ruleset,
    run_id: str,
    progress: Callable[[int, int], None] = lambda lines, content_bytes: None,
) -> Verification:
    """Read every asset of a run from the raw zone and compare each line with what the run left in Bronze.

    Works for runs of any age: where the ruleset is an older one, what no ruleset decides is compared (bytes, blank
    lines, fingerprints, payloads, the bytes of rejects). A run with a line limit claims the lines that it read. Writes
    nothing. Raises CheckFailedError for a run that landed nothing.
    """
    with closing(warehouse.connect(application_name="omnisupport-verify")) as connection:
        with connection, connection.cursor() as cursor:
            claims, unindexed = read_claims(cursor, raw_zone, ruleset, run_id)
            if not claims:
                raise CheckFailedError(
                    f"run {run_id} landed no line: there is nothing to verify", next_command="make diagnose"
                )
            window = window_of_run(cursor, run_id)
        found = verify_assets(connection, ruleset, claims, window, progress)
    found.unreadable.update(dict.fromkeys(unindexed, "its lines are not indexed, or not all of them"))
    return found


def verify_assets(
    connection: Any,
    ruleset: Ruleset,
    claims: Iterable[Claim],
    window: tuple[date, date] | None,
    progress: Callable[[int, int], None] = lambda lines, content_bytes: None,
) -> Verification:
    """Compare each claim's lines; events are asked for within the window only: others may not have been taken.

    An archived object that is gone or has other bytes is in the answer; a fault of the disk raises InfrastructureError.
    """
    found = Verification()
    for claim in claims:
        found.asset_count += 1
        with connection, connection.cursor() as cursor:
            cursor.execute(MAKE_EXPECTED)
            cursor.execute("set local work_mem = '64MB'; set local jit = off; set local random_page_cost = 1.1")
            try:
                _verify_asset(cursor, ruleset, claim, window, found, progress)
            except ContentChangedError as error:
                found.unreadable[claim.asset.asset_id] = str(error)
    return found


def _verify_asset(
    cursor: Any,
    ruleset: Ruleset,
    claim: Claim,
    window: tuple[date, date] | None,
    found: Verification,
    progress: Callable[[int, int], None],
) -> None:
    lines = islice(reread(claim.asset, ruleset, is_judged=claim.is_judged), claim.line_count)
    first = 1
    start, end = window or (None, None)
    while True:
        stretch = list(islice(lines, _STRIDE))
        is_last = len(stretch) < _STRIDE
        copy_lines(cursor, stretch)
        last = stretch[-1].number if stretch else first - 1
        if is_last and claim.line_count is None:
            last = _NO_LINE_BEYOND
        cursor.execute(
            COMPARE,
            {
                "asset": claim.asset.asset_id,
                "ruleset": claim.ruleset_id,
                "first": first,
                "last": last,
                "start": start or "-infinity",
                "end": end or "infinity",
            },
        )
        for number, difference in cursor.fetchall():
            found.differences[difference] += 1
            if len(found.shown) < _SHOWN:
                found.shown.append(LineDifference(claim.asset.asset_id, number, difference))
        cursor.execute("truncate pg_temp.expected_line")
        found.line_count += len(stretch)
        progress(len(stretch), sum(line.length for line in stretch))
        if is_last:
            return
        first = last + 1
