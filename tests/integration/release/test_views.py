"""What readers look through, made another by the role that owns it: seen by every command that speaks for readers, and
put right by the next build."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import yaml
from click.testing import CliRunner

from loader.audit import faults_of_sight
from loader.cli import cli
from loader.release.digests import unlike_released
from loader.release.ready import readiness
from loader.release.views import MEND_VIEWS, READERS, view_faults
from loader.reports.smoke import _NotSoundError, _serving
from loader.status import read_status
from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export
from tests.makefile import loader_words
from tests.shared_warehouse import own_warehouse

FACT, STATUS, DIM = "serving.ticket_fact", "serving.partition_status", "serving.customer_dim"
SERVED = f"select ticket_id, status from {FACT} order by 1"
REPLACE = f"create or replace view {FACT} with (security_barrier) as "

# Statements of the role that owns the views, with queries in braces, and what is said of each relation then.
ATTACKS: tuple[tuple[str, dict[str, str]], ...] = (
    (
        f"{REPLACE} {{forged}}; create rule forged as on insert to {STATUS} do instead nothing",
        {FACT: "its query", STATUS: "rules or triggers on it"},
    ),
    (
        f"{REPLACE} {{unreleased}}; create or replace view {STATUS} with (security_barrier) as {{ready}}",
        {FACT: "its query", STATUS: "its query"},
    ),
    (
        f"alter view {FACT} reset (security_barrier); grant select on {STATUS} to public",
        {FACT: "its options", STATUS: "who may read it"},
    ),
    (
        f"alter view {FACT} set (security_invoker = true); grant select (reason) on {STATUS} to omni_auditor",
        {FACT: "its options", STATUS: "who may read it"},
    ),
    (
        (
            f"alter view {FACT} rename to behind; revoke all on serving.behind from omni_reader;"
            f" create view {FACT} with (security_barrier) as select * from serving.behind;"
            f" grant select on {FACT} to omni_reader"
        ),
        {FACT: "its query"},
    ),
    (
        (
            f"alter view {FACT} rename to instead; create table {FACT} as select * from serving.instead;"
            f" drop view serving.instead cascade; grant select on {FACT} to omni_reader; drop view {STATUS}"
        ),
        {FACT: "it is no view, its options", STATUS: "it is not there", DIM: "it is not there"},
    ),
    (
        f"revoke select on {FACT} from omni_reader; create or replace view {STATUS} as {{status}}",
        {FACT: "who may read it", STATUS: "its options"},
    ),
)


@pytest.fixture(scope="module")
def released(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Two released versions of a ticket; as the warehouse's superuser."""
    folder = tmp_path_factory.mktemp("views")
    with own_warehouse(server, _template, folder, LOADER_ALLOWED_ROOTS=str(folder)) as database:
        later = {"status": "closed", "updated_at": "2026-04-17T09:00:00Z"}
        for number, changes in enumerate(({}, later)):
            write_export(folder / f"{number}" / f"tickets-2026-04-1{7 + number}.jsonl", [ticket(1, **changes)])
            assert run(declare(folder / f"{number}", f"m{number}")).exit_code == 0
        yield database


def as_transform(warehouse: Warehouse, statements: str) -> None:
    with closing(warehouse.acting_as(Role.TRANSFORM).connect(application_name="attack", autocommit=True)) as session:
        session.cursor().execute(statements)


def query_of(warehouse: Warehouse, view: str) -> str:
    ((query,),) = rows(warehouse, f"select rtrim(pg_get_viewdef('{view}'::regclass), ';')")
    return str(query)


def faults(warehouse: Warehouse) -> dict[str, str]:
    return {fault.relation: fault.fault for fault in view_faults(warehouse.acting_as(Role.LOADER), ROOT)}


def build(command: str) -> str:
    """What the command of a message does when it is typed."""
    done = CliRunner().invoke(cli, loader_words(command))
    assert done.exit_code == 0, done.output
    return done.output


