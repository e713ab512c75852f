"""Erasure of one person: planned, applied in one transaction, and searched for afterwards.

Objects are redacted first, beside the old ones, which changes nothing yet. One transaction then sets the tombstones,
points to the redacted objects and takes the rows out: before it nothing is erased, after it no reader meets the person.
What is left (old objects, Silver, empty space, files, the search) may be cut off anywhere; the same command again does
it. An ingest that comes first removes the old objects and builds Silver.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.erasure.erasure_evidence import ErasureOutcome, record_erasure, source_paths_of
from loader.erasure.erasure_plan import ErasurePlan
from loader.erasure.planning import make_erasure_plan
from loader.erasure.quotes import clean_files, search_objects
from loader.erasure.removal import forget_statistics, remove_rows, vacuum, write_anew
from loader.erasure.search import search_rows
from loader.erasure.traces import kinds_of_objects, landed_kinds
from loader.errors import CheckFailedError, RefusedError
from loader.evidence import record_crashes, write_files
from loader.plans import refuse_moved
from loader.printable import counted, pasted
from loader.privacy import blanked, finish_redactions
from loader.progress import Report
from loader.raw_zone import RawZone
from loader.reader import open_content
from loader.release import Act, Request, settle
from loader.report_files import require_writable
from loader.runs import IngestLock, repair, trace_id_of_caller
from loader.silver import (
    LOOK_AT_WHAT_IS_OFF,
    PROVING_BUILD,
    BuildResult,
    ProofScope,
    left_out,
    project_sha256,
    run_dbt,
    start_dbt,
)
from loader.warehouse import Warehouse, fetch_rows, open_warehouse


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure came to. `source_paths`: files outside the warehouse that still hold the person; `not_searched`:
    tables of others in the same database that the loader may not read."""

    erasure_id: str
    removed: Mapping[str, int]
    source_paths: tuple[str, ...]
    mention_count: int
    not_searched: tuple[str, ...]
    report_path: Path


def plan_erasure(settings: Settings, person_id: str, reason: str) -> ErasurePlan:
    """What erasing this person would do now, in every kind; writes nothing. Raises RefusedError where there is nothing
    to erase."""
    session = open_warehouse(settings).connect(application_name="omnisupport-erase-plan")
    with closing(session), session, session.cursor() as cursor:
        plan = make_erasure_plan(cursor, settings, person_id, reason)
        if plan.is_empty and _unfinished(cursor, plan) is None:
            raise RefusedError(
                "no archived line and no row is of this person (ids are compared to the letter); nothing was planned",
                next_command="loader erase --help",
            )
    return plan


def erase(settings: Settings, person_id: str, plan: Mapping[str, Any], report: Report) -> Erased:
    """Carry out a plan (its record) for the person that it was made for; finish one that was cut off.

    Raises RefusedError, with nothing changed, where the plan is stale, was applied, or is of another person;
    CheckFailedError where the build does not close or something of the person is left: the rows are gone then, and the
    same command goes on from there.
    """
    require_writable(settings.report_dir)
    start_dbt()
    warehouse = open_warehouse(settings)
    with closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock:
        raw_zone = RawZone(settings.raw_zone)
        repair(lock, settings.state_folder / "dlt", lambda cursor, attempts: record_crashes(cursor, settings, attempts))
        with lock.transaction() as cursor:
            write_files(cursor, settings, "what an earlier command did")
        raw_zone.sweep()
        with lock.transaction() as cursor:
            today = make_erasure_plan(cursor, settings, person_id, plan["reason"])
            erasure_id = _unfinished(cursor, today)
            if erasure_id is None:
                _refuse_applied(cursor, plan)
                again = f"make erase PERSON={pasted(person_id)} REASON={pasted(plan['reason'])}"
                refuse_moved(plan, today.as_record(settings), again)
        work = _Erasing(settings, warehouse, lock, raw_zone, person_id, today, report)
        if erasure_id is None:
            erasure_id = plan["plan_id"]
            _remove(work, _as_planned(today, plan))
        else:
            report(f"erase: goes on with {erasure_id}, which was cut off")
        return _finish(work, erasure_id)


@dataclass(frozen=True, slots=True)
class _Erasing:
    """An erasure at work: where, of whom, and what was found `today`."""

    settings: Settings
    warehouse: Warehouse
    lock: IngestLock
    raw_zone: RawZone
    person_id: str
    today: ErasurePlan
    report: Report


def _unfinished(cursor: Any, plan: ErasurePlan) -> str | None:
    cursor.execute(
        "select erasure_id::text from ops.erasure where customer_hash = %s and finished_at is null",
        (plan.person_hash,),
    )
    found = cursor.fetchone()
    return None if found is None else str(found[0])


def _refuse_applied(cursor: Any, plan: Mapping[str, Any]) -> None:
    cursor.execute("select finished_at from ops.erasure where erasure_id = %s", (plan["plan_id"],))
    if cursor.fetchone() is not None:
        raise RefusedError(
            f"plan {plan['plan_id']} was applied already; nothing was changed", next_command="make verify EVIDENCE=1"
        )


def _as_planned(today: ErasurePlan, plan: Mapping[str, Any]) -> ErasurePlan:
    """What was found now, under the number and the operator of the plan that was reviewed."""
    return replace(today, plan_id=plan["plan_id"], operator=plan["operator"], timestamp=plan["timestamp"])


