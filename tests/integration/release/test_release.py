"""What readers see, through ingests, late updates, moved tickets, failed checks, holds, overrides and restores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from loader.advice import Advice, AdviceKind, after_kept_back
from loader.cli import main
from loader.cli.ingest_screen import days_of
from loader.cli.release_screen import gate_words
from loader.cli.status_screen import status_lines
from loader.errors import CheckFailedError, RefusedError
from loader.ingest import Verdict
from loader.progress import Silent, Step
from loader.recovery import apply_plan
from loader.recovery.world import Restored
from loader.release import ReleaseRequest, changes
from loader.release.by_hand import KeptBackError, hold, release
from loader.release.ready import readiness
from loader.runs.anchors import acting_operator
from loader.screen import Screen
from loader.status import read_status
from loader.warehouse import Warehouse
from tests.ingests import declare, evidence_faults, rows, run, settings, ticket, ticket_days, write_export
from tests.recoveries import of_day, planned
from tests.shared_warehouse import fresh_database, loader_variables
from tests.states import State, States

pytestmark = pytest.mark.usefixtures("replayed")

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 4, day) for day in (13, 14, 15))
A, B, C = (day.isoformat() for day in (MONDAY, TUESDAY, WEDNESDAY))

SERVED = "select ticket_id, partition_key::text, status from serving.ticket_fact order by 1"
WHOLE = "select md5(string_agg(row::text, chr(10) order by ticket_id)) from serving.ticket_fact as row"
STORED = "select count(*) from release.ticket_fact"
LEFT_OPEN = "select open_partitions from ops.proof order by proof_id desc limit 1"
STATE = "select state_kind, value_at from ops.ingest_state order by 1"
EDIT = "update silver.ticket_fact set status = 'closed' where ticket_id = 'TKT-20260413-000002'"


class Steps(Silent):
    def __init__(self) -> None:
        self.steps: list[Step] = []

    def step(self, step: Step, /) -> None:
        self.steps.append(step)


def deliver(root: Path, name: str, *records: Mapping[str, Any] | bytes, **options: Any) -> Verdict:
    write_export(root / name / f"tickets-{B}.jsonl", records)
    return run(declare(root / name, name), **options)


def ready(*days: date) -> list[tuple[bool, str | None]]:
    return [(row["is_ready"], row["reason"]) for row in readiness(settings(), days).partitions]


def decision(verdict: Verdict, day: str) -> str:
    (path,) = [path for path in verdict.report_paths if path.parent.name == day]
    return str(orjson.loads(path.read_bytes())["downstream_decision"])


def restored(**request: Any) -> Restored:
    window = {"window_start": None, "window_end": None, "release": None, "as_of": None, "reason": "tests"}
    # Reviewed by somebody else than who applies it.
    done = apply_plan(settings(), {**planned("restore", **{**window, **request}), "operator": "a reviewer"})
    assert isinstance(done, Restored)
    return done


def two_days(folder: Path) -> Verdict:
    """Two tickets of Monday and one of Tuesday, released."""
    verdict = deliver(folder, "first", of_day(A, 1), of_day(A, 2), of_day(B, 1))
    assert verdict.exit_code == 0, verdict.problems
    return verdict


@pytest.fixture
def first(states: States) -> Iterator[State[Verdict]]:
    with states.begin(two_days) as state:
        yield state


@pytest.fixture
def database(first: State[Verdict]) -> Warehouse:
    return first.database


def test_a_day_is_shown_when_it_is_proved_and_no_other(
    server: Warehouse, _template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fresh_database(server, _template) as database:
        for name, value in loader_variables(database, tmp_path).items():
            monkeypatch.setenv(name, value)
        verdict = deliver(tmp_path, "first", of_day(A, 1), of_day(B, 1), partition=MONDAY)
        assert rows(database, SERVED) == [("TKT-20260413-000001", A, "open")]
        assert ready(MONDAY, TUESDAY, WEDNESDAY) == [
            (True, None),
            (False, "not released; 1 line is not taken yet"),
            (False, "no line of it is known"),
        ]
        assert (verdict.downstream_decision, decision(verdict, A)) == ("proceed", "proceed")
        # Nobody has asked for the other yet: it is not kept back.
        assert verdict.release.sentence == "release 1: 1 day"
        assert rows(database, "select count(*) from serving.customer_dim") == [(1,)]


def test_a_late_update_and_a_moved_ticket_cost_their_own_rows(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    late = of_day(A, 1, status="closed", updated_at=f"{C}T09:00:00Z")
    moved = {**of_day(A, 2, updated_at=f"{C}T09:00:00Z"), "created_at": f"{B}T08:00:00Z"}
    verdict = deliver(tmp_path, "second", late, moved, of_day(C, 1))
    assert verdict.exit_code == 0, verdict.problems
    assert rows(database, SERVED) == [
        ("TKT-20260413-000001", A, "closed"),
        ("TKT-20260413-000002", B, "open"),
        ("TKT-20260414-000001", B, "open"),
        ("TKT-20260415-000001", C, "open"),
    ]
    # Three rows of the first release, three of the second: what did not change is not there again.
    assert rows(database, STORED) == [(6,)]
    assert rows(
        database, "select old_partition_key::text, new_partition_key::text, record_count from release.partition_link"
    ) == [(A, B, 1)]
    assert ready(MONDAY, TUESDAY, WEDNESDAY) == [(True, None)] * 3


@pytest.mark.long
def test_an_ingest_that_brings_nothing_releases_nothing(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    whole = rows(database, WHOLE)
    assert run(first.folder / "first.json").exit_code == 0
    assert rows(database, "select count(*) from release.data_release") == [(1,)]
    assert rows(database, WHOLE) == whole


def test_damage_of_a_day_leaves_readers_with_what_they_had_of_it(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    """And a day that shares a moved ticket with it stays back, too; every other one goes on. One proof without findings
    lets all of them through."""
    rows(database, EDIT)
    assert ready(MONDAY, TUESDAY) == [(False, "Silver changed since"), (True, None)]
    moved = {**of_day(A, 1, updated_at=f"{C}T09:00:00Z"), "created_at": f"{B}T08:00:00Z"}
    verdict = deliver(tmp_path, "second", moved, of_day(C, 1))
    assert verdict.exit_code == 1
    assert rows(database, SERVED) == [
        ("TKT-20260413-000001", A, "open"),
        ("TKT-20260413-000002", A, "open"),
        ("TKT-20260414-000001", B, "open"),
        ("TKT-20260415-000001", C, "open"),
    ]
    assert (decision(verdict, B), decision(verdict, C)) == ("hold_downstream", "proceed")
    waits = "proved rows wait for their release"
    damage = "record_differs_from_bronze: 1 row of silver.ticket_fact, Silver's content is not Bronze's"
    assert ready(MONDAY, TUESDAY, WEDNESDAY) == [(False, f"{waits}; {damage}"), (False, waits), (True, None)]
    rows(database, "update silver.ticket_fact set status = 'open' where ticket_id = 'TKT-20260413-000002'")
    assert run(tmp_path / "second.json").exit_code == 0
    assert ready(MONDAY, TUESDAY, WEDNESDAY) == [(True, None)] * 3
    assert [day for _, day, _ in rows(database, SERVED)] == [B, A, B, C]


@pytest.mark.long
def test_damage_that_names_no_day_holds_every_day_of_its_kind_and_says_so(
    first: Verdict, database: Warehouse, tmp_path: Path
) -> None:
    """A blank line is of no day, and nothing but its file misses it. Prevents a proof that does not close, and so holds
    every kind, for damage of one."""
    assert deliver(tmp_path, "second", of_day(B, 2), b"", of_day(B, 3)).exit_code == 0
    shown, state = rows(database, WHOLE), rows(database, STATE)
    rows(database, "set local omni.maintenance = 'repair'; delete from bronze.asset_line where kind = 'blank'")
    verdict = deliver(tmp_path, "third", of_day(C, 1))
    assert verdict.exit_code == 1
    assert None in {finding.partition_key for finding in verdict.facts.findings}
    assert rows(database, WHOLE) == shown
    assert rows(database, STATE) == state
    assert rows(database, LEFT_OPEN) == [([{"record_kind": "ticket_v1", "partition_key": None}],)]
    assert decision(verdict, C) == "hold_downstream"
    damage = "line_count_differs: 1 row of bronze.asset_line"
    for is_ready, reason in ready(MONDAY, TUESDAY, WEDNESDAY):
        assert not is_ready and damage in str(reason)
    assert {day.state for day in read_status(database, None).days} == {"kept back"}
    again = run(tmp_path / "third.json")
    assert (again.exit_code, again.proof.name) == (1, "changes")


@pytest.mark.long
def test_a_manifest_that_cannot_be_read_keeps_back_what_came_with_it_and_nothing_else(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    """Nobody knows what it declared; the next run without it lets the rest through."""
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    write_export(tmp_path / "second" / f"tickets-{B}.jsonl", [of_day(B, 2)])
    second = declare(tmp_path / "second", "second")
    assert run(second, broken).exit_code == 1
    assert ready(MONDAY, TUESDAY) == [
        (True, None),
        (False, "proved rows wait for their release; the run failed: manifest_refused"),
    ]
    assert run(second).exit_code == 0
    assert ready(MONDAY, TUESDAY) == [(True, None)] * 2


@pytest.mark.long
def test_too_many_rejects_keep_the_days_of_the_file_back(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    whole = rows(database, WHOLE)
    assert deliver(tmp_path, "second", of_day(B, 2), b"{broken", b"{broken").exit_code == 1
    assert deliver(tmp_path, "third", of_day(C, 1)).exit_code == 0
    assert [day for _, day, _ in rows(database, SERVED)] == [A, A, B, C]
    assert ready(TUESDAY) == [(False, f"proved rows wait for their release; too many rejects in tickets-{B}.jsonl")]
    assert rows(database, WHOLE) != whole


def test_rejects_that_a_person_lets_pass_keep_that_day_back_no_more(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    """Prevents days of a broken file, corrected since, that no command lets readers trust again."""
    assert deliver(tmp_path, "second", of_day(B, 2), of_day(C, 1), b"{broken", b"{broken").exit_code == 1
    assert deliver(tmp_path, "corrected", of_day(B, 2), of_day(C, 1)).exit_code == 0
    told = f"{B}: too many rejects in tickets-{B}.jsonl; nothing was released"
    with pytest.raises(KeptBackError, match=told) as kept_back:
        release(settings(), ReleaseRequest([TUESDAY]), Silent())
    accepts = f"make release PARTITION={B} ACCEPT_REJECTS=1 REASON='<why>'"
    assert after_kept_back(kept_back.value) == Advice(AdviceKind.ACCEPT_REJECTS, accepts)
    heard = Steps()
    done = release(settings(), ReleaseRequest([TUESDAY], reason="sent again", accepts_rejects=True), heard)
    assert {step.stage for step in heard.steps} == {"silver"}
    assert heard.steps[-1].done == heard.steps[-1].total
    assert done.report_path is not None
    accepted = orjson.loads(done.report_path.read_bytes())["accepted"]
    assert [(each["partition_key"], each["check_name"], each["measure"]) for each in accepted] == [
        (B, "too_many_rejects", "asset 2")
    ]
    assert ready(TUESDAY, WEDNESDAY) == [
        (True, None),
        (False, f"not released; proved rows wait for their release; too many rejects in tickets-{B}.jsonl"),
    ]
    assert evidence_faults(database) == []


@pytest.mark.long
def test_rejects_that_were_let_pass_stay_so_and_those_of_another_file_do_not(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    assert deliver(tmp_path, "second", of_day(B, 2), b"{broken", b"{broken").exit_code == 1
    release(settings(), ReleaseRequest([TUESDAY], reason="looked at", accepts_rejects=True), Silent())
    assert deliver(tmp_path, "late", of_day(B, 1, status="closed", updated_at=f"{C}T09:00:00Z")).exit_code == 0
    assert ready(TUESDAY) == [(True, None)]
    assert deliver(tmp_path, "broken", of_day(B, 3), b"{broken").exit_code == 1
    assert ready(TUESDAY)[0][0] is False
    assert evidence_faults(database) == []


def test_a_held_day_stays_and_what_moved_out_of_it_waits_with_it(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    hold(settings(), [MONDAY], "under review")
    moved = {**of_day(A, 2, updated_at=f"{C}T09:00:00Z"), "created_at": f"{B}T08:00:00Z"}
    verdict = deliver(tmp_path, "second", moved, of_day(C, 1))
    assert verdict.exit_code == 0, verdict.problems
    assert [(name, day) for name, day, _ in rows(database, SERVED)] == [
        ("TKT-20260413-000001", A),
        ("TKT-20260413-000002", A),
        ("TKT-20260414-000001", B),
        ("TKT-20260415-000001", C),
    ]
    assert ready(MONDAY) == [(False, "held (under review) while newer rows wait")]
    assert ready(TUESDAY)[0][0] is False
    with pytest.raises(RefusedError, match="2026-04-13: was not asked for"):
        release(settings(), ReleaseRequest([TUESDAY]), Silent())
    done = release(settings(), ReleaseRequest([MONDAY, TUESDAY]), Silent())
    assert done.partitions == ticket_days(MONDAY, TUESDAY)
    assert rows(database, "select count(*) from serving.ticket_fact where partition_key = '2026-04-14'") == [(2,)]
    assert ready(MONDAY, TUESDAY) == [(True, None)] * 2
    assert rows(database, "select is_held from release.hold_change order by change_id") == [(True,), (False,)]


@pytest.mark.long
def test_an_override_is_recorded_with_its_reason(first: State[Verdict], database: Warehouse) -> None:
    rows(database, EDIT)
    with pytest.raises(RefusedError, match="record_differs_from_bronze: 1 row"):
        release(settings(), ReleaseRequest([MONDAY]), Silent())
    assert rows(database, "select count(*) from serving.ticket_fact where status = 'closed'") == [(0,)]
    done = release(settings(), ReleaseRequest([MONDAY], reason="the source says so", is_override=True), Silent())
    assert rows(database, "select count(*) from serving.ticket_fact where status = 'closed'") == [(1,)]
    assert rows(database, "select kind, reason from release.data_release order by 1") == [
        ("override", "the source says so"),
        ("publish", None),
    ]
    assert done.report_path is not None
    assert orjson.loads(done.report_path.read_bytes())["reason"] == "the source says so"
    assert ready(MONDAY)[0][0] is False


def test_a_day_of_which_nothing_is_known_is_never_released_and_its_hold_can_end(
    first: State[Verdict], database: Warehouse
) -> None:
    """Prevents a mistyped day that a scheduler takes for ready before its first line has come."""
    hold(settings(), [WEDNESDAY], "meant Tuesday")
    assert release(settings(), ReleaseRequest([WEDNESDAY]), Silent()).data_release_id is None
    assert rows(database, "select is_held from release.hold_change order by change_id") == [(True,), (False,)]
    with pytest.raises(RefusedError, match="2026-04-15: no line of it is known"):
        release(settings(), ReleaseRequest([WEDNESDAY], reason="meant Tuesday", is_override=True), Silent())
    assert ready(WEDNESDAY) == [(False, "no line of it is known")]


def test_restore_shows_the_rows_of_then_until_release(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    whole, stored = rows(database, WHOLE), rows(database, STORED)
    late = of_day(A, 1, status="closed", updated_at=f"{C}T09:00:00Z")
    moved = {**of_day(A, 2, updated_at=f"{C}T09:00:00Z"), "created_at": f"{B}T08:00:00Z"}
    assert deliver(tmp_path, "second", late, moved).exit_code == 0
    newest, grown = rows(database, WHOLE), rows(database, STORED)
    assert grown != stored
    done = restored(window_start=A, window_end=B)
    # Tuesday has the moved ticket: they go back together.
    assert done.targets == dict.fromkeys(ticket_days(MONDAY, TUESDAY), 1)
    assert rows(database, "select distinct operator from release.data_release") == [(acting_operator(),)]
    assert (rows(database, WHOLE), rows(database, STORED)) == (whole, grown)
    assert ready(MONDAY) == [(False, "restored to an earlier version")]
    # Whatever runs, they are held.
    assert deliver(tmp_path, "third", of_day(A, 1, status="pending", updated_at=f"{C}T10:00:00Z")).exit_code == 0
    assert rows(database, WHOLE) == whole
    last = release(settings(), ReleaseRequest([MONDAY, TUESDAY]), Silent()).data_release_id
    assert rows(database, "select status from serving.ticket_fact where ticket_id like '%13-000001'") == [("pending",)]
    assert restored(release=2).targets == dict.fromkeys(ticket_days(MONDAY), 2)
    assert rows(database, WHOLE) == newest
    with pytest.raises(RefusedError, match="readers see that state already"):
        restored(release=2)
    ((instant,),) = rows(database, "select released_at::text from release.data_release where data_release_id = 1")
    # A restore counts by what it showed, not by what had been released by then.
    assert restored(release=3).targets == dict.fromkeys(ticket_days(MONDAY, TUESDAY), 1)
    assert rows(database, WHOLE) == whole
    assert restored(release=2).targets == dict.fromkeys(ticket_days(MONDAY, TUESDAY), 2)
    assert restored(as_of=f"{instant.replace(' ', 'T')}:00").targets == dict.fromkeys(ticket_days(MONDAY, TUESDAY), 1)
    assert rows(database, WHOLE) == whole
    # Rows are edited in place, and their stored digests are as they were: one that both releases show, of a day that is
    # named; then one of release 2, and of what was released last.
    flip = "update release.ticket_fact set is_open = not is_open where ticket_id = 'TKT-20260414-000001'"
    rows(database, f"set session_replication_role = replica; {flip}")
    with pytest.raises(CheckFailedError, match=f"the rows of {B} are not those .*; nothing was moved"):
        restored(window_start=A, window_end=C, release=2)
    rows(database, f"set session_replication_role = replica; {flip}")
    for status, advised in (
        ("closed", f"make restore PARTITION={A} RELEASE={last} REASON='why'"),
        ("pending", "make verify EVIDENCE=1"),
    ):
        edit = f"update release.ticket_fact set status = 'on_hold' where status = '{status}'"
        rows(database, f"set session_replication_role = replica; {edit}")
        with pytest.raises(CheckFailedError, match=f"the rows of {A} are not those .*; nothing was moved") as refused:
            restored(release=2)
        assert refused.value.next_command == advised
    assert rows(database, WHOLE) == whole


def test_one_missing_file_is_counted_once_by_the_gate_the_ingest_and_status(
    first: State[Verdict], tmp_path: Path
) -> None:
    """Prevents three numbers for one thing: what an ingest keeps back, what status says needs a person, and why."""
    hold(settings(), [TUESDAY], "under review")
    write_export(tmp_path / "second" / f"tickets-{C}.jsonl", [of_day(C, 1)])
    write_export(tmp_path / "second" / "tickets-2026-04-16.jsonl", [of_day("2026-04-16", 1)])
    manifest = declare(tmp_path / "second", "second")
    (tmp_path / "second" / "tickets-2026-04-16.jsonl").unlink()
    verdict = run(first.folder / "first.json", manifest)
    assert verdict.release is not None
    # Monday was released and is as it was; a manifest without a window may hold lines of any day. Tuesday is held.
    assert verdict.release.in_need == {*ticket_days(MONDAY, WEDNESDAY)}
    assert gate_words(Screen(80), verdict.release) == "nothing to release, 2 days need you"
    found = read_status(first.database, None)
    lines = status_lines(Screen(80), found)
    assert lines[0] == "Readers may rely on 0 of 3 days asked for. 2 need you, 1 is held."
    said = {day.partition_key: (day.state, day.reason) for day in found.days}
    assert said == {A: ("incomplete", "1 file is missing"), B: ("held", "under review"), C: said[A]}
    of_run = [(day.partition_key, day.state) for day in days_of(verdict)]
    assert of_run == [(A, "incomplete"), (B, "held"), (C, "incomplete")]
    waits = "not released; proved rows wait for their release; 1 file is missing"
    assert ready(MONDAY, WEDNESDAY) == [(False, "1 file is missing"), (False, waits)]


def test_a_restore_of_what_was_never_released_is_refused(first: State[Verdict]) -> None:
    with pytest.raises(RefusedError, match="there is no state to go back to"):
        restored(window_start=A, window_end=B)
    with pytest.raises(RefusedError, match="nothing was released of it"):
        restored(window_start=C, window_end="2026-04-16")


@pytest.mark.long
def test_silver_made_anew_changes_nothing_for_readers(
    first: State[Verdict], database: Warehouse, tmp_path: Path
) -> None:
    """A full refresh, or a day built anew: the same rows are not released again."""
    whole = rows(database, WHOLE)
    rows(database, "drop table silver.ticket_fact, silver.customer_dim cascade")
    assert rows(database, WHOLE) == whole
    assert deliver(tmp_path, "second", ticket(9, created_at=f"{C}T08:00:00Z")).exit_code == 0
    assert rows(database, "select partition_key::text, data_release_id from release.partition_version order by 1") == [
        (A, 1),
        (B, 1),
        (C, 2),
    ]


def test_what_changes_between_proof_and_release_stays_back(
    first: State[Verdict], database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents that readers see a row that no check has seen; the next proof finds it."""
    find_changes = changes.find_changes

    def changed_before(cursor: Any) -> Any:
        rows(database, EDIT.replace("000002", "000001"))
        return find_changes(cursor)

    late = of_day(A, 1, status="pending", updated_at=f"{C}T09:00:00Z")
    with monkeypatch.context() as patch:
        patch.setattr(changes, "find_changes", changed_before)
        verdict = deliver(tmp_path, "second", late, of_day(C, 1))
    assert [(day, status) for _, day, status in rows(database, SERVED)] == [
        (A, "open"),
        (A, "open"),
        (B, "open"),
        (C, "open"),
    ]
    assert decision(verdict, A) == "hold_downstream"
    assert "Silver changed after it was proved" in str(ready(MONDAY)[0][1])


