"""The site in a browser, from a disk: every page, by mouse, by keyboard, in the dark, on a phone, on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.site import write_model
from tests.site_values import details, model, run_id

ONE_OF_EACH = ("index", "days/2026-03-11", "runs/0001", "runs", "manifests", "state", "trends", "lineage")


def opened(page: Any, site: Path, name: str) -> Any:
    page.goto((site / f"{name}.html").as_uri())
    return page


def test_every_page_opens_from_a_disk_without_an_error_or_a_request(page: Any, site: Path) -> None:
    """Prevents a script that fails, a policy that stops a style, and an asset that is not there."""
    paths = sorted(site.rglob("*.html"))
    assert len(paths) == 6 + 75 + 3
    for path in paths:
        page.goto(path.as_uri())
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("getComputedStyle(document.body).marginTop") == "0px", path


def test_from_the_calendar_to_the_evidence_by_mouse(page: Any, site: Path) -> None:
    """Prevents a link that leads to another day, another kind or another run."""
    opened(page, site, "index").locator('a.q[aria-label="2026-03-05 released"]').last.click()
    assert page.url == (site / "days/2026-03-05.html").as_uri() + "#ticket_v1"
    page.locator("#ticket_v1 >> text=019d0004").first.click()
    assert page.url == (site / "runs/0001.html").as_uri() + f"#{run_id(4)}"
    shown = page.locator("main section:visible")
    assert [each.get_attribute("id") for each in shown.all()] == [run_id(4)]
    shown.locator("a[href*=run_evidence]", has_text="2026-03-05").click()
    assert page.url.endswith(f"run_evidence/2026-03-05/{run_id(4)}.1.json")


def press_until(page: Any, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Press a key until the focus is there, and can be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"{selector} was not reached")


def test_from_the_calendar_to_the_evidence_by_keyboard_alone(page: Any, site: Path) -> None:
    """Prevents squares that only a mouse reaches, and a calendar of 1,000 stops of the tab key."""
    opened(page, site, "index")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    press_until(page, "a.q")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "2026-03-01 released"
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "2026-03-04 released"
    page.keyboard.press("Enter")
    page.wait_for_url("**/days/2026-03-04.html#ticket_comment_v1")
    press_until(page, 'a[href*="runs/"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/*.html#*")
    press_until(page, 'a[href*="run_evidence/2026-03-04"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/run_evidence/2026-03-04/*.json")


def test_tables_are_searched_filtered_and_sorted(page: Any, site: Path) -> None:
    """Prevents a search that hides what fits, and a sort by text where numbers are meant."""
    opened(page, site, "runs")
    rows = page.locator("#runs tbody tr:visible")
    assert rows.count() == 25
    page.get_by_label("Search").fill("comment 2026-03-0")
    assert rows.count() == 0
    page.get_by_label("Search").fill("2026-03-0")
    assert (rows.count(), page.locator("output").inner_text()) == (9, "9 of 25")
    page.get_by_label("Search").fill("")
    page.get_by_role("combobox", name="End").select_option("ok")
    assert rows.count() == 25
    first = page.locator("#runs tbody tr").first.locator("th")
    assert first.inner_text() == "019d0018-0000"
    page.get_by_role("button", name="Began").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#runs tbody th').innerText === '019d0000-0000'")
    assert page.get_by_role("columnheader", name="Began").get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible_in_the_light_and_in_the_dark(page: Any, site: Path, name: str, scheme: str) -> None:
    """Prevents a contrast, a label or an order that somebody cannot read: axe finds nothing serious."""
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    opened(page, site, name)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(page, options={"preload": False})
    serious = [
        (each["id"], each["nodes"][0]["html"], each["nodes"][0]["failureSummary"])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_dark_is_dark(page: Any, site: Path) -> None:
    lightness = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        opened(page, site, "trends")
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        lightness.append(sum(int(part) for part in paper.removeprefix("rgb(").rstrip(")").split(",")))
    assert lightness[0] > 700 > 120 > lightness[1]


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_no_page_is_wider_than_the_window(page: Any, site: Path, name: str, width: int) -> None:
    """Prevents a phone that has to be pushed sideways to read a sentence; wide tables scroll by themselves."""
    page.set_viewport_size({"width": width, "height": 800})
    opened(page, site, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_everything_is_open_and_nothing_is_a_tool(page: Any, site: Path) -> None:
    """Prevents a printed day without its files, and buttons on paper."""
    opened(page, site, "days/2026-03-11")
    page.emulate_media(media="print")
    assert not page.locator("header nav").is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("text=4-tickets.jsonl").first.is_visible()


def test_without_scripts_everything_is_there_to_read(browser: Any, site: Path) -> None:
    """Prevents a page that says nothing where scripts are forbidden."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    opened(page, site, "index")
    assert page.locator("a.q:visible").count() == 150
    opened(page, site, "runs")
    assert (page.locator("tbody tr:visible").count(), page.locator("form:visible").count()) == (25, 0)
    context.close()


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</title><svg onload=alert(1)>",
        "\u202e" * 40,
        "x" * 10_000,
    ],
    ids=["script", "attribute", "title", "bidi", "long"],
)
def test_hostile_words_do_nothing(page: Any, tmp_path: Path, words: str) -> None:
    """Prevents a name that a browser obeys: no dialog, no request, no page that is pushed apart."""
    first = {"state": "kept back", "reason": words, "codes": ("waiting",)}
    run = {"failure": words, "batch_id": words, "manifest_ids": [words]}
    told = model(days=2, runs=3, first=first, said=[words], sentence=words, next_command=words, run=run)
    write_model(tmp_path, told, lambda pages: details(pages, file=words, message=words))
    page.set_viewport_size({"width": 360, "height": 800})
    for path in sorted(tmp_path.rglob("*.html")):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
