"""The command that mends what a look found, in a form that is not refused: for a run, and for days with a gap."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loader.errors import InfrastructureError, LoaderError, RefusedError
from loader.evidence.facts import fetch_rows
from loader.gate import AssetRefusedError
from loader.ingest.request import content_of_manifest
from loader.manifest.seeds import is_hidden, manifests_folder
from loader.printable import pasted
from loader.recovery.plan import PartitionState
from loader.recovery.world import World

# Of the assets with lines of these days that are not taken: which manifests declare each.
_OF_DAYS = """
with due as (
    select distinct part.asset_id
    from ops.asset_partition as part
    inner join (
        select asset_id, max(ruleset_id) as ruleset_id from ops.asset_index where is_complete group by asset_id
    ) as latest using (asset_id, ruleset_id)
    where part.taken_by_run_id is null and part.record_line_count > 0 and part.partition_key = any(%(days)s::date[])
)
select entry.asset_id, manifest.manifest_id, manifest.manifest_path, manifest.manifest_sha256, manifest.batch_id,
    manifest.is_implicit
from due
inner join ops.manifest_asset as entry on entry.asset_id = due.asset_id
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
order by entry.asset_id, manifest.event_number
"""

# Of the admitted assets of which no reading is whole: looked at up to a limit, or never.
_UNREAD = """
select entry.asset_id, manifest.manifest_id, manifest.manifest_path, manifest.manifest_sha256, manifest.batch_id,
    manifest.is_implicit
from ops.manifest_asset as entry
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
where entry.asset_id is not null
    and not exists (select from ops.asset_index as reading where reading.asset_id = entry.asset_id and is_complete)