def test_a_day_is_not_ready_while_bronze_was_changed(first: State[Verdict], database: Warehouse) -> None:
    """Whoever changes it by a named maintenance leaves a note, and nothing has proved since that all is there."""
    rows(database, "set local omni.maintenance = 'repair'; delete from bronze.raw_ticket_event where line_number = 1")
    assert ready(MONDAY) == [(False, "Bronze changed since")]


def test_a_proof_that_no_gate_has_looked_at_makes_no_day_ready(
    first: State[Verdict], database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that dies between the two has proved what keeps days back, and nobody has told the readers."""
    rows(
        database,
        "set local omni.maintenance = 'repair';"
        " update bronze.raw_ticket_event set raw_payload = raw_payload || ' ' where line_number = 1",
    )
    rejects = [ticket(number, created_at=f"{B}T08:00:00Z", owner=...) for number in (8, 9)]
    with monkeypatch.context() as patch:

        def dies(*arguments: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("loader.ingest.proving.publish_recorded", dies)
        with pytest.raises(OSError, match="No space left"):
            deliver(tmp_path, "second", of_day(C, 1), *rejects)
    waits = "proved rows wait for their release"
    assert rows(database, LEFT_OPEN) == [([{"record_kind": "ticket_v1", "partition_key": A}],)]
    assert ready(MONDAY, TUESDAY) == [(False, f"{waits}; reconcile has found something"), (False, waits)]
    assert run(tmp_path / "second.json").exit_code == 1
    assert ready(MONDAY, TUESDAY) == [
        (False, "payload_differs_from_fingerprint: 1 row of bronze.record_event"),
        (False, f"too many rejects in tickets-{B}.jsonl"),
    ]


def test_a_build_that_does_not_close_tells_every_day_so(first: State[Verdict], database: Warehouse) -> None:
    """Prevents a day that is ready beside damage of which nobody knows the day, until the next ingest looks."""
    assert ready(MONDAY) == [(True, None)]
    rows(database, "set session_replication_role = replica; delete from ops.ruleset")
    with pytest.raises(SystemExit) as end:
        main(["build", "--json"])
    assert end.value.code == 1
    ((is_ready, reason),) = ready(MONDAY)
    assert not is_ready and "ruleset_missing: 1 row of ops.ruleset" in str(reason)


def test_a_build_of_a_kind_reaches_its_model_and_what_follows(
    first: State[Verdict], database: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["build", "--kind", "ticket_v1", "--json"])
    assert end.value.code == 0
    nodes = {node["name"] for node in orjson.loads(capsys.readouterr().out)["nodes"]}
    assert nodes >= {"ticket_fact", "customer_dim", "reconcile_partition"}
    assert "stg_bronze__raw_ticket_event" not in nodes


def test_a_sound_day_is_released_by_name_beside_a_damaged_one(first: State[Verdict], database: Warehouse) -> None:
    """Also where the proof of changes does not close, for what it has not seen before: then everything is proved."""
    hold(settings(), [TUESDAY], "tests")
    rows(database, EDIT)
    release(settings(), ReleaseRequest([TUESDAY]), Silent())
    damage = "record_differs_from_bronze: 1 row of silver.ticket_fact, Silver's content is not Bronze's"
    assert ready(MONDAY, TUESDAY) == [(False, f"proved rows wait for their release; {damage}"), (True, None)]
    rows(database, EDIT.replace("'closed'", "'open'"))
    release(settings(), ReleaseRequest([MONDAY]), Silent())
    assert ready(MONDAY, TUESDAY) == [(True, None)] * 2


def test_a_row_that_is_gone_between_proof_and_release_keeps_its_day_back(
    first: State[Verdict], database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it was never released, so that nothing that is released lacks it."""
    find = changes.find_changes

    def lost_before(cursor: Any) -> Any:
        rows(database, "delete from silver.ticket_fact where ticket_id = 'TKT-20260415-000002'")
        return find(cursor)

    with monkeypatch.context() as patch:
        patch.setattr(changes, "find_changes", lost_before)
        verdict = deliver(tmp_path, "second", of_day(C, 1), of_day(C, 2), of_day(B, 2))
    assert verdict.release is not None
    assert verdict.release.partitions == ticket_days(TUESDAY)
    changed = "Silver changed after it was proved"
    assert ready(TUESDAY, WEDNESDAY) == [
        (True, None),
        (False, f"not released; proved rows wait for their release; {changed}"),
    ]
