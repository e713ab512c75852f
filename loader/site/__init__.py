"""The site: pages that say what the warehouse says, for whoever looks before they read. They need no server."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from loader.config import Settings
from loader.kinds import load_kinds
from loader.site.days import day_pages
from loader.site.drawing import single_page
from loader.site.ledger import Details, read_details, read_ledger
from loader.site.lineage import lineage_page
from loader.site.overviews import index_page, manifests_page, runs_page, state_page
from loader.site.pages import Model, Page
from loader.site.run_pages import run_pages
from loader.site.squares import squares_of
from loader.site.timeline import runs_of
from loader.site.trends import charts, state_series, trends_page
from loader.site.writing import Made, ReadDetails, exists, write_site
from loader.status import Status
from loader.verify import last_verified
from loader.warehouse import Warehouse

__all__ = ["Made", "Model", "alone", "is_made", "make_site", "single_page", "write_model"]


def site_folder(settings: Settings) -> Path:
    return settings.report_dir / "site"


def is_made(settings: Settings) -> bool:
    """Whether there is a site that a run keeps up to date."""
    return exists(site_folder(settings))


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """For the block, no other command makes this site: the later one reads later, and writes last."""
    folder = site_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_site(settings: Settings, warehouse: Warehouse, status: Status, sentence: str, said: Sequence[str]) -> Made:
    """Write the pages whose inputs changed. `sentence`, `said`: what `make status` says first of the same status.

    Reads as omni_auditor, and what dbt counts as its own role does; changes nothing but the site's files. Raises
    InfrastructureError where a role is not let in, or the disk fails.
    """
    folder = site_folder(settings)

    def link(report_path: str) -> str:
        return Path(os.path.relpath(settings.project_root / report_path, folder)).as_posix()

    model = Model(
        status=status,
        sentence=sentence,
        said=said,
        ledger=read_ledger(warehouse),
        kinds=load_kinds(settings.project_root / "contracts"),
        made_at=datetime.now(UTC),
        link=link,
        verified=last_verified(settings.report_dir),
    )

    def read(pages: Sequence[Page]) -> Details:
        days = {day for page in pages for day in page.days}
        run_ids = {run_id for page in pages for run_id in page.run_ids}
        return read_details(warehouse, days, run_ids, {number for page in pages for number in page.evidence_ids})

    return write_model(folder, model, read)


def write_model(folder: Path, model: Model, read: ReadDetails) -> Made:
    """The pages of a model, as files below `folder`."""
    late = {(row["record_kind"], row["partition_key"]): row.get("late_count") or 0 for row in model.status.partitions}
    squares = squares_of(model.status.days, model.status.drift, late)
    runs = runs_of(model.ledger.runs)
    kinds = sorted({kind for kind, _ in squares} | set(model.status.kinds))
    drawn = charts(model)
    pages = [
        index_page(model, squares, runs, kinds),
        runs_page(model, runs),
        manifests_page(model, runs),
        state_page(model, runs),
        trends_page(model, drawn),
        lineage_page(model, kinds),
        *day_pages(model, squares, runs),
        *run_pages(model, runs),
    ]
    scripts = {"trends.js": {"charts": drawn}, "state.js": {"charts": [state_series(model)]}}
    return write_site(folder, pages, scripts, model.made_at.isoformat(), read)
