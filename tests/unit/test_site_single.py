"""A trace and a diff as one page each: what they say, and that they run and ask for nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from loader.cli import diff_command, trace_command
from loader.diff import Changes, ColumnChange
from loader.trace import Link, LinkName, Showing, Trace, TracedLine, Version
from loader.trace.model import File

AT = datetime(2026, 4, 17, 8, tzinfo=UTC)
HOSTILE = "</style><script>alert(1)</script>\u202e"


def traced(name: str = "tickets.jsonl", fault: str | None = None) -> Trace:
    file = File(1, "ticket_v1", name, "manifest-1", "batch-1", "ab" * 32, "ab/abab", "identity", 900, "", 1)
    line = TracedLine(file, 3, 100, 50, 1, "cd" * 32, None, "landed", "e1", date(2026, 4, 17), (1, 3), None, (), None)
    version = Version(
        event_id="e1",
        record_fingerprint="ef" * 32,
        record_source=name,
        partition_key=date(2026, 4, 17),
        created_at=AT,
        updated_at=None,
        manifest_id="manifest-1",
        batch_id="batch-1",
        run_id="019d0000-0000-7000-8000-000000000000",
        attempt=1,
        trace_id="0" * 32,
        source_fingerprint="ab" * 32,
        evidence="reports/run_evidence/_run/x.json",
        line=line,
        again=(line,),
        fate="current",
        shown=(Showing(date(2026, 4, 17), 1, AT, None),),
    )
    links = (Link(LinkName.LINE, name), Link(LinkName.SILVER, "ticket", fault), Link(LinkName.DAY, "", None, False))
    return Trace("ticket_v1", "TKT-1", (version,), "it is the only one", links, content=name.encode())


def page(path: Path) -> tuple[LexborHTMLParser, str]:
    tree = LexborHTMLParser(path.read_text())
    assert tree.body is not None
    return tree, " ".join(tree.body.text(separator=" ").split())


def test_a_trace_is_one_page_with_every_link(tmp_path: Path) -> None:
    """Prevents a page that leaves out what the screen tells, or calls a broken link sound."""
    trace_command._write_page(str(tmp_path / "t.html"), traced(fault="it has 0 rows"), "make build")
    tree, said = page(tmp_path / "t.html")
    answer = tree.css_first("h1")
    assert answer is not None and answer.text() == (
        "TKT-1 of ticket_v1: readers see version 1 of 1, by release 1. 1 link does not hold."
    )
    assert "tickets.jsonl line 3, bytes 100 to 150" in said and "make build" in said
    assert "on 2026-04-17 by release 1, 2026-04-17 08:00:00 until now" in said
    outcomes = [cell.text() for cell in tree.css('[aria-labelledby="links"] td:last-child')]
    assert outcomes == ["✓ holds", "✕ it has 0 rows", "· left out"]


def test_a_diff_is_one_page_with_its_columns(tmp_path: Path) -> None:
    changes = Changes(
        "ticket_v1", 40, added=2, changed=3, columns=(ColumnChange("status", 3, (("open → closed", 2),)),),
        examples={"added": "TKT-9"},
    )  # fmt: skip
    diff_command._write_page(str(tmp_path / "d.html"), [changes, Changes("call_v1", 3)], is_waiting=True)
    _, said = page(tmp_path / "d.html")
    assert "What readers will see ticket_v1 +2 −0 ~3 of 40 added 2, for example TKT-9 changed 3" in said
    assert "status 3 open → closed 2 times" in said and "The same: call_v1." in said
    diff_command._write_page(str(tmp_path / "d.html"), [Changes("call_v1", 3)], is_waiting=True)
    assert "Nothing waits: readers see what is proved." in page(tmp_path / "d.html")[1]


@pytest.mark.parametrize("which", ["trace", "diff"])
def test_a_page_runs_nothing_and_brings_the_one_style_that_its_policy_lets_in(tmp_path: Path, which: str) -> None:
    """Prevents a name that ends the style and begins a script, and a style that no browser takes."""
    path = tmp_path / "page.html"
    if which == "trace":
        trace_command._write_page(str(path), traced(HOSTILE, HOSTILE), HOSTILE)
    else:
        columns = (ColumnChange(HOSTILE, 1, ((HOSTILE, 1),)),)
        changed = Changes(HOSTILE, 1, changed=1, columns=columns, examples={"changed": HOSTILE})
        diff_command._write_page(str(path), [changed], is_waiting=False)
    tree, said = page(path)
    assert tree.css("script, img, link, iframe") == []
    (style,) = re.findall(r"<style>(.*?)</style>", path.read_text(), re.DOTALL)
    pin = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = tree.css_first('meta[http-equiv="Content-Security-Policy"]')
    assert policy is not None and f"'sha256-{pin}'" in (policy.attributes["content"] or "")
    assert "</style><script>alert(1)</script>\\u202e" in said
