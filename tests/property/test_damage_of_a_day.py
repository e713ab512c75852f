"""Damage stays where it is: for any damage of one day of a kind, the release of every other day, and of every day of
another kind, is what it would have been."""

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

from loader.partition import Partition
from loader.release.groups import connected
from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import comment, declare, rows, run_kinds, ticket, write_export
from tests.sabotage.victims import ASSETS, COMMENTS, TICKETS, Victim
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

# The days of each kind; some days are of both.
DAYS = {
    TICKETS: tuple(date(2026, 4, day) for day in (13, 14, 15, 16, 17)),
    COMMENTS: tuple(date(2026, 4, day) for day in (15, 16, 17, 18, 19)),
}
# A record of either kind.
RECORD = {
    TICKETS: lambda day, number, **changes: ticket(
        number, ticket_id=f"TKT-{day:%Y%m%d}-{number:06d}", created_at=f"{day}T08:00:00Z", **changes
    ),
    COMMENTS: lambda day, number, **changes: comment(
        number, comment_id=f"CMT-{day:%Y%m%d}-{number:06d}", created_at=f"{day}T08:00:00Z", **changes
    ),
}

_BRONZE = ("raw_ticket_event", "raw_ticket_comment_event", "asset_line", "rejected_record")
_PICKED = ":key like '%-{day:%Y%m%d}-000003'"
_EVENT = f"event_id in (select event_id from silver.:fact where {_PICKED})"
_REJECT = f"partition_key = '{{day}}' and asset_id in {ASSETS}"


@dataclass(frozen=True, slots=True)
class Damage:
    """`statement`: with a place for the day, and names as the sabotage has them. `reach`: days beside it of which it
    may be as well, counted from it: those of a file whose lines do not fit, and where a row was put that is not of
    there."""

    statement: str
    reach: tuple[int, ...] = ()


DAMAGES = (
    Damage(f"delete from silver.:fact where {_PICKED}"),
    Damage(f"update silver.:fact set updated_at = created_at where {_PICKED}"),
    Damage(f"update silver.:fact set version_count = 9 where {_PICKED}"),
    Damage(f"update silver.:fact set partition_key = partition_key + 1 where {_PICKED}", (1,)),
    Damage("delete from silver.:fact where partition_key = '{day}'"),
    Damage(f"delete from bronze.:events where {_EVENT}"),
    Damage(f"update bronze.:events set raw_payload = raw_payload || ' ' where {_EVENT}"),
    Damage(f"update bronze.:events set person_id = 'somebody' where {_EVENT}"),
    Damage(f"delete from bronze.asset_line where {_EVENT}", (-1,)),
    Damage(f"update bronze.asset_line set byte_length = byte_length + 1 where {_EVENT}", (-1,)),
    Damage(f"delete from bronze.rejected_record where {_REJECT}", (-1,)),
    Damage(f"update bronze.rejected_record set raw_line = raw_line || 'x' where {_REJECT}", (-1,)),
)

# What readers see of each day, without what tells one run from another.
_SHOWN = """
select ':kind', partition_key, jsonb_agg(to_jsonb(fact) - '{data_release_id,run_id,dlt_load_id}'::text[] order by :key)
from serving.:fact as fact group by partition_key
"""
_READY = "select record_kind, partition_key from serving.kind_partition_status where is_ready"


@dataclass(frozen=True, slots=True)
class Week:
    """Four days of each kind, released; the deliveries that follow; and what readers see before them, and after them
    without damage."""

    kept: Kept
    last: list[Path]
    before: dict[Partition, Any]
    undamaged: dict[Partition, Any]


def _week_of(victim: Victim, root: Path) -> None:
    """A file a day: records of that day, an update of the day before, a line without a value that it needs. The last
    one moves a record from the first day to the second."""
    record, days = RECORD[victim], DAYS[victim]
    for number, day in enumerate(days):
        lines = [record(day, 1), record(day, 2), record(day, 3), {**record(day, 9), victim.field: 1}]
        if number:
            lines.append(record(days[number - 1], 1, updated_at=f"{day}T09:00:00Z"))
        if day == days[-1]:
            moved = record(days[0], 2, updated_at=f"{day}T09:00:00Z")
            lines.append({**moved, "created_at": f"{days[1]}T08:00:00Z"})
        folder = root / victim.kind / ("last" if day == days[-1] else "first")
        write_export(folder / f"exports-{day}.jsonl", lines)


