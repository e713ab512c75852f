"""What readers would see otherwise, counted by the server: as what they saw before and after says, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.cli import main
from loader.diff import Asked, Changes, changes, diff, foretell, foretell_pointers
from loader.errors import CommandUsageError
from loader.partition import Partition
from loader.release.by_hand import hold
from loader.warehouse import Warehouse, fetch_rows
from tests.ingests import declare, rows, run, settings, write_export
from tests.recoveries import of_day
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

A, B = "2026-04-16", "2026-04-17"
DAYS = [date(2026, 4, 16), date(2026, 4, 17)]
SERVED = "select ticket_id, to_jsonb(fact) from serving.ticket_fact as fact"
# Columns that follow from the delivery, or say which version of the day is seen.
DELIVERY = {"version_count", "record_fingerprint", "event_id", "asset_id", "source_fingerprint", "line_number",
    "manifest_id", "batch_id", "ingest_batch_id", "run_id", "dlt_load_id", "data_release_id"}  # fmt: skip
LATER = {"updated_at": "2026-04-18T09:00:00Z"}


@pytest.fixture(scope="module")
def warehouse(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Two days, released; then held, while another delivery changes them."""
    folder = tmp_path_factory.mktemp("diff")
    with own_warehouse(server, _template, folder, LOADER_REJECT_LIMIT="0.5") as database:
        write_export(
            folder / "first" / f"tickets-{B}.jsonl",
            [*(of_day(A, number, assignee_id="agent_1") for number in range(1, 5)), of_day(B, 1), of_day(B, 2)],
        )
        assert run(declare(folder / "first", "first")).exit_code == 0
        hold(settings(), DAYS, "under review", record_kind="ticket_v1")
        write_export(
            folder / "second" / "tickets-2026-04-18.jsonl",
            [
                of_day(A, 1, assignee_id="agent_1", status="resolved", **LATER),
                of_day(A, 2, assignee_id="agent_2", status="closed", priority="p1_critical", **LATER),
                # As it was, in all that the record says.
                of_day(A, 3, assignee_id="agent_1", ingest_batch_id="batch-20260418-001"),
                {**of_day(A, 4, assignee_id="agent_1", **LATER), "created_at": f"{B}T08:00:00Z"},
                of_day(B, 3),
            ],
        )
        run(declare(folder / "second", "second"))
        yield database


