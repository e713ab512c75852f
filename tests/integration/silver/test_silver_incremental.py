"""Silver built step by step is Silver built at once, whatever comes in which order."""

from __future__ import annotations

import random

import pytest

from tests.integration.silver.dbt_runs import SILVER_MODELS, Dbt
from tests.integration.silver.scene import Scene
from tests.integration.silver.version import Version

TABLES = ("ticket_fact", "customer_dim", "built_load", "built_asset")


def rebuilt(scene: Scene, dbt: Dbt) -> dict[str, list[object]]:
    """All of Silver after a full refresh."""
    assert dbt.run("--full-refresh")
    return {table: scene.rows(table) for table in TABLES}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
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