@pytest.fixture(scope="module")
def week(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    root = tmp_path_factory.mktemp("week")
    for victim in DAYS:
        _week_of(victim, root)
    with own_warehouse(server, _template, root, LOADER_REJECT_LIMIT="0.5") as database:
        first, last = (
            [declare(root / victim.kind / name, name, kind=victim.kind) for victim in DAYS]
            for name in ("first", "last")
        )
        assert _exit_codes(first) == dict.fromkeys((victim.kind for victim in DAYS), 0)
        before = _shown(database)
        with kept(server, database) as first_days:
            assert _exit_codes(last) == dict.fromkeys((victim.kind for victim in DAYS), 0)
            undamaged = _shown(database)
            for victim in DAYS:
                days = [Partition(victim.kind, day) for day in DAYS[victim]]
                assert [day for day in days if before.get(day) != undamaged[day]] == [*days[:2], *days[3:]]
            yield Week(first_days, last, before, undamaged)


def _exit_codes(manifests: list[Path]) -> dict[str, int]:
    return {kind: verdict.exit_code for kind, verdict in run_kinds(*manifests).items()}


def _shown(database: Warehouse) -> dict[Partition, Any]:
    found = (row for victim in DAYS for row in rows(database, victim.bind(_SHOWN)))
    return {Partition(kind, day): content for kind, day, content in found}


def _ready(database: Warehouse) -> set[Partition]:
    return {Partition(*found) for found in rows(database, _READY)}


def _linked(victim: Victim, days: set[date]) -> set[Partition]:
    """The days of the kind, with those that share the moved record with them."""
    first, second = (Partition(victim.kind, day) for day in DAYS[victim][:2])
    asked = {Partition(victim.kind, day) for day in days}
    return {each for group in connected(asked, [(first, second)]) if asked.intersection(group) for each in group}


@hypothesis_settings(
    max_examples=int(os.environ.get("HISTORIES", "1")),
    deadline=None,
    phases=[Phase.explicit, *([Phase.generate] if "HISTORIES" in os.environ else [])],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(damage=st.sampled_from(DAMAGES), victim=st.sampled_from(list(DAYS)), place=st.integers(0, 3))
@example(damage=DAMAGES[9], victim=TICKETS, place=2)  # sums alone say where it is
@example(damage=DAMAGES[0], victim=COMMENTS, place=1)
def test_other_days_are_released_as_if_nothing_were_damaged(
    damage: Damage, victim: Victim, place: int, week: Week
) -> None:
    """The damaged day and those linked to it stay as they were, and no day of the other kind does; after the mend all
    are as if nothing had been."""
    day = DAYS[victim][place]
    database = week.kept.fresh()
    for table in _BRONZE:
        rows(database, f"create table public.{table} as table bronze.{table}")
    statement = victim.bind(damage.statement.format(day=day))
    rows(database, "set local omni.maintenance = 'repair'; " + statement)
    for table in _BRONZE:
        rows(database, f"create table public.strange_{table} as table bronze.{table} except table public.{table}")

    assert _exit_codes(week.last) == {victim.kind: 1, victim.other: 0}
    shown = _shown(database)
    must_stay = _linked(victim, {day})
    may_stay = _linked(victim, {day, *(day + timedelta(days=number) for number in damage.reach)})
    for other, content in week.undamaged.items():
        expected = [week.before.get(other)] if other in may_stay else []
        expected += [] if other in must_stay else [content]
        assert shown.get(other) in expected, other
    ready = _ready(database)
    assert ready.isdisjoint(must_stay) and ready >= week.undamaged.keys() - may_stay

    for table in _BRONZE:
        _put_back(database, table)
    assert run_dbt(database, ROOT, ["build", "--select", victim.fact, "--vars", f"{{partition: {day}}}"]).is_ok
    for kind, mended in run_kinds(*week.last).items():
        assert mended.exit_code == 0, (kind, mended.problems)
    assert _shown(database) == week.undamaged
    assert _ready(database) == week.undamaged.keys()


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
