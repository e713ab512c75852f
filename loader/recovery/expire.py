"""expire: versions of partitions that readers have not seen for long are removed, and with them the rows that no other
version shows. (Iceberg's word for it: expire snapshots.)

Input: an instant, and how many versions of each partition stay whatever their age. State: released rows
go; partition_version says by which expiry; releases and pointer moves stay as history. Boundary: nothing goes that a
pointer, a hold or a link needs; no pointer moves, Bronze and Silver stay as they are. There is no way back: a restore
to an expired version is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from loader.errors import CheckFailedError, RefusedError
from loader.evidence import record_act, write_files
from loader.ingest import Workplace
from loader.partition import Partition
from loader.printable import counted
from loader.recovery.gaps import states_among
from loader.recovery.past import last_run
from loader.recovery.plan import Plan, PlannedVersion
from loader.recovery.world import Expired, World
from loader.release import digests, expirable, history, holds, released_rows, releases
from loader.runs import FUTURE_TOLERANCE, Attempt, acting_operator
from loader.warehouse import released_kinds

_ADD = """
insert into release.expiry (older_than, kept_count, removed_row_count, trace_id, operator, reason, plan_id)
values (%s, %s, %s, %s, %s, %s, %s) returning expiry_id
"""


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Plan for all partitions. If nothing may go, a plan of nothing: a command that is run every night is no mistake.

    Raises RefusedError where the clocks of this machine and of the server disagree: an age is told by both."""
    cursor = world.cursor
    _refuse_clocks_apart(cursor)
    known = history.read_history(cursor)
    gone = expirable(known, older_than=datetime.fromisoformat(request["older_than"]), keep=request["keep"])
    partitions = {partition for partition, _ in gone}
    counts = history.recorded_versions(cursor, gone)
    rows = released_rows.unshown_count(cursor, gone)
    return Plan(
        mode="expire",
        request=dict(request),
        ruleset_sha256=world.ruleset.sha256,
        partitions=states_among(world, partitions),
        versions=tuple(
            PlannedVersion(
                partition.record_kind,
                partition.day.isoformat(),
                version,
                counts[partition, version][0],
                str(counts[partition, version][1]),
                known.left_at[partition, version].astimezone(UTC).isoformat(),
            )
            for partition, version in gone
        ),
        target_assets=(
            *(f"release/{kind.table_name}" for kind in released_kinds(cursor)),
            "release/partition_version",
        ),
        proposed_action=f"{counted(len(gone), 'version')} of {counted(len(partitions), 'partition')}"
        f" and {counted(rows, 'row')} that no other version shows are removed",
        idempotency_guard="what a pointer, a hold or a link needs stays; what stays is proved by its digest",
        downstream_impact="none for readers; a restore to these versions is refused from then on",
        last_run=last_run(world),
    )


def _refuse_clocks_apart(cursor: Any) -> None:
    """There is no way back from an expiry: a clock that is a year ahead must not make everything a year old."""
    cursor.execute("select clock_timestamp()")
    (now,) = cursor.fetchone()
    ours = datetime.now(UTC)
    if abs(ours - now) > FUTURE_TOLERANCE:
        raise RefusedError(
            f"expire: this machine's clock says {ours:%Y-%m-%dT%H:%M:%SZ}, the server's {now:%Y-%m-%dT%H:%M:%SZ}:"
            " nobody knows what is old; nothing was removed",
            next_command="date -u   # set the clock that is wrong, then the same command again",
        )


def carry_out(work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Expired:
    """Remove the versions of the plan, and prove by digest that each of the others can still be shown: one transaction,
    rolled back where it cannot.

    Raises CheckFailedError then; InfrastructureError, with the versions removed, where the evidence file cannot be
    written.
    """
    gone = [
        (Partition(each["record_kind"], date.fromisoformat(each["partition_key"])), each["data_release_id"])
        for each in plan["versions"]
    ]
    if not gone:
        return Expired(None, (), 0, None)
    partitions = sorted({partition for partition, _ in gone})
    request = plan["request"]
    with work.lock.transaction() as cursor:
        holds.lock_holds(cursor)
        row_count = released_rows.unshown_count(cursor, gone)
        cursor.execute(
            _ADD,
            (
                request["older_than"],
                request["keep"],
                row_count,
                attempt.trace_id,
                acting_operator(),
                request["reason"],
                plan["plan_id"],
            ),
        )
        expiry = int(cursor.fetchone()[0])
        released_rows.expire(cursor, gone, expiry)
        for partition, version, recorded, held in digests.unlike(cursor, partitions):
            name = partition.named(releases.known_kinds(cursor))
            raise CheckFailedError(
                f"expire: the rows of {name} as of release {version} are not those that were released then ({held},"
                f" recorded {recorded}); nothing was removed",
                next_command="make verify EVIDENCE=1",
            )
        path = record_act(cursor, work.settings, "expire", {"expiry": [expiry]})
    with work.lock.transaction() as cursor:
        write_files(cursor, work.settings, f"expiry {expiry}")
    return Expired(expiry, tuple(gone), row_count, path)
