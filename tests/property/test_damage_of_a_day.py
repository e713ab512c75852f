"""Damage stays where it is: for any damage of one day, every other day's release is what it would have been."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loader.release.gate import connected
from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, rows, run, ticket, write_export
from tests.recoveries import of_day
from tests.shared_warehouse import Kept, fresh_database, kept, loader_variables

pytestmark = pytest.mark.usefixtures("replayed")

DAYS = tuple(date(2026, 4, day) for day in (13, 14, 15, 16, 17))
# The last delivery moves a ticket from the one to the other.
LINK = (DAYS[0], DAYS[1])

_BRONZE = ("raw_ticket_event", "asset_line", "rejected_record")
_PICKED = "ticket_id = 'TKT-{day:%Y%m%d}-000003'"
_EVENT = f"event_id in (select event_id from silver.ticket_fact where {_PICKED})"
_REJECT = "partition_key = '{day}'"


@dataclass(frozen=True, slots=True)
class Damage:
    """`statement`: with a place for the day. `reach`: days beside it of which it may be as well, counted from it: those
    of a file whose lines do not fit, and where a row was put that is not of there."""

    statement: str
    reach: tuple[int, ...] = ()


DAMAGES = (
    Damage(f"delete from silver.ticket_fact where {_PICKED}"),
    Damage(f"update silver.ticket_fact set status = 'pending' where {_PICKED}"),
    Damage(f"update silver.ticket_fact set version_count = 9 where {_PICKED}"),
    Damage(f"update silver.ticket_fact set partition_key = partition_key + 1 where {_PICKED}", (1,)),
    Damage("delete from silver.ticket_fact where partition_key = '{day}'"),
    Damage(f"delete from bronze.raw_ticket_event where {_EVENT}"),
    Damage(f"update bronze.raw_ticket_event set raw_payload = raw_payload || ' ' where {_EVENT}"),
    Damage(f"update bronze.raw_ticket_event set person_id = 'somebody' where {_EVENT}"),
    Damage(f"delete from bronze.asset_line where {_EVENT}", (-1,)),
    Damage(f"update bronze.asset_line set byte_length = byte_length + 1 where {_EVENT}", (-1,)),
    Damage(f"delete from bronze.rejected_record where {_REJECT}", (-1,)),
    Damage(f"update bronze.rejected_record set raw_line = raw_line || 'x' where {_REJECT}", (-1,)),
)

# What readers see of each day, without what tells one run from another.
SHOWN = """
select partition_key, jsonb_agg(to_jsonb(fact) - '{data_release_id,run_id,dlt_load_id}'::text[] order by ticket_id)
from serving.ticket_fact as fact group by partition_key
"""
READY = "select partition_key from serving.partition_status where is_ready order by 1"


@dataclass(frozen=True, slots=True)
class Week:
    """Four days, released; the delivery that follows; and what readers see before it, and after it without damage."""

    kept: Kept
    last: Path
    before: dict[date, Any]
    undamaged: dict[date, Any]


@pytest.fixture(scope="module")
def week(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    """A file a day: tickets of that day, an update of the day before, a line without a value that it needs."""
    root = tmp_path_factory.mktemp("week")
    moved = {**of_day("2026-04-13", 2, updated_at="2026-04-17T09:00:00Z"), "created_at": "2026-04-14T08:00:00Z"}
    for number, day in enumerate(DAYS):
        lines = [of_day(day.isoformat(), 1), of_day(day.isoformat(), 2), of_day(day.isoformat(), 3)]
        lines += [ticket(9, created_at=f"{day}T08:00:00Z", owner=...)]
        if number:
            lines += [of_day(DAYS[number - 1].isoformat(), 1, status="closed", updated_at=f"{day}T09:00:00Z")]
        folder = root / ("last" if day == DAYS[-1] else "first")
        write_export(folder / f"tickets-{day}.jsonl", [*lines, moved] if day == DAYS[-1] else lines)
    with fresh_database(server, _template) as database, pytest.MonkeyPatch.context() as patch:
        for name, value in {**loader_variables(database, root), "LOADER_REJECT_LIMIT": "0.5"}.items():
            patch.setenv(name, value)
        assert run(declare(root / "first", "first")).exit_code == 0
        last = declare(root / "last", "last")
        before = dict(rows(database, SHOWN))
        with kept(server, database) as first_days:
            assert run(last).exit_code == 0
            undamaged = dict(rows(database, SHOWN))
            assert [day for day in DAYS if before.get(day) != undamaged[day]] == [*LINK, *DAYS[3:]]
            yield Week(first_days, last, before, undamaged)


def _linked(days: set[date]) -> set[date]:
    return {day for group in connected(days, [LINK]) if days.intersection(group) for day in group}


@hypothesis_settings(
    max_examples=int(os.environ.get("HISTORIES", "1")),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(damage=st.sampled_from(DAMAGES), day=st.sampled_from(DAYS[:4]))
@example(damage=DAMAGES[9], day=DAYS[2])  # sums alone say where it is
@example(damage=DAMAGES[0], day=DAYS[1])
def test_other_days_are_released_as_if_nothing_were_damaged(damage: Damage, day: date, week: Week) -> None:
    """The damaged day and those linked to it stay as they were; after the mend all are as if nothing had been."""
    database = week.kept.fresh()
    for table in _BRONZE:
        rows(database, f"create table public.{table} as table bronze.{table}")
    rows(database, "set local omni.maintenance = 'repair'; " + damage.statement.format(day=day))
    for table in _BRONZE:
        rows(database, f"create table public.strange_{table} as table bronze.{table} except table public.{table}")

    assert run(week.last).exit_code == 1
    shown = dict(rows(database, SHOWN))
    must_stay = _linked({day})
    may_stay = _linked({day, *(day + timedelta(days=number) for number in damage.reach)})
    for other in DAYS:
        expected = [week.before.get(other)] if other in may_stay else []
        expected += [] if other in must_stay else [week.undamaged[other]]
        assert shown.get(other) in expected, other
    ready = {found for (found,) in rows(database, READY)}
    assert ready.isdisjoint(must_stay) and ready >= set(DAYS) - may_stay

    for table in _BRONZE:
        _put_back(database, table)
    assert run_dbt(database, ROOT, ["build", "--select", "ticket_fact", "--vars", f"{{partition: {day}}}"]).is_ok
    mended = run(week.last)
    assert mended.exit_code == 0, mended.problems
    assert dict(rows(database, SHOWN)) == week.undamaged
    assert rows(database, READY) == [(other,) for other in DAYS]


def _put_back(database: Warehouse, table: str) -> None:
    """Bronze's rows as they were before the damage; it takes none but those of a run at work, so past its guards."""
    rows(
        database,
        "set local omni.maintenance = 'repair';"
        f" delete from bronze.{table} as held using public.strange_{table} as strange where held = strange;"
        " set local session_replication_role = replica;"
        f" insert into bronze.{table} select was.* from public.{table} as was"
        f" where not exists (select from bronze.{table} as held where held = was)",
    )
