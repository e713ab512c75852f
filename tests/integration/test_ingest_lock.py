"""The ingest lock and its fence: only owners lock, a writer that lost its place records nothing, nothing times out."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loader.errors import InfrastructureError, RefusedError
from loader.runs import Attempt, IngestLock, lock, repair
from loader.silver import run_dbt
from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.ingests import DAY, declare, rows, run, ticket, write_export
from tests.integration.bronze_fixtures import start_attempt

LOCKS = ("ops.ingest_lock", "ops.build_lock", "ops.catalog_lock", "ops.function_lock")
MODES = ("access share", "row share", "row exclusive", "share update exclusive", "share", "exclusive")
READABLE = """
select format('%%I.%%I', nspname, relname) from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'v', 'p') and nspname in ('bronze', 'ops', 'release')
    and has_table_privilege(%s, pg_class.oid, 'select')
"""
TIMEOUTS = {
    "statement_timeout": "300ms",
    "lock_timeout": "50ms",
    "idle_in_transaction_session_timeout": "300ms",
    "idle_session_timeout": "300ms",
    "transaction_timeout": "900ms",
}


def _end(database: Warehouse, pid: int) -> None:
    rows(database, "select pg_terminate_backend(%s, 5000)", pid)


def _note(cursor: Any, key: str) -> None:
    cursor.execute("insert into ops.unproved_change (table_name, row_key) values ('t', %s)", (key,))


def _notes(database: Warehouse) -> list[str]:
    return [key for (key,) in rows(database, "select row_key from ops.unproved_change order by 1")]


@contextmanager
def _acquiring(database: Warehouse) -> Iterator[list[IngestLock]]:
    """Another command that acquires the lock meanwhile; the lock is in the list once it has it."""
    got: list[IngestLock] = []
    thread = threading.Thread(target=lambda: got.append(IngestLock.acquire(database)))
    thread.start()
    yield got
    thread.join(timeout=30)
    for taken in got:
        taken.close()


@contextmanager
def _load(database: Warehouse, attempt: Attempt, line: int) -> Iterator[Any]:
    """A load's session of the attempt, with a row in it that is not committed."""
    settings = {"omni.run_id": str(attempt.run_id), "omni.attempt": "1"}
    session = database.connect(application_name=f"{lock.LOAD_SESSIONS}{attempt.label}", settings=settings)
    with closing(session):
        session.cursor().execute(
            "insert into bronze.rejected_record (asset_id, line_number, ruleset_id, reason_codes, message, json_path,"
            " raw_line, raw_line_sha256, run_id, _dlt_load_id) values (1, %s, 1, '{x}', 'm', '$', '', '', %s, 'l')",
            (line, str(attempt.run_id)),
        )
        yield session


def _await(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _waits(database: Warehouse) -> bool:
    """Whether somebody would take over, and waits for a transaction of the writer before."""
    waiting = "select exists (select from pg_locks where not granted and relation = 'ops.writer'::regclass)"
    return bool(rows(database, waiting)[0][0])


def _lets_late_sessions_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the next writer logs in as somebody else, and may not end the sessions of the one before."""
    monkeypatch.setattr(lock, "_END_SESSIONS", "select %s, %s")


@pytest.mark.parametrize("role", [Role.READER, Role.AUDITOR])
def test_who_may_only_read_holds_no_writer_and_no_build_up(role: Role, database: Warehouse) -> None:
    """Any session with SELECT kept every writer away for as long as it liked, and stopped builds without a word."""
    rows(database, "grant execute on function pg_advisory_lock(integer, integer) to public")
    with closing(database.acting_as(role).connect(application_name="reads")) as session, session.cursor() as cursor:
        for name in LOCKS:
            for mode in MODES:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(f"lock table {name} in {mode} mode")
                session.rollback()
        cursor.execute("select pg_advisory_lock(1869442665, number) from generate_series(1, 4) as number")
        cursor.execute(READABLE, (role.value,))
        for (readable,) in cursor.fetchall():
            cursor.execute(f"lock table {readable} in access share mode")
        IngestLock.acquire(database.acting_as(Role.LOADER)).close()
        building = "; ".join(f"lock table {name} in exclusive mode nowait" for name in LOCKS[1:])
        rows(database.acting_as(Role.TRANSFORM), building)


def test_the_roles_of_a_build_and_of_a_load_lock_what_is_theirs_only(database: Warehouse) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(database.acting_as(Role.TRANSFORM), "lock table ops.ingest_lock in row share mode")
    public = (
        "select proname from pg_proc where proname ~ '^pg_(try_)?advisory_' and has_function_privilege(%s, oid, %s)"
    )
    assert rows(database, public, "omni_reader", "execute") == []


def test_no_lock_is_one_that_anybody_may_take() -> None:
    """An advisory lock that comes back into any of these files is everybody's to hold."""
    files = [
        file
        for folder in ("loader", "dbt_project", "infra")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".sql")
    ]
    assert len(files) > 100
    assert [file.name for file in files if "advisory_" in file.read_text()] == ["roles.sql"]


def test_holding_the_lock_keeps_no_vacuum_back(database: Warehouse) -> None:
    """An ingest of hours in one transaction with a snapshot would let every table of the server grow."""
    with closing(IngestLock.acquire(database)) as held:
        with held.transaction() as cursor:
            cursor.execute("select count(*) from ops.ingest_run")
        found = "select state, backend_xid, backend_xmin from pg_stat_activity where pid = %s"
        assert rows(database, found, held.backend_pid) == [("idle in transaction", None, None)]
        with closing(database.connect(autocommit=True, settings={"lock_timeout": "2s"})) as session:
            session.cursor().execute("vacuum")


