"""What dbt does for less: sessions kept from node to node, a project parsed once, no line that nobody reads."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

from loader.silver import run_dbt
from loader.silver.sessions import leave_as_new
from loader.silver.worker import Project, knows
from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows


def test_a_build_of_many_nodes_takes_no_more_sessions_than_one_of_two(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """Prevents a session a node: a hundred times a build the server would make a process and read its catalogue."""
    taken = []
    # The first one makes what is not there.
    for selection in ("stg_ops__manifest", "stg_ops__manifest stg_ops__run_asset", "staging"):
        before = _sessions(database)
        build = run_dbt(database, ROOT, ["run", "--select", *selection.split()])
        assert build.is_ok
        taken.append((len(build.nodes), _sessions(database) - before))
    _, (few, sessions_of_few), (many, sessions_of_many) = taken
    assert (few, many) == (4, 11)
    assert sessions_of_many <= sessions_of_few


def _sessions(database: Warehouse) -> int:
    """Of all programs, in this database, that have ended."""
    question = "select pg_stat_get_db_sessions(oid) from pg_database where datname = current_database()"
    return int(rows(database, question)[0][0])


def test_a_session_is_left_as_a_new_one(database: Warehouse) -> None:
    """Prevents settings, rows or an open transaction of one node in the next one."""
    with closing(database.acting_as(Role.TRANSFORM).connect()) as session, session.cursor() as cursor:
        state = (
            "select current_user, current_setting('work_mem'), current_setting('search_path'), to_regclass('pg_temp.x')"
        )
        cursor.execute(state)
        before = cursor.fetchall()
        cursor.execute("set work_mem = '1MB'; set search_path = silver; create temporary table x (n int)")
        session.commit()
        cursor.execute("set local work_mem = '2MB'; create table silver.begun (n int)")
        leave_as_new(session)
        cursor.execute(state)
        assert cursor.fetchall() == before
        assert rows(database, "select to_regclass('silver.begun')") == [(None,)]


def test_what_was_parsed_counts_for_the_very_same_project_alone(tmp_path: Path) -> None:
    """Prevents a hook that refers to a model that went, and a file of dbt's that another command has written since."""
    target = tmp_path / "target"
    target.mkdir()
    project = Project(ROOT, "a database", (), target)
    assert not knows(project, "a" * 64)
    parsed = target / "partial_parse.msgpack"
    parsed.write_bytes(b"parsed")
    (target / "parsed_project").write_text(f"{'a' * 64} {parsed.stat().st_mtime_ns}")
    assert knows(project, "a" * 64)
    assert not knows(project, "b" * 64)
    os.utime(parsed, (1, 1))
    assert not knows(project, "a" * 64)


def test_what_dbt_logs_and_how_it_ended_are_written_as_they_were(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """Prevents that with the lines that nobody reads, those that somebody needs stay out."""
    log = ROOT / ".local" / "dbt" / "logs" / "dbt.log"
    size = log.stat().st_size if log.exists() else 0
    assert run_dbt(database, ROOT, ["run", "--select", "stg_ops__manifest"], anchors={"run_id": "r-1"}).is_ok
    with log.open("rb") as lines:
        lines.seek(size)
        written = lines.read().decode()
    assert "OK created sql view model staging.stg_ops__manifest" in written and "[debug]" not in written
    results = json.loads((ROOT / ".local" / "dbt" / "target" / "run_results.json").read_bytes())
    assert results["metadata"]["env"] == {"RUN_ID": "r-1"}
    assert [each["unique_id"] for each in results["results"]] == [
        "operation.omnisupport.omnisupport-on-run-start-0",
        "model.omnisupport.stg_ops__manifest",
        "operation.omnisupport.omnisupport-on-run-end-0",
    ]
