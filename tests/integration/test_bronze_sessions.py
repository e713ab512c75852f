"""Sessions of dlt's jobs are kept from one to the next, and never one that cannot be trusted."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from loader.bronze.destination import KeptSessions
from loader.runs import LOAD_SESSIONS
from loader.warehouse import Warehouse
from tests.ingests import rows, ticket
from tests.integration.bronze_fixtures import new_asset, writer

OF_LOADS = f"from pg_stat_activity where application_name like '{LOAD_SESSIONS}%%'"


@pytest.mark.parametrize("load_format", ["csv", "parquet"])
def test_jobs_of_a_load_share_their_sessions_and_none_is_left(
    load_format: str, database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a process of the server for each job, and workers that wait for their turn with sessions of theirs."""
    opened = []
    connect = psycopg2.connect

    def counted(*args: Any, **kwargs: Any) -> Any:
        opened.append(LOAD_SESSIONS in str(kwargs.get("dsn")))
        return connect(*args, **kwargs)

    monkeypatch.setattr(psycopg2, "connect", counted)
    monkeypatch.setenv("LOADER_LOAD_FORMAT", load_format)
    with writer(database, tmp_path) as one:
        for number in (1, 2):
            opened.clear()
            one.load(one.batch([ticket(number)], asset_id=new_asset(database, str(number))))
            assert 1 <= sum(opened) <= 4
            assert rows(database, f"select pg_sleep(0.1), count(*) {OF_LOADS}")[0][1] == 0


def test_a_session_that_the_server_ended_is_replaced(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = set()
    take = KeptSessions.take

    def take_ended(sessions: KeptSessions, dataset: str) -> Any:
        kept = take(sessions, dataset)
        if kept is not None:
            ended.add(kept.info.backend_pid)
            rows(database, "select pg_terminate_backend(%s, 5000)", kept.info.backend_pid)
        return kept

    monkeypatch.setattr(KeptSessions, "take", take_ended)
    with writer(database, tmp_path) as one:
        one.load(one.batch([ticket(1)], asset_id=new_asset(database, "one")))
    assert len(ended) >= 3
    assert rows(database, "select count(*) from bronze.raw_ticket_event") == [(1,)]


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
