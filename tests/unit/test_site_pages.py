"""Pages of the site as files, without a browser: what they say, which are written, and what hostile words do."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser
from selectolax.lexbor import LexborNode as Node

from loader.site import Model, write_model
from loader.site.drawing import shown
from loader.site.writing import script
from tests.site_values import MADE, details, model, run_id

DAY = "days/2026-03-01.html"
RUN = "runs/0001.html"
# What somebody might put into a name, a reason or a message.
HOSTILE = (
    "<script>alert(1)</script>",
    "\"onmouseover='alert(1)",
    "</title><img src=x onerror=alert(1)>",
    "\u202eexe.lmth",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "x" * 10_000,
)


def page(folder: Path, name: str) -> HTMLParser:
    return HTMLParser((folder / name).read_text())


def text(node: HTMLParser | Node | None) -> str:
    assert node is not None
    body = node.body if isinstance(node, HTMLParser) else node
    assert body is not None
    return " ".join(body.text(separator=" ").split())


def rows(tree: HTMLParser, heading: str) -> list[list[str]]:
    """The body of the table below a heading."""
    head = tree.css_first(f'[id="{heading}"]')
    assert head is not None, heading
    table = tree.css_first(f'[aria-labelledby="{heading}"] tbody') or tree.css_first(f"#{heading} tbody")
    assert table is not None, heading
    return [[text(cell) for cell in row.css("th, td")] for row in table.css("tr")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model(tmp_path, model(days=75, runs=12), details)
    return tmp_path


def test_the_first_page_says_what_readers_may_rely_on_and_what_ends_what(folder: Path) -> None:
    """Prevents a calendar of another day or state than status knows, and a day in need that nobody is told of."""
    first = page(folder, "index.html")
    assert text(first.css_first("h1")) == "Readers may rely on all days."
    squares = {
        link.attributes["aria-label"]: (link.attributes["class"], link.attributes["href"]) for link in first.css("a.q")
    }
    assert len(squares) == 75
    assert squares["2026-03-01 released"] == ("q released", "days/2026-03-01.html#ticket_v1")
    said = {(label or "").partition(" ")[2]: label.partition(" ")[0] for label in squares if label}
    assert said == {
        "released": "2026-05-14",
        "gap": "2026-03-11",
        "absent": "2026-03-21",
        "thin": "2026-03-31",
        "held by a person": "2026-04-10",
        "waiting for a release": "2026-04-20",
        "not asked for": "2026-04-30",
        "released with late records": "2026-05-10",
    }
    needed = [[cell for place, cell in enumerate(row) if place != 3] for row in rows(first, "needs")]
    assert needed[0] == ["2026-03-11", "ticket_comment_v1", "gap", "make diagnose"]
    assert [row[2] for row in needed] == [
        "gap",
        "gap",
        "absent",
        "absent",
        "thin",
        "thin",
        *["waiting for a release"] * 2,
    ]
    assert "Made at 2026-12-01 12:00:00 UTC" in text(first.css_first("footer"))


def test_a_day_adds_up_from_declared_to_served(folder: Path) -> None:
    """Prevents a table that shows other counts than reconcile has, or a bar that is not as long as its count."""
    day = page(folder, DAY)
    steps = [row[:2] for row in rows(day, "steps-ticket_v1")]
    assert steps == [
        ["lines declared", "1,600"],
        ["lines read", "1,600"],
        ["rejected", "3"],
        ["duplicates", "47"],
        ["events in Bronze", "1,550"],
        ["older versions", "1,150"],
        ["records in Silver", "406"],
        ["records served", "400"],
        ["unexplained", "0"],
    ]
    bars = [bar.attributes["width"] for bar in day.css("#ticket_v1 svg.bar rect:not(.track)")]
    assert bars[:3] == ["100", "100", "0.19"]
    assert rows(day, "acts-ticket_v1")[0] == ["2026-06-01 00:00:00", "ingest", "019d0000-0000", "ok", ""]
    assert rows(day, "rejects-ticket_v1") == [
        ["wrong_type", "3", "1", " ".join(f"{place}-tickets.jsonl line 7: $.x: expected string" for place in range(3))]
    ]
    assert rows(day, "versions-ticket_v1") == [["1", "400", "1000000000000000001", "what readers see"]]


def test_a_day_in_need_names_its_obstacles_and_what_ends_each(tmp_path: Path) -> None:
    """Prevents an obstacle without the command that status tells for it."""
    first = {"state": "incomplete", "reason": "2 files are missing", "codes": ("asset_missing",)}
    finding = {"table_name": "silver.ticket_fact", "check_name": "missing_row", "record_kind": "ticket_v1"}
    found = {**finding, "partition_key": "2026-03-01", "source_id": None, "finding_count": 1, "detail": "TKT-1"}
    write_model(tmp_path, model(first=first, findings=[found]), details)
    day = page(tmp_path, DAY)
    assert rows(day, "obstacles-ticket_v1") == [["asset_missing", "2 files are missing", "make diagnose"]]
    assert rows(day, "findings-ticket_v1") == [["silver.ticket_fact", "missing_row", "1", "TKT-1"]]
    assert text(day.css_first("#ticket_v1 p")) == "Readers may not rely on it as it stands. 2 files are missing."


def test_a_run_shows_its_stages_loads_and_what_it_moved(folder: Path) -> None:
    """Prevents a run under another's name, and stages that do not follow each other."""
    section = page(folder, RUN).css_first(f'[id="{run_id(0)}"]')
    assert section is not None
    told = text(section)
    assert "Ingest of ticket_v1, 2026-03-01 ok" in told
    assert "gated 2026-06-01 00:00:02 2.00 archived 2026-06-01 00:00:04 2.00" in told
    stages = section.css("svg.stage rect:not(.track)")
    assert [bar.attributes["x"] for bar in stages] == ["0", "16.67", "33.33", "50", "66.67", "83.33"]
    assert "Release 1 (publish) moved from nothing to 1: 2026-03-01" in told
    assert [link.attributes["href"] for link in section.css("a")] == [
        "../days/2026-03-01.html#ticket_v1",
        f"../../run_evidence/2026-03-01/{run_id(0)}.1.json",
        f"../../run_evidence/_run/{run_id(0)}.1.json",
    ]


