"""`loader diagnose`: the triage order, walked over facts, to one recommended command.

Do the reports know more than the warehouse; which manifest and which run, where the state is, does coverage match, and
then which kind of trouble it is: duplicate, gap, drift, or no trace at all (docs/reliability_checklist.md). The first
step that is not in order gives the command, but those of lost records and of a run come before all others: they explain
them. What a run that only failed its checks asks for comes last, and a clock after that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from loader.evidence.facts import fetch_rows
from loader.printable import pasted
from loader.recovery.world import World
from loader.release.views import ViewFault
from loader.runs.registry import ruleset_in_effect
from loader.status.advice import dry_run_of, for_gaps, for_run, for_unread, named
from loader.status.clock import look_at_clocks
from loader.status.kinds import KINDS, Kind, kind_of
from loader.status.readers import read_shown
from loader.status.reports_ahead import look_at_reports
from loader.status.trace import traceless_manifests, traceless_runs
from loader.warehouse.built import are_built, built

_MANIFESTS = """
select manifest.manifest_id, manifest.manifest_path, manifest.declared_asset_count,
    count(*) filter (where entry.disposition = 'admitted') as admitted_count,
    array_agg(entry.source_id || ' (' || array_to_string(entry.reason_codes, ', ') || ')' order by entry.ordinal)
        filter (where entry.disposition in ('withheld', 'missing')) as absent
