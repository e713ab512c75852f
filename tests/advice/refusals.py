"""Recovery verbs and acts that are refused in the state in which they are asked: what is told instead can be typed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.advice.delivered import DAY, deliver, ticket_of
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.advice.waiting import drifting
from tests.ingests import write_export
from tests.recoveries import failing

_RECOVERY = "loader.recovery"
_LATEST = "select run_id::text from ops.ingest_run order by event_number desc limit 1"


def _dead_in_gate(first: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        deliver(place)
        with failing("gate"):
            place.loader("ingest")
        return first.format(run=place.value(_LATEST))

    return bring


def _dead_and_its_manifest_has_changed(place: Place, patch: pytest.MonkeyPatch) -> str:
    first = _dead_in_gate("loader retry {run}")(place, patch)
    manifest = place.seeds / "new.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")
    return first


def _under_new_rules(first: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        patch.setattr("loader.kinds.ticket.VERSION", "of tomorrow")
        return first

    return bring


def _looked_at(first: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    """A look at the first line of an ad-hoc file."""

    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        write_export(place.root / "ad_hoc.jsonl", [ticket_of(1), ticket_of(2)])
        place.loader("ingest", "--input", "ad_hoc.jsonl", "--batch", "batch-20260420-009", "--limit", "1")
        return first.format(run=place.value(_LATEST))

    return bring


def _released_twice(place: Place) -> None:
    deliver(place, [ticket_of(900, "2026-04-17")])
    place.loader("ingest")


def _a_version_that_rotted(place: Place, patch: pytest.MonkeyPatch) -> str:
    _released_twice(place)
    place.damage("delete from release.ticket_fact where partition_key = '2026-04-17' and first_release_id = 1")
    return "loader restore --partition 2026-04-17 --reason 'wrong' --mode execute"


def _expired(place: Place, patch: pytest.MonkeyPatch) -> str:
    _released_twice(place)
    place.loader("expire", "--older-than", "0", "--reason", "room", "--mode", "execute")
    return "loader restore --partition 2026-04-17 --release 1 --reason 'wrong'"


def _expired_and_compared(place: Place, patch: pytest.MonkeyPatch) -> str:
    _expired(place, patch)
    return "loader diff 1 2"


def _an_expiry_over_rot(place: Place, patch: pytest.MonkeyPatch) -> str:
    _released_twice(place)
    place.damage("delete from release.ticket_fact where partition_key = '2026-04-17' and first_release_id = 2")
    return "loader expire --older-than 0 --reason room --mode execute"


def _a_clock_that_went_back(place: Place, patch: pytest.MonkeyPatch) -> str:
    _released_twice(place)
    place.damage("update release.data_release set released_at = '2026-01-01Z' where data_release_id = 2")
    return "loader restore --partition 2026-04-17 --as-of 2026-02-01T00:00:00Z --reason 'wrong'"


def _an_erasure_applied_twice(place: Place, patch: pytest.MonkeyPatch) -> str:
    customer = place.value("select min(customer_id) from silver.customer_dim")
    place.loader("erase", "--customer", customer, "--reason", "request 4711")
    (plan,) = (place.root / "reports" / "erase").glob("*plan*.json")
    words = ("erase", "--customer", customer, "--plan", str(plan))
    place.loader(*words)
    return f"loader {' '.join(words)}"


def _drifting_day_released(place: Place, patch: pytest.MonkeyPatch) -> str:
    drifting(place, patch)
    place.loader("ingest")
    return f"loader release --partition {DAY}"


REFUSALS: tuple[Scene, ...] = (
    Scene(
        "verify a run that landed nothing",
        _dead_in_gate("make verify RUN={run}"),
        "understood",
        ("loader.verify.line_by_line:verify_run",),
    ),
    Scene(
        "replay a run that archived nothing",
        _dead_in_gate("loader replay --run {run}"),
        "understood",
        (f"{_RECOVERY}.replay:_entries",),
    ),
    Scene(
        "replay a batch that nobody knows",
        "loader replay --batch batch-19990101-001",
        "understood",
        ("loader.runs.anchors:whole_id",),
    ),
    Scene(
        "retry a run whose manifest has changed",
        _dead_and_its_manifest_has_changed,
        "understood",
        (f"{_RECOVERY}.past:_manifest",),
        is_long=True,
    ),
    Scene("retry a run that ended well", "loader retry", "understood", (f"{_RECOVERY}.retry:_refuse",)),
    Scene(
        "backfill a day without data",
        "make backfill PARTITION=2025-01-01",
        "understood",
        (f"{_RECOVERY}.gaps:refuse_no_input",),
    ),
    Scene(
        "backfill under new rules",
        _under_new_rules("make backfill PARTITION=2026-04-17"),
        "understood",
        (f"{_RECOVERY}.world:World.refuse_older_rules",),
    ),
    Scene(
        "rerun what was only looked at",
        _looked_at("loader rerun --run {run}"),
        "person",
        (f"{_RECOVERY}.rerun:plan",),
        is_long=True,
    ),
    Scene(
        "replay what was only looked at",
        _looked_at("loader replay --run {run}"),
        "person",
        (f"{_RECOVERY}.replay:plan",),
        is_long=True,
    ),
    Scene(
        "retry what was only looked at",
        _looked_at("loader retry {run}"),
        "person",
        (f"{_RECOVERY}.retry:_refuse",),
        is_long=True,
    ),
    Scene(
        "restore a day that was released once",
        "make restore PARTITION=2026-04-17 REASON=wrong",
        "understood",
        (f"{_RECOVERY}.restore:_planned",),
    ),
    Scene(
        "restore a version that rotted",
        _a_version_that_rotted,
        "understood",
        (f"{_RECOVERY}.restore:carry_out",),
        is_long=True,
    ),
    Scene(
        "restore a version that has expired",
        _expired,
        "understood",
        (f"{_RECOVERY}.restore:refuse_expired",),
        is_long=True,
    ),
    Scene(
        "compare a version that has expired",
        _expired_and_compared,
        "understood",
        ("loader.diff.sides:_refuse_expired",),
        is_long=True,
    ),
    Scene(
        "expire beside a version that rotted",
        _an_expiry_over_rot,
        "understood",
        (f"{_RECOVERY}.expire:carry_out",),
        is_long=True,
    ),
    Scene(
        "restore as of a time that was twice",
        _a_clock_that_went_back,
        "person",
        ("loader.release.history:release_at",),
        is_long=True,
    ),
    Scene(
        "apply an erasure twice",
        _an_erasure_applied_twice,
        "understood",
        ("loader.erasure.verb:_refuse_applied",),
        is_long=True,
    ),
    Scene(
        "release a day that drifts",
        _drifting_day_released,
        "person",
        ("loader.release.by_hand:release",),
        is_long=True,
    ),
)
