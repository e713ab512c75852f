"""Clocks that were set: everything goes on in the order in which it happened, and a person is told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loader.advice import Advice, AdviceKind, Asked, Diagnosis, diagnose
from loader.advice.clock import look_at_clocks
from loader.errors import RefusedError
from loader.recovery.world import looking_at
from loader.release import history
from loader.runs.state import StateObject, reset_state
from loader.status import read_status
from loader.warehouse import Warehouse, open_warehouse
from tests.clocks import shift_what_was_written
from tests.ingests import declare, evidence_faults, rows, run, settings, ticket, ticket_days, write_export
from tests.recoveries import latest_run, planned
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

DAY = "2026-04-17"
SOURCE = "structured:tickets:test"
A_DAY = timedelta(days=1)
STATE = "select state_kind, value_at, run_id::text from ops.ingest_state order by 1"
BEHIND = "set session_replication_role = replica; "


@pytest.fixture(scope="module")
def set_back(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A day, then the server's clock goes back by 24 hours and the loader's to 1970, then a newer version of the day.
    Both are in the zone +14."""
    root = tmp_path_factory.mktemp("clocks")
    with (
        own_warehouse(server, _template, root, TZ="Pacific/Kiritimati") as database,
        pytest.MonkeyPatch.context() as patch,
    ):
        time.tzset()
        rows(database, f"alter database {database.dbname} set timezone to 'Pacific/Kiritimati'")
        write_export(root / "1" / f"tickets-{DAY}.jsonl", [ticket(1)])
        assert run(declare(root / "1", "m1")).exit_code == 0
        shift_what_was_written(database, A_DAY)
        patch.setattr("loader.runs.anchors.time.time", lambda: 1.0)
        newer = [ticket(1, status="closed", updated_at=f"{DAY}T10:00:00Z"), ticket(2)]
        write_export(root / "2" / f"tickets-{DAY}.jsonl", newer)
        assert run(declare(root / "2", "m2")).exit_code == 0
        with kept(server, database) as whole:
            yield whole
    time.tzset()


@pytest.fixture
def database(set_back: Kept) -> Warehouse:
    return set_back.fresh()


def look() -> Diagnosis:
    with looking_at(settings(), open_warehouse(settings())) as world:
        return diagnose(Asked(world, is_folder_searched=False))


def clocks(database: Warehouse) -> tuple[str | None, str | None]:
    with closing(database.connect(application_name="test")) as session, session.cursor() as cursor:
        return look_at_clocks(cursor)


def test_a_clock_that_went_back_is_no_tampering(database: Warehouse) -> None:
    """Prevents "the warehouse differs" where nobody has changed anything; and that with it nobody would look."""
    assert evidence_faults(database) == []
    rows(database, BEHIND + "update silver.ticket_fact set partition_key = '2026-04-16' where ticket_id like '%1'")
    assert "silver_row_count: it says 2, the warehouse 1" in [each.fault for each in evidence_faults(database)]


def test_a_clock_that_went_back_is_told(database: Warehouse) -> None:
    """Prevents a person who takes the times of runs for their order."""
    newest, first = (
        run_id for (run_id,) in rows(database, "select run_id from ops.ingest_run order by event_number desc")
    )
    notice = look().notices[0]
    assert re.match("the server's clock went back by (23:5.:..|1 day, 0:00:00): run ", notice)
    assert f"run {newest} attempt 1 came after release 1 and says an earlier time" in notice
    assert "behind what was recorded before" in notice
    assert [each["run_id"] for each in read_status(open_warehouse(settings()), None).runs] == [newest, first]
    # And now forward, past everything.
    shift_what_was_written(database, -2 * A_DAY)
    assert evidence_faults(database) == []
    assert "behind what was recorded" not in str(look().notices)


def test_a_run_that_was_killed_after_the_clock_went_back_is_the_latest(database: Warehouse) -> None:
    """Prevents that `make diagnose` looks at the run before, and `loader retry --latest` finds nothing to retry."""
    killed = latest_run(database)
    rows(database, BEHIND + "update ops.ingest_run set status = 'running', finished_at = null, exit_code = null,"
         f" lock_pid = 1 where run_id = '{killed}'")  # fmt: skip
    found = look()
    assert found.advice.command == f"make retry RUN={killed} MODE=execute"
    assert planned("retry", run_id=None)["run"]["run_id"] == killed


