"""Is what was declared there, and what was asked for in? Absent files, lines that are not taken, old rejects."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from loader.advice.manifests import Declared, ad_hoc, named, paths_of, sorted_out
from loader.advice.questions import Advice, AdviceKind, Asked
from loader.errors import RefusedError
from loader.ingest import ABSENT, explained, words_of
from loader.partition import Partition
from loader.printable import counted, some
from loader.recovery import PartitionState, World, nearest_partitions, never_asked, partition_states
from loader.warehouse import fetch_rows

_MANIFESTS = """
select manifest.manifest_id, manifest.manifest_path, manifest.declared_asset_count,
    count(*) filter (where entry.disposition = 'admitted') as admitted_count,
    -- Accepted, and of a kind that does not land yet.
    count(*) filter (where entry.disposition = 'not_available') as not_due_count
from ops.manifest as manifest
inner join ops.manifest_asset as entry using (manifest_id)
group by manifest.manifest_id, manifest.manifest_path, manifest.declared_asset_count order by manifest.manifest_id
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

_DECLARING = """
    manifest.manifest_id, manifest.manifest_path, manifest.batch_id, manifest.is_implicit, manifest.contract_ref,
    coalesce(encode(sha256(manifest.delivered_bytes), 'hex'), manifest.manifest_sha256) as file_sha256
"""

# For each asset that has lines of these days (of a kind, or of any) and is not taken: the manifests that declare it.
_OF_DAYS = f"""
with due as (
    select distinct part.asset_id
    from ops.asset_partition as part
    inner join ops.asset_reading as reading using (asset_id, ruleset_id)
    where reading.is_complete and part.taken_by_run_id is null and part.record_line_count > 0
        and part.partition_key = any(%(days)s::date[])
        and reading.record_kind = coalesce(%(kind)s, reading.record_kind)
)
select entry.asset_id, {_DECLARING}
from due
inner join ops.manifest_asset as entry on entry.asset_id = due.asset_id
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
order by entry.asset_id, manifest.event_number
"""

# The admitted assets that no run has read whole: read up to a limit, or never.
_UNREAD = f"""
select entry.asset_id, {_DECLARING}
from ops.manifest_asset as entry
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
left join ops.asset_reading as reading on reading.asset_id = entry.asset_id
where entry.asset_id is not null and reading.is_complete is not true
order by entry.asset_id, manifest.event_number
"""