def _remove(work: _Erasing, plan: ErasurePlan) -> None:
    raw_zone = work.raw_zone
    new_keys = {}
    for asset in plan.assets:
        if asset.is_file:
            # Also where its object is gone: whoever delivers it again would bring it back.
            new_keys[asset.asset_id] = raw_zone.put_content((), "identity")
        elif asset.lines:
            path, fingerprint = raw_zone.path_of(asset.raw_zone_key), raw_zone.fingerprint_of(asset.raw_zone_key)
            content = open_content(path, asset.content_encoding, fingerprint=fingerprint)
            new_keys[asset.asset_id] = raw_zone.put_content(blanked(content, asset.lines), asset.content_encoding)
    work.report(f"erase: {counted(len(new_keys), 'archived object')} redacted")
    with work.lock.transaction() as cursor:
        removed = remove_rows(cursor, plan, work.person_id, trace_id_of_caller(), new_keys)
    work.report("erase: " + ", ".join(f"{count} {place}" for place, count in removed.items()) + " removed")


def _finish(work: _Erasing, erasure_id: str) -> Erased:
    settings, lock, plan = work.settings, work.lock, work.today
    kinds = landed_kinds(settings)
    with lock.transaction() as cursor:
        count = finish_redactions(cursor, work.raw_zone)
        # One that an erasure made before it died may have got its asset since.
        unregistered = {*plan.unregistered_keys} - {*kinds_of_objects(cursor, kinds)}
        count += sum(work.raw_zone.remove(key) for key in sorted(unregistered))
        (erasure,) = fetch_rows(cursor, "select * from ops.erasure where erasure_id = %s", (erasure_id,))
    again = f"make erase PERSON={pasted(work.person_id)} REASON={pasted(erasure['reason'])} MODE=execute"
    work.report(f"erase: {counted(count, 'archived object')} removed")
    write_anew(work.warehouse)
    _build(work, erasure)
    forget_statistics(lock)
    vacuum(settings, work.warehouse, again)
    cleaned, left = clean_files(settings, work.person_id, plan.texts)
    work.report(f"erase: {counted(len(cleaned), 'file')} that quoted the person removed or blanked")
    with lock.transaction() as cursor:
        remains = search_rows(cursor, kinds, work.person_id, plan.texts)
        read_under = kinds_of_objects(cursor, kinds)
    in_objects = search_objects(work.raw_zone, read_under, [*kinds.values()], work.person_id)
    found = {**remains.found, **in_objects.found, **dict.fromkeys(left, 1)}
    if found:
        raise CheckFailedError(
            "erasure "
            + erasure_id
            + ": something of the person is left in "
            + "; ".join(f"{place} ({count})" for place, count in list(found.items())[:5])
            + ". The rows and objects that were planned are gone",
            next_command=again,
        )
    with lock.transaction() as cursor:
        source_paths = source_paths_of(cursor, settings, erasure_id, work.person_id)
        mentions = remains.mention_count + in_objects.mention_count
        outcome = ErasureOutcome(source_paths, tuple(cleaned), mentions, tuple(remains.not_searched))
        path = record_erasure(cursor, settings, erasure, outcome)
    with lock.transaction() as cursor:
        write_files(cursor, settings, f"erasure {erasure_id}")
    return Erased(erasure_id, erasure["removed"], source_paths, mentions, outcome.not_searched, path)


def _build(work: _Erasing, erasure: Mapping[str, Any]) -> None:
    """Silver without the person, everything proved, and what readers see brought up to it."""
    scope = ProofScope("all", "an erasure", project_sha256(work.settings.project_root))
    build = run_dbt(
        work.warehouse,
        work.settings.project_root,
        [*PROVING_BUILD, "--vars", scope.variables],
        anchors={"writer_token": work.lock.token},
        report=work.report,
    )
    missing = left_out(build, work.settings.project_root)
    act = Act(
        "publish",
        erasure["operator"],
        erasure["trace_id"],
        reason=f"erasure {erasure['erasure_id']}",
        dbt_invocation_id=build.invocation_id,
    )
    if missing:
        raise _unproved(erasure["erasure_id"], build, missing)
    published = settle(
        work.settings,
        work.lock,
        (build, scope),
        Request(act, work.settings.reject_limit),
        unproved=lambda: _unproved(erasure["erasure_id"], build, None),
    )
    work.report(f"erase: proved; readers: {published.sentence}")


def _unproved(erasure_id: str, build: BuildResult, missing: str | None) -> CheckFailedError:
    """Where the triage would say the same erasure again, what keeps it from closing is what comes next."""
    why = missing or "; ".join(f"{node.name}: {node.reason}" for node in (build.holding or build.failed)[:3])
    next_command = "make diagnose   # then the same erase command again"
    if missing:
        next_command = LOOK_AT_WHAT_IS_OFF
    elif build.holding:
        next_command = f"make build SELECT={build.holding[0].name}   # then the same erase command again"
    return CheckFailedError(
        f"erasure {erasure_id}: the proof did not close ({why or 'another build was at work'}). The rows and objects of"
        " the person are gone; Silver and the search for what is left are not proved",
        next_command=next_command,
    )
