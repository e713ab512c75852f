"""Work that did not end: a plan that is stale, a run that died or was refused, rules that changed under it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from loader.runs import IngestLock
from tests.advice.delivered import DAY, deliver, ticket_of
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.checkouts import ROOT
from tests.crash.points import POINTS
from tests.recoveries import failing

_HOOK = ROOT / "tests" / "crash" / "hook"


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


def a_model_that_an_ingest_cannot_build(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Somebody has made its table theirs, and gives it back."""
    deliver(place)
    place.sql("alter table silver.customer_dim owner to current_user")
    place.when_typed(lambda: place.sql("alter table silver.customer_dim owner to omni_transform"))
    return "make ingest"


def new_rules(place: Place, patch: pytest.MonkeyPatch) -> str:
    patch.setattr("loader.kinds.ticket.VERSION", "of tomorrow")
    return "make diagnose"


def a_run_of_other_rules(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    with failing("dbt"):
        place.loader("ingest")
    return new_rules(place, patch)


SCENES: tuple[Scene, ...] = (
    Scene("a stale plan", a_stale_plan, "closed", ("loader.plans:refuse_moved",)),
    Scene("an applied plan", an_applied_plan, "closed", ("loader.recovery.apply:_refuse_applied",)),
    Scene(
        "a source that hides its change",
        a_source_that_hides_its_change,
        "closed",
        ("loader.recovery.apply:_refuse_changed_sources",),
    ),
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
    Scene(
        "a model that an ingest cannot build",
        a_model_that_an_ingest_cannot_build,
        "closed",
        ("loader.ingest.proving:Proving.build",),
    ),
    Scene("new rules", new_rules, "closed"),
    Scene("a run of other rules", a_run_of_other_rules, "closed"),
)
