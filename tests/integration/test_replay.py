"""A build that is sent again (tests/replay.py) makes what dbt makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.silver import PROVING_BUILD, run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, rows, run, ticket, write_export
from tests.proofs import reconciled
from tests.recoveries import failing
from tests.replay import Replays, in_place_of_dbt
from tests.shared_warehouse import Kept, fresh_database, kept, loader_variables

# Every relation of dbt's layers: how it is made, whose it is, what describes it, and its indexes and triggers.
RELATIONS = """
select relation.oid::regclass::text, relkind::text, relowner::regrole::text, relacl::text, reloptions::text,
    case relkind when 'v' then pg_get_viewdef(relation.oid) end,
    (select jsonb_agg(to_jsonb(column_of) order by ordinal_position) from (
        select ordinal_position, column_name, data_type, is_nullable from information_schema.columns
        where table_schema = nspname and table_name = relname) as column_of),
    (select jsonb_agg(pg_get_constraintdef(oid) order by 1) from pg_constraint where conrelid = relation.oid),
    (select jsonb_agg(substring(pg_get_indexdef(indexrelid) from ' USING .*') order by 1) from (
        select indexrelid from pg_index where indrelid = relation.oid
        order by substring(pg_get_indexdef(indexrelid) from ' USING .*')) as indexes),
    (select jsonb_agg(tgname order by tgname) from pg_trigger where tgrelid = relation.oid)
from pg_class as relation inner join pg_namespace on pg_namespace.oid = relnamespace
where nspname in ('staging', 'silver', 'reconcile', 'serving') and relkind not in ('i', 'I', 't', 'S')
order by 1
"""
SILVER = ("ticket_fact", "customer_dim", "built_load", "built_asset", "stale_record")
NOTED = "select table_name, row_key from ops.unproved_change order by 1, 2"


Lines = list[dict[str, Any]]


def made(warehouse: Warehouse, words: str) -> dict[str, Any]:
    """What a proving build leaves, and what it says."""
    build = run_dbt(warehouse, ROOT, [*PROVING_BUILD, "--vars", words])
    signed = ", ".join(f"obj_description('reconcile.{name}'::regclass)" for name in ("reconcile_finding", "scope_load"))
    assert rows(warehouse, f"select {signed}") == [(build.invocation_id,) * 2]
    told = [(node.unique_id, node.status, node.failures, node.reads_findings, node.is_failed) for node in build.nodes]
    silver = {name: rows(warehouse, f"select to_jsonb(t) from silver.{name} as t order by t::text") for name in SILVER}
    return {
        **reconciled(warehouse), **silver, "told": sorted(told), "noted": rows(warehouse, NOTED),
        "relations": rows(warehouse, RELATIONS),
    }  # fmt: skip


def landed(warehouse: Warehouse, folder: Path, lines: Lines) -> str:
    """Lines in Bronze, of which nothing is built yet."""
    write_export(folder / "1" / "tickets-2026-04-17.jsonl", lines[::2])
    with failing("dbt"), pytest.raises(OSError, match="No space"):
        run(declare(folder / "1", "m1"))
    return "{proof: all}"


def landed_beside_what_is_proved(warehouse: Warehouse, folder: Path, lines: Lines) -> str:
    write_export(folder / "0" / "tickets-2026-04-16.jsonl", lines[1::2])
    assert run(declare(folder / "0", "m0")).exit_code == 0
    landed(warehouse, folder, lines)
    return "{proof: changes}"


def damaged(warehouse: Warehouse, folder: Path, lines: Lines) -> str:
    landed_beside_what_is_proved(warehouse, folder, lines)
    one = "where ticket_id = (select max(ticket_id) from {})"
    rows(warehouse, "update silver.ticket_fact set product_version = 'edited' " + one.format("silver.ticket_fact"))
    return "{proof: all}"


FEW = [ticket(1), ticket(2)]
MANY = [
    *(ticket(number, customer_id=f"customer_{number % 3}") for number in range(1, 9)),
    ticket(3, status="closed", updated_at="2026-04-18T09:00:00Z"),
    ticket(4, created_at="2026-04-19T08:00:00Z", updated_at="2026-04-20T00:00:00Z"),
]


@pytest.fixture(scope="module")
def once(replays: Replays) -> Replays:
    return replays.anew()


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(landed, marks=pytest.mark.long),
        landed_beside_what_is_proved,
        pytest.param(damaged, marks=pytest.mark.long),
    ],
)
def test_a_build_that_is_sent_again_makes_what_dbt_makes(
    state: Callable[[Warehouse, Path, Lines], str],
    server: Warehouse,
    _template: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    replays: Replays,
    once: Replays,
) -> None:
    """Prevents a test that passes on what dbt would not have built: statements are kept over other, fewer rows."""
    with fresh_database(server, _template) as database:
        for name, value in loader_variables(database, tmp_path).items():
            monkeypatch.setenv(name, value)
        with in_place_of_dbt(once):
            made(database, state(database, tmp_path / "few", FEW))
            Kept(server, database, _template).fresh()
            words = state(database, tmp_path / "many", MANY)
        with kept(server, database) as whole:
            with in_place_of_dbt(replays.anew()):
                expected = made(database, words)
            whole.fresh()
            replayed = once.replayed_count
            with in_place_of_dbt(once):
                found = made(database, words)
    assert once.replayed_count == replayed + 1
    assert found == expected
    assert any(failed for *_, failed in found["told"]) == (state is damaged)


def test_what_dbt_would_do_otherwise_is_left_to_dbt(
    server: Warehouse, _template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replays: Replays
) -> None:
    """Prevents statements that are sent to a warehouse of other relations, and an error that dbt would have told."""
    once = replays.anew()
    with fresh_database(server, _template) as database, in_place_of_dbt(once):
        for name, value in loader_variables(database, tmp_path).items():
            monkeypatch.setenv(name, value)
        select = ["build", "--select", "stg_ops__manifest", "stg_ops__run_asset"]
        for changed in (
            "select",
            "alter view staging.stg_ops__manifest rename column manifest_id to id",
            "drop view staging.stg_ops__manifest cascade",
        ):
            rows(database, changed)
            assert run_dbt(database, ROOT, select).is_ok
            assert once.replayed_count == 0
        rows(database, "select 1")
        assert run_dbt(database, ROOT, select).is_ok
        rows(database, "alter table ops.run_asset rename to aside")
        broken = run_dbt(database, ROOT, select)
    assert [node.name for node in broken.failed] == ["stg_ops__run_asset"]
    assert 'relation "ops.run_asset" does not exist' in broken.failed[0].reason
