"""The proof that the proof works: every damage past the guards makes reconcile fail and name what was damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from data.generator import Options, generate
from loader.partition import Partition
from loader.reader import lines as reader_lines
from loader.silver import BuildResult, run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, rows, run
from tests.sabotage.case import Case
from tests.sabotage.cases import CASES
from tests.sabotage.delivered import DAYS, REJECT_LIMIT, ingest_all_kinds, published
from tests.sabotage.file_cases import FILES
from tests.sabotage.limits import LIMITS, Limit
from tests.sabotage.victims import OF_EVERY_FRAMING, VICTIMS, Victim
from tests.shared_warehouse import Kept, kept, loader_variables, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

FINDINGS = (
    "select table_name, check_name, record_kind, partition_key, asset_id, detail from reconcile.reconcile_finding"
)


@pytest.fixture(scope="module")
def proved(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A database with the ingested and proved days of every kind, of which copies are damaged."""
    folder = tmp_path_factory.mktemp("proved")
    with own_warehouse(server, _template, folder, LOADER_REJECT_LIMIT=str(REJECT_LIMIT)) as database:
        ingest_all_kinds(folder)
        with kept(server, database) as proved:
            yield proved


@pytest.fixture(scope="module")
def undamaged(proved: Kept) -> dict[Partition, str]:
    """What readers see once all is released."""
    warehouse = proved.fresh()
    build = _prove(warehouse)
    # Without this, a check that always fails would look like a proof.
    assert [(node.name, node.message) for node in build.failed] == []
    assert rows(warehouse, FINDINGS) == []
    return published(warehouse, build)


@pytest.fixture
def warehouse(proved: Kept) -> Warehouse:
    return proved.fresh()


def _prove(warehouse: Warehouse) -> BuildResult:
    return run_dbt(warehouse, ROOT, ["build", "--select", "reconcile", "--exclude-resource-type", "unit_test"])


def _value(warehouse: Warehouse, question: str | None) -> Any:
    return rows(warehouse, question)[0][0] if question else None


def test_an_undamaged_warehouse_passes_and_is_released(undamaged: dict[Partition, str]) -> None:
    """Without this, a gate that holds everything would look like one that holds damage."""
    assert sorted(undamaged) == sorted(Partition(victim.kind, day) for victim in VICTIMS for day in DAYS[victim])


def _parameters() -> list[Any]:
    """Every case with every kind. Always run, with one kind after the other: for each table the first to delete, double
    and edit a row of it, and what has no such simple name (an older version wins, a day is dropped …); the others with
    --long."""
    simple = {"delete", "double", "edit"}
    kinds: set[tuple[str, str]] = set()
    parameters = []
    turns = cycle(VICTIMS)
    for case in CASES:
        verb = case.name.split()[0]
        kind = (case.table_name, verb)
        is_seldom = verb == "double" and not case.table_name.endswith(("event", "line", "fact", "_load"))
        is_always_run = kind not in kinds and not (verb in simple and is_seldom)
        kinds.add(kind)
        victims = [victim for victim in VICTIMS if case.can_be_done_to(victim)]
        its_turn = next(victim for victim in turns if victim in victims) if is_always_run or case in FILES else None
        for victim in victims:
            marks = [] if victim is its_turn else [pytest.mark.long]
            marks += [pytest.mark.media] if victim.is_of_files else []
            name = f"{case.name} of {victim.kind}".replace(" ", "-")
            parameters.append(pytest.param(case.of(victim), victim, id=name, marks=marks))
    return parameters


@pytest.mark.parametrize(("case", "victim"), _parameters())
def test_damage_is_named_and_held(
    case: Case, victim: Victim, undamaged: dict[Partition, str], warehouse: Warehouse
) -> None:
    """A deleted, doubled or edited row, past triggers, keys and foreign keys, has an address afterwards; a failing
    check keeps no node from being built, no other day from being proved, and no day of another kind from readers."""
    partition, asset = _value(warehouse, case.partition), _value(warehouse, case.asset)
    assert case.partition is None or partition is not None, "the warehouse has no row for this case"
    rows(warehouse, "set session_replication_role = replica; " + "; ".join(case.statements))

    build = _prove(warehouse)
    assert [node.name for node in build.failed] == ["no_finding"], build.failed
    assert build.skipped == ()
    found = rows(warehouse, FINDINGS)
    named = [one for one in found if one[:2] == (case.table_name, case.check_name)]
    assert named, found
    assert all(detail for *_, detail in found), found
    of_another = [one for one in found if one[2] != victim.kind]
    assert bool(of_another) == (case.other_kind is not None), of_another
    assert any(one[2] == victim.kind for one in named), named
    if partition is not None:
        assert any(one[3] == partition for one in named), named
        elsewhere = [one for one in found if one[2] == victim.kind and one[3] != partition]
        assert bool(elsewhere) == (case.other_days is not None), (partition, elsewhere)
    if asset is not None:
        assert any(one[4] == asset for one in named), named
    if case.name.startswith("double ") and case.table_name.startswith("ops."):
        # A join that doubles what is sound would send an operator to land it again.
        assert [one for one in found if not one[0].startswith("ops.")] == []

    damaged = {(kind, day) for _, _, kind, day, *_ in found}
    sound = {
        each: content
        for each, content in undamaged.items()
        if damaged.isdisjoint({tuple(each), (each.record_kind, None), (None, each.day), (None, None)})
    }
    released = published(warehouse, build)
    of_another_kind = {each: content for each, content in released.items() if each.record_kind != victim.kind}
    assert of_another_kind == {each: content for each, content in sound.items() if each.record_kind != victim.kind}
    assert (released != sound) == (case.holds_more is not None)


@pytest.mark.long
@pytest.mark.parametrize("victim", OF_EVERY_FRAMING, ids=lambda victim: victim.kind)
@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name.replace(" ", "-"))
def test_what_no_sql_can_find_is_documented_truly(limit: Limit, victim: Victim, warehouse: Warehouse) -> None:
    """docs/reconcile_limits.md promises no more and no less than what is so."""
    rows(warehouse, "set session_replication_role = replica; " + "; ".join(map(victim.bind, limit.statements)))
    assert [node.name for node in _prove(warehouse).failed] == []


def test_a_reader_that_drops_the_last_line_is_found_by_tiling(
    proved: Kept, _template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader's own counts agree with each other; only the bytes that the gate counted do not."""
    from loader.reader import framed

    database = replace(proved, copy=_template).fresh()
    for variable, value in loader_variables(database, tmp_path).items():
        monkeypatch.setenv(variable, value)
    generate(Options(first_day=date(2026, 4, 16), last_day=date(2026, 4, 16), tickets=20, seed=3), tmp_path / "exports")
    whole = reader_lines.iter_lines
    monkeypatch.setattr(framed, "iter_lines", lambda chunks: list(whole(chunks))[:-1])
    verdict = run(declare(tmp_path / "exports"))
    assert verdict.exit_code == 1
    named = [one for one in verdict.facts.findings if one.table_name == "bronze.asset_line"]
    assert named and named[0].source_id == "tickets-2026-04-16.jsonl", verdict.facts.findings
