"""Damage: what reconcile found, of which of four kinds it is, and the command that mends it where the data exists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.advice.questions import NEW_MANIFEST, Advice, AdviceKind, Asked
from loader.advice.trace import traceless_manifests, traceless_runs
from loader.printable import counted, some
from loader.recovery import (
    COLLISION,
    LANDED_TABLES,
    LISTING_CHECKS,
    World,
    damaged_runs,
    entries_of_run,
    last_run,
    run_of,
)
from loader.warehouse import are_built, built, fetch_rows

# The kinds of trouble (docs/reliability_checklist.md): a finding has one of them (macros/reconcile/finding.sql).
KINDS = ("duplicate", "gap", "drift", "no trace")
# A manifest declares another number of records than its file has: nothing of the warehouse is damaged.
_MISCOUNTED = "record_count_differs_from_declared"
# Tables of equations: what does not close there is wrong elsewhere.
_EQUATIONS = "reconcile."

_FINDINGS = """
select table_name, check_name, replace(min(kind), '_', ' ') as kind, sum(finding_count)::bigint as finding_count,
    min(detail) as detail, array_agg(distinct partition_key) as days
from reconcile.reconcile_finding
where (%(day)s::date is null or partition_key is null or partition_key = %(day)s)
    and (%(kind)s::text is null or coalesce(record_kind, %(kind)s) = %(kind)s)
group by table_name, check_name order by table_name, check_name
"""

# What no proof covers: loads that were completed, rows that were changed.
_UNPROVED = """
select
    (select count(*) from (select load_id from ops.completed_load except select load_id from ops.proved_load) as load)
        as load_count,
    (select count(*) from (select distinct table_name, row_key from ops.unproved_change) as change) as change_count
"""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A table that a check found damaged; `days`: those that the check names, None among them for any."""

    table_name: str
    check_name: str
    days: tuple[date | None, ...]


def mend(found: Sequence[Damaged], run_id: str | None) -> Advice | None:
    """The command that mends what was found, None where nothing was.

    `run_id`: of whom rows in Bronze are not what it landed, and can be landed again. Bronze comes first: rows of the
    ledger and of Silver follow from it. Then rows of the ledger, which nothing else holds. Silver is a function of
    Bronze.
    """
    named = [each for each in found if not each.table_name.startswith(_EQUATIONS)]
    if not named:
        return Advice(AdviceKind.PROVE, "make build", "proves everything, and names table and asset") if found else None
    damage = [each for each in named if each.check_name not in (COLLISION, _MISCOUNTED)]
    if not damage and any(each.check_name == _MISCOUNTED for each in named):
        return NEW_MANIFEST
    if not damage:
        days = sorted(day for each in named for day in each.days if day)
        return Advice(AdviceKind.SETTLE, f"make status{f' PARTITION={days[0]}' if days else ''}")
    tables = {each.table_name for each in damage}
    if run_id is not None and any(
        each.table_name in LANDED_TABLES or each.check_name in LISTING_CHECKS for each in damage
    ):
        return land_again(run_id)
    if any(not table.startswith("silver.") for table in tables):
        return Advice(AdviceKind.RESTORE, "make verify EVIDENCE=1")
    of_days = {day for each in damage for day in each.days}
    if tables == {"silver.ticket_fact"} and len(of_days) == 1 and (day := of_days.pop()) is not None:
        return Advice(AdviceKind.REBUILD, f"make build PARTITION={day}", "Silver's rows of the day, from Bronze")
    return Advice(AdviceKind.REBUILD, "make build FULL_REFRESH=1", "all of Silver, from Bronze")


def land_again(run_id: str) -> Advice:
    return Advice(AdviceKind.LAND, f"make retry RUN={run_id} MODE=execute", "lands its rows again, from the archive")


def look_at_damage(asked: Asked) -> tuple[str, Advice | None]:
    """Each kind that was met, with what it was met in; then what left no trace, and what no proof covers."""
    world = asked.world
    is_built = are_built(world.cursor, "reconcile.reconcile_partition", "reconcile.reconcile_finding")
    rows = (
        fetch_rows(built(world.cursor), _FINDINGS, {"day": asked.partition, "kind": asked.record_kind})
        if is_built
        else []
    )
    told = _in_kinds(rows)
    advice = _mend(world, rows)
    runs, declared = traceless_runs(world)
    traceless = [*runs, *(traceless_manifests(world, declared) if asked.is_folder_searched else ())]
    told["no trace"] += [each.words for each in traceless]
    answers = [f"{kind}: {some(words)}" for kind, words in told.items() if words]
    unproved = None if is_built else "reconcile has not been built"
    if is_built:
        unproved = _unproved(world)
    if unproved:
        answers.append(unproved)
    if unproved and last_run(world) is not None:
        advice = advice or Advice(AdviceKind.PROVE, "make build", "proves everything, in the order of its layers")
    if advice is None and traceless:
        advice = traceless[0].advice
    return "; ".join(answers) or "nothing: the last reconcile has no finding", advice


def _mend(world: World, rows: Sequence[dict[str, Any]]) -> Advice | None:
    found = [Damaged(row["table_name"], row["check_name"], tuple(row["days"])) for row in rows]
    run_id = next(iter(damaged_runs(world.cursor)), None) if found else None
    return mend(found, run_id if run_id and _can_be_landed_again(world, run_id) else None)


def _can_be_landed_again(world: World, run_id: str) -> bool:
    """Under another contract it could not, nor where what it had read is not known any more; and what has just been
    landed again is not what is damaged."""
    if any(entry.asset_id is not None and not entry.raw_zone_key for entry in entries_of_run(world, run_id)):
        return False
    run, last = run_of(world, run_id), last_run(world)
    is_just_done = last is not None and last["run_id"] == run_id and run["attempt"] > 1
    return world.is_todays(run) and not is_just_done


def _in_kinds(rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for row in rows:
        # What may be of several days is a finding of each: their counts do not add up.
        count = [str(row["finding_count"])] if len(row["days"]) == 1 else []
        named = [str(day) for day in row["days"] if day]
        where = ", ".join([*count, *([some(named, 3, ", ")] if named else [])])
        words = f"{row['table_name']}: {row['check_name']} ({where}; {row['detail']})"
        told[row["kind"]].append(words)
    return told


def _unproved(world: World) -> str | None:
    (row,) = fetch_rows(world.cursor, _UNPROVED, None)
    words = [counted(row["load_count"], "load")] if row["load_count"] else []
    words += [counted(row["change_count"], "change of rows", "changes of rows")] if row["change_count"] else []
    return f"no proof covers {' and '.join(words)} yet" if words else None
