"""Good tickets whose texts are somebody else's commands: every byte arrives, and nothing is carried out on the way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import forked
from tests.ingests import declare, rows, run, summary, ticket, write_export

# To: COPY's text and CSV forms, SQL, Jinja and dbt, format strings, shells, terminals, rich, Markdown, HTML.
TEXTS = (
    "\\N", "\\.", "\n\\.\n", "a\n\\.\nb", "", '"', "''", "a\r\nb", "a\tb", "NULL", "{}", "{NULL,x}", '{"a":1}',
    "'; drop table bronze.raw_ticket_event; --", "$$; drop schema silver cascade; $$", "x' || pg_sleep(9) || '",
    "{{ run_query('drop schema silver') }}", "{% raw %}", "{# x #}", "%s %(a)s {0} {a}", "$(touch x)", "`touch x`",
    "\x1b[2J\x1b]0;t\x07", "\u009b2J", "\u202eabc", "\u2028", "\r", "\x7f", "[/red]", "[link=http://x]y[/link]",
    "| a | `b`", "<script>alert(1)</script>", "[a](javascript:b)", "../../../etc/passwd", "/etc/passwd",
    "é\u0301", "\ufffe",
)  # fmt: skip


@pytest.mark.parametrize("load_format", ["parquet", pytest.param("csv", marks=pytest.mark.long)])
def test_texts_arrive_as_they_are_and_are_only_shown(
    load_format: str, database: Warehouse, loader_environment: dict[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Prevents a value that ends a COPY, a statement or a template, or that an operator's terminal obeys."""
    monkeypatch.setenv("LOADER_LOAD_FORMAT", load_format)
    tickets = [ticket(number, customer_id=text, owner=text, subject=text, ingest_batch_id=text, tags=[text, text])
               for number, text in enumerate(TEXTS, start=1)]  # fmt: skip
    tickets += [ticket(number, source_id=text) for number, text in enumerate(TEXTS, start=500)]
    write_export(tmp_path / "exports" / "tickets-2026-04-17.jsonl", tickets)
    verdict = run(declare(tmp_path / "exports"))
    assert (verdict.problems, summary(verdict)["inserted"], verdict.exit_code) == ((), len(tickets), 0)

    columns = "record_key, record_source, person_id, envelope::jsonb, raw_payload"
    bronze = rows(database, f"select {columns} from bronze.raw_ticket_event order by 1")
    assert [(*rest, json.loads(payload) | envelope) for *rest, envelope, payload in bronze] == [
        (each["ticket_id"], each["source_id"], each["customer_id"], each) for each in tickets
    ]
    for schema in ("silver", "serving"):
        statement = f"select ticket_id, record_source, customer_id, owner, tags from {schema}.ticket_fact order by 1"
        assert rows(database, statement) == [
            (each["ticket_id"], each["source_id"], each["customer_id"], each["owner"], each.get("tags"))
            for each in tickets
        ]
    customers = {each["customer_id"] for each in tickets}
    assert {name for (name,) in rows(database, "select customer_id from silver.customer_dim")} == customers

    for command in (["state"], ["state", "--json"], ["status"], ["completeness"], ["diagnose"]):
        done = forked(command, loader_environment, ROOT)
        text = done.out + done.err
        assert done.code in (0, 1), text
        assert "Traceback" not in text
        # Every character prints, and a value adds no line.
        assert text.replace("\n", "").isprintable(), (command, text)
        if command == ["state"]:
            instant = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
            cursors = [line for line in text.splitlines() if re.fullmatch(rf"  cursor {{7}}{instant}", line)]
            assert len(cursors) == len({each["source_id"] for each in tickets})
    report = (tmp_path / "reports" / "completeness" / "all.md").read_text()
    assert report.replace("\n", "").isprintable()