def served(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    return dict(rows(warehouse, SERVED))


def recount(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What a person would count who has both in front of them."""
    both = before.keys() & after.keys()
    moved = {key for key in both if before[key]["partition_key"] != after[key]["partition_key"]}
    changed = {key for key in both - moved if told(before[key]) != told(after[key])}
    columns: dict[str, int] = {}
    for key in changed | moved:
        for name in before[key].keys() - DELIVERY - {"partition_key"}:
            if before[key][name] != after[key][name]:
                columns[name] = columns.get(name, 0) + 1
    return {
        "added": len(after.keys() - before.keys()),
        "removed": len(before.keys() - after.keys()),
        "moved": len(moved),
        "changed": len(changed),
        "columns": columns,
    }


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "data_release_id"}


def counts(changes: Changes) -> dict[str, Any]:
    return {
        "added": changes.added,
        "removed": changes.removed,
        "moved": changes.moved,
        "changed": changes.changed,
        "columns": {column.name: column.count for column in changes.columns},
    }


def of_tickets(found: list[Changes]) -> Changes:
    (changes,) = (each for each in found if each.record_kind == "ticket_v1")
    return changes


def test_what_waits_is_what_readers_then_see(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents a forecast that counts otherwise than the release does; and one that is not said before it."""
    waiting = of_tickets(diff(settings(), warehouse, Asked()))
    assert (waiting.sentence, waiting.examples["added"]) == (
        "+1 −0 ~3 of 6, 1 of them moved to another day",
        "TKT-20260417-000003",
    )
    samples = {column.name: column.samples for column in waiting.columns}
    assert samples["status"] == (("open → closed", 1), ("open → resolved", 1))
    assert samples["priority"] == (("p3_medium → p1_critical", 1),)
    # A pseudonym is counted and never shown.
    assert samples["assignee_id"] == ()
    assert foretell(settings(), warehouse, DAYS, "ticket_v1") == [waiting]
    # The moved one is of both days.
    one_day = of_tickets(diff(settings(), warehouse, Asked(days=[date(2026, 4, 17)])))
    assert one_day.sentence == "+1 −0 ~1 of 2, 1 of them moved to another day"

    before = served(warehouse)
    with pytest.raises(SystemExit) as ended:
        main(["release", "--partition", A, "--partition", B, "--kind", "ticket_v1"])
    assert ended.value.code == 0
    assert "readers    will see +1 −0 ~3 of 6, 1 of them moved to another day" in capsys.readouterr().err
    after = served(warehouse)
    assert counts(waiting) == recount(before, after)

    assert of_tickets(diff(settings(), warehouse, Asked())).is_empty
    released = of_tickets(diff(settings(), warehouse, Asked(1, 2)))
    assert counts(released) == recount(before, after)
    assert of_tickets(diff(settings(), warehouse, Asked(1))) == released
    back = of_tickets(diff(settings(), warehouse, Asked(2, 1)))
    assert counts(back) == recount(after, before)
    pointers = {Partition("ticket_v1", day): (2, 1) for day in DAYS}
    assert foretell_pointers(settings(), warehouse, pointers) == [back]


def test_a_restore_says_what_readers_will_see(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """In its plan, and before it is applied; what it hides waits then."""
    words = ("restore", "--partition", A, "--reason", "wrong rows")
    with pytest.raises(SystemExit) as ended:
        main([*words])
    assert ended.value.code == 0
    said = "+0 −1 ~3 of 7, 1 of them moved to another day"
    assert f"will see   {said}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([*words, "--mode", "execute"])
    assert ended.value.code == 0
    assert f"readers    will see {said}" in capsys.readouterr().err
    assert of_tickets(diff(settings(), warehouse, Asked())).sentence == "+1 −0 ~3 of 6, 1 of them moved to another day"


def test_the_command_says_it_as_text_and_as_json(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["diff", "1", "2", "--json"])
    assert ended.value.code == 0
    told = json.loads(capsys.readouterr().out)
    (of_tickets,) = (each for each in told["kinds"] if each["record_kind"] == "ticket_v1")
    assert (of_tickets["added"], of_tickets["moved"], of_tickets["changed"]) == (1, 1, 2)
    assert "agent_2" not in json.dumps(told)


@pytest.mark.parametrize("asked", [Asked(99), Asked(1, 99), Asked(record_kind="tickets")])
def test_what_is_not_there_is_a_usage_error(warehouse: Warehouse, asked: Asked) -> None:
    with pytest.raises(CommandUsageError):
        diff(settings(), warehouse, asked)


def test_no_record_is_looked_up_by_itself(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a diff of 100,000 changed records that asks an index 100,000 times, by any statistics of the tables."""
    plans: list[str] = []

    def explained(cursor: Any, query: str, parameters: Any) -> Any:
        plans.append("\n".join(row["QUERY PLAN"] for row in fetch_rows(cursor, f"explain {query}", parameters)))
        return fetch_rows(cursor, query, parameters)

    monkeypatch.setattr(changes, "fetch_rows", explained)
    (found,) = [each for each in diff(settings(), warehouse, Asked(1, 2)) if not each.is_empty]
    assert any(column.name == "status" and column.samples for column in found.columns)
    compared = [plan for plan in plans if "ticket_fact" in plan]
    assert ["Full Join" in plan for plan in compared] == [True, True], compared


def test_what_readers_may_not_see_is_nowhere_in_it(warehouse: Warehouse, tmp_path: Path) -> None:
    """A value that the declaration does not let be shown stands in no answer."""
    text = str([diff(settings(), warehouse, asked) for asked in (Asked(), Asked(1, 2), Asked(2, 1))])
    assert "agent_" not in text and "customer_" not in text
