"""Plan a verb, and apply a plan: the comparison with the world and the work itself happen under one lock."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from loader.config import Settings
from loader.errors import RefusedError
from loader.ingest import Workplace
from loader.kinds import load_kinds, load_ruleset
from loader.plans import refuse_moved
from loader.progress import Report, Silent
from loader.recovery.plan import DUE, VERBS, Plan
from loader.recovery.sources import found_now, roots_of
from loader.recovery.world import Expired, RecoveryVerb, Restored, World, looking_at
from loader.report_files import require_writable
from loader.runs import Attempt, IngestLock, new_run_id, trace_id_of_caller, whole_batch_id, whole_run_id
from loader.silver import start_dbt
from loader.warehouse import open_warehouse

if TYPE_CHECKING:
    from loader.ingest import Verdict


def _verb(name: str) -> RecoveryVerb:
    """The verb's module, imported when it is asked for."""
    assert name in VERBS, name
    return cast(RecoveryVerb, import_module(f"loader.recovery.{name}"))


def make_plan(settings: Settings, verb: str, request: Mapping[str, Any], *, is_applied: bool = False) -> Plan:
    """What `verb` would do now; reads the warehouse in one snapshot, writes nothing. Raises what refuses it.

    `is_applied`: it is carried out without another look, and ids of the request must be long enough for that.
    """

    def kind_of(cursor: Any) -> str | None:
        return _kind_of(settings, cursor, verb, request)

    with looking_at(settings, open_warehouse(settings), kind_of) as world:
        whole = {"run_id": whole_run_id, "batch_id": whole_batch_id}
        ids = {
            name: resolve(world.cursor, request[name], writes=is_applied)
            for name, resolve in whole.items()
            if request.get(name) is not None
        }
        return _verb(verb).plan(world, {**request, **ids})


def kinds_of(settings: Settings, verb: str, request: Mapping[str, Any]) -> list[str]:
    """Kinds of which a backfill, or the replay of a batch, would land something, in their order: each by a plan of its
    own. None where the request is of something else."""
    if request.get("record_kind") is not None:
        return [str(request["record_kind"])]
    if verb == "backfill":
        return _of_manifests(settings, request["manifest_paths"])
    if verb == "replay" and request["batch_id"] is not None:
        connection = open_warehouse(settings).connect(application_name="omnisupport-plan")
        with closing(connection), connection, connection.cursor() as cursor:
            return _of_batch(settings, cursor, request["batch_id"])
    return []


def _kind_of(settings: Settings, cursor: Any, verb: str, request: Mapping[str, Any]) -> str | None:
    """Whose records a request of one kind is about: those of its run, of its batch, or of its manifests; None: nobody
    says."""
    kinds: list[str] = []
    if request.get("record_kind") is not None:
        kinds = [str(request["record_kind"])]
    elif verb == "backfill":
        kinds = _of_manifests(settings, request["manifest_paths"])
    elif verb == "replay" and request["batch_id"] is not None:
        kinds = _of_batch(settings, cursor, request["batch_id"])
    elif verb in ("retry", "rerun", "replay"):
        run_id = None if request["run_id"] is None else whole_run_id(cursor, request["run_id"], writes=False)
        cursor.execute(
            "select record_kind from ops.ingest_run where %s is null or run_id::text = %s"
            " order by event_number desc limit 1",
            (run_id, run_id),
        )
        kinds = [kind for (kind,) in cursor.fetchall()]
    assert len(kinds) < 2, "of several kinds each has a plan of its own"
    return kinds[0] if kinds else None


def _of_manifests(settings: Settings, paths: Sequence[str]) -> list[str]:
    from loader.ingest import IngestRequest, by_kind, declared_input

    declared = declared_input(settings, IngestRequest(manifest_paths=tuple(map(Path, paths))))
    return [kind.name for kind, _ in by_kind(declared, load_kinds(settings.project_root / "contracts"))]


def _of_batch(settings: Settings, cursor: Any, batch_id: str) -> list[str]:
    cursor.execute(
        "select distinct record_kind from ops.source_asset inner join ops.manifest_asset using (asset_id)"
        " inner join ops.manifest using (manifest_id) where batch_id = %s",
        (whole_batch_id(cursor, batch_id, writes=False),),
    )
    found = {kind for (kind,) in cursor.fetchall()}
    return [name for name in load_kinds(settings.project_root / "contracts") if name in found]


def apply_plan(
    settings: Settings, plan: Mapping[str, Any], report: Report | None = None
) -> Verdict | Restored | Expired:
    """Carry out a plan (its record) as one attempt, if the world is still the one that it was made for.

    Raises RefusedError, with nothing started, when anything that the plan rests on moved: a source's bytes, a count, a
    newer run, the contract, a manifest; or when another command holds the lock. Otherwise as `ingest`.
    """
    require_writable(settings.report_dir)
    verb = _verb(plan["mode"])
    if plan["mode"] not in ("restore", "expire"):
        start_dbt()
    # A restore reads nothing: its plan is of no kind, but may have been asked for one.
    record_kind = plan.get("record_kind") or plan["request"].get("record_kind")
    ruleset = load_ruleset(settings.project_root / "contracts", record_kind)
    warehouse = open_warehouse(settings)
    with closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock:
        with lock.transaction() as cursor:
            _refuse_applied(cursor, plan)
            world = World(settings, cursor, ruleset)
            refuse_moved(plan, verb.plan(world, plan["request"], plan).as_record(settings), _plan_again(plan))
            _refuse_changed_sources(world, plan)
        work = Workplace(settings, warehouse, lock, ruleset, report or Silent())
        return verb.carry_out(work, plan, _attempt(plan))