def test_another_view_is_seen_by_all_who_speak_for_readers_and_the_build_that_they_name_mends_it(
    released: Warehouse,
) -> None:
    """A view that shows forged or replaced rows, or shows them to anybody, stays for ever: the build takes the note on
    it for its text, and ready, status, smoke and verify look at the tables behind it only."""
    fact, status = query_of(released, FACT), query_of(released, STATUS)
    queries = {
        "forged": fact.replace("versions.status,", "'forged'::text as status,"),
        "unreleased": fact.replace("versions.first_release_id <= pointers.data_release_id", "true").replace(
            "versions.end_release_id > pointers.data_release_id", "true"
        ),
        "ready": f"select partition_key, data_release_id, released_by, released_at, released_by_operator, ticket_count,"
        f" newest_data_release_id, is_held, true as is_ready, null::text as reason from ({status}) as real",
        "status": status,
    }
    assert len({fact, status, *queries.values()}) == 5
    warehouse = released.acting_as(Role.LOADER)
    assert faults(released) == {} and unlike_released(warehouse) == {}
    for statements, expected in ATTACKS:
        as_transform(released, statements.format_map(queries))

        assert faults(released) == expected, statements
        (row,) = readiness(settings(), [DAY]).partitions
        assert not row["is_ready"] and f"{FACT} is not as the project has it: {expected[FACT]}" in row["reason"]
        shown = read_status(warehouse, None)
        assert shown.view_faults.count(f"{FACT} is not as the project has it: {expected[FACT]}") == 1
        # Behind status's command stands why.
        assert row["next_command"] == shown.next_command.partition("   # ")[0] == MEND_VIEWS
        with pytest.raises(_NotSoundError, match=r"serving\.ticket_fact is not as the project has it"):
            _serving(warehouse, ROOT)
        found = faults_of_sight(warehouse, view_faults(warehouse, ROOT))
        assert {fault.report_path for fault in found} == set(expected)

        said = build(MEND_VIEWS)
        assert (FACT in said and "as its model has it" in said) or expected[FACT] == "who may read it"
        assert faults(released) == {}, statements
        assert rows(released, SERVED) == [("TKT-20260417-000001", "closed")]
        assert readiness(settings(), [DAY]).partitions[0]["is_ready"]


def test_what_no_model_makes_and_readers_may_read_is_named_with_the_command_that_drops_it(released: Warehouse) -> None:
    """A view of every version beside those of the project is open to readers, and nothing tells of it."""
    as_transform(
        released,
        "create view serving.everything as select * from release.ticket_fact;"
        ' create view serving."\'; rm" as select 1; create view serving.own as select 1;'
        ' grant select on serving.everything, serving."\'; rm" to omni_reader',
    )

    found = {fault.relation: fault.next_command for fault in view_faults(released.acting_as(Role.LOADER), ROOT)}

    as_transform(released, 'drop view serving.everything, serving."\'; rm", serving.own')
    assert found == {
        "serving.everything": "make psql ROLE=transform ARGS=\"-c 'drop view serving.everything'\"",
        "serving.'; rm": "make psql ROLE=transform",
    }


def test_rows_that_are_shown_otherwise_than_released_make_the_day_unready(released: Warehouse) -> None:
    """A released row is edited behind a view that is right: ready looks at pointers only and says yes."""
    edit = "update release.ticket_fact set status = 'forged' where end_release_id is null"
    with closing(released.connect(application_name="edit", autocommit=True)) as session:
        session.cursor().execute(edit)

    (row,) = readiness(settings(), [DAY]).partitions
    found = faults_of_sight(released.acting_as(Role.LOADER), [])

    with closing(released.connect(application_name="edit", autocommit=True)) as session:
        session.cursor().execute(edit.replace("forged", "closed"))
    assert not row["is_ready"] and row["reason"].startswith("readers see 1 record, of its release's 1, or others")
    assert row["next_command"] == "make verify EVIDENCE=1"
    assert [fault.report_path for fault in found] == [f"serving.ticket_fact {DAY}"]
    assert readiness(settings(), [DAY]).partitions[0]["is_ready"]


def test_readers_of_the_views_are_those_that_the_models_grant_to() -> None:
    """Who may read stands in the dbt project; a copy of it that lags behind calls the truth a fault."""
    project = yaml.safe_load((ROOT / "dbt_project" / "dbt_project.yml").read_text())
    granted = project["models"]["omnisupport"]["serving"]["+grants"]["select"]
    assert granted == [role.value for role in READERS]


def test_who_may_enter_and_what_the_owner_may_read_are_looked_at_and_mended(released: Warehouse) -> None:
    """A schema that is closed to readers, or open for more than reading, a view that its owner may not read, and a type
    in a view's place are another `serving`: ready says yes, and no build puts it right."""
    as_transform(
        released,
        "revoke usage on schema serving from omni_reader; grant create on schema serving to omni_auditor;"
        f" revoke all on {FACT} from omni_transform; drop view {STATUS}; create type {STATUS} as (a integer)",
    )
    found = faults(released)
    assert found["schema serving"] == "who may enter it"
    assert found[FACT] == "who may read it"
    assert not readiness(settings(), [DAY]).partitions[0]["is_ready"]
    build(MEND_VIEWS)
    assert faults(released) == {}
    with closing(released.acting_as(Role.READER).connect(application_name="reader")) as session:
        cursor = session.cursor()
        cursor.execute(f"select count(*) from {DIM}")
        assert cursor.fetchone() == (1,)
    assert readiness(settings(), [DAY]).partitions[0]["is_ready"]