order by entry.asset_id, manifest.event_number
"""

_ASSETS_OF = "select distinct asset_id from ops.manifest_asset where manifest_id = any(%s) and asset_id is not null"


def for_run(world: World, run: Mapping[str, Any]) -> str:
    """What ends a run that is dead or has failed: its retry; where that would be refused, what takes its place."""
    run_id = run["run_id"]
    is_archived = any(entry.asset_id is not None for entry in world.entries_of_run(run_id))
    is_same_contract = run["ruleset_sha256"] == world.ruleset.sha256
    if not is_same_contract and run["line_limit"] is None:
        if is_archived:
            return f"loader replay --run {run_id} --mode execute"
        if run["mode"] == "replay":
            return _replay_again(run["plan"]["request"])
    try:
        world.manifests_of_run(run)
    except LoaderError:
        return _ingest_of(run, "   # what it declares now: it has changed since, or is gone and must be put back")
    if is_same_contract:
        return f"loader retry {run_id} --mode execute"
    if run["line_limit"] is None:
        return f"loader rerun --run {run_id} --mode execute"
    return _ingest_of(run)


def _replay_again(request: Mapping[str, Any]) -> str:
    of = f"--run {request['run_id']}" if request["run_id"] else f"--batch {request['batch_id']}"
    return f"loader replay {of}{' --rejected-only' if request['rejected_only'] else ''} --mode execute"


def _ingest_of(run: Mapping[str, Any], why: str = "") -> str:
    paths = [pasted(declared["manifest_path"]) for declared in run["declared_manifests"]]
    if any(declared["is_implicit"] for declared in run["declared_manifests"]):
        limit = "" if run["line_limit"] is None else f" LIMIT={run['line_limit']}"
        return f"make ingest INPUT={paths[0]} BATCH={run['batch_id']}{limit}{why}"
    return f"make ingest MANIFEST={','.join(paths)}{why}"


def dry_run_of(world: World, run: Mapping[str, Any]) -> str:
    """What judges the files of a run again: those that it was given, and not those of the default folder."""
    declared = run["declared_manifests"]
    if any(each["is_implicit"] for each in declared):
        return f"make dry-run INPUT={pasted(declared[0]['manifest_path'])} BATCH={run['batch_id']}"
    return f"make dry-run{named(world, [each['manifest_path'] for each in declared])}"


def for_gaps(world: World, due: Sequence[PartitionState]) -> str:
    """What takes the lines of these partitions (at least one), from the manifests that declare them.

    A backfill, with the manifests named unless all lie in the default folder; an ad-hoc file is ingested again; where
    a file is gone or the rules have changed, the raw zone is replayed.
    """
    if {each.gap_reason for each in due} == {"output_lag"}:
        return "make build   # Silver and reconcile do not show yet what has landed"
    found = fetch_rows(world.cursor, _OF_DAYS, {"days": [each.partition_key for each in due]})
    written, implicit, gone = _sorted_out(world, found)
    if written:
        older = _older_rules(world, written)
        if older:
            return older
    if written or not found:
        first, last = due[0].partition_key, due[-1].partition_key
        days = f"--partition {first}" if first == last else f"--from {first} --to {last}"
        return f"loader backfill {days}{_named(world, written, ' --manifest ')} --mode execute"
    if implicit:
        return _ad_hoc(implicit[0])
    return f"loader replay --batch {gone[0]['batch_id']} --mode execute   # its file is gone; the raw zone has it"


def for_unread(world: World) -> tuple[int, str] | None:
    """How many admitted assets no run has read whole, and what reads them; None where there are none."""
    found = fetch_rows(world.cursor, _UNREAD, None)
    if not found:
        return None
    written, implicit, gone = _sorted_out(world, found)
    count = len({row["asset_id"] for row in found})
    if written:
        return count, f"make ingest{_named(world, written, ' MANIFEST=')}"
    if implicit:
        return count, _ad_hoc(implicit[0])
    return (
        count,
        f"loader replay --batch {gone[0]['batch_id']} --mode execute   # its file is gone; the raw zone has it",
    )


def _sorted_out(
    world: World, found: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """One manifest per asset: of the default folder before others, before ad-hoc files, before those that are gone."""
    best: dict[int, tuple[int, Mapping[str, Any]]] = {}
    for row in found:
        rank = _rank(world, row)
        if row["asset_id"] not in best or rank < best[row["asset_id"]][0]:
            best[row["asset_id"]] = (rank, row)
    chosen = {row["manifest_id"]: (rank, row) for rank, row in best.values()}
    ranked = list(chosen.values())
    return (
        [row for rank, row in ranked if rank < 2],
        [row for rank, row in ranked if rank == 2],
        [row for rank, row in ranked if rank == 3],
    )


def _rank(world: World, row: Mapping[str, Any]) -> int:
    path = Path(row["manifest_path"])
    if not path.is_file():
        return 3
    if row["is_implicit"]:
        return 2
    try:
        content = content_of_manifest(world.settings, path)
    except (OSError, AssetRefusedError, InfrastructureError):
        return 3
    if hashlib.sha256(content).hexdigest() != row["manifest_sha256"]:
        return 3
    return 0 if _is_default(world, row) else 1


def _is_default(world: World, row: Mapping[str, Any]) -> bool:
    path, folder = Path(row["manifest_path"]), manifests_folder(world.settings.project_root)
    return path.parent.resolve() == folder.resolve() and not is_hidden(path)


def named(world: World, paths: Iterable[str]) -> str:
    """The option of make that names these manifests; nothing where all of them are taken without it."""
    return _named(world, [{"manifest_path": path} for path in paths], " MANIFEST=")


def _named(world: World, manifests: Sequence[Mapping[str, Any]], option: str) -> str:
    """The option that names manifests; nothing where all of them are taken without it."""
    if all(_is_default(world, row) for row in manifests):
        return ""
    return option + pasted(",".join(sorted(row["manifest_path"] for row in manifests)))


def _ad_hoc(row: Mapping[str, Any]) -> str:
    return f"make ingest INPUT={pasted(row['manifest_path'])} BATCH={row['batch_id']}"


def _older_rules(world: World, manifests: Sequence[Mapping[str, Any]]) -> str | None:
    """The replay that comes first where a backfill would be refused: its assets were read under other rules."""
    world.cursor.execute(_ASSETS_OF, ([row["manifest_id"] for row in manifests],))
    try:
        world.refuse_older_rules([asset_id for (asset_id,) in world.cursor.fetchall()])
    except RefusedError as error:
        command = error.next_command.split("   # ")[0]
        return f"{command} --mode execute   # under today's rules; a backfill would be refused"
    return None
