"""A site of years: how large it is, how soon a page of it is there, and what one more run costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from loader.site import write_model
from tests.site_values import details, model

ALL_KINDS = (
    "ticket_v1", "ticket_comment_v1", "call_v1", "document_v1", "image_v1", "ocr_text_v1", "transcript_line_v1",
    "video_v1",
)  # fmt: skip
MEGABYTE = 1_000_000


def test_a_thousand_days_of_all_kinds_and_five_thousand_runs(browser: Any, tmp_path: Path) -> None:
    """Prevents a site that nobody can copy, a calendar that loads for seconds, and a run that waits for its pages."""
    write_model(tmp_path, model(1000, 5000, kinds=ALL_KINDS), details)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) <= 6_000
    assert sum(path.stat().st_size for path in files) <= 80 * MEGABYTE
    assert (tmp_path / "index.html").stat().st_size <= 2 * MEGABYTE

    page = browser.new_page()
    for name in ("index", "runs", "runs/0500", "days/2027-02-05", "trends", "state", "manifests", "lineage"):
        # The machine is shared: the best of three.
        assert min(_seconds(page, tmp_path / f"{name}.html") for _ in range(3)) < 1, name
    page.close()

    later = model(1000, 5001, kinds=ALL_KINDS)
    began = time.process_time()
    made = write_model(tmp_path, later, details)
    assert made.written_count < 10
    assert time.process_time() - began < 5


def _seconds(page: Any, path: Path) -> float:
    """From the click until a page is there with everything that its script does."""
    page.goto(path.as_uri())
    return float(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"))