def test_the_nodes_that_take_longest_are_told_beside_the_lines(folder: Path) -> None:
    """Prevents seconds of another node, and a point that lies where no run was."""
    trends = page(folder, "trends.html")
    told = rows(trends, "nodes")
    assert (len(told), told[0][:4]) == (20, ["model_24", "6.00", "6.00", "6.00"])
    # Twelve runs of as many lines each.
    assert next(dots.attributes["d"] for dots in trends.css("svg.dots path")) == "M236 4h0" * 12


def test_every_link_and_asset_of_every_page_is_there(folder: Path) -> None:
    """Prevents a square, a run or a style that leads nowhere. Evidence lies outside the site."""
    for path in folder.rglob("*.html"):
        tree = HTMLParser(path.read_text())
        for node in tree.css("a[href], link[href], script[src]"):
            target, _, anchor = (node.attributes.get("href") or node.attributes["src"] or "").partition("#")
            goal = path if not target else path.parent / target
            if "run_evidence" in target or "dbt_docs" in target:
                continue
            assert goal.is_file(), (path, target)
            if anchor:
                assert f'id="{anchor}"' in goal.read_text(), (path, target, anchor)


def test_no_page_asks_for_anything_outside_or_runs_what_stands_in_it(folder: Path) -> None:
    """Prevents a request, an inline handler or an inline script; and a style that the policy would stop."""
    for path in folder.rglob("*.html"):
        tree = HTMLParser(path.read_text())
        policy = tree.css_first('meta[http-equiv="Content-Security-Policy"]')
        assert policy is not None and (policy.attributes["content"] or "").startswith("default-src 'none'")
        for node in tree.css("*"):
            assert not [name for name in node.attributes if name.startswith("on") or name == "style"], path
            for name in ("href", "src"):
                assert not re.match(r"(?i)\s*(https?:|//|javascript:|data:)", node.attributes.get(name) or ""), path
        assert [each for each in tree.css("script") if "src" not in each.attributes] == []


