"""A database that was put back to an earlier state: its reports know more, nothing of them is replaced."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from loader.advice import Asked, Diagnosis, diagnose
from loader.cli.look_commands import status
from loader.recovery.world import looking_at
from loader.release.by_hand import hold
from loader.warehouse import Warehouse, open_warehouse
from tests.ingests import DAY, declare, evidence_faults, rows, run, settings, silver, ticket, write_export
from tests.recoveries import latest_run
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

QUESTION = "records lost?"
NEXT_DAY = date(2026, 4, 18)


@pytest.fixture(scope="module")
def backed_up(
    server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kept, Path]]:
    """A backup of a warehouse that holds a day; and the files of a second day and a third."""
    root = tmp_path_factory.mktemp("restored")
    with own_warehouse(server, _template, root) as database:
        for place, day in enumerate((DAY, NEXT_DAY, date(2026, 4, 19))):
            created = ticket(place, ticket_id=f"TKT-{day:%Y%m%d}-000001", created_at=f"{day}T08:00:00Z")
            write_export(root / str(place) / f"tickets-{day}.jsonl", [created])
            declare(root / str(place), f"m{place}")
        assert run(root / "m0.json").exit_code == 0
        with kept(server, database) as whole:
            yield whole, root


def look() -> Diagnosis:
    with looking_at(settings(), open_warehouse(settings())) as world:
        return diagnose(Asked(world, is_folder_searched=False))


def told(found: Diagnosis) -> tuple[str, bool]:
    (step,) = [step for step in found.steps if step.question == QUESTION]
    return step.answer, step.is_in_order


def files() -> dict[Path, bytes]:
    folder = settings().report_dir
    found = [*folder.glob("run_evidence/*/*"), *folder.glob("release/*"), *folder.glob("replay/*")]
    return {path: path.read_bytes() for path in found}


def make(command: str) -> None:
    """What `make ingest …` as it was proposed does, in this process."""
    asked = dict(word.split("=") for word in shlex.split(command.split("   # ")[0])[2:])
    manifests = [Path(path) for path in asked["MANIFEST"].split(",")]
    assert run(*manifests, partition=date.fromisoformat(asked["PARTITION"]) if "PARTITION" in asked else None)


def test_a_restored_database_replaces_nothing_and_is_told_what_it_lost(backed_up: tuple[Kept, Path]) -> None:
    """Prevents that the record of what readers saw is gone, and that nobody notices that the database forgot days."""
    whole, root = backed_up
    database = whole.fresh()
    assert told(look()) == ("none that the reports know of", True)
    assert run(root / "m1.json", partition=NEXT_DAY).release.data_release_id == 2
    hold(settings(), [DAY], "under review")
    lost, content, before = latest_run(database), silver(database), files()

    whole.fresh(restored=True)
    found = look()
    answer, is_in_order = told(found)
    assert not is_in_order and found.steps[0].question == QUESTION
    assert "the reports are ahead of the warehouse, which was restored to a state from before 20" in answer
    for words in (
        f"1 run ({lost}, of {NEXT_DAY})",
        "1 release (publish 2)",
        "1 other act (hold of 2026-04-17)",
    ):
        assert words in answer
    shown = CliRunner().invoke(status, [], standalone_mode=False)
    assert "\nnote: the reports are ahead of the warehouse" in shown.output
    # Why, where it does not fit beside it, stands in the line before.
    assert shown.output.splitlines()[-1] == f"next: {found.next_command.split('   # ')[0]}"

    # What was decided comes back first: no run moves the day before.
    assert found.next_command.startswith("make hold PARTITION=2026-04-17 REASON='under review'")
    hold(settings(), [DAY], "under review")
    assert rows(database, "select count(*) from ops.timeline") == [(2,)]

    # Somebody goes on without having looked: release 2 is given again, to another day.
    assert run(root / "m2.json").release.data_release_id == 2
    assert {path: held for path, held in files().items() if path in before} == before
    assert len([path for path in files() if path.name.startswith("release_000002_")]) == 2
    assert evidence_faults(database) == []

    found = look()
    assert not told(found)[1]
    assert (
        found.next_command
        == f"make ingest PARTITION={NEXT_DAY} MANIFEST={root / 'm1.json'}   # reads again what is lost"
    )
    make(found.next_command)
    answer, is_in_order = told(look())
    assert is_in_order and answer.startswith("the warehouse was restored to a state from before 20")
    assert answer.endswith("whatever lost runs had read is in again")
    assert [row for row in silver(database) if not row["ticket_id"].startswith("TKT-20260419")] == content
    assert {path: held for path, held in files().items() if path in before} == before
    assert evidence_faults(database) == []


@pytest.mark.long
def test_what_is_lost_comes_back_from_the_raw_zone_alone(backed_up: tuple[Kept, Path], tmp_path: Path) -> None:
    """Prevents advice that names a manifest or a file that is not there any more."""
    whole, root = backed_up
    database = whole.fresh()
    shutil.copytree(root / "2", tmp_path / "2")
    assert run(declare(tmp_path / "2", "gone"), partition=date(2026, 4, 19)).exit_code == 0
    content = silver(database)
    whole.fresh(restored=True)
    shutil.rmtree(tmp_path / "2")
    command = look().next_command
    assert command.startswith("mkdir -p ") and command.endswith("   # the file is gone; then make diagnose")
    subprocess.run(command, shell=True, check=True, cwd=settings().project_root)
    assert look().next_command.startswith(f"make ingest PARTITION=2026-04-19 MANIFEST={tmp_path / 'gone.json'}")
    shutil.rmtree(tmp_path / "2")
    (tmp_path / "gone.json").unlink()
    command = look().next_command
    assert command.startswith("make ingest INPUT=") and command.endswith("# from the raw zone: its manifest is gone")
    asked = dict(word.split("=") for word in shlex.split(command.split("   # ")[0])[2:])
    assert run(input_path=settings().project_root / asked["INPUT"], batch_id=asked["BATCH"]).exit_code == 0
    assert (told(look())[1], silver(database)) == (True, content)


def test_a_folder_of_two_warehouses_is_told_as_such(backed_up: tuple[Kept, Path]) -> None:
    """Prevents that another warehouse's records pass for lost ones, or for inventions."""
    whole, _ = backed_up
    database = whole.fresh()
    hold(settings(), [DAY], "under review")
    ((warehouse_id,),) = rows(database, "select timeline_id from ops.timeline")
    journal = settings().report_dir / "chain" / f"{warehouse_id}.jsonl"
    other = "0b0f6f4e-0000-4000-8000-000000000000"
    record = settings().report_dir / "run_evidence" / "_run" / "01a20487-27bf-7d6f-88b2-ba02718ad2c7.1.json"
    line = {
        "timeline_id": other,
        "evidence_id": 1,
        "content_sha256": "0" * 64,
        "report_path": settings().named(record),
        "run": {"run_id": "01a20487-27bf-7d6f-88b2-ba02718ad2c7", "attempt": 1},
    }
    before = evidence_faults(database)
    journal.with_name(f"{other}.jsonl").write_text(json.dumps(line) + "\n")
    for folder in ("_run", "2026-04-17"):
        path = record.parent.with_name(folder) / record.name
        path.write_text("{}")
    answer, is_in_order = told(look())
    assert (answer, is_in_order) == (f"the report folder also holds 1 record of another warehouse, {other}", True)
    assert evidence_faults(database) == before
    journal.unlink()
    assert told(look())[0].startswith("the report folder holds nothing of this warehouse, and 1 record of another")
    for folder in ("_run", "2026-04-17"):
        (record.parent.with_name(folder) / record.name).unlink()
