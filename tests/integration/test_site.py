"""The site of a real warehouse: what it says of a day, a run and a damage, who reads it, and what it costs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from selectolax.lexbor import LexborHTMLParser

from loader.cli import main
from loader.errors import InfrastructureError
from loader.release.by_hand import hold
from loader.warehouse import Role, Warehouse
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export
from tests.recoveries import of_day
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

SECRET = "Anna Nowhere, +49 30 1234567"
NEXT_DAY = "2026-04-18"


@pytest.fixture(scope="module")
def whole(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Two released days with rejects of a person's words."""
    folder = tmp_path_factory.mktemp("site")
    with own_warehouse(server, _template, folder, LOADER_REJECT_LIMIT="0.5") as database:
        lines = [ticket(number) for number in range(1, 6)]
        odd = [ticket(6, status=SECRET), ticket(7, customer_id=4711), {**ticket(8), SECRET: 1}]
        write_export(folder / "exports" / "tickets-2026-04-17.jsonl", [*lines, ticket(1), *odd])
        write_export(folder / "exports" / "tickets-2026-04-18.jsonl", [of_day(NEXT_DAY, 1)])
        assert run(declare(folder / "exports")).exit_code == 0
        with kept(server, database) as state:
            yield state


@pytest.fixture
def warehouse(whole: Kept) -> Iterator[Warehouse]:
    yield whole.fresh(restored=True)
    shutil.rmtree(settings().report_dir / "site", ignore_errors=True)


