"""States in which a day is not as it should be: rejected, withheld, held, kept back, stale, crashed, lost, bent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loader.advice import AdviceKind
from loader.raw_zone import RawZone
from loader.runs import IngestLock
from loader.silver import BuildResult, run_dbt
from loader.silver.results import NodeResult
from loader.warehouse import Warehouse
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.checkouts import ROOT
from tests.crash.points import POINTS
from tests.ingests import declare, settings, ticket, write_export
from tests.recoveries import failing
from tests.sabotage.victims import SHOWN, TICKET

# Days of the place: 2026-04-16 to 19; what scenes deliver is of the day after.
DAY = "2026-04-20"
_HOOK = ROOT / "tests" / "crash" / "hook"
_TICKET_GONE = f"delete from silver.ticket_fact where ticket_id = {TICKET}"
_EVENT_GONE = f"delete from bronze.raw_ticket_event where event_id = {SHOWN}"
# Neither is of a day of its own: the erasure closes all the same, and what mends them comes after it.
_BUILT_GONE = "delete from silver.built_load where load_id = (select min(load_id) from silver.built_load)"
_MANIFEST_EDITED = "update ops.manifest set batch_id = 'batch-20260101-009'"
_CUSTOMER_GONE = (
    "delete from silver.customer_dim where customer_id = (select max(customer_id) from silver.customer_dim as last)"
)


def ticket_of(number: int, day: str = DAY, **changes: Any) -> dict[str, Any]:
    return ticket(
        number, **{"ticket_id": f"TKT-{day.replace('-', '')}-{number:06d}", "created_at": f"{day}T08:00:00Z", **changes}
    )


def deliver(place: Place, items: list[dict[str, Any] | bytes] | None = None, name: str = "new") -> Path:
    """A manifest in the default folder, of one export of ten tickets of the day (or of `items`)."""
    lines = [ticket_of(number) for number in range(10)] if items is None else items
    write_export(place.seeds / name / f"tickets-{DAY}.jsonl", lines)
    return declare(place.seeds / name, name)


def _edited(manifest: Path, **changes: Any) -> None:
    """Other words for the one asset that a manifest declares."""
    body = json.loads(manifest.read_bytes())
    body["assets"][0] |= changes
    manifest.write_text(json.dumps(body))


def rejects_over_the_limit(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [*(ticket_of(number) for number in range(10)), *[b"{broken"] * 12])
    return "make ingest"


def all_rejected(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [b"{broken"] * 5)
    return "make ingest"


def a_missing_file(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    next((manifest.parent / "new").iterdir()).unlink()
    return "make ingest"


def other_bytes(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    next((manifest.parent / "new").iterdir()).write_bytes(b"{}\n")
    return "make ingest"


def outside_the_roots(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    outside = place.root.parent / "outside.jsonl"
    outside.write_bytes(next((manifest.parent / "new").iterdir()).read_bytes())
    _edited(manifest, source_url_or_path=str(outside))
    return "make ingest"


def a_broken_gzip(place: Place, patch: pytest.MonkeyPatch) -> str:
    folder = place.seeds / "new"
    folder.mkdir()
    (folder / f"tickets-{DAY}.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00cut off")
    declare(folder, "new")
    return "make ingest"


def a_kind_that_is_not_landed(place: Place, patch: pytest.MonkeyPatch) -> str:
    _edited(deliver(place), asset_type="pdf")
    return "make ingest"


def quarantined(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    _edited(manifest, metadata=None)
    body = json.loads(manifest.read_bytes())
    body["gate_policy"]["metadata_missing"] = "quarantine"
    manifest.write_text(json.dumps(body))
    return "make ingest"


def a_refused_manifest(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.seeds / "new.json").write_text("{")
    return "make ingest"


def a_refused_manifest_alone(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.seeds / "new.json").write_text("{")
    return "make ingest MANIFEST=data/seed_manifests/new.json"


def a_changed_manifest(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.manifest.write_bytes(place.manifest.read_bytes() + b" ")
    return "make ingest"


def days_that_were_never_asked_for(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [ticket_of(1), ticket_of(2, "2026-04-21"), ticket_of(3, "2026-04-22")])
    return f"make ingest PARTITION={DAY}"


def a_damaged_day_beside_days_that_were_never_asked_for(place: Place, patch: pytest.MonkeyPatch) -> str:
    """What the issue saw."""
    days_that_were_never_asked_for(place, patch)
    place.loader("ingest", "--partition", DAY)
    place.damage(f"delete from silver.ticket_fact where ticket_id = {TICKET}")
    return "make build SELECT=reconcile"


def a_damaged_day_beside_a_new_one(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    place.damage(
        f"delete from silver.ticket_fact where ticket_id = {TICKET}", "update ops.proof set project_sha256 = ''"
    )
    return f"make ingest PARTITION={DAY}"


def held(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.loader("hold", "--partition", "2026-04-17", "--reason", "under review")
    return "make ready PARTITION=2026-04-17"


def held_while_newer_rows_wait(place: Place, patch: pytest.MonkeyPatch) -> str:
    held(place, patch)
    deliver(place, [ticket_of(900, "2026-04-17")])
    place.loader("ingest")
    return "make ready PARTITION=2026-04-17"


def drifting(place: Place, patch: pytest.MonkeyPatch) -> str:
    triaged = [ticket_of(number, status="triaged") for number in range(50, 65)]
    deliver(place, [*(ticket_of(number) for number in range(20)), *triaged])
    return "make ingest"


def collided(place: Place, patch: pytest.MonkeyPatch) -> str:
    theirs = place.value(f"select ticket_id from silver.ticket_fact where ticket_id = {TICKET}")
    deliver(place, [ticket_of(1, "2026-04-16", ticket_id=theirs, source_id="structured:tickets:other")])
    return "make ingest"


def restored(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [ticket_of(900, "2026-04-17")])
    place.loader("ingest")
    place.loader("restore", "--partition", "2026-04-17", "--reason", "wrong", "--mode", "execute")
    return "make ready PARTITION=2026-04-17"


def _plan_file(place: Place, *words: str) -> str:
    place.loader("plan", *words)
    (plan,) = sorted((place.root / "reports" / words[0]).glob("*_plan_*.json"))
    return f"make apply PLAN={plan.relative_to(place.root)}"


def a_stale_plan(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    command = _plan_file(place, "backfill", "--partition", DAY)
    deliver(place, [ticket_of(40)], "newer")
    return command


def an_applied_plan(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    command = _plan_file(place, "backfill", "--partition", DAY)
    place.loader("apply", command.removeprefix("make apply PLAN="))
    return command


def a_source_that_hides_its_change(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Same size, same time, other bytes, and its days are due."""
    manifest = deliver(place, [ticket_of(1), ticket_of(2, "2026-04-21")])
    place.loader("ingest", "--partition", DAY)
    command = _plan_file(place, "backfill", "--partition", "2026-04-21")
    (source,) = (manifest.parent / "new").iterdir()
    stamp = source.stat()
    source.write_bytes(source.read_bytes().replace(b"open", b"shut"))
    os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    return command


