"""`loader diagnose`: the triage order, walked over facts, to one recommended command.

Which run and which manifest, where the state is, does coverage match, and then which kind of trouble it is: duplicate,
gap, drift, or no trace at all (docs/reliability_checklist.md). The run comes first: a dead one explains what follows.
The first step that is not in order gives the command; a run that only failed its checks, where nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.evidence.facts import fetch_rows
from loader.recovery.world import World
from loader.runs.registry import ruleset_in_effect
from loader.status.advice import for_gaps, for_run, for_unread

_MANIFESTS = """
select manifest.manifest_id, manifest.declared_asset_count,
    count(*) filter (where entry.disposition = 'admitted') as admitted_count,
    array_agg(entry.source_id || ' (' || array_to_string(entry.reason_codes, ', ') || ')' order by entry.ordinal)
        filter (where entry.disposition in ('withheld', 'missing')) as absent
from ops.manifest as manifest
inner join ops.manifest_asset as entry using (manifest_id)
group by manifest.manifest_id, manifest.declared_asset_count order by manifest.manifest_id
"""

_STATE = """
select record_source, state_kind, to_char(value_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as value_at,
    run_id::text
from ops.ingest_state order by record_source, state_kind
"""

_FINDINGS = """
select table_name, check_name, sum(finding_count)::bigint as finding_count, min(detail) as detail
from reconcile.reconcile_finding group by table_name, check_name order by table_name, check_name
"""

# Rejects that an older ruleset made, today's may take them: by the batch that declared their asset first.
_OLD_REJECTS = """
with declared as (
    select distinct on (entry.asset_id) entry.asset_id, manifest.batch_id
    from ops.manifest_asset as entry
    inner join ops.manifest as manifest using (manifest_id)
    where entry.asset_id is not null
    order by entry.asset_id, manifest.registered_at, manifest.manifest_id
)
select declared.batch_id, count(*) as reject_count
from bronze.rejected_record as reject
inner join ops.completed_load as load on load.load_id = reject._dlt_load_id and load.table_name = 'rejected_record'
inner join (
    -- Under a limit, or cut off, a newer ruleset has read a part only: what was read whole counts first.
    select distinct on (asset_id) asset_id, ruleset_id
    from ops.asset_index order by asset_id, is_complete desc, ruleset_id desc
) as latest using (asset_id, ruleset_id)
inner join declared using (asset_id)
where latest.ruleset_id is distinct from %(in_effect)s
group by declared.batch_id order by reject_count desc, declared.batch_id
"""


_LOOK_AGAIN = "make dry-run   (judges files and lines again without loading; then mend what it names)"


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the triage, its answer in a sentence or two, and whether that is in order."""

    question: str
    answer: str
    is_in_order: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every step, and the one command that comes first."""

    steps: tuple[Step, ...]
    next_command: str

    @property
    def is_in_order(self) -> bool:
        return all(step.is_in_order for step in self.steps)


def diagnose(world: World, partition: date | None = None) -> Diagnosis:
    """Walk the triage over one snapshot; `partition` narrows the question of coverage. Writes nothing."""
    walked: list[Step] = []
    commands: list[str] = []

    def add(question: str, answer: str, command: str | None) -> None:
        walked.append(Step(question, answer, command is None))
        if command is not None:
            commands.append(command)

    for question, look in (
        ("which run?", _run),
        ("which manifest?", _manifest),
        ("where is the state?", _state),
        ("does coverage match?", lambda world: _coverage(world, partition)),
        ("duplicate, gap, drift, or no trace?", _kind),
        ("which rules?", _rules),
    ):
        add(question, *look(world))
    commands.sort(key=_LOOK_AGAIN.__eq__)
    return Diagnosis(tuple(walked), commands[0] if commands else "make build SELECT=ticket_fact+")


def _run(world: World) -> tuple[str, str | None]:
    last = world.last_run()
    if last is None:
        return "none has been started", "make ingest"
    run = world.run(last["run_id"])
    name = f"{run['mode']} {run['run_id']} attempt {run['attempt']}"
    if run["is_alive"]:
        return (
            f"{name} is at work, last stage done {run['stage']}, process {run['process_id']} on {run['host']}",
            "make status   (again when it has ended)",
        )
    if run["status"] in ("success", "warning"):
        return f"{name} ended with {run['status']}", None
    fate = "dead" if run["status"] == "running" else run["status"]
    changed = "" if run["ruleset_sha256"] == world.ruleset.sha256 else "; the contract has changed since"
    return f"{name} is {fate}; last stage done: {run['stage']}{changed}", for_run(world, run)


def _short(text: str | None) -> str:
    words = text or "no reason was recorded"
    return words if len(words) <= 200 else f"{words[:197]}…"


def _manifest(world: World) -> tuple[str, str | None]:
    manifests = fetch_rows(world.cursor, _MANIFESTS, None)
    if not manifests:
        return "none has been registered", "make ingest"
    declared = sum(manifest["declared_asset_count"] for manifest in manifests)
    admitted = sum(manifest["admitted_count"] for manifest in manifests)
    answer = f"{len(manifests)} registered, {admitted} of {declared} declared assets admitted"
    absent = [name for manifest in manifests for name in manifest["absent"] or ()]
    if not absent:
        return answer, None
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    return f"{answer}; absent: {', '.join(absent[:5])}{more}", "make dry-run   (judges them again without loading)"


def _state(world: World) -> tuple[str, str | None]:
    found = fetch_rows(world.cursor, _STATE, None)
    if not found:
        return "no run has ended clean yet, so nothing is recorded", None
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        kinds.setdefault(row["state_kind"], []).append(row)
    words = [
        f"{kind} {min(row['value_at'] for row in rows)}" + (f" … over {len(rows)} sources" if len(rows) > 1 else "")
        for kind, rows in kinds.items()
    ]
    return f"{', '.join(words)}; they classify, no line is dropped by them", None


def _coverage(world: World, partition: date | None) -> tuple[str, str | None]:
    window = None if partition is None else (partition, date.fromordinal(partition.toordinal() + 1))
    partitions = world.partitions(window)
    if not partitions:
        nearest = world.nearest(window) if window else []
        days = " and ".join(map(str, nearest)) or "none"
        return f"no indexed line belongs to {partition or 'any partition'}; nearest data: {days}", "make ingest"
    due = [each for each in partitions if each.is_due]
    expected = sum(each.expected_input_count for each in partitions)
    taken = sum(each.current_input_count for each in partitions)
    answer = f"{taken} of {expected} expected lines are taken, in {len(partitions)} partition(s)"
    unread = for_unread(world)
    if unread is not None:
        answer += f"; {unread[0]} admitted file(s) no run has read whole"
    if not due:
        return answer, unread[1] if unread else None
    reasons = ", ".join(f"{each.partition_key} {each.gap_reason}" for each in due[:5])
    more = f" and {len(due) - 5} more" if len(due) > 5 else ""
    return f"{answer}; with a gap: {reasons}{more}", for_gaps(world, due)


def _kind(world: World) -> tuple[str, str | None]:
    world.cursor.execute("select to_regclass('reconcile.reconcile_finding') is not null")
    if not world.cursor.fetchone()[0]:
        return "reconcile has not been built", "make build"
    findings = fetch_rows(world.cursor, _FINDINGS, None)
    if not findings:
        return "none of them: the last reconcile has no finding", None
    words = [f"{row['table_name']}: {row['check_name']} ({row['finding_count']}; {row['detail']})" for row in findings]
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return "; ".join(words[:5]) + more, "make build SELECT=reconcile   (proves it again and names table and asset)"


def _rules(world: World) -> tuple[str, str | None]:
    in_effect = ruleset_in_effect(world.cursor, world.ruleset)
    batches = fetch_rows(world.cursor, _OLD_REJECTS, {"in_effect": in_effect})
    if not batches:
        return "every reject was judged by today's ruleset", None
    count = sum(batch["reject_count"] for batch in batches)
    where = f"batch {batches[0]['batch_id']}" if len(batches) == 1 else f"{len(batches)} batches"
    return (
        f"{count} reject(s) of {where} were judged by an older ruleset than today's",
        f"loader replay --batch {batches[0]['batch_id']} --rejected-only --mode execute",
    )
