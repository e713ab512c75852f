"""Builds that fail, that run beside each other or beside an ingest, and builds that repair."""

from __future__ import annotations

import threading
import time

import pytest

from tests.integration.silver.dbt_runs import Dbt, statement
from tests.integration.silver.scene import Scene
from tests.integration.silver.version import Version

TABLES = ("ticket_fact", "customer_dim", "built_load", "built_asset")


def test_a_load_that_completes_during_the_build_waits_for_the_next(scene: Scene, dbt: Dbt) -> None:
    """Without the frozen ledgers half of it would count: a ruleset that hides lines whose successors are not in."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2))
    assert dbt.run()
    scene.declare(2, 20)
    scene.land("load-2", 2, Version(1, updated=1))
    before = scene.expected()
    scene.load("load-3", 2, {1: None, 2: Version(3)}, ruleset_id=2)
    scene.load("load-4", 1, {3: Version(1, updated=3)})
    built: list[bool] = []
    build = threading.Thread(target=lambda: built.append(dbt.run()))
    # The model reads run_asset, its hooks do not: it stops between the freeze and the insert.
    with statement(scene.warehouse, "lock table ops.run_asset in access exclusive mode"):
        build.start()
        wait_for(scene, "select 1 from pg_locks where not granted and relation = 'ops.run_asset'::regclass")
        scene.complete("load-3")
        scene.complete("load-4")
    build.join()
    assert built == [True]
    assert scene.silver() == before
    assert dbt.run()
    assert scene.silver() == scene.expected() != before


def test_a_failed_build_leaves_rows_and_ledgers_as_they_were(scene: Scene, dbt: Dbt) -> None:
    """A load recorded as built whose rows were rolled back would never come in again."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2))
    assert dbt.run()
    before = {table: scene.rows(table) for table in TABLES}
    scene.land("load-2", 1, Version(1), Version(2, updated=5), ruleset_id=2)
    scene.execute(
        "create function silver.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'disk full'; end $$;"
        " create trigger refuse before insert on silver.ticket_fact execute function silver.refuse()"
    )
    assert not dbt.run()
    assert {table: scene.rows(table) for table in TABLES} == before
    scene.execute("drop function silver.refuse cascade")
    assert dbt.run()
    assert scene.silver() == scene.expected()


def test_a_failure_downstream_is_made_up_by_the_next_build(scene: Scene, dbt: Dbt) -> None:
    """ticket_fact has its load then; what it left to do must not be forgotten."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2, customer="C2"))
    assert dbt.run()
    scene.land("load-2", 1, Version(1), Version(2, updated=5, customer="C1"), ruleset_id=2)
    scene.execute(
        "create function silver.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'disk full'; end $$;"
        " create trigger refuse before insert on silver.customer_dim execute function silver.refuse()"
    )
    assert not dbt.run()
    scene.execute("drop function silver.refuse cascade")
    assert dbt.run()
    assert scene.silver() == scene.expected()


def test_ticket_fact_rebuilt_alone_is_followed_by_the_rest(scene: Scene, dbt: Dbt) -> None:
    """A full refresh of one model says so to the models after it."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2, customer="C2"), Version(3, customer="C3"))
    assert dbt.run()
    scene.land("load-2", 1, Version(1), None, Version(3, updated=1, customer="C1"), ruleset_id=2)
    assert dbt.run("--full-refresh", select=["ticket_fact"])
    assert dbt.run(select=["customer_dim"])
    assert scene.silver() == scene.expected()


def test_the_variable_partition_repairs_a_damaged_day_and_no_other(scene: Scene, dbt: Dbt) -> None:
    """Rows deleted, edited, moved out of the day or made up: an incremental build alone would see nothing to do."""
    scene.declare(1, 10)
    scene.land(
        "load-1",
        1,
        Version(1),
        Version(2, customer="C2"),
        Version(3),
        Version(4, customer="C3"),
        Version(5, created=20),
    )
    assert dbt.run()
    good = {table: scene.rows(table) for table in TABLES}
    scene.execute("delete from silver.ticket_fact where ticket_id like '%1'")
    scene.execute("update silver.ticket_fact set status = 'closed', is_open = false where ticket_id like '%2'")
    scene.execute("update silver.ticket_fact set partition_key = '2026-05-01' where ticket_id like '%3'")
    scene.execute("update silver.ticket_fact set owner = 'other day' where ticket_id like '%5'")
    scene.execute("create temporary table row as select * from silver.ticket_fact where ticket_id like '%4'")
    scene.execute("update pg_temp.row set ticket_id = 'TKT-20260417-999999'")
    scene.execute("insert into silver.ticket_fact select * from pg_temp.row")
    scene.execute("update silver.customer_dim set org_id = 'nobody'")
    assert dbt.run()
    assert scene.rows("ticket_fact") != good["ticket_fact"]
    assert dbt.run("--vars", "{partition: 2026-04-17}")
    assert dbt.run("--vars", "{partition: 2026-04-18}")
    assert {table: scene.rows(table) for table in TABLES} == good


@pytest.mark.long
def test_a_damaged_other_day_is_left_alone(scene: Scene, dbt: Dbt) -> None:
    """A repair of one day does not hide what happened to another."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2, created=20))
    assert dbt.run()
    scene.execute("update silver.ticket_fact set owner = 'nobody'")
    assert dbt.run("--vars", "{partition: 2026-04-17}")
    assert scene.execute("select ticket_id, owner from silver.ticket_fact order by 1") == [
        ("TKT-20260417-000001", "tests"),
        ("TKT-20260417-000002", "nobody"),
    ]


@pytest.mark.parametrize("arguments", [[], ["--full-refresh"]], ids=["incremental", "full refresh"])
def test_two_builds_at_once_both_succeed_and_agree(scene: Scene, dbt: Dbt, arguments: list[str]) -> None:
    """A plain `dbt build` beside an ingest: the first builds ever, then builds with something new."""
    scene.declare(1, 10)
    scene.declare(2, 20)
    scene.land("load-1", 1, *(Version(ticket, customer=f"C{ticket % 7}") for ticket in range(500)))
    assert dbt.run_twice_at_once(*arguments, select=["staging", "silver"]) == [0, 0]
    assert scene.silver() == scene.expected()
    scene.land("load-2", 2, *(Version(ticket, updated=1) for ticket in range(0, 500, 3)))
    assert dbt.run_twice_at_once(*arguments, select=["staging", "silver"]) == [0, 0]
    assert scene.silver() == scene.expected()
    leftovers = "select relname from pg_class where relname ~ '__dbt_' and relkind in ('r', 'v')"
    assert scene.execute(leftovers) == []


def wait_for(scene: Scene, question: str, seconds: float = 30) -> None:
    """Until the query returns a row; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not scene.execute(question):
        assert time.monotonic() < deadline, f"never true: {question}"
        time.sleep(0.02)


@pytest.mark.parametrize("stands", [False, True], ids=["no customer_dim yet", "an older customer_dim"])
def test_a_build_that_ended_after_ticket_fact_is_made_up_by_the_next(scene: Scene, dbt: Dbt, stands: bool) -> None:
    """A first build, or a full refresh, killed between the two: the queue says everything, and the next build ranks
    again what customer_dim will read."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2))
    if stands:
        assert dbt.run()
        scene.declare(2, 20)
        scene.land("load-2", 2, Version(1, updated=4, customer="customer-z"), Version(3))
    assert dbt.run("--full-refresh", select=["ticket_fact"])
    assert dbt.run()
    assert scene.silver() == scene.expected()