_ASSETS_OF = "select distinct asset_id from ops.manifest_asset where manifest_id = any(%s) and asset_id is not null"

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
from bronze.visible_reject as reject
inner join ops.asset_reading as reading using (asset_id, ruleset_id)
inner join declared using (asset_id)
where reading.ruleset_id <> all(%(in_effect)s::int[])
group by declared.batch_id order by reject_count desc, declared.batch_id
"""


def look_at_manifests(asked: Asked) -> tuple[str, Advice | None]:
    world = asked.world
    manifests = fetch_rows(world.cursor, _MANIFESTS, None)
    if not manifests:
        return "none has been registered", _ingest(asked)
    declared, admitted, not_due = (
        sum(manifest[f"{name}_count"] for manifest in manifests) for name in ("declared_asset", "admitted", "not_due")
    )
    answer = f"{len(manifests):,} registered, {admitted:,} of {declared - not_due:,} files admitted"
    answer += f", and {not_due:,} of kinds that do not land yet" if not_due else ""
    absent = explained(fetch_rows(world.cursor, ABSENT, None), words_of(world.settings.project_root))
    changed = [row for row in fetch_rows(world.cursor, _CHANGED, None) if row["action"] in ("withheld", "missing")]
    groups: dict[str, list[str]] = {}
    for row in absent:
        why = f"{row['disposition']} ({row['reasons']}: {row['sentence']} {row['mend']})"
        groups.setdefault(why.replace(" )", ")"), []).append(row["source_id"])
    for row in changed:
        groups.setdefault(f"archived, and changed since ({row['reasons']})", []).append(row["source_id"])
    for why, names in groups.items():
        answer += f"; {len(names):,} {why}: {some(names, 2, ', ')}"
    if not absent and not changed:
        return answer, None
    looked_at = [row["manifest_path"] for row in (*absent, *changed)]
    return answer, Advice(AdviceKind.DELIVER, f"make dry-run{named(world, looked_at)}{asked.suffix}")


def look_at_coverage(asked: Asked) -> tuple[str, Advice | None]:
    """Days that nobody has asked for are told, and asked about where one of them is what was asked for now."""
    world, day = asked.world, asked.partition
    window = None if day is None else (day, day + timedelta(days=1))
    kinds = world.read_kinds()
    worlds = [world.of_kind(kind) for kind in kinds if asked.record_kind in (None, kind)]
    partitions = [(each, state) for each in worlds for state in partition_states(each, window)]
    if not partitions:
        near = sorted({near for each in worlds for near in nearest_partitions(each, window)}) if window else []
        days = " and ".join(map(str, near)) or "none"
        return f"no indexed line belongs to {day or 'any partition'}; nearest data: {days}", _ingest(asked)
    unasked = never_asked(world.cursor) if day is None else frozenset()
    asked_for = [(each, state) for each, state in partitions if _partition(each, state) not in unasked]
    due = [(each, state) for each, state in asked_for if state.is_due]
    expected = sum(state.expected_input_count for _, state in asked_for)
    taken = sum(state.current_input_count for _, state in asked_for)
    days = counted(len({state.partition_key for _, state in asked_for}), "day")
    answer = f"{taken:,} of {expected:,} lines are taken, in {days}"
    if asked.record_kind is None and len({each.ruleset.contract_ref for each, _ in asked_for}) > 1:
        answer += f" of {counted(len(worlds), 'kind')}"
    unasked &= {_partition(each, state) for each, state in partitions}
    if unasked:
        takes = take_unasked(world, frozenset(partition.day for partition in unasked))
        were = counted(len(unasked), "declared day was", "declared days were")
        answer += f"; {were} never asked for ({takes} takes {'it' if len(unasked) == 1 else 'them all'})"
    unread = for_unread(world)
    if unread is not None:
        answer += f"; {counted(unread[0], 'admitted file')} no run has read whole"
    if not due:
        return answer, unread[1] if unread else None
    gaps = [f"{_partition(each, state).named(kinds)} {state.gap_reason}" for each, state in due]
    of_first = [state for each, state in due if each is due[0][0]]
    return f"{answer}; with a gap: {some(gaps, separator=', ')}", for_gaps(due[0][0], of_first, kinds)


def _partition(world: World, state: PartitionState) -> Partition:
    return Partition(world.ruleset.contract_ref, date.fromisoformat(state.partition_key))


def look_at_rules(asked: Asked) -> tuple[str, Advice | None]:
    world = asked.world
    batches = fetch_rows(world.cursor, _OLD_REJECTS, {"in_effect": world.rulesets_in_effect()})
    if not batches:
        return "every reject was judged by today's ruleset", None
    count = sum(batch["reject_count"] for batch in batches)
    where = f"batch {batches[0]['batch_id']}" if len(batches) == 1 else f"{len(batches)} batches"
    were = counted(count, "reject was", "rejects were")
    return f"{were} judged by an older ruleset than today's, of {where}", Advice(
        AdviceKind.REREAD,
        f"make replay BATCH={batches[0]['batch_id']} REJECTED_ONLY=1 MODE=execute",
        "judges them again; lines that are valid now land",
    )


def _ingest(asked: Asked) -> Advice:
    return Advice(AdviceKind.TAKE, f"make ingest{asked.suffix}", "reads what is declared")


def take_unasked(world: World, days: frozenset[date]) -> str:
    """The command that takes every day that nobody has asked for."""
    found = sorted_out(world, fetch_rows(world.cursor, _OF_DAYS, {"days": sorted(days), "kind": None}))
    if found.written or not found.implicit:
        return f"make ingest{named(world, paths_of(found.written))}"
    return ad_hoc(world, found.implicit[0])


def for_gaps(world: World, due: Sequence[PartitionState], kinds: Sequence[str]) -> Advice:
    """What takes the lines of these partitions (at least one) of the world's kind, from manifests that declare them.
    `kinds`: those that the warehouse has lines of.

    A backfill, with the manifests named unless all lie in the default folder; an ad-hoc file is ingested again; where
    a file is gone or the rules have changed, the raw zone is replayed.
    """
    if {each.gap_reason for each in due} == {"output_lag"}:
        return Advice(AdviceKind.PROVE, "make build", "Silver and reconcile do not show what has landed")
    of_days = {"days": [each.partition_key for each in due], "kind": world.ruleset.contract_ref}
    rows = fetch_rows(world.cursor, _OF_DAYS, of_days)
    found = sorted_out(world, rows)
    if found.written and (older := _older_rules(world, found)) is not None:
        return older
    if found.written or not rows:
        first, last = due[0].partition_key, due[-1].partition_key
        days = f"PARTITION={first}" if first == last else f"FROM={first} TO={last}"
        of_kind = f" KIND={world.ruleset.contract_ref}" if len(kinds) > 1 else ""
        manifests = named(world, paths_of(found.written))
        return _take(f"make backfill {days}{of_kind}{manifests} MODE=execute", "takes their lines")
    return _without_manifest(world, found)


def for_unread(world: World) -> tuple[int, Advice] | None:
    """How many admitted assets no run has read whole, and what reads them; None where there are none."""
    rows = fetch_rows(world.cursor, _UNREAD, None)
    if not rows:
        return None
    found = sorted_out(world, rows)
    count = len({row["asset_id"] for row in rows})
    if found.written:
        return count, _take(f"make ingest{named(world, paths_of(found.written))}", "reads them whole")
    return count, _without_manifest(world, found)


def _without_manifest(world: World, found: Declared) -> Advice:
    if found.implicit:
        return _take(ad_hoc(world, found.implicit[0]), "reads the file whole")
    replay = f"make replay BATCH={found.gone[0]['batch_id']} MODE=execute"
    return _take(replay, "its file is gone; the raw zone has it")


def _take(command: str, why: str) -> Advice:
    return Advice(AdviceKind.TAKE, command, why)


def _older_rules(world: World, found: Declared) -> Advice | None:
    """The replay that comes first where a backfill would be refused: its assets were read under other rules."""
    world.cursor.execute(_ASSETS_OF, ([row["manifest_id"] for row in found.written],))
    try:
        world.refuse_older_rules([asset_id for (asset_id,) in world.cursor.fetchall()])
    except RefusedError as error:
        command = error.next_command.split("   # ")[0]
        return _take(f"{command} MODE=execute", "under today's rules; a backfill would be refused")
    return None