def typed(*words: str, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """What a command of the loader says as JSON; it has to end well."""
    with pytest.raises(SystemExit) as end:
        main([*words, "--json"])
    out = capsys.readouterr().out
    assert end.value.code == 0, out
    found: dict[str, object] = json.loads(out)
    return found


def said(name: str) -> str:
    """What a page says, in one line."""
    tree = LexborHTMLParser((settings().report_dir / "site" / name).read_text())
    assert tree.body is not None
    return " ".join(tree.body.text(separator=" ").split())


def squares() -> dict[str, str]:
    tree = LexborHTMLParser((settings().report_dir / "site" / "index.html").read_text())
    return {
        (link.attributes["aria-label"] or "")[:10]: (link.attributes["class"] or "")[2:] for link in tree.css("a.q")
    }


def test_calendar_day_run_and_evidence_follow_from_each_other(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a chain from a square to its evidence that breaks, or that says other numbers than reconcile."""
    typed("site", capsys=capsys)
    assert squares() == {"2026-04-17": "released", "2026-04-18": "released"}
    assert said("index.html").count("Readers may rely on all 2 days asked for.") == 1
    day = said("days/2026-04-17.html")
    assert "lines declared 9 lines read 9 rejected 3 duplicates 1 events in Bronze 5 records in Silver 5" in day
    assert "records served 5 unexplained 0" in day
    site = settings().report_dir / "site"
    tree = LexborHTMLParser((site / "days/2026-04-17.html").read_text())
    (evidence,) = [link for link in tree.css("a") if "run_evidence" in (link.attributes["href"] or "")]
    record = json.loads((site / "days" / (evidence.attributes["href"] or "")).resolve().read_bytes())
    assert (record["partition_key"], record["reconcile"]["silver_row_count"]) == ("2026-04-17", 5)
    page, anchor = next(
        (link.attributes["href"] or "").split("#")
        for link in tree.css("a")
        if "runs/" in (link.attributes["href"] or "")
    )
    assert anchor == record["run_id"]
    told = said(f"days/{page}")
    assert f"run {anchor}" in told and "finished" in told and "Release 1 (publish)" in told


def test_no_value_of_a_rejected_line_is_on_a_page(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents the words of a person on a page that is passed on; the place and the reason are there."""
    typed("site", capsys=capsys)
    day = said("days/2026-04-17.html")
    assert "tickets-2026-04-17.jsonl line 8: $.customer_id: expected string, got a number" in day
    assert "invalid_enum_value" in day and "unknown_field" in day
    for path in (settings().report_dir / "site").rglob("*.*"):
        assert "Nowhere" not in path.read_text(errors="replace") and "4711" not in path.read_text(errors="replace"), (
            path
        )


def test_the_site_is_read_as_the_auditor_who_may_change_nothing(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents ledgers that are read with more rights than their reader needs, and a command that writes."""
    seen = []
    connect = Warehouse.connect

    def noted(self: Warehouse, **options: object) -> object:
        seen.append((options.get("application_name"), self.role or self.user))
        return connect(self, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Warehouse, "connect", noted)
    before = rows(warehouse, "select txid_current_if_assigned()")
    typed("site", capsys=capsys)
    assert before == [(None,)]
    ours = [str(role) for name, role in seen if name == "omnisupport-site"]
    assert ours.count(Role.AUDITOR.value) == 2 and len(ours) == 4
    with (
        closing(warehouse.acting_as(Role.AUDITOR).connect()) as session,
        session.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("select message from bronze.rejected_record")


def test_a_row_deleted_from_silver_is_told_with_what_ends_it(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a page that shows a day as it was when all was well."""
    typed("site", capsys=capsys)
    rows(warehouse, "delete from silver.ticket_fact where ticket_id = 'TKT-20260417-000001' returning 1")
    made = typed("site", capsys=capsys)
    assert made["written_count"] == 2
    assert squares() == {"2026-04-17": "waiting", "2026-04-18": "released"}
    assert "Readers may rely on 1 of 2 days asked for. 1 needs you." in said("index.html")
    assert "Readers may not rely on it as it stands." in said("days/2026-04-17.html")
    assert "silver_changed" in said("days/2026-04-17.html") and "make build" in said("index.html")


def test_an_edited_view_is_told_before_everything_else(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents green squares over a view that shows readers something else."""
    typed("site", capsys=capsys)
    rows(warehouse, "grant select on serving.ticket_fact to public; select 1")
    typed("site", capsys=capsys)
    first = said("index.html")
    assert "Readers may rely on nothing: a view that they look through is not the project's." in first
    assert "make build SELECT=serving" in first
    assert set(squares().values()) == {"waiting"}


def test_a_held_day_says_who_holds_it_and_why(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    hold(settings(), [DAY], "under review by <b>Bo</b>", record_kind="ticket_v1")
    typed("site", capsys=capsys)
    assert squares()["2026-04-17"] == "held"
    assert "hold" in said("days/2026-04-17.html") and "under review by <b>Bo</b>" in said("days/2026-04-17.html")


def test_evidence_that_is_none_any_more_stops_no_page(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents a site that cannot be made for a record that somebody edited past every guard."""
    rows(
        warehouse,
        "alter table ops.run_evidence disable trigger all;"
        " update ops.run_evidence set content = convert_to(edited.content, 'UTF8')"
        " from unnest(array['{', '[]', '{\"nodes\": [{}]}']) with ordinality as edited (content, place)"
        " where edited.place = 1 + evidence_id % 3 returning 1",
    )
    typed("site", capsys=capsys)
    assert "lines declared 9" in said("days/2026-04-17.html")


def test_a_site_costs_a_second_or_two(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents a site that a run has to wait for: what this process computes, after a day was ingested."""
    typed("site", capsys=capsys)
    rows(warehouse, "update silver.ticket_fact set status = 'closed' where partition_key = '2026-04-17' returning 1")
    began = time.process_time()
    typed("site", capsys=capsys)
    assert time.process_time() - began < 2


def test_a_site_that_is_there_follows_each_command(warehouse: Warehouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents pages that stay as they were when a day was held, and a site that nobody asked for."""
    words = ("hold", "--partition", NEXT_DAY, "--kind", "ticket_v1", "--reason", "why")
    typed(*words, capsys=capsys)
    assert not (settings().report_dir / "site").exists()
    typed("release", "--partition", NEXT_DAY, "--kind", "ticket_v1", capsys=capsys)
    typed("site", capsys=capsys)
    assert squares()[NEXT_DAY] == "released"
    typed(*words, capsys=capsys)
    assert squares()[NEXT_DAY] == "held"


def test_a_flipped_byte_is_told_from_when_verify_has_found_it_until_it_has_not(
    warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a page that calls an archive sound which nobody has read, or that forgets what was found in it."""
    typed("site", capsys=capsys)
    assert "archive, read again never: make verify does, and no page" in said("index.html")
    ((run_id, key),) = rows(
        warehouse,
        "select run_id::text, raw_zone_key from ops.ingest_run cross join ops.source_asset"
        " order by size_bytes desc limit 1",
    )
    path = settings().raw_zone / key
    whole_file = path.read_bytes()
    path.chmod(0o600)
    try:
        path.write_bytes(whole_file.replace(b"northstar", b"nortbstar", 1))
        with pytest.raises(SystemExit) as end:
            main(["verify", "--run", run_id])
        assert end.value.code == 1
        capsys.readouterr()
        first, of_run = said("index.html"), said(f"runs/{sorted(p.name for p in _runs())[-1]}")
        assert f"Bronze is not what run {run_id[:13]} claims" in first
        assert "1 file not readable" in first and "Found at" in first
        assert "Verified at" in of_run and f"Bronze is not what run {run_id[:13]} claims" in of_run
    finally:
        path.write_bytes(whole_file)
        path.chmod(0o400)
    typed("verify", "--run", run_id, capsys=capsys)
    assert "is not what run" not in said("index.html")
    assert f"Bronze holds every line that run {run_id[:13]} claims: 10 lines of 2 files read again." in said(
        "index.html"
    )
    typed("verify", "--evidence", capsys=capsys)
    assert "each is as it was written, and the warehouse holds what it says" in said("index.html")


def _runs() -> list[Path]:
    return list((settings().report_dir / "site" / "runs").iterdir())


def test_a_login_that_is_no_auditor_is_told_how_it_becomes_one(warehouse: Warehouse, tmp_path: Path) -> None:
    """Prevents a given login that can do everything else and is told to look at its server."""
    passfile = tmp_path / "pgpass"
    passfile.write_text("*:*:*:site_login:a word\n")
    passfile.chmod(0o600)
    login = replace(warehouse, user="site_login", passfile=passfile)
    rows(warehouse, "create role site_login login password 'a word'; select 1")
    try:
        with pytest.raises(InfrastructureError, match="permission denied to set role") as refused:
            login.acting_as(Role.AUDITOR).connect()
        assert refused.value.next_command == (
            f"psql -d {warehouse.dbname} -c 'grant omni_auditor to \"site_login\"'   # as an administrator"
        )
        rows(warehouse, 'grant omni_auditor to "site_login"; select 1')
        login.acting_as(Role.AUDITOR).connect().close()
    finally:
        rows(warehouse, "drop role site_login; select 1")
