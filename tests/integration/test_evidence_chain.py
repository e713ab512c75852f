"""The chain of evidence finds whatever was edited, removed, put elsewhere or invented."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest

from loader.evidence import Evidence
from loader.evidence.chain import Fault, verify_evidence
from loader.warehouse import Warehouse
from tests.ingests import declare, rows, run, settings, ticket, write_export
from tests.shared_warehouse import Kept, fresh_database, kept, loader_variables

BEHIND = "set session_replication_role = replica; "
DAY = "2026-04-17"


@pytest.fixture(scope="module")
def ingested(
    server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kept, dict[Path, bytes]]]:
    """Two runs, and the files that they left."""
    root = tmp_path_factory.mktemp("ingested")
    with fresh_database(server, _template) as database, pytest.MonkeyPatch.context() as patch:
        for name, value in loader_variables(database, root).items():
            patch.setenv(name, value)
        for name, number in (("first", 1), ("second", 2)):
            write_export(root / name / f"tickets-{DAY}.jsonl", [ticket(number)])
            assert run(declare(root / name, name)).exit_code == 0
        files = {path: path.read_bytes() for path in settings().report_dir.rglob("run_evidence/*/*.json")}
        with kept(server, database) as whole:
            yield whole, files


@pytest.fixture
def database(ingested: tuple[Kept, dict[Path, bytes]]) -> Warehouse:
    """As it was after the two runs, the files too."""
    whole, files = ingested
    for path in settings().report_dir.rglob("run_evidence/*/*.json"):
        path.unlink()
    for path, content in files.items():
        path.write_bytes(content)
    return whole.fresh()


def faults(database: Warehouse) -> list[Fault]:
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        return verify_evidence(cursor, settings())[1]


def test_each_record_holds_the_hash_of_the_one_before(database: Warehouse) -> None:
    assert faults(database) == []
    chain = rows(
        database, "select content, content_sha256, predecessor_sha256 from ops.run_evidence order by evidence_id"
    )
    assert len(chain) == 4
    assert [row[2] for row in chain] == [None, *(row[1] for row in chain[:-1])]
    assert [orjson.loads(bytes(row[0]))["predecessor_sha256"] for row in chain] == [row[2] for row in chain]


@pytest.mark.parametrize("statement", ["update ops.run_evidence set attempt = 1", "truncate ops.run_evidence"])
def test_the_table_takes_no_change(database: Warehouse, statement: str) -> None:
    with pytest.raises(psycopg2.errors.RaiseException, match="evidence is added, never changed"):
        rows(database, statement)


SAID = "convert_to(replace(convert_from(content, 'UTF8'), 'success', 'warning'), 'UTF8')"
DAMAGES = {
    "edited": (
        f"update ops.run_evidence set content = {SAID} where evidence_id = 2",
        "edited: its content is not that of its SHA-256",
    ),
    "edited with its hash": (
        (
            f"update ops.run_evidence set content = {SAID}, content_sha256 = encode(sha256({SAID}), 'hex')"
            " where evidence_id = 2"
        ),
        "its predecessor was removed, edited or put elsewhere",
    ),
    "removed": (
        "delete from ops.run_evidence where evidence_id = 3",
        "its predecessor was removed, edited or put elsewhere",
    ),
    "the last removed": ("delete from ops.run_evidence where evidence_id >= 3", "the record of the run was removed"),
    "changed places": (
        (
            "alter table ops.run_evidence alter evidence_id drop identity;"
            " update ops.run_evidence set evidence_id = 100 where evidence_id = 2"
        ),
        "its predecessor was removed, edited or put elsewhere",
    ),
    "the warehouse says otherwise": (
        "update silver.ticket_fact set partition_key = '2026-04-16' where ticket_id like '%1'",
        "silver_row_count: it says 2, the warehouse 1",
    ),
}


@pytest.mark.parametrize(("damage", "fault"), DAMAGES.values(), ids=DAMAGES)
def test_damage_in_the_warehouse_is_found(database: Warehouse, damage: str, fault: str) -> None:
    rows(database, BEHIND + damage)
    found = faults(database)
    assert any(each.fault.startswith(fault) for each in found), found


def test_files_are_compared_too(database: Warehouse) -> None:
    edited, gone, *_ = sorted(settings().report_dir.glob("run_evidence/*/*.json"))
    edited.write_bytes(edited.read_bytes().replace(b"success", b"warning"))
    gone.unlink()
    invented = gone.with_name("00000000-0000-7000-8000-000000000000.1.json")
    invented.write_text("{}")
    assert sorted(each.fault for each in faults(database)) == [
        "a file that no record knows",
        "its file is gone",
        "its file was edited",
    ]
    invented.unlink()


def test_a_run_that_fails_at_its_end_leaves_a_record_and_no_other_claim(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its day's file was written before the transaction that did not commit."""
    write_export(tmp_path / "third" / f"tickets-{DAY}.jsonl", [ticket(3)])
    write = Evidence.write

    def dies(*arguments: Any) -> None:
        write(*arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Evidence, "write", dies)
    with pytest.raises(OSError, match="No space"):
        run(declare(tmp_path / "third", "third"))
    assert faults(database) == []
    ((record,),) = rows(database, "select content from ops.run_evidence order by evidence_id desc limit 1")
    assert orjson.loads(bytes(record))["status"] == "failed"