def test_a_writer_whose_place_another_took_records_nothing_more(database: Warehouse) -> None:
    """Its lock's session died of a network or an administrator, and it did not notice: its late commit must fail."""
    with closing(IngestLock.acquire(database)) as lost:
        with lost.transaction() as cursor:
            _note(cursor, "before")
        with pytest.raises(InfrastructureError, match="is gone"), lost.transaction() as cursor:
            _note(cursor, "late")
            _end(database, lost.backend_pid)
            with closing(IngestLock.acquire(database)) as taker, taker.transaction() as theirs:
                _note(theirs, "taker")
        with pytest.raises(InfrastructureError, match="is gone"), lost.transaction() as cursor:
            _note(cursor, "later")
    assert _notes(database) == ["before", "taker"]


def test_a_lock_whose_session_is_gone_is_lost_though_nobody_has_taken_it(database: Warehouse) -> None:
    with closing(IngestLock.acquire(database)) as lost:
        _end(database, lost.backend_pid)
        with pytest.raises(InfrastructureError, match="the session that held the ingest lock"), lost.transaction():
            pass


def test_an_old_token_is_no_writer_s_though_the_lock_is_held(database: Warehouse) -> None:
    """The row is the fence: a writer may live, and hold a lock of the same name, and still have been taken over."""
    with closing(IngestLock.acquire(database)) as held:
        rows(database, "update ops.writer set token = gen_random_uuid()")
        with pytest.raises(InfrastructureError), held.transaction() as cursor:
            _note(cursor, "late")
    assert _notes(database) == []


def test_who_takes_over_waits_for_a_commit_that_was_let_through(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it would read the world as it was before, and the late commit would change it behind its back."""
    _lets_late_sessions_be(monkeypatch)
    with closing(IngestLock.acquire(database)) as lost:
        with lost.transaction() as cursor:
            _note(cursor, "late")
            _end(database, lost.backend_pid)
            with _acquiring(database) as got:
                _await(lambda: _waits(database))
                assert not got
                cursor.connection.commit()
        assert len(got) == 1
        assert _notes(database) == ["late"]


@pytest.mark.parametrize("may_end", [True, False])
def test_rows_of_a_load_that_outlives_its_writer_are_ended_or_seen_by_repair(
    may_end: bool, database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that a dying session commits after the search would stay for ever, and block their events."""
    if not may_end:
        _lets_late_sessions_be(monkeypatch)
    with closing(IngestLock.acquire(database)) as lost:
        attempt, _, _ = start_attempt(lost)
        with _load(database, attempt, 1) as load:
            _end(database, lost.backend_pid)
            with _acquiring(database) as got:
                if may_end:
                    _await(lambda: bool(got))
                    with pytest.raises(psycopg2.Error):
                        load.commit()
                else:
                    _await(lambda: _waits(database))
                    assert not got
                    load.commit()
                    _await(lambda: bool(got))
                assert repair(got[0], tmp_path).row_count == (0 if may_end else 1)
                refused = pytest.raises(psycopg2.errors.RaiseException, match="does not hold the ingest lock")
                with refused, _load(database, attempt, 2):
                    pass
    assert rows(database, "select count(*) from bronze.rejected_record") == [(0,)]


def test_a_session_of_another_login_is_let_be_whatever_it_is_named(database: Warehouse) -> None:
    """A name is anybody's choice: it must neither end who bears it, nor keep a writer from starting."""
    other = replace(database, user=Role.TRANSFORM.value)
    with closing(other.connect(application_name=f"{lock.LOAD_SESSIONS}x")) as session:
        IngestLock.acquire(database).close()
        session.cursor().execute("select 1")


def test_a_lock_by_hand_is_named_without_an_age_that_is_not_known(database: Warehouse) -> None:
    with closing(database.connect(application_name="by hand")) as session:
        session.cursor().execute("lock table ops.ingest_lock in exclusive mode")
        with pytest.raises(RefusedError) as refused:
            IngestLock.acquire(database)
        assert f"named 'by hand' (database session {session.get_backend_pid()}); " in refused.value.message
    assert "None" not in refused.value.message


def test_an_ingest_ends_whole_whatever_the_server_allows_a_session(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    """A server with short timeouts ended the lock's session (exit 3) and named no setting; and a fenced build builds
    nothing."""
    known = rows(database, "select name from pg_settings where name = any(%s)", list(TIMEOUTS))
    for (name,) in known:
        rows(database, f"alter database {database.dbname} set {name} = '{TIMEOUTS[name]}'")
    write_export(tmp_path / "e" / "t-2026-04-17.jsonl", [ticket(1), ticket(2)])
    verdict = run(declare(tmp_path / "e"), partition=DAY)
    assert (verdict.exit_code, verdict.status) == (0, "success"), verdict.problems
    stale = {"writer_token": str(uuid.uuid4())}
    fenced = run_dbt(database, ROOT, ["run", "--select", "customer_dim", "reconcile_partition"], anchors=stale)
    assert sorted(node.name for node in (*fenced.failed, *fenced.skipped)) == ["customer_dim", "reconcile_partition"]
    assert {"that this build was started under" in node.reason for node in fenced.failed} == {True}
