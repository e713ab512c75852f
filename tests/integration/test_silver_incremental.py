"""Silver built step by step is Silver built at once, whatever comes in which order, fails or runs beside it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from loader.warehouse import Warehouse
from tests.integration.silver_scene import SILVER_MODELS, Dbt, Scene, Version, statement

TABLES = ("ticket_fact", "ticket_customer", "customer_dim", "built_load", "built_asset")


@pytest.fixture(scope="module")
def one_database(server: Warehouse, _template: str) -> Iterator[Warehouse]:
    """One database for the module: dbt's manifest holds the name of its database."""
    name = f"{_template}_silver"
    with closing(server.connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(f"create database {name} template {_template}")
        yield server.in_database(name)
        cursor.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def dbt(one_database: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(one_database, tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def scene(one_database: Warehouse) -> Iterator[Scene]:
    made = Scene(one_database)
    with closing(made.connection):
        yield made


def rebuilt(scene: Scene, dbt: Dbt) -> dict[str, list[object]]:
    """All of Silver after a full refresh."""
    assert dbt.run("--full-refresh")
    return {table: scene.rows(table) for table in TABLES}


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_loads_gives_the_rows_of_a_full_refresh(scene: Scene, dbt: Dbt, seed: int) -> None:
    """Late updates, ties, moves, collisions, reassigned customers and new rulesets must not depend on arrival."""
    chance = random.Random(seed)
    loads = []
    for asset_id in range(1, 6):
        scene.declare(asset_id, chance.choice([10, 20, 30]))
        lines = {
            number: Version(
                ticket=chance.randrange(12),
                created=chance.choice([0, 1, 20]),
                updated=chance.choice([None, 2, 2, 3, 30]),
                status=chance.choice(["open", "closed"]),
                customer=chance.choice(["C1", "C2", "C3"]),
                source=chance.choice("aaaaaaab"),
            )
            for number in range(1, 13)
        }
        scene.load(f"load-{asset_id}", asset_id, lines)
        loads.append(f"load-{asset_id}")
        if asset_id % 2:
            read_again = {number: chance.choice([version, version, None]) for number, version in lines.items()}
            scene.load(f"load-{asset_id}-again", asset_id, read_again, ruleset_id=2)
            loads.append(f"load-{asset_id}-again")
    chance.shuffle(loads)
    for load in loads:
        scene.complete(load)
        assert dbt.run()
        assert scene.silver() == scene.expected(), load
    step_by_step = {table: scene.rows(table) for table in TABLES}
    assert rebuilt(scene, dbt) == step_by_step


def test_a_build_with_nothing_new_rewrites_no_row(scene: Scene, dbt: Dbt) -> None:
    """Cost follows what changed; a rewritten row has another xmin."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2, customer="C2"))
    assert dbt.run()
    versions = (
        "select ticket_id, xmin::text from silver.ticket_fact"
        " union select customer_id, xmin::text from silver.customer_dim"
    )
    before = set(scene.execute(versions))
    assert dbt.run()
    assert set(scene.execute(versions)) == before
    scene.declare(2, 20)
    scene.land("load-2", 2, Version(2, updated=1, customer="C2"))
    assert dbt.run()
    assert {key for key, _ in before - set(scene.execute(versions))} == {"TKT-20260417-000002", "C2"}


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


@pytest.mark.parametrize("failing", ["ticket_customer", "customer_dim"])
def test_a_failure_downstream_is_made_up_by_the_next_build(scene: Scene, dbt: Dbt, failing: str) -> None:
    """ticket_fact has its load then; what it left to do must not be forgotten."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(2, customer="C2"))
    assert dbt.run()
    scene.land("load-2", 1, Version(1), Version(2, updated=5, customer="C1"), ruleset_id=2)
    scene.execute(
        "create function silver.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'disk full'; end $$;"
        f" create trigger refuse before insert on silver.{failing} execute function silver.refuse()"
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
    assert dbt.run(select=["ticket_customer", "customer_dim"])
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
    scene.execute("update silver.customer_dim set ticket_count = 7")
    assert dbt.run()
    assert scene.rows("ticket_fact") != good["ticket_fact"]
    assert dbt.run("--vars", "{partition: 2026-04-17}")
    assert dbt.run("--vars", "{partition: 2026-04-18}")
    assert {table: scene.rows(table) for table in TABLES} == good


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


def test_a_later_manifest_that_lowers_a_sequence_changes_the_winner(scene: Scene, dbt: Dbt) -> None:
    """The same bytes declared again at an earlier place: no load is new, and still the tie falls the other way."""
    scene.declare(1, 10)
    scene.declare(2, 20)
    scene.land("load-1", 1, Version(1, updated=1, status="open"))
    scene.land("load-2", 2, Version(1, updated=1, status="closed"))
    assert dbt.run()
    assert scene.execute("select status from silver.ticket_fact") == [("closed",)]
    scene.declare(2, 5, manifest="manifest-2")
    assert dbt.run()
    assert scene.execute("select status from silver.ticket_fact") == [("open",)]
    assert scene.silver() == scene.expected()


def test_lines_read_later_can_change_the_place_of_a_known_event(scene: Scene, dbt: Dbt) -> None:
    """A limited run that goes on: no event and no asset is new, and still the tie falls the other way."""
    scene.declare(1, 10)
    scene.declare(2, 20)
    scene.load("load-1", 1, {2: Version(1, updated=1, status="open")})
    scene.complete("load-1")
    scene.land("load-2", 2, Version(2), Version(1, updated=1, status="closed"))
    assert dbt.run()
    assert scene.execute("select status from silver.ticket_fact where ticket_id like '%1'") == [("closed",)]
    scene.load("load-3", 1, {1: Version(1, updated=1, status="closed")})
    scene.complete("load-3")
    assert dbt.run()
    assert scene.execute("select status from silver.ticket_fact where ticket_id like '%1'") == [("open",)]
    assert scene.silver() == scene.expected()


def test_a_ruleset_that_rejects_a_line_takes_its_event_out(scene: Scene, dbt: Dbt) -> None:
    """The event stays in Bronze; its ticket falls back to the version before, or goes; and may come back."""
    scene.declare(1, 10)
    scene.land("load-1", 1, Version(1), Version(1, updated=1), Version(2, customer="C2"))
    assert dbt.run()
    scene.land("load-2", 1, Version(1), None, None, ruleset_id=2)
    assert dbt.run()
    assert scene.silver() == scene.expected()
    assert scene.execute("select ticket_id, version_count from silver.ticket_fact") == [("TKT-20260417-000001", 1)]
    scene.land("load-3", 1, Version(1), Version(1, updated=1), Version(2, customer="C2"), ruleset_id=3)
    assert dbt.run()
    assert scene.silver() == scene.expected()
    assert len(scene.rows("ticket_fact")) == 2


def test_an_earlier_source_takes_a_shared_ticket_id_over(scene: Scene, dbt: Dbt) -> None:
    """First is who wrote first, not who landed first."""
    scene.declare(1, 10)
    scene.declare(2, 20)
    scene.land("load-1", 1, Version(1, created=5, updated=9, source="late"))
    assert dbt.run()
    scene.land("load-2", 2, Version(1, created=1, source="early"))
    assert dbt.run(select=["silver"])
    assert scene.execute("select record_source, version_count from silver.ticket_fact") == [("early", 1)]
    assert scene.execute("select record_source from silver.ticket_version where is_collided") == [("late",)]


def test_an_event_without_a_completed_load_is_not_there(scene: Scene, dbt: Dbt) -> None:
    """Rows of a load that died before completion count nowhere, also when a completed line names them."""
    scene.declare(1, 10)
    scene.declare(2, 20)
    scene.load("load-dead", 1, {1: Version(1), 2: Version(2)})
    scene.land("load-2", 2, Version(1), Version(3))
    assert dbt.run(select=["staging", *SILVER_MODELS])
    assert scene.execute("select ticket_id from silver.ticket_fact") == [("TKT-20260417-000003",)]
    assert scene.execute("select ticket_id from staging.stg_bronze__raw_ticket_event") == [("TKT-20260417-000003",)]
    assert scene.execute("select asset_id, line_number from staging.stg_bronze__asset_line") == [(2, 1), (2, 2)]


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
