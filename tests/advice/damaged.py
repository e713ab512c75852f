"""What was landed or built is not there any more, or is another: rows, tables, views, archived objects, times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from loader.advice import AdviceKind
from loader.raw_zone import RawZone
from tests.advice.delivered import DAY, days_that_were_never_asked_for, deliver
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.advice.waiting import held
from tests.ingests import settings
from tests.sabotage.victims import TICKET


def a_damaged_day_beside_days_that_were_never_asked_for(place: Place, patch: pytest.MonkeyPatch) -> str:
    """What the issue saw."""
    days_that_were_never_asked_for(place, patch)
    place.loader("ingest", "--partition", DAY)
    place.damage(f"delete from silver.ticket_fact where ticket_id = {TICKET}")
    return "make build SELECT=reconcile"


def a_damaged_day_beside_a_new_one(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    place.damage(
        f"delete from silver.ticket_fact where ticket_id = {TICKET}", "update ops.proof set project_sha256 = ''"
    )
    return f"make ingest PARTITION={DAY}"


def _objects(place: Place) -> list[Path]:
    keys = place.rows("select raw_zone_key from ops.source_asset order by asset_id")
    return [RawZone(settings().raw_zone).path_of(key) for (key,) in keys]


def _verify(place: Place) -> str:
    return f"make verify RUN={place.value('select run_id::text from ops.ingest_run limit 1')}"


def a_lost_object(place: Place, patch: pytest.MonkeyPatch) -> str:
    _objects(place)[0].unlink()
    return _verify(place)


def a_lost_object_and_source(place: Place, patch: pytest.MonkeyPatch) -> str:
    _objects(place)[0].unlink()
    sorted(place.exports.glob("tickets-*"))[0].unlink()
    return _verify(place)


def a_restored_database(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place)
    place.loader("ingest")
    place.loader("hold", "--partition", "2026-04-17", "--reason", "under review")
    place.forget()
    return "make diagnose"


def a_type_of_somebody_s_own(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql(
        "create type serving.odd as enum ('odd');"
        " alter table reconcile.reconcile_finding alter column check_name type serving.odd using 'odd'::serving.odd"
    )
    return "make diagnose"


def another_view(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql("alter view serving.ticket_fact rename to was; create view serving.ticket_fact as select 1 as a")
    return "make diagnose"


def _without(statement: str, first: str = "make diagnose") -> Callable[[Place, pytest.MonkeyPatch], str]:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        place.sql(statement)
        return first

    return bring


def a_hold_that_a_restored_database_forgot(place: Place, patch: pytest.MonkeyPatch) -> str:
    held(place, patch)
    place.forget()
    return "make diagnose"


def find(place: Place, *values: str) -> str:
    """As the last reconcile would have left it: table, check, kind, partition."""
    place.sql(
        "insert into reconcile.reconcile_finding (table_name, check_name, kind, partition_key, finding_count, detail)"
        f" values ({', '.join(values)}, 1, 'one')"
    )
    return "make diagnose"


def a_finding_in_what_nothing_else_holds(place: Place, patch: pytest.MonkeyPatch) -> str:
    return find(place, "'ops.manifest'", "'manifest_differs_from_bytes'", "'drift'", "null")


def a_row_of_silver_is_gone(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.damage(f"delete from silver.ticket_fact where ticket_id = {TICKET}")
    return find(place, "'silver.ticket_fact'", "'record_missing'", "'gap'", "'2026-04-16'")


def a_view_that_readers_may_not_read(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql("revoke select on serving.ticket_fact from omni_reader")
    return "make diagnose"


def a_clock_that_is_wrong_now(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.damage("update ops.ingest_run set started_at = '2099-01-01Z', finished_at = '2099-01-01Z'")
    return "make diagnose"


def a_partition_that_was_detached(place: Place, patch: pytest.MonkeyPatch) -> str:
    """By its owner; the rows are as they were."""
    place.sql("alter table bronze.record_event detach partition bronze.raw_ticket_event")
    return "make diagnose"


def traced(*statements: str, key: str = TICKET) -> Callable[[Place, pytest.MonkeyPatch], str]:
    """A record is followed, of which something was changed past every guard."""

    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        record_key = place.value(f"select {key}")
        place.damage(*(statement.format(key=record_key) for statement in statements))
        return f"make trace KEY={record_key}"

    return bring


def a_lost_object_of_a_record(place: Place, patch: pytest.MonkeyPatch) -> str:
    asset, record_key = place.rows("select asset_id, ticket_id from silver.ticket_fact order by 2 limit 1")[0]
    key = place.value(f"select raw_zone_key from ops.source_asset where asset_id = {asset}")
    RawZone(settings().raw_zone).path_of(key).unlink()
    return f"make trace KEY={record_key}"


SCENES: tuple[Scene, ...] = (
    Scene("a record whose object is lost", a_lost_object_of_a_record, "closed"),
    Scene(
        "a record whose row of Silver is gone",
        traced("delete from silver.ticket_fact where ticket_id = '{key}'"),
        "closed",
        advises=(AdviceKind.REBUILD,),
    ),
    Scene(
        "a record whose payload is edited",
        traced("update bronze.raw_ticket_event set raw_payload = raw_payload || ' ' where record_key = '{key}'"),
        "closed",
        advises=(AdviceKind.LAND,),
    ),
    Scene(
        "a record whose released row is edited",
        traced("update release.ticket_fact set owner = 'nobody' where ticket_id = '{key}'"),
        "person",
        advises=(AdviceKind.RESTORE,),
    ),
    Scene(
        "a record that a bent view shows",
        traced(
            "do $view$ begin execute 'create or replace view serving.ticket_fact with (security_barrier) as '"
            " || replace(pg_get_viewdef('serving.ticket_fact'::regclass), 'versions.status,',"
            " '''forged''::text as status,'); end $view$"
        ),
        "closed",
        advises=(AdviceKind.SHOW,),
    ),
    Scene(
        "a damaged day beside days that were never asked for",
        a_damaged_day_beside_days_that_were_never_asked_for,
        "closed",
    ),
    Scene("a damaged day beside a new one", a_damaged_day_beside_a_new_one, "closed"),
    Scene("a lost object", a_lost_object, "closed", ("loader.raw_zone.lost_objects:lost_objects",)),
    Scene(
        "a lost object and source", a_lost_object_and_source, "person", ("loader.raw_zone.lost_objects:lost_objects",)
    ),
    Scene("a restored database", a_restored_database, "closed"),
    Scene(
        "a type of somebody's own",
        a_type_of_somebody_s_own,
        "closed",
        ("loader.warehouse.built:_PlainCursor.execute",),
    ),
    Scene(
        "a partition that was detached",
        a_partition_that_was_detached,
        "closed",
        ("loader.warehouse.partitions:_refusal",),
    ),
    Scene("another view", another_view, "closed"),
    Scene("no serving", _without("drop schema serving cascade"), "closed"),
    Scene("no reconcile", _without("drop schema reconcile cascade"), "closed"),
    Scene("no finding table", _without("drop table reconcile.reconcile_finding cascade"), "closed"),
    Scene("no Silver", _without("drop table silver.ticket_fact cascade"), "closed"),
    Scene(
        "a guard is off", _without("alter table bronze.raw_ticket_event disable trigger all", "make smoke"), "closed"
    ),
    Scene("a watch is off", _without("alter table silver.ticket_fact disable trigger all", "make smoke"), "closed"),
    Scene(
        "a table that is another's",
        _without("alter table silver.ticket_fact owner to current_user", "make build SELECT=ticket_fact"),
        "person",
    ),
    Scene(
        "a hold that a restored database forgot",
        a_hold_that_a_restored_database_forgot,
        "closed",
        advises=(AdviceKind.RECALL,),
    ),
    Scene(
        "a finding in what nothing else holds",
        a_finding_in_what_nothing_else_holds,
        "person",
        advises=(AdviceKind.RESTORE,),
    ),
    Scene("a row of Silver is gone", a_row_of_silver_is_gone, "closed", advises=(AdviceKind.REBUILD,)),
    Scene("a view that readers may not read", a_view_that_readers_may_not_read, "closed"),
    Scene("a clock that is wrong now", a_clock_that_is_wrong_now, "person", advises=(AdviceKind.CLOCK,)),
)