@pytest.mark.parametrize("words", HOSTILE, ids=["script", "attribute", "title", "bidi", "template", "link", "long"])
def test_hostile_words_are_text_wherever_they_stand(tmp_path: Path, words: str) -> None:
    """Prevents a file's name, a reason, a failure or a message that a browser obeys, or that fills a page."""
    first = {"state": "kept back", "reason": words, "codes": ("waiting",)}
    absent = [{"manifest_id": words, "source_id": words, "disposition": "missing", "reason_codes": [words]}]
    finding = {"table_name": words, "check_name": words, "record_kind": None, "partition_key": "2026-03-01"}
    hostile = model(
        first=first,
        said=[words],
        sentence=words,
        next_command=words,
        absent_assets=absent,
        findings=[{**finding, "source_id": words, "finding_count": 1, "detail": words}],
        run={"failure": words, "batch_id": words, "manifest_ids": [words], "trace_id": words, "loader_version": words},
    )
    write_model(tmp_path, hostile, lambda pages: details(pages, file=words, message=words))
    plain = model(first={**first, "reason": "a"}, said=["a"], absent_assets=[{**absent[0], "reason_codes": []}])
    write_model(tmp_path / "plain", plain, details)
    seen = shown(words)
    for path in [*tmp_path.glob("*.html"), tmp_path / DAY, tmp_path / RUN]:
        tree = HTMLParser(path.read_text())
        assert tree.css("img, iframe, object, embed, base, style, math") == [], path
        assert len(tree.css("script")) == len(page(tmp_path / "plain", str(path.relative_to(tmp_path))).css("script"))
        assert "\u202e" not in path.read_text()
        assert "x" * 500 not in path.read_text()
    assert " ".join(seen.split()) in text(page(tmp_path, "index.html").css_first("h1"))
    assert " ".join(seen.split()) in text(page(tmp_path, DAY))
    assert " ".join(seen.split()) in text(page(tmp_path, RUN))


def test_values_of_a_script_end_no_script() -> None:
    """Prevents a name in the values of a chart that begins another script."""
    assert script({"name": "</script><script>"}) == b'window.told = {"name":"\\u003c/script>\\u003cscript>"};\n'


def changed(folder: Path, before: dict[str, float]) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*.html")
        if before.get(str(path)) != path.stat().st_mtime_ns
    }


def test_only_pages_whose_inputs_changed_are_written(tmp_path: Path) -> None:
    """Prevents a site that is written whole after each run, and a page that keeps what is not so any more."""
    write_model(tmp_path, model(days=40, runs=25), details)
    before = _stamp(tmp_path)
    later = model(days=40, runs=25, made_at=MADE + timedelta(hours=1))
    made = write_model(tmp_path, later, details)
    assert (changed(tmp_path, before), made.written_count) == ({"index.html"}, 1)

    before = _stamp(tmp_path)
    write_model(tmp_path, model(days=40, runs=26, made_at=later.made_at), details)
    assert changed(tmp_path, before) == {
        "index.html", "runs.html", "state.html", "trends.html", "lineage.html",
        "days/2026-03-26.html", "runs/0003.html",
    }  # fmt: skip

    write_model(tmp_path, model(days=39, runs=9, made_at=later.made_at), details)
    assert not (tmp_path / "days/2026-04-09.html").exists()
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["0001.html"]


def test_a_page_that_somebody_removed_comes_back(tmp_path: Path) -> None:
    """Prevents a link to nothing for as long as the day does not change."""
    write_model(tmp_path, model(), details)
    (tmp_path / DAY).unlink()
    write_model(tmp_path, model(), details)
    assert (tmp_path / DAY).is_file()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"../../outside.html": "x", "/etc/x.html": "x", "a.html": 3}'])
def test_a_list_of_pages_that_is_none_removes_nothing(tmp_path: Path, content: bytes) -> None:
    """Prevents a list that somebody edited from naming files elsewhere: what it names and the model does not, goes."""
    site = tmp_path / "a" / "site"
    outside = tmp_path / "outside.html"
    outside.write_text("mine")
    write_model(site, model(), details)
    (site / "pages.json").write_bytes(content)
    made = write_model(site, model(), details)
    assert (made.removed_count, outside.read_text()) == (0, "mine")
    assert made.written_count == made.page_count


def _stamp(folder: Path) -> dict[str, Any]:
    """When each page was written; all of them long ago."""
    for path in folder.rglob("*.html"):
        os.utime(path, ns=(1, 1))
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*.html")}


def test_a_clock_that_went_back_makes_no_negative_stage(tmp_path: Path) -> None:
    """Prevents a picture that a browser refuses to draw."""
    at = {"gated": "2026-06-01T00:00:09+00:00", "archived": "2026-05-31T23:00:00+00:00"}
    write_model(tmp_path, model(run={"stage_ended_at": at, "finished_at": "2026-05-31T23:00:00+00:00"}), details)
    widths = [float(bar.attributes["width"] or 0) for bar in page(tmp_path, RUN).css("svg.stage rect:not(.track)")]
    assert widths and all(width >= 0 for width in widths)
    table = f"a-{run_id(0)}-1"
    assert [row[2] for row in rows(page(tmp_path, RUN), table)] == ["9.00", "0.00"]


def test_a_warehouse_without_anything_has_a_site(tmp_path: Path) -> None:
    """Prevents a command that fails on the first day."""
    empty: Model = model(days=0, runs=0)
    write_model(tmp_path, empty, details)
    assert "No day is known yet." in text(page(tmp_path, "index.html"))