def silver_changed_since(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Noted by its triggers, unlike a superuser's damage."""
    place.sql(f"delete from silver.ticket_fact where ticket_id = {TICKET}")
    return f"make ready PARTITION={place.value('select min(partition_key) from silver.ticket_fact')}"


def _crashed_in(stage: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    """As on a full disk, in this process."""

    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        deliver(place)
        with failing(stage):
            place.loader("ingest")
        return "make diagnose"

    return bring


def _killed_at(point: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        deliver(place)
        environment = {**os.environ, "PYTHONPATH": f"{_HOOK}{os.pathsep}{ROOT}", "CRASH_AT": POINTS[point]}
        main = [sys.executable, "-c", "from loader.cli import main; main()", "ingest"]
        done = subprocess.run(main, cwd=place.root, env=environment, capture_output=True, check=False, timeout=120)
        assert done.returncode == -signal.SIGKILL, done
        # The server takes a moment to see that its client is dead.
        IngestLock.acquire(place.database, wait_seconds=30).close()
        return "make diagnose"

    return bring


def locked_by_another(place: Place, patch: pytest.MonkeyPatch) -> str:
    """It ends when its refusal has been read."""
    lock = IngestLock.acquire(place.database, wait_seconds=0)
    place.when_typed(lock.close)
    return "make ingest"


def _objects(place: Place) -> list[Path]:
    keys = place.rows("select raw_zone_key from ops.source_asset order by asset_id")
    return [RawZone(settings().raw_zone).path_of(key) for (key,) in keys]


def _verify(place: Place) -> str:
    return f"make verify RUN={place.value('select run_id::text from ops.ingest_run limit 1')}"


def a_lost_object(place: Place, patch: pytest.MonkeyPatch) -> str:
    _objects(place)[0].unlink()
    return _verify(place)


def a_lost_object_and_source(place: Place, patch: pytest.MonkeyPatch) -> str:
    _objects(place)[0].unlink()
    sorted(place.exports.glob("tickets-*"))[0].unlink()
    return _verify(place)


def a_lost_source(place: Place, patch: pytest.MonkeyPatch) -> str:
    """The archive has it: nothing is lost."""
    sorted(place.exports.glob("tickets-*"))[0].unlink()
    return "make ingest"


def a_source_that_changed(place: Place, patch: pytest.MonkeyPatch) -> str:
    source = sorted(place.exports.glob("*.jsonl"))[0]
    source.write_bytes(source.read_bytes() + b"{}\n")
    return "make ingest"


def a_restored_database(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    place.loader("ingest")
    place.loader("hold", "--partition", "2026-04-17", "--reason", "under review")
    place.forget()
    return "make diagnose"


def a_model_that_an_ingest_cannot_build(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Somebody has made its table theirs, and gives it back."""
    deliver(place)
    place.sql("alter table silver.customer_dim owner to current_user")
    place.when_typed(lambda: place.sql("alter table silver.customer_dim owner to omni_transform"))
    return "make ingest"


def a_type_of_somebody_s_own(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql(
        "create type serving.odd as enum ('odd');"
        " alter table reconcile.reconcile_finding alter column check_name type serving.odd using 'odd'::serving.odd"
    )
    return "make diagnose"


def another_view(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql("alter view serving.ticket_fact rename to was; create view serving.ticket_fact as select 1 as a")
    return "make diagnose"


def _without(statement: str, first: str = "make diagnose") -> Callable[[Place, pytest.MonkeyPatch], str]:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        place.sql(statement)
        return first

    return bring


def erasure_cut_off(at: str, *damage: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    """As on a full disk; `damage` is done behind it."""

    def dies(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        customer = place.value("select min(customer_id) from silver.customer_dim")
        place.knows({"<the same customer>": customer})
        with pytest.MonkeyPatch.context() as cut:
            cut.setattr(f"loader.privacy.erase.{at}", dies)
            place.loader("erase", "--customer", customer, "--reason", "request 4711", "--mode", "execute")
        if damage:
            place.damage(*damage)
        return "make diagnose"

    return bring


def an_erasure_and_a_row_of_bronze_is_gone(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Its run reads the archive again, and does not bring the person back."""
    customer = place.value("select min(customer_id) from silver.customer_dim")
    place.loader("erase", "--customer", customer, "--reason", "request 4711", "--mode", "execute")
    place.damage(_EVENT_GONE)
    return "make build SELECT=reconcile"


def an_erasure_whose_silver_is_not_vacuumed(place: Place, patch: pytest.MonkeyPatch) -> str:
    """As on a full disk, on which somebody makes room."""
    failed = BuildResult("", (NodeResult("operation.omnisupport.vacuum_silver", "error", None, "No space left"),))

    def of_a_full_disk(warehouse: Warehouse, root: Path, arguments: list[str], **options: Any) -> BuildResult:
        return failed if arguments[0] == "run-operation" else run_dbt(warehouse, root, arguments, **options)

    patch.setattr("loader.privacy.erase.run_dbt", of_a_full_disk)
    place.when_typed(patch.undo)
    customer = place.value("select min(customer_id) from silver.customer_dim")
    return f"loader erase --customer {customer} --reason 'request 4711' --mode execute"


def an_erasure_and_a_model_that_cannot_be_built(place: Place, patch: pytest.MonkeyPatch) -> str:
    """It is cut off by what no erasure mends, and each one after it would be."""
    customer = place.value("select min(customer_id) from silver.customer_dim")
    place.knows({"<the same customer>": customer})
    place.sql("revoke select on ops.ruleset from omni_transform")
    return f"loader erase --customer {customer} --reason 'request 4711' --mode execute"


def new_rules(place: Place, patch: pytest.MonkeyPatch) -> str:
    patch.setattr("loader.kinds.ticket.VERSION", "of tomorrow")
    return "make diagnose"


def a_run_of_other_rules(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    with failing("dbt"):
        place.loader("ingest")
    return new_rules(place, patch)


def a_hold_that_a_restored_database_forgot(place: Place, patch: pytest.MonkeyPatch) -> str:
    held(place, patch)
    place.forget()
    return "make diagnose"


def find(place: Place, *values: str) -> str:
    """As the last reconcile would have left it: table, check, kind, partition."""
    place.sql(
        "insert into reconcile.reconcile_finding (table_name, check_name, kind, partition_key, finding_count, detail)"
        f" values ({', '.join(values)}, 1, 'one')"
    )
    return "make diagnose"


def a_finding_in_what_nothing_else_holds(place: Place, patch: pytest.MonkeyPatch) -> str:
    return find(place, "'ops.manifest'", "'manifest_differs_from_bytes'", "'drift'", "null")


def a_row_of_silver_is_gone(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.damage(f"delete from silver.ticket_fact where ticket_id = {TICKET}")
    return find(place, "'silver.ticket_fact'", "'ticket_missing'", "'gap'", "'2026-04-16'")


def a_view_that_readers_may_not_read(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql("revoke select on serving.ticket_fact from omni_reader")
    return "make diagnose"


def a_clock_that_is_wrong_now(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.damage("update ops.ingest_run set started_at = '2099-01-01Z', finished_at = '2099-01-01Z'")
    return "make diagnose"


def all_at_once(place: Place, patch: pytest.MonkeyPatch) -> str:
    """A decision is forgotten, a view is bent, a run is dead, rows of Bronze and of another day's Silver are gone."""
    a_hold_that_a_restored_database_forgot(place, patch)
    a_view_that_readers_may_not_read(place, patch)
    deliver(place)
    with failing("gate"):
        place.loader("ingest")
    place.damage(
        f"delete from bronze.raw_ticket_event where event_id = {SHOWN}",
        "delete from silver.ticket_fact where ticket_id = (select max(ticket_id) from silver.ticket_fact)",
    )
    return "make diagnose"


def a_partition_that_was_detached(place: Place, patch: pytest.MonkeyPatch) -> str:
    """By its owner; the rows are as they were."""
    place.sql("alter table bronze.record_event detach partition bronze.raw_ticket_event")
    return "make diagnose"


# An ingest or a proof takes seconds: these are typed in every run of the tests, the others in the long one.
_QUICK = (
    "a refused manifest alone",
    "a changed manifest",
    "held",
    "locked by another",
    "a row of Silver is gone",
    "a hold that a restored database forgot",
    "a finding in what nothing else holds",
    "a clock that is wrong now",
    "a partition that was detached",
)

_ALL: tuple[Scene, ...] = (
    Scene("rejects over the limit", rejects_over_the_limit, "person"),
    Scene("all rejected", all_rejected, "person"),
    Scene("a missing file", a_missing_file, "person"),
    Scene("other bytes", other_bytes, "person"),
    Scene("outside the roots", outside_the_roots, "person"),
    Scene("a broken gzip", a_broken_gzip, "person"),
    Scene("a kind that is not landed", a_kind_that_is_not_landed, "person"),
    Scene("quarantined", quarantined, "person"),
    Scene("a refused manifest", a_refused_manifest, "person"),
    Scene("a refused manifest alone", a_refused_manifest_alone, "person", ("loader.manifest.parse:parse_manifest",)),
    Scene("a changed manifest", a_changed_manifest, "person", ("loader.runs.registry:refuse_changed_manifests",)),
    Scene("days that were never asked for", days_that_were_never_asked_for, "closed"),
    Scene(
        "a damaged day beside days that were never asked for",
        a_damaged_day_beside_days_that_were_never_asked_for,
        "closed",
    ),
    Scene("a damaged day beside a new one", a_damaged_day_beside_a_new_one, "closed"),
    Scene("held", held, "closed"),
    Scene("held while newer rows wait", held_while_newer_rows_wait, "person"),
    Scene("drifting", drifting, "person"),
    Scene("collided", collided, "person"),
    Scene("restored", restored, "person"),
    Scene("a stale plan", a_stale_plan, "closed", ("loader.recovery.plan:refuse_moved",)),
    Scene("an applied plan", an_applied_plan, "closed", ("loader.recovery.apply:_refuse_applied",)),
    Scene(
        "a source that hides its change",
        a_source_that_hides_its_change,
        "closed",
        ("loader.recovery.apply:_refuse_changed_sources",),
    ),
    Scene("Silver changed since", silver_changed_since, "closed"),
    *(
        Scene(f"it failed in stage {stage}", _crashed_in(stage), "closed")
        for stage in ("gate", "archive", "registration", "load", "completion", "dbt", "facts", "evidence")
    ),
    *(
        Scene(f"killed: {point}", _killed_at(point), "closed")
        for point in (
            "the run is recorded",
            "gate: one manifest judged",
            "everything is archived",
            "landed",
            "dbt: built",
            "facts are read",
            "the run has ended, no file of its evidence is written",
        )
    ),
    Scene("locked by another", locked_by_another, "closed", ("loader.runs.lock:_take",)),
    Scene("a lost object", a_lost_object, "closed", ("loader.raw_zone.lost:lost_objects",)),
    Scene("a lost object and source", a_lost_object_and_source, "person", ("loader.raw_zone.lost:lost_objects",)),
    Scene("a lost source", a_lost_source, "closed"),
    Scene("a source that changed", a_source_that_changed, "person"),
    Scene("a restored database", a_restored_database, "closed"),
    Scene(
        "a model that an ingest cannot build",
        a_model_that_an_ingest_cannot_build,
        "closed",
        ("loader.ingest.proving:Proving.build",),
    ),
    Scene(
        "a type of somebody's own",
        a_type_of_somebody_s_own,
        "closed",
        ("loader.warehouse.built:_PlainCursor.execute",),
    ),
    Scene(
        "a partition that was detached",
        a_partition_that_was_detached,
        "closed",
        ("loader.warehouse.partitions:_refusal",),
    ),
    Scene("another view", another_view, "closed"),
    Scene("no serving", _without("drop schema serving cascade"), "closed"),
    Scene("no reconcile", _without("drop schema reconcile cascade"), "closed"),
    Scene("no finding table", _without("drop table reconcile.reconcile_finding cascade"), "closed"),
    Scene("no Silver", _without("drop table silver.ticket_fact cascade"), "closed"),
    Scene(
        "a guard is off", _without("alter table bronze.raw_ticket_event disable trigger all", "make smoke"), "closed"
    ),
    Scene("a watch is off", _without("alter table silver.ticket_fact disable trigger all", "make smoke"), "closed"),
    Scene("an erasure cut off", erasure_cut_off("_vacuum"), "closed"),
    Scene("an erasure cut off, a row of Silver gone", erasure_cut_off("_build", _TICKET_GONE), "closed"),
    Scene("an erasure cut off, a customer gone", erasure_cut_off("_build", _CUSTOMER_GONE), "closed"),
    Scene("an erasure cut off, a row of Bronze gone", erasure_cut_off("_build", _EVENT_GONE), "closed"),
    Scene("an erasure cut off, a built load gone", erasure_cut_off("_build", _BUILT_GONE), "closed"),
    Scene("an erasure cut off, a manifest edited", erasure_cut_off("_build", _MANIFEST_EDITED), "person"),
    Scene(
        "an erasure, and a model that cannot be built",
        an_erasure_and_a_model_that_cannot_be_built,
        "person",
        ("loader.privacy.erase:_unproved",),
    ),
    Scene(
        "an erasure whose Silver is not vacuumed",
        an_erasure_whose_silver_is_not_vacuumed,
        "closed",
        ("loader.privacy.erase:_vacuum",),
    ),
    Scene("an erasure, and a row of Bronze gone", an_erasure_and_a_row_of_bronze_is_gone, "closed"),
    Scene(
        "a table that is another's",
        _without("alter table silver.ticket_fact owner to current_user", "make build SELECT=ticket_fact"),
        "person",
    ),
    Scene("new rules", new_rules, "closed"),
    Scene("a run of other rules", a_run_of_other_rules, "closed"),
    Scene(
        "a hold that a restored database forgot",
        a_hold_that_a_restored_database_forgot,
        "closed",
        advises=(AdviceKind.RECALL,),
    ),
    Scene(
        "a finding in what nothing else holds",
        a_finding_in_what_nothing_else_holds,
        "person",
        advises=(AdviceKind.RESTORE,),
    ),
    Scene("a row of Silver is gone", a_row_of_silver_is_gone, "closed", advises=(AdviceKind.REBUILD,)),
    Scene("a view that readers may not read", a_view_that_readers_may_not_read, "closed"),
    Scene("a clock that is wrong now", a_clock_that_is_wrong_now, "person", advises=(AdviceKind.CLOCK,)),
)
STATES = tuple(replace(scene, is_long=scene.name not in _QUICK) for scene in _ALL)
# In the order in which they are mended.
ALL_AT_ONCE = Scene(
    "all at once",
    all_at_once,
    "closed",
    advises=(AdviceKind.RECALL, AdviceKind.SHOW, AdviceKind.RETRY, AdviceKind.LAND),
)