def _attempt(plan: Mapping[str, Any]) -> Attempt:
    """What the plan becomes: a retry the next attempt of its run, all else the first of one of its own."""
    if plan["mode"] == "retry":
        run = plan["run"]
        return Attempt(uuid.UUID(run["run_id"]), run["attempt"] + 1, run["trace_id"])
    return Attempt(new_run_id(), 1, trace_id_of_caller())


def _refuse_applied(cursor: Any, plan: Mapping[str, Any]) -> None:
    """A plan is applied once; the run that it became is named."""
    cursor.execute(
        "select run_id::text, attempt, status from ops.ingest_run where plan ->> 'plan_id' = %s"
        " order by attempt desc limit 1",
        (plan["plan_id"],),
    )
    applied = cursor.fetchone()
    cursor.execute("select data_release_id from release.data_release where plan_id = %s", (plan["plan_id"],))
    released = cursor.fetchone()
    cursor.execute("select expiry_id from release.expiry where plan_id = %s", (plan["plan_id"],))
    expired = cursor.fetchone()
    if expired:
        raise RefusedError(
            f"plan {plan['plan_id']} was applied already: expiry {expired[0]}; nothing was removed",
            next_command="make status",
        )
    if released:
        raise RefusedError(
            f"plan {plan['plan_id']} was applied already: release {released[0]}; nothing was changed",
            next_command="make status",
        )
    if applied:
        run_id, attempt, status = applied
        has_ended_well = status in ("success", "warning")
        raise RefusedError(
            f"plan {plan['plan_id']} was applied already: run {run_id} attempt {attempt}, {status}; nothing was"
            " started",
            next_command="make status" if has_ended_well else f"make retry RUN={run_id}",
        )


def _refuse_changed_sources(world: World, plan: Mapping[str, Any]) -> None:
    """Hash what a backfill is about to read: its plan knows registered assets by size and time of writing only."""
    if plan["mode"] != "backfill":
        return
    due = [day["partition_key"] for day in plan["partitions"] if day["gap_reason"] in DUE]
    about_to_read = {
        (asset["manifest_id"], asset["source_id"]): asset
        for asset in plan["assets"]
        if asset["reads_from"] == "source"
        and asset["found"] == asset["source_fingerprint"]
        and any((asset["first_partition"] or "") <= day <= (asset["last_partition"] or "") for day in due)
    }
    from loader.recovery import backfill

    for manifest in backfill.declared(world, plan["request"]).manifests:
        roots = roots_of(world.settings, manifest)
        for asset in manifest.assets:
            known = about_to_read.get((manifest.manifest_id, asset.source_id))
            found = None if known is None else found_now(roots, manifest, asset)
            if known is not None and found != known["found"]:
                raise RefusedError(
                    f"source {asset.source_id} of {manifest.manifest_id} is not what was registered"
                    f" ({known['found'][:12]}…, now {found[:12] if found else found}…), though its size and time of"
                    " writing say so; nothing was started. Its archived bytes are whole; other bytes need a new"
                    " manifest.",
                    next_command=f"make replay BATCH={manifest.batch_id}"
                    "   # the archived bytes; what lies there now needs a manifest of its own",
                )


def _plan_again(plan: Mapping[str, Any]) -> str:
    """The command that makes the same plan again."""
    request = plan["request"]
    asked = {"MODE": plan["mode"]}
    if plan["mode"] in ("retry", "rerun", "replay"):
        # Without a kind it is made of each kind of the batch again.
        asked |= {"RUN": request["run_id"]} if request["run_id"] else {"BATCH": request["batch_id"]}
    elif plan["mode"] == "expire":
        asked |= {"OLDER_THAN": request["older_than"], "KEEP": request["keep"]}
    elif request["window_start"] is None:
        asked |= {"ALL": 1}
    else:
        asked |= {"FROM": request["window_start"], "TO": _last_day(request)}
    if request.get("record_kind") and plan["mode"] != "replay":
        asked |= {"KIND": request["record_kind"]}
    asked |= {name.upper(): request[name] for name in ("release", "as_of", "reason") if request.get(name)}
    asked |= {"MANIFEST": ",".join(request["manifest_paths"])} if request.get("manifest_paths") else {}
    asked |= {name.upper(): 1 for name in ("rejected_only", "keep_going") if request.get(name)}
    return " ".join(["make plan", *(f"{name}={shlex.quote(str(value))}" for name, value in asked.items())])


def _last_day(request: Mapping[str, Any]) -> str:
    """The last day of a request's half-open window, as an operator writes it."""
    return (date.fromisoformat(request["window_end"]) - timedelta(days=1)).isoformat()
