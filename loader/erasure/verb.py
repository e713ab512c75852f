"""Erasure of one person: planned, applied in one transaction, and searched for afterwards.

Objects are redacted first, beside the old ones, which changes nothing yet. One transaction then sets the tombstones,
points to the redacted objects and takes the rows out: before it nothing is erased, after it no reader meets the person.
What is left (old objects, Silver, empty space, files, the search) may be cut off anywhere; the same command again does
it. An ingest that comes first removes the old objects and builds Silver.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from loader.config import Settings
from loader.erasure.kinds import kinds_of_objects, landed_kinds
from loader.erasure.plan import ErasurePlan, make_erasure_plan
from loader.erasure.removal import remove_rows
from loader.erasure.search import files_of, holds, search_objects, search_rows, searched
from loader.errors import CheckFailedError, RefusedError
from loader.evidence import append, record_crashes, write_files
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
from loader.warehouse import fetch_rows, open_warehouse, released_kinds

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

# Nobody reads them but the loader and dbt: they are written anew, so that no page keeps a dead row.
_WRITTEN_ANEW = ("bronze.record_event", "bronze.rejected_record")
# Readers are on them, or they hold keys only: their empty places are used again, and nobody waits for a lock.
_VACUUMED = (
    "bronze.asset_line",
    "release.partition_version",
    "release.pending_record",
    "ops.unbuilt_erasure",
    "ops.unproved_change",
)


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
        if erasure_id is None:
            erasure_id = plan["plan_id"]
            _remove(lock, raw_zone, person_id, _as_planned(today, plan), report)
        else:
            report(f"erase: goes on with {erasure_id}, which was cut off")
        return _finish(settings, warehouse, lock, raw_zone, person_id, today, erasure_id, report)


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


def _remove(lock: IngestLock, raw_zone: RawZone, person_id: str, plan: ErasurePlan, report: Report) -> None:
    new_keys = {}
    for asset in plan.assets:
        if asset.lines:
            path, fingerprint = raw_zone.path_of(asset.raw_zone_key), raw_zone.fingerprint_of(asset.raw_zone_key)
            content = open_content(path, asset.content_encoding, fingerprint=fingerprint)
            new_keys[asset.asset_id] = raw_zone.put_content(blanked(content, asset.lines), asset.content_encoding)
    report(f"erase: {counted(len(new_keys), 'archived object')} redacted")
    with lock.transaction() as cursor:
        removed = remove_rows(cursor, plan, person_id, trace_id_of_caller(), new_keys)
    report("erase: " + ", ".join(f"{count} {place}" for place, count in removed.items()) + " removed")


def _finish(
    settings: Settings,
    warehouse: Warehouse,
    lock: IngestLock,
    raw_zone: RawZone,
    person_id: str,
    plan: ErasurePlan,
    erasure_id: str,
    report: Report,
) -> Erased:
    kinds = landed_kinds(settings)
    with lock.transaction() as cursor:
        count = finish_redactions(cursor, raw_zone)
        # One that an erasure made before it died may have got its asset since.
        unregistered = {*plan.unregistered_keys} - {*kinds_of_objects(cursor, kinds)}
        count += sum(raw_zone.remove(key) for key in sorted(unregistered))
        (erasure,) = fetch_rows(cursor, "select * from ops.erasure where erasure_id = %s", (erasure_id,))
    again = f"make erase PERSON={pasted(person_id)} REASON={pasted(erasure['reason'])} MODE=execute"
    report(f"erase: {counted(count, 'archived object')} removed")
    _build(settings, warehouse, lock, erasure, report)
    _forget_statistics(lock)
    _vacuum(settings, warehouse, again)
    cleaned, left = _clean_files(settings, person_id, plan)
    report(f"erase: {counted(len(cleaned), 'file')} that quoted the person removed or blanked")
    with lock.transaction() as cursor:
        remains = search_rows(cursor, kinds, person_id, plan.texts)
        read_under = kinds_of_objects(cursor, kinds)
    in_objects = search_objects(raw_zone, read_under, [*kinds.values()], person_id)
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
        source_paths = _source_paths(cursor, settings, erasure_id)
        mentions = remains.mention_count + in_objects.mention_count
        path = _record(cursor, settings, erasure, source_paths, cleaned, mentions, remains.not_searched)
    with lock.transaction() as cursor:
        write_files(cursor, settings, f"erasure {erasure_id}")
    return Erased(erasure_id, erasure["removed"], source_paths, mentions, tuple(remains.not_searched), path)


def _build(
    settings: Settings, warehouse: Warehouse, lock: IngestLock, erasure: Mapping[str, Any], report: Report
) -> None:
    """Silver without the person, everything proved, and what readers see brought up to it."""
    scope = ProofScope("all", "an erasure", project_sha256(settings.project_root))
    build = run_dbt(
        warehouse,
        settings.project_root,
        [*PROVING_BUILD, "--vars", scope.variables],
        anchors={"writer_token": lock.token},
        report=report,
    )
    missing = left_out(build, settings.project_root)
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
        settings,
        lock,
        (build, scope),
        Request(act, settings.reject_limit),
        unproved=lambda: _unproved(erasure["erasure_id"], build, None),
    )
    report(f"erase: proved; readers: {published.sentence}")


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


def _forget_statistics(lock: IngestLock) -> None:
    """What the planner remembers of keys that waited for a proof. An emptied table keeps its statistics when it is
    analyzed, so it is given a row that nobody ever sees."""
    with lock.transaction() as cursor:
        cursor.execute("insert into ops.unproved_change (table_name, row_key) values ('', '')")
        cursor.execute("analyze ops.unproved_change")
        cursor.execute("delete from ops.unproved_change where (table_name, row_key) = ('', '')")


def _vacuum(settings: Settings, warehouse: Warehouse, again: str) -> None:
    """`again`: the command that goes on with the erasure, and vacuums once more."""
    session = warehouse.connect(application_name="omnisupport-erase-vacuum", autocommit=True)
    with closing(session), session.cursor() as cursor:
        for table in _WRITTEN_ANEW:
            cursor.execute(f"vacuum (full, analyze) {table}")
        for table in (*_VACUUMED, *(kind.rows for kind in released_kinds(cursor))):
            cursor.execute(f"vacuum (analyze) {table}")
    # Silver is dbt's: it is emptied by the role that owns it.
    done = run_dbt(warehouse, settings.project_root, ["run-operation", "vacuum_silver"])
    if not done.is_ok:
        raise CheckFailedError(
            "erasure: Silver could not be vacuumed, dbt says why above. The rows and objects of the person are gone;"
            " what their places still hold is not",
            next_command=f"{again}   # when what dbt says is mended",
        )


def _clean_files(settings: Settings, person_id: str, plan: ErasurePlan) -> tuple[list[str], list[str]]:
    """Files that quote the person: logs are blanked where they do, what can be made again is removed, and evidence,
    which may not change, is only named. Returns the names of both kinds."""
    cleaned, left = [], []
    evidence = tuple(settings.report_dir / name for name in ("run_evidence", "release", "erase", "chain"))
    for path in files_of(settings):
        if not holds(path, person_id, plan.texts):
            continue
        name = settings.named(path)
        if any(path.is_relative_to(folder) for folder in evidence):
            left.append(name)
            continue
        cleaned.append(name)
        if path.suffix == ".log":
            _blank_lines(path, person_id, plan)
        else:
            with suppress(FileNotFoundError):
                path.unlink()
    return cleaned, left


def _blank_lines(path: Path, person_id: str, plan: ErasurePlan) -> None:
    """In place and to the byte: whoever writes the log goes on at its end."""
    needles = [text.encode() for text in (person_id, *searched(plan.texts))]
    with path.open("r+b") as file:
        offset = 0
        for line in file.read().splitlines(keepends=True):
            if any(needle in line for needle in needles):
                file.seek(offset)
                file.write(b" " * len(line.rstrip(b"\r\n")))
            offset += len(line)


def _source_paths(cursor: Any, settings: Settings, erasure_id: str) -> tuple[str, ...]:
    """The delivered files of erased lines, where their manifests say that they lie."""
    cursor.execute(
        "select distinct manifest.manifest_path, manifest.manifest_bytes, entry.source_url_or_path"
        " from ops.erased_line as line"
        " inner join ops.manifest_asset as entry on entry.asset_id = line.asset_id"
        " inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id"
        " where line.erasure_id = %s",
        (erasure_id,),
    )
    found = set()
    for manifest_path, content, path in cursor.fetchall():
        folder = settings.project_root / Path(manifest_path).parent / (orjson.loads(bytes(content)).get("root") or "")
        found.add(settings.named(Path(os.path.normpath(folder / path))))
    return tuple(sorted(found))


def _record(
    cursor: Any,
    settings: Settings,
    erasure: Mapping[str, Any],
    source_paths: tuple[str, ...],
    cleaned: list[str],
    mention_count: int,
    not_searched: list[str],
) -> Path:
    """The evidence, as the next record of the chain, and the end of the erasure, in one transaction."""
    erasure_id = str(erasure["erasure_id"])
    path = settings.report_dir / "erase" / f"{erasure_id}.json"
    finished_at = datetime.now(UTC)
    redactions = fetch_rows(
        cursor,
        "select asset_id, old_raw_zone_key, new_raw_zone_key, line_count from ops.raw_zone_redaction"
        " where erasure_id = %s order by redaction_id",
        (erasure_id,),
    )
    versions = fetch_rows(
        cursor,
        "select record_kind, partition_key::text, data_release_id, record_count, record_digest::text"
        " from ops.erased_version"
        " where erasure_id = %s order by record_kind, partition_key, data_release_id",
        (erasure_id,),
    )
    written = append(
        cursor,
        settings,
        {
            "evidence_schema_version": "erasure_evidence_v1",
            "run_id": erasure_id,
            "attempt": 1,
            "trace_id": erasure["trace_id"],
            "mode": "erase",
            # One chain for all kinds: that of the first.
            "asset_key": next(landing.asset_key for landing in landed_kinds(settings).values()),
            "status": "success",
            "customer_hash": bytes(erasure["customer_hash"]).hex(),
            "operator": erasure["operator"],
            "reason": erasure["reason"],
            "started_at": erasure["removed_at"].astimezone(UTC).isoformat(),
            "finished_at": finished_at.isoformat(),
            "removed": erasure["removed"],
            "redacted_objects": [dict(row) for row in redactions],
            "released_versions": [dict(row) for row in versions],
            "files_cleaned": cleaned,
            "still_at_the_source": list(source_paths),
            "mention_count": mention_count,
            "not_searched": not_searched,
            "report_path": settings.named(path),
        },
    )
    cursor.execute("update ops.erasure set finished_at = %s where erasure_id = %s", (finished_at, erasure_id))
    return written