from ops.manifest as manifest
inner join ops.manifest_asset as entry using (manifest_id)
group by manifest.manifest_id, manifest.manifest_path, manifest.declared_asset_count order by manifest.manifest_id
"""

_STATE = """
select record_source, state_kind, to_char(value_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as value_at,
    run_id::text
from ops.ingest_state order by record_source, state_kind
"""

_FINDINGS = """
select table_name, check_name, sum(finding_count)::bigint as finding_count, min(detail) as detail,
    min(partition_key)::text as partition_key
from reconcile.reconcile_finding group by table_name, check_name order by table_name, check_name
"""

# Admitted entries whose source was not what it was when a run last looked.
_CHANGED = """
select distinct on (seen.manifest_id, seen.source_id)
    seen.manifest_id, seen.source_id, seen.action, array_to_string(seen.reason_codes, ', ') as reasons,
    manifest.manifest_path
from ops.run_asset as seen
inner join ops.ingest_run as run using (run_id, attempt)
inner join ops.manifest_asset as entry
    on entry.manifest_id = seen.manifest_id and entry.source_id = seen.source_id and entry.disposition = 'admitted'
inner join ops.manifest as manifest on manifest.manifest_id = seen.manifest_id
order by seen.manifest_id, seen.source_id, run.event_number desc
"""

# A proof of everything since a run ended: what the run's checks found is not there any more.
_PROVED_SINCE = """
select proved_at from ops.proof
where scope = 'all' and event_number > (
    select max(event_number) from ops.run_evidence where run_id = %(run_id)s and attempt = %(attempt)s)
order by proof_id desc limit 1
"""

# Rejects that an older ruleset made, today's may take them: by the batch that declared their asset first.
_OLD_REJECTS = """
with declared as (
    select distinct on (entry.asset_id) entry.asset_id, manifest.batch_id
    from ops.manifest_asset as entry
    inner join ops.manifest as manifest using (manifest_id)
    where entry.asset_id is not null
    order by entry.asset_id, manifest.event_number
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

# Lines that reconcile explains with nothing, and days whose two sides differ.
_DAYS = """
select coalesce(sum(unexplained_count), 0)::bigint as unexplained_count,
    count(*) filter (where bronze_digest is distinct from silver_digest) as differing_count
from reconcile.reconcile_partition
"""

_ERASURES = """
select erasure_id::text, reason, finished_at is null as is_cut_off from ops.erasure order by event_number
"""

_LOOK_AGAIN = "   # judges files and lines again without loading; then mend what it names"
_PROVE_AGAIN = "make build SELECT=reconcile   # proves it again and names table and asset"
_WHAT_REPORTS_KNOW = "do the reports know more?"
_WHAT_CLOCKS_SAY = "do the clocks agree?"
_WHICH_RUN = "which run?"
_WHAT_READERS_SEE = "what do readers see?"
_LOOK = "make psql ROLE=reader   # what readers see"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the triage, its answer in a sentence or two, and whether that is in order."""

    question: str
    answer: str
    is_in_order: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every step, and the one command that comes first. `notices`: what makes a reader of everything else wary."""

    steps: tuple[Step, ...]
    next_command: str
    notices: tuple[str, ...] = ()

    @property
    def is_in_order(self) -> bool:
        return all(step.is_in_order for step in self.steps)


def diagnose(
    world: World,
    partition: date | None = None,
    *,
    is_folder_searched: bool = True,
    view_faults: Sequence[ViewFault] = (),
) -> Diagnosis:
    """Walk the triage over one snapshot; `partition` narrows the question of coverage. Writes nothing.

    `is_folder_searched`: whether a manifest of the default folder that no run was asked to read is out of order;
    `view_faults`: how the views of `serving` differ from the project's.
    """
    suffix = f" PARTITION={partition}" if partition else ""
    steps, commands = [], []
    reports, clocks = look_at_reports(world), look_at_clocks(world.cursor)
    for question, look in (
        (_WHAT_REPORTS_KNOW, lambda world: (reports[0] or "no: what they tell of is in this warehouse", reports[1])),
        ("which manifest?", partial(_manifest, suffix=suffix)),
        (_WHICH_RUN, partial(_run, suffix=suffix)),
        ("where is the state?", _state),
        ("does coverage match?", partial(_coverage, partition=partition, suffix=suffix)),
        ("duplicate, gap, drift, or no trace?", partial(_kind, is_folder_searched=is_folder_searched)),
        ("which rules?", _rules),
        ("has every erasure ended?", _erasures),
        (_WHAT_READERS_SEE, partial(_readers, partition=partition, view_faults=view_faults)),
        (_WHAT_CLOCKS_SAY, lambda world: (clocks[0] or "yes, and the server's has not gone back", clocks[1])),
    ):
        answer, command = look(world)
        steps.append(Step(question, answer, command is None))
        if command is not None:
            # What waits for its release comes last; a view that shows readers something else comes before all.
            is_bent = question == _WHAT_READERS_SEE and bool(view_faults)
            is_first = question in (_WHAT_REPORTS_KNOW, _WHICH_RUN) or is_bent
            is_last = question in (_WHAT_CLOCKS_SAY, _WHAT_READERS_SEE) and not is_bent
            rank = (is_last, command.endswith(_LOOK_AGAIN), not is_first)
            commands.append((rank, command))
    # Stable: of the same rank, in the order of the questions.
    commands.sort(key=lambda found: found[0])
    notices = tuple(words for words in (reports[0], clocks[0]) if words is not None)
    return Diagnosis(tuple(steps), commands[0][1] if commands else _LOOK, notices)


def _run(world: World, suffix: str) -> tuple[str, str | None]:
    last = world.last_run()
    if last is None:
        return "none has been started", f"make ingest{suffix}"
    run = world.run(last["run_id"])
    name = f"{run['mode']} {run['run_id']} attempt {run['attempt']}"
    if run["is_alive"]:
        return (
            f"{name} is at work, last stage done {run['stage']}, process {run['process_id']} on {run['host']}",
            f"make status{suffix}   # again when it has ended",
        )
    if run["status"] in ("success", "warning"):
        return f"{name} ended with {run['status']}", None
    if run["status"] == "failed" and run["exit_code"] == 1:
        answer = f"{name} failed its checks: {_short(run['failure'])}"
        world.cursor.execute(_PROVED_SINCE, run)
        proved = world.cursor.fetchone()
        if proved is not None and _was_of_proof(run["failure"]):
            return f"{answer}; everything was proved since, at {proved[0]:%Y-%m-%d %H:%M:%S %Z}", None
        return answer, dry_run_of(world, run) + _LOOK_AGAIN
    fate = "dead" if run["status"] == "running" else run["status"]
    changed = "" if run["ruleset_sha256"] == world.ruleset.sha256 else "; the contract has changed since"
    return f"{name} is {fate}; last stage done: {run['stage']}{changed}", for_run(world, run)


def _was_of_proof(failure: str | None) -> bool:
    """Whether a run failed by what a later proof may take back: findings and tests, not its files or their lines."""
    text = failure or ""
    return text.startswith(("reconcile: ", "dbt: ")) and "lines rejected" not in text


def _short(text: str | None) -> str:
    words = text or "no reason was recorded"
    return words if len(words) <= 200 else f"{words[:197]}…"


def _manifest(world: World, suffix: str) -> tuple[str, str | None]:
    manifests = fetch_rows(world.cursor, _MANIFESTS, None)
    if not manifests:
        return "none has been registered", f"make ingest{suffix}"
    declared = sum(manifest["declared_asset_count"] for manifest in manifests)
    admitted = sum(manifest["admitted_count"] for manifest in manifests)
    answer = f"{len(manifests)} registered, {admitted} of {declared} declared assets admitted"
    absent = [(manifest, f"{entry}") for manifest in manifests for entry in manifest["absent"] or ()]
    changed = [row for row in fetch_rows(world.cursor, _CHANGED, None) if row["action"] in ("withheld", "missing")]
    for words, names in (
        ("absent", [entry for _, entry in absent]),
        ("archived, and changed since", [f"{row['source_id']} ({row['reasons']})" for row in changed]),
    ):
        if names:
            answer += f"; {words}: {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    if not absent and not changed:
        return answer, None
    looked_at = {row["manifest_path"] for row in (*(manifest for manifest, _ in absent), *changed)}
    return answer, f"make dry-run{named(world, looked_at)}{suffix}   # judges them again without loading"


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


def _coverage(world: World, partition: date | None, suffix: str) -> tuple[str, str | None]:
    window = None if partition is None else (partition, date.fromordinal(partition.toordinal() + 1))
    partitions = world.partitions(window)
    if not partitions:
        nearest = world.nearest(window) if window else []
        days = " and ".join(map(str, nearest)) or "none"
        return (
            f"no indexed line belongs to {partition or 'any partition'}; nearest data: {days}",
            f"make ingest{suffix}",
        )
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


def _kind(world: World, is_folder_searched: bool) -> tuple[str, str | None]:
    """Each kind that was met, with what it was met in. A finding is looked at first: nothing more should be loaded into
    tables that are damaged; then what left no trace."""
    is_built = are_built(world.cursor, "reconcile.reconcile_partition", "reconcile.reconcile_finding")
    found = _findings(world) if is_built else {kind: [] for kind in KINDS}
    command = _for_findings(world) if any(found.values()) else None
    runs, declared = traceless_runs(world)
    traceless = [*runs, *(traceless_manifests(world, declared) if is_folder_searched else ())]
    found["no trace"] += [each.words for each in traceless]
    if command is None and not is_built:
        command = "make build"
    if traceless and not any(words for kind, words in found.items() if kind != "no trace"):
        command = traceless[0].command
    answers = [f"{kind}: {_first(words)}" for kind, words in found.items() if words]
    if not is_built:
        answers.append("reconcile has not been built")
    return "; ".join(answers) or "none of them: the last reconcile has no finding", command


def _for_findings(world: World) -> str:
    """Damage in Silver alone is mended by building its day anew; anything else is looked at first."""
    rows = fetch_rows(built(world.cursor), _FINDINGS, None)
    days = sorted({row["partition_key"] for row in rows if row["partition_key"]})
    if rows and days and all(row["table_name"].startswith("silver.") for row in rows):
        return f"loader build --partition {days[0]}   # Silver's rows of the day anew, from Bronze; then make build"
    return _PROVE_AGAIN


def _findings(world: World) -> dict[Kind, list[str]]:
    found: dict[Kind, list[str]] = {kind: [] for kind in KINDS}
    for row in fetch_rows(built(world.cursor), _FINDINGS, None):
        words = f"{row['table_name']}: {row['check_name']} ({row['finding_count']}; {row['detail']})"
        found[kind_of(row["check_name"])].append(words)
    days = fetch_rows(built(world.cursor), _DAYS, None)[0]
    if days["unexplained_count"] and not found["gap"]:
        found["gap"].append(f"{days['unexplained_count']} line(s) or row(s) that nothing explains")
    if days["differing_count"] and not any(found.values()):
        found["drift"].append(f"Bronze and Silver differ on {days['differing_count']} day(s)")
    return found


def _first(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return "; ".join(words[:_SHOWN]) + more


def _erasures(world: World) -> tuple[str, str | None]:
    """One that was cut off has taken the rows away; what else holds the person is not searched yet."""
    found = fetch_rows(world.cursor, _ERASURES, None)
    cut_off = [row for row in found if row["is_cut_off"]]
    if not cut_off:
        return f"{len(found)} erasure(s), all searched to the end" if found else "nobody was erased", None
    return (
        f"erasure {cut_off[0]['erasure_id']} was cut off before its search had ended",
        f"loader erase --customer '<the same customer>' --reason {pasted(cut_off[0]['reason'])} --mode execute",
    )


def _readers(world: World, partition: date | None, view_faults: Sequence[ViewFault]) -> tuple[str, str | None]:
    """A held day is somebody's decision; any other that is not shown as it is proved waits for one, or for a mend."""
    if view_faults:
        return _first([fault.sentence for fault in view_faults]), view_faults[0].next_command
    found = read_shown(world.cursor, partition)
    ready = [row for row in found if row["is_ready"]]
    held = [row for row in found if row["is_held"]]
    waiting = [row for row in found if not row["is_ready"] and not row["is_held"]]
    words = [f"{len(ready)} of {len(found)} partition(s) as they are proved"]
    for name, rows in (("held", held), ("not yet", waiting)):
        if rows:
            words.append(f"{name}: {_first([_why(row) for row in rows])}")
    if not waiting:
        return "; ".join(words), None
    day = waiting[0]["partition_key"]
    return "; ".join(words), f"loader release --partition {day}   # shows it, or says what lets it pass"


def _why(row: Mapping[str, Any]) -> str:
    return f"{row['partition_key']} ({row['reason']})" if row["reason"] else str(row["partition_key"])


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
