"""serving.customer_dim beside silver.customer_dim."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from loader.recovery import apply_plan
from loader.warehouse import Warehouse
from tests.ingests import declare, rows, run, settings, write_export
from tests.recoveries import DAYS, of_day, planned

SHARED = (
    "customer_id, org_id, sla_tier, last_seen_at, record_fingerprint, event_id, asset_id, source_fingerprint,"
    " line_number, manifest_id, batch_id, ingest_batch_id, run_id, dlt_load_id"
)
SEED = 7


def customers(database: Warehouse, schema: str, columns: str = SHARED) -> list[tuple[Any, ...]]:
    return rows(database, f"select {columns} from {schema}.customer_dim order by customer_id")


@pytest.mark.long
@pytest.mark.usefixtures("loader_environment")
def test_with_everything_released_it_is_silvers_but_where_silver_knows_more(
    database: Warehouse, tmp_path: Path
) -> None:
    """Prevents a dimension that readers see and nobody has proved; where they differ is said in docs/serving.md."""
    chance = random.Random(SEED)
    lines: list[Any] = []
    for number in range(1, 121):
        day = chance.choice(DAYS)
        place = {
            "customer_id": f"customer_{chance.randint(1, 12)}",
            "org_id": chance.choice([..., f"org_{chance.randint(1, 3)}"]),
            "sla_tier": chance.choice([..., "free", "enterprise"]),
        }
        lines.append(of_day(day, number, **place, updated_at=f"2026-04-18T{number // 60:02}:{number % 60:02}:00Z"))
        if chance.random() < 0.4:
            at = f"2026-04-19T{number // 60:02}:{number % 60:02}:00Z"
            lines.append(of_day(day, number, **place, status="closed", updated_at=at))
    chance.shuffle(lines)
    write_export(tmp_path / "first" / f"tickets-{DAYS[-1]}.jsonl", lines)
    verdict = run(declare(tmp_path / "first", "first"))
    assert verdict.exit_code == 0, verdict.problems
    assert len(customers(database, "serving")) == 12
    assert customers(database, "serving") == customers(database, "silver")

    at = "2026-04-20T09:00:00Z"
    write_export(
        tmp_path / "second" / f"tickets-{DAYS[-1]}.jsonl",
        [
            # Its only ticket goes to another customer.
            of_day(DAYS[0], 900, customer_id="customer_gone", updated_at="2026-04-20T07:00:00Z"),
            of_day(DAYS[0], 900, customer_id="customer_taken", updated_at="2026-04-20T08:00:00Z"),
            # Two tickets at one instant; upstream's later line is that of the smaller ticket_id.
            of_day(DAYS[1], 902, customer_id="customer_tie", updated_at=at),
            of_day(DAYS[1], 901, customer_id="customer_tie", updated_at=at),
        ],
    )
    verdict = run(declare(tmp_path / "second", "second"))
    assert verdict.exit_code == 0, verdict.problems
    silver, serving = ({row[0]: row for row in customers(database, schema)} for schema in ("silver", "serving"))
    assert silver.keys() - serving.keys() == {"customer_gone"}
    assert serving.keys() - silver.keys() == set()
    assert {name for name, row in serving.items() if silver[name] != row} == {"customer_tie"}
    assert [row[3] for row in (silver["customer_tie"], serving["customer_tie"])] == [serving["customer_tie"][3]] * 2

    # It goes back with its tickets, and stays unique.
    window = {"window_start": DAYS[0], "window_end": DAYS[1], "release": 1, "as_of": None}
    apply_plan(settings(), planned("restore", **window, reason="tests"))
    names = [name for (name,) in customers(database, "serving", "customer_id")]
    assert "customer_taken" not in names and "customer_tie" in names
    assert len(names) == len(set(names)) == 13