def test_the_state_goes_forward_when_the_clock_goes_back(database: Warehouse) -> None:
    """Prevents a checkpoint that names the run before, and an ingest that the guard of the state refuses."""
    first, newest = (
        run_id for (run_id,) in rows(database, "select run_id::text from ops.ingest_run order by event_number")
    )
    state = {kind: (value, run_id) for kind, value, run_id in rows(database, STATE)}
    (ended_at,) = rows(database, "select finished_at from ops.ingest_run where run_id = %s", first)[0]
    assert state["checkpoint"] == (ended_at, newest)
    assert state["cursor"] == (datetime(2026, 4, 17, 10, tzinfo=UTC), newest)


@pytest.mark.long
def test_a_reset_made_by_a_clock_ahead_does_not_hide_what_was_landed_after_it(
    database: Warehouse, tmp_path: Path
) -> None:
    """Prevents a cursor that stays where an operator put it, until the clock comes by again."""
    to = datetime(2026, 4, 1, tzinfo=UTC)
    reset_state(
        open_warehouse(settings()),
        StateObject("bronze.raw_ticket_event", "cursor", SOURCE),
        to,
        "tests",
        wait_seconds=5,
    )
    shift_what_was_written(database, A_DAY)
    later = [ticket(3, updated_at=f"{DAY}T09:00:00Z")]
    write_export(tmp_path / "3" / f"tickets-{DAY}.jsonl", later)
    assert run(declare(tmp_path / "3", "m3")).exit_code == 0
    assert {kind: value for kind, value, _ in rows(database, STATE)}["cursor"] == datetime(2026, 4, 17, 9, tzinfo=UTC)


def test_an_instant_between_two_clocks_is_no_release(database: Warehouse) -> None:
    """Prevents a restore to a state that readers may not have seen then, without a word."""
    times = rows(database, "select released_at from release.data_release order by data_release_id")
    with closing(database.connect(application_name="test")) as session, session.cursor() as cursor:
        before, after = times[1][0] - timedelta(hours=1), times[0][0] + timedelta(hours=1)
        assert (history.release_at(cursor, before), history.release_at(cursor, after)) == (0, 2)
        with pytest.raises(RefusedError, match="the server's clock went back between releases 1 and 2"):
            history.release_at(cursor, times[1][0] + timedelta(hours=1))
        # Left by a release that says to be from before it was made.
        assert history.left_at(cursor) == {(*ticket_days(date(2026, 4, 17)), 1): times[0][0]}


def test_a_crash_that_is_found_late_is_no_clock(database: Warehouse) -> None:
    """Prevents an alarm after a kill: the run is said to have ended when the next ingest found it, after a release."""
    rows(
        database,
        "update ops.ingest_run as run set started_at = now() - interval '1 day' + interval '30 minutes' * place,"
        " finished_at = now() - interval '23 hours', status = case place when 1 then 'crashed' else 'success' end"
        " from (select event_number, row_number() over (order by event_number) as place from ops.ingest_run) as each"
        " where each.event_number = run.event_number",
    )
    rows(
        database,
        "update release.data_release set"
        " released_at = now() - interval '1 day' + interval '30 minutes' * data_release_id + interval '5 minutes'",
    )
    assert clocks(database) == (None, None)


def test_clocks_that_disagree_are_told_and_nothing_expires(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents that a clock a year ahead makes every version a year old."""

    class Ahead(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> datetime:
            return datetime.now(zone) + timedelta(hours=2)

    monkeypatch.setattr("loader.advice.clock.datetime", Ahead)
    words, advice = clocks(database)
    assert "this machine's clock is 2:00:00 ahead of the server's" in str(words)
    assert advice == Advice(AdviceKind.CLOCK, "date -u")
    monkeypatch.setattr("loader.recovery.expire.datetime", Ahead)
    with pytest.raises(RefusedError, match="nobody knows what is old; nothing was removed"):
        planned("expire", older_than="2026-01-01T00:00:00+00:00", keep=1, reason="tests")
