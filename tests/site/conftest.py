"""A browser, and sites of values for it to open from a disk.

The browser is the machine's: BROWSER names it, or it is Debian's chromium. Where there is none, the tests fail in CI,
and are told at the end of the run everywhere else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loader.site import write_model
from tests.site_values import details, model

PLACES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, (os.environ.get("BROWSER") or "", *PLACES))), None)
    if found is None:
        reason = "no browser on this machine: install chromium, or let BROWSER name one"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--force-color-profile=srgb"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """75 days of two kinds and 25 runs, with the evidence that they link to."""
    folder = tmp_path_factory.mktemp("reports") / "site"
    told = model(days=75, runs=25)
    write_model(folder, told, details)
    for row in told.ledger.evidence:
        path = folder.parent / row["report_path"].removeprefix("reports/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"evidence_schema_version": "run_evidence_v1"}')
    return folder


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page on which nothing goes wrong: no error, no dialog, no request that leaves the disk."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    opened.on("request", lambda asked: None if asked.url.startswith("file://") else wrong.append(asked.url))
    opened.on("requestfailed", lambda asked: wrong.append(f"failed {asked.url}"))
    yield opened
    context.close()
    assert wrong == []
