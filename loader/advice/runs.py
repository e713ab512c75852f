"""The run that was started last: is it at work, dead, or failed; and what ends one that is dead."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Mapping
from typing import Any

from loader.advice.manifests import named
from loader.advice.questions import NOTED, Advice, AdviceKind, Asked
from loader.errors import LoaderError
from loader.kinds import kind_option
from loader.printable import pasted
from loader.recovery import World, entries_of_run, last_run, manifests_of_run, run_of
from loader.screen import shortened
from loader.warehouse import fetch_rows

# Somebody else's session holds the ingest lock: a build, a release, an erasure; no run tells of these.
_WRITERS = """
select coalesce(process_id::text, 'unknown') as process_id, coalesce(host, 'unknown') as host from ops.lock_holder
where (process_id, host) is distinct from (%(process_id)s, %(host)s)
"""

_CODES = """
select array(select jsonb_array_elements_text(convert_from(content, 'UTF8')::jsonb -> 'reason_codes')) as codes
from ops.run_evidence
where run_id = %(run_id)s and attempt = %(attempt)s and report_path like '%%/_run/%%'
order by evidence_id desc limit 1
"""

# The causes of a run's failure that no other question sees: absent files and lines, rejects and findings are asked
# about as they are now. A day that has no lines was asked for by mistake, and nothing is wrong with the warehouse.
_ITS_OWN = ("manifest_refused", "replay_differs")

# A file whose lines were rejected, none of them with a day that could be kept back: no other question sees it.
_REJECTED_WITHOUT_DAY = """
select exists (
    select from ops.run_asset as entry
    inner join bronze.rejected_record as reject on reject.asset_id = entry.asset_id
    where entry.run_id = %(run_id)s and entry.attempt = %(attempt)s
        and not exists (select from ops.asset_partition as part where part.asset_id = entry.asset_id)
)
"""


_ENDS = {
    "success": "ok",
    "warning": "ok, with warnings",
    "failed": "failed",
    "crashed": "crashed",
    "interrupted": "was interrupted",
}


def end_of(run: Mapping[str, Any]) -> str:
    """How a run is, or how it ended, in the words that every screen has for it."""
    if run["status"] == "running":
        return "is at work" if run["is_alive"] else "is dead"
    return _ENDS[run["status"]]


def look_at_last_run(asked: Asked) -> tuple[str, Advice | None]:
    world = asked.world
    last = last_run(world)
    if last is None:
        return "none has been started", _first_ingest(asked)
    run = run_of(world, last["run_id"])
    attempt = f" attempt {run['attempt']}" if run["attempt"] > 1 else ""
    name = f"{run['mode']} {shortened(run['run_id'])}{attempt}"
    again = Advice(AdviceKind.WAIT, f"make status{asked.suffix}", "again when it has ended")
    if run["is_alive"]:
        at_work = f"last stage done {run['stage']}, process {run['process_id']} on {run['host']}"
        return f"{name} {end_of(run)}, {at_work}", again
    writers = fetch_rows(world.cursor, _WRITERS, {"process_id": os.getpid(), "host": socket.gethostname()})
    if writers:
        return f"process {writers[0]['process_id']} on {writers[0]['host']} writes this warehouse", again
    if run["status"] in ("success", "warning"):
        return f"{name} ended with {run['status']}", None
    if run["status"] == "failed" and run["exit_code"] == 1:
        codes = fetch_rows(world.cursor, _CODES, run)
        return (
            f"{name} failed its checks: {_short(run['failure'])}",
            after_failed_checks(world, run, codes[0]["codes"] if codes else _ITS_OWN) or NOTED,
        )
    changed = "" if world.is_todays(run) else "; the contract has changed since"
    return f"{name} {end_of(run)}; last stage done: {run['stage']}{changed}", for_run(world, run)


def after_failed_checks(world: World, run: Mapping[str, Any], codes: Collection[str]) -> Advice | None:
    """What a run that failed its checks by these reason codes asks for itself; None where the other questions do."""
    its_own = set(_ITS_OWN).intersection(codes)
    if "reject_limit_exceeded" in codes and _are_rejected_without_day(world, run):
        its_own.add("reject_limit_exceeded")
    if not its_own:
        return None
    if its_own == {"replay_differs"}:
        return Advice(AdviceKind.LAND, f"make verify RUN={run['run_id']}", "says whose lines differ")
    return Advice(AdviceKind.DELIVER, dry_run_of(world, run))


def _are_rejected_without_day(world: World, run: Mapping[str, Any]) -> bool:
    world.cursor.execute(_REJECTED_WITHOUT_DAY, run)
    return bool(world.cursor.fetchone()[0])


def for_run(world: World, run: Mapping[str, Any]) -> Advice:
    """What ends a run that is dead or has failed: its retry; where that would be refused, what takes its place."""
    run_id = run["run_id"]
    is_archived = any(entry.asset_id is not None for entry in entries_of_run(world, run_id))
    is_same_contract = world.is_todays(run)
    if not is_same_contract and run["line_limit"] is None:
        if is_archived:
            return _ends_it(f"make replay RUN={run_id} MODE=execute")
        if run["mode"] == "replay":
            return _ends_it(_replay_again(run["plan"]["request"]))
    try:
        manifests_of_run(world, run)
    except LoaderError:
        return _ends_it(
            _ingest_of(world, run), "what it declares now: it has changed since, or is gone and must be put back"
        )
    if is_same_contract:
        return _ends_it(f"make retry RUN={run_id} MODE=execute")
    if run["line_limit"] is None:
        return _ends_it(f"make rerun RUN={run_id} MODE=execute")
    return _ends_it(_ingest_of(world, run))


def _ends_it(command: str, why: str = "ends what that run began") -> Advice:
    return Advice(AdviceKind.RETRY, command, why)


def _first_ingest(asked: Asked) -> Advice:
    return Advice(AdviceKind.TAKE, f"make ingest{asked.suffix}", "nothing has been read yet")


def _short(text: str | None) -> str:
    words = text or "no reason was recorded"
    return words if len(words) <= 200 else f"{words[:197]}…"


def _replay_again(request: Mapping[str, Any]) -> str:
    of = f"RUN={request['run_id']}" if request["run_id"] else f"BATCH={request['batch_id']}"
    return f"make replay {of}{' REJECTED_ONLY=1' if request['rejected_only'] else ''} MODE=execute"


def _ingest_of(world: World, run: Mapping[str, Any]) -> str:
    paths = [pasted(declared["manifest_path"]) for declared in run["declared_manifests"]]
    if any(declared["is_implicit"] for declared in run["declared_manifests"]):
        limit = "" if run["line_limit"] is None else f" LIMIT={run['line_limit']}"
        of_kind = kind_option(world.contracts, run["record_kind"])
        return f"make ingest INPUT={paths[0]} BATCH={run['batch_id']}{of_kind}{limit}"
    return f"make ingest MANIFEST={','.join(paths)}"


def dry_run_of(world: World, run: Mapping[str, Any]) -> str:
    """What judges the files of a run again, and nothing else: those that it was given, of the day that it was for."""
    declared = run["declared_manifests"]
    if any(each["is_implicit"] for each in declared):
        of_kind = kind_option(world.contracts, run["record_kind"])
        return f"make dry-run INPUT={pasted(declared[0]['manifest_path'])} BATCH={run['batch_id']}{of_kind}"
    paths = [each["manifest_path"] for each in declared] + [each["path"] for each in run["refused_manifests"]]
    start, end = run["window_start"], run["window_end"]
    day = f" PARTITION={start}" if start is not None and (end - start).days == 1 else ""
    return f"make dry-run{named(world, paths)}{day}"
