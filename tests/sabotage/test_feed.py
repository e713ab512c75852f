"""What changed for readers, as it was told: whatever was taken from it, put into it or edited is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from loader.audit import verify_evidence
from loader.warehouse import Warehouse
from tests.ingests import declare, run, settings, ticket, write_export
from tests.sabotage.case import double
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

# Past every guard, as a superuser can.
BEHIND = "set local session_replication_role = replica; "
ONE, TWO, THREE = (f"TKT-20260417-00000{number}" for number in (1, 2, 3))
# Three tickets, of which the first was updated: row 4.
ADD = "insert into release.change values (5, 2, 'ticket_v1', '{key}', '{operation}', {digest})"
AGAIN = """
insert into release.change select 5, data_release_id, record_kind, record_key, operation, row_digest
from release.change where change_number = 4
"""
UNSEEN = "followed to its end, it says of 1 record what readers do not see, e.g. {}"
UNKNOWN = "1 row with a digest that no released row of the record has"
BEFORE = "1 row that cannot follow the one before of the same record"
GAP = "1 number missing"
ORDER = "1 row out of the order of releases, or of none"


@pytest.fixture(scope="module")
def warehouse(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    folder = tmp_path_factory.mktemp("feed")
    with own_warehouse(server, _template, folder) as database:
        late = ticket(1, status="closed", updated_at="2026-04-18T08:00:00Z")
        for name, records in (("first", [ticket(number) for number in (1, 2, 3)]), ("second", [late])):
            write_export(folder / name / "tickets-2026-04-17.jsonl", records)
            assert run(declare(folder / name, name)).exit_code == 0
        yield database


def faults(warehouse: Warehouse, *statements: str) -> list[tuple[str, str]]:
    """What `verify --evidence` finds after these statements, which are taken back."""
    with closing(warehouse.connect(application_name="sabotage")) as session, session.cursor() as cursor:
        for statement in statements:
            cursor.execute(BEHIND + statement)
        found = verify_evidence(cursor, settings())[1]
        session.rollback()
    return [(fault.report_path, fault.fault) for fault in found]


def test_what_nobody_touched_has_no_fault(warehouse: Warehouse) -> None:
    assert faults(warehouse) == []


@pytest.mark.parametrize(
    ("statements", "of_all", "of_tickets"),
    [
        (("delete from release.change where change_number = 4",), [], [UNSEEN.format(ONE)]),
        (("delete from release.change where change_number = 2",), [GAP], [UNSEEN.format(TWO)]),
        # Who reads to the end holds what readers see all the same.
        (("delete from release.change where change_number = 1",), [GAP], [BEFORE]),
        (("truncate release.change",), [], [UNSEEN.format(ONE).replace("1 record", "3 records")]),
        (("update release.change set row_digest = 7 where change_number = 4",), [], [UNSEEN.format(ONE), UNKNOWN]),
        (("update release.change set row_digest = 7 where change_number = 1",), [], [UNKNOWN]),
        (
            ("update release.change set record_key = 'other' where change_number = 3",),
            [],
            [UNSEEN.format(THREE).replace("1 record", "2 records"), UNKNOWN],
        ),
        (("update release.change set operation = 'insert' where change_number = 4",), [], [BEFORE]),
        (("update release.change set data_release_id = 9 where change_number = 4",), [ORDER], []),
        (("update release.change set data_release_id = 2 where change_number = 2",), [ORDER], []),
        ((ADD.format(key="other", operation="insert", digest=7),), [], [UNSEEN.format("other"), UNKNOWN]),
        ((ADD.format(key=TWO, operation="delete", digest="null"),), [], [UNSEEN.format(TWO)]),
        (
            ("insert into release.change values (5, null, 'ticket_v1', '" + TWO + "', 'erased', null)",),
            [],
            [UNSEEN.format(TWO)],
        ),
        (
            (AGAIN,),
            [],
            [BEFORE],
        ),
        (double("release.change", "change_number = 4"), ["1 number there twice"], [BEFORE]),
    ],
)
def test_damage_is_found(
    warehouse: Warehouse, statements: tuple[str, ...], of_all: list[str], of_tickets: list[str]
) -> None:
    """Prevents an index or a copy that was led astray, and of which everybody believes that it is what readers see."""
    assert faults(warehouse, *statements) == [
        *(("release.change", fault) for fault in of_all),
        *(("release.change ticket_v1", fault) for fault in of_tickets),
    ]


def test_a_row_that_readers_were_given_without_a_word_is_found(warehouse: Warehouse) -> None:
    """Prevents a pointer that somebody moved by hand, and of which no follower learns."""
    found = faults(
        warehouse, "update release.partition_pointer set data_release_id = 1 where record_kind = 'ticket_v1'"
    )
    assert ("release.change ticket_v1", UNSEEN.format(ONE)) in found
