"""Sessions of dlt's jobs are kept from one to the next, and never one that cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loader.bronze.destination import KeptSessions
from loader.runs import LOAD_SESSIONS
from loader.warehouse import Warehouse
from tests.ingests import rows, ticket
from tests.integration.bronze_fixtures import Writer, new_asset, writer

OF_LOADS = f"from pg_stat_activity where application_name like '{LOAD_SESSIONS}%%'"


@pytest.fixture(params=["csv", "parquet"])
def at_work(
    request: pytest.FixtureRequest, database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Writer]:
    monkeypatch.setenv("LOADER_LOAD_FORMAT", request.param)
    with writer(database, tmp_path) as one:
        one.load(one.batch([ticket(1)], asset_id=new_asset(database, "one")))
        yield one


def _sessions(database: Warehouse) -> set[int]:
    return {pid for (pid,) in rows(database, f"select pid {OF_LOADS}")}


def test_a_second_load_opens_none_and_none_is_left(at_work: Writer, database: Warehouse) -> None:
    first = _sessions(database)
    assert first
    at_work.load(at_work.batch([ticket(2)], asset_id=new_asset(database, "two")))
    assert _sessions(database) == first
    at_work.loader.close()
    assert rows(database, f"select pg_sleep(0.1), count(*) {OF_LOADS}")[0][1] == 0


def test_sessions_that_the_server_ended_are_replaced(at_work: Writer, database: Warehouse) -> None:
    first = _sessions(database)
    rows(database, f"select pg_terminate_backend(pid, 5000) {OF_LOADS}")
    at_work.load(at_work.batch([ticket(2)], asset_id=new_asset(database, "two")))
    assert not first & _sessions(database)
    assert rows(database, "select count(*) from bronze.raw_ticket_event") == [(2,)]


def test_a_session_in_a_transaction_is_not_kept(database: Warehouse) -> None:
    """Prevents a job that commits what another one left."""
    sessions = KeptSessions()
    with closing(database.connect()) as left, closing(database.connect()) as sound:
        left.cursor().execute("create temporary table half ()")
        for session in (sound, left):
            sessions.give("bronze", session)
        assert left.closed and not sound.closed
        assert sessions.take("staging") is None
        assert sessions.take("bronze") is sound
