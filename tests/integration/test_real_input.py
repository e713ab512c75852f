"""A real incident log (CC BY 4.0) that lies beside the repository: 134 daily exports, 5,998 events, 890 incidents."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from loader.manifest.build import BatchTerms, build_manifest
from loader.manifest.files import write_manifest
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import fates, rows, run, settings, silver

EXPORTS = ROOT.parent / "shared" / "data" / "servicenow_incidents" / "exports"
DAYS = (date(2016, 2, 29), date(2016, 3, 1), date(2016, 3, 2))
TERMS = BatchTerms(owner="uci", license="CC-BY-4.0", pii_scan_status="clean")

pytestmark = [
    pytest.mark.usefixtures("loader_environment"),
    pytest.mark.skipif(not EXPORTS.is_dir(), reason="the incident log does not lie beside this checkout"),
]


def _manifest(folder: Path, out: Path) -> Path:
    built = build_manifest(folder, out, project_root=settings().project_root, terms=TERMS, allowed_roots=(EXPORTS,))
    write_manifest(built.manifest)
    return out


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOADER_ALLOWED_ROOTS", f"{EXPORTS}:{tmp_path}")


@pytest.mark.usefixtures("allowed")
@pytest.mark.long
def test_three_days_give_every_incident_at_its_last_event(tmp_path: Path, database: Warehouse) -> None:
    """The figures of the source: 890 rows, all closed, 5,998 lines explained, 5 warnings; days in reverse order."""
    manifest = _manifest(EXPORTS, tmp_path / "incidents.json")
    for day in reversed(DAYS):
        verdict = run(manifest, partition=day)
        assert verdict.exit_code == 0, verdict.problems
        assert (verdict.facts.drifts, verdict.downstream_decision) == ((), "proceed")
    assert fates(verdict) == {"landed": 5998}
    assert verdict.facts.warnings == {"updated_before_created": 5}
    assert Counter(row["status"] for row in silver(database)) == {"closed": 890}
    totals = "select sum(line_count), sum(unexplained_count), bool_and(is_complete) from reconcile.reconcile_partition"
    assert rows(database, totals) == [(5998, 0, True)]
    newest = rows(
        database,
        "select count(*) from silver.ticket_fact as ticket where exists (select from bronze.raw_ticket_event as event"
        " where event.record_key = ticket.ticket_id and event.updated_at > ticket.updated_at)",
    )
    assert newest == [(0,)]


@pytest.mark.usefixtures("allowed")
@pytest.mark.long
def test_the_order_of_files_does_not_matter(tmp_path: Path, database: Warehouse) -> None:
    """473 pairs of events share an update minute: only upstream's order may decide, never the order of arrival.

    The files arrive in three shuffled deliveries with a manifest each; one manifest of everything is the yardstick.
    """
    files = sorted(EXPORTS.glob("*.gz"))
    random.Random(20160229).shuffle(files)
    for number in range(3):
        folder = tmp_path / f"delivery-{number}"
        folder.mkdir()
        for path in files[number::3]:
            (folder / path.name).write_bytes(path.read_bytes())
        verdict = run(_manifest(folder, tmp_path / f"delivery-{number}.json"))
        assert verdict.exit_code == 0, verdict.problems
    shuffled = silver(database)
    assert len(shuffled) == 890
    whole = run(_manifest(EXPORTS, tmp_path / "all.json"))
    assert (whole.exit_code, whole.facts.inserted) == (0, 0)
    assert silver(database) == shuffled
    expected = _last_events(files)
    assert {row["ticket_id"]: row["updated_at"][:16] for row in shuffled} == expected


def _last_events(files: list[Path]) -> dict[str, str]:
    """Per ticket the update minute of its last line in upstream's order, read by plain Python."""
    import gzip
    import json

    newest: dict[str, tuple[str, str, int]] = {}
    for path in files:
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines(), start=1):
            record = json.loads(line)
            key = (record["updated_at"], path.name, number)
            newest[record["ticket_id"]] = max(newest.get(record["ticket_id"], key), key)
    return {ticket: key[0][:16] for ticket, key in newest.items()}


@pytest.mark.long
@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("order", ["by date", "reversed", "shuffled"])
def test_one_daily_export_at_a_time(order: str, tmp_path: Path, database: Warehouse) -> None:
    """134 deliveries, each with a manifest of its own: whatever the order, Silver is that of plain Python."""
    files = sorted(EXPORTS.glob("*.gz"))
    if order == "reversed":
        files.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(files)
    for path in files:
        folder = tmp_path / path.name.split(".")[0]
        folder.mkdir()
        (folder / path.name).write_bytes(path.read_bytes())
        verdict = run(_manifest(folder, tmp_path / f"{folder.name}.json"))
        assert verdict.exit_code == 0, (path.name, verdict.problems)
    found = silver(database)
    assert {row["ticket_id"]: row["updated_at"][:16] for row in found} == _last_events(files)
    assert sum(row["version_count"] for row in found) == 5998
    totals = "select sum(line_count), sum(unexplained_count), bool_and(is_complete) from reconcile.reconcile_partition"
    assert rows(database, totals) == [(5998, 0, True)]
