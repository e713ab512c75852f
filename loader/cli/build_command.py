"""`loader build` and `loader docs`: dbt in the warehouse that the loader writes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from loader.cli.options import json_option, kind_option, lock_option, settings_of
from loader.cli.output import print_json, progress, show, surface


@click.command()
@click.option("--select", default=None, help="dbt node selection, e.g. ticket_fact+.")
@click.option("--full-refresh", is_flag=True, help="Rebuild incremental models from nothing.")
@click.option("--partition", metavar="YYYY-MM-DD", help="Rebuild this day of Silver.")
@kind_option
@lock_option
@json_option
def build(
    select: str | None,
    full_refresh: bool,
    partition: str | None,
    kind: str | None,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """dbt build in the same warehouse, under the ingest lock.

    What a run proves is not replaced meanwhile. Without --select and --kind it proves all, and what waited for that is
    released. --kind: its model of Silver and what follows from it.
    """
    from loader.advice import after_build
    from loader.cli.release_screen import gate_words
    from loader.config import parse_partition
    from loader.errors import InfrastructureError
    from loader.release import publish_build
    from loader.runs import IngestLock
    from loader.screen import next_lines
    from loader.silver import project_sha256, require_whole, run_dbt
    from loader.warehouse import open_warehouse, with_full_device

    settings = settings_of(lock_timeout)
    select = selected(settings.project_root / "contracts", kind, select)
    arguments = ["build", *(["--select", *select.split()] if select else [])]
    arguments += ["--full-refresh"] if full_refresh else []
    if partition is not None:
        arguments += ["--vars", f"{{partition: {parse_partition(partition)}}}"]
    warehouse = open_warehouse(settings)
    with progress() as report, closing(IngestLock.acquire(warehouse, wait_seconds=settings.lock_timeout)) as lock:
        sha256 = project_sha256(settings.project_root)
        result = run_dbt(
            warehouse,
            settings.project_root,
            arguments,
            anchors={"writer_token": lock.token},
            is_quiet=as_json,
            report=report,
        )
        if select is None:
            require_whole(result, settings.project_root)
            published = publish_build(settings, lock, result, sha256)
            gate = (
                gate_words(surface(err=True), published) if published else "a model could not be built, nothing moved"
            )
            report(f"readers: {gate}")
    for node in result.failed:
        if with_full_device(node.reason, is_embedded=warehouse.is_embedded):
            raise InfrastructureError(f"dbt could not build {node.name}: {node.reason}", next_command="make diagnose")
    failed = [node.name for node in result.holding or result.failed]
    next_command = after_build(settings, warehouse, failed, holds_all=bool(result.holding)).line
    if as_json:
        nodes = [{"name": node.name, "status": node.status, "failures": node.failures} for node in result.nodes]
        print_json({"dbt_invocation_id": result.invocation_id, "nodes": nodes, "next_command": next_command})
    else:
        show(next_lines(surface(err=not result.is_ok), next_command), err=not result.is_ok)
    return 0 if result.is_ok else 1


def selected(contracts: Path, kind: str | None, select: str | None) -> str | None:
    """dbt's selection. Raises CommandUsageError for a kind that has no model in Silver, or where both are given."""
    from loader.errors import CommandUsageError
    from loader.kinds import load_kinds
    from loader.release import refuse_unknown_kind

    if kind is None:
        return select
    if select is not None:
        raise CommandUsageError(
            f"build: got --kind {kind} and --select {select}, expected one of them; nothing was built",
            next_command="loader build --help",
        )
    models = {each.name: each.landing.silver for each in load_kinds(contracts).values() if each.landing is not None}
    refuse_unknown_kind(sorted(models), kind)
    return f"{models[kind]}+"


@click.command()
def docs() -> int:
    """The dbt documentation as one page that needs no server."""
    import shutil

    from loader.config import load_settings
    from loader.screen import paragraph
    from loader.silver import run_dbt
    from loader.warehouse import open_warehouse

    settings = load_settings()
    with progress() as report:
        report("dbt describes its project and the warehouse, which takes about 15 s")
        run_dbt(open_warehouse(settings), settings.project_root, ["docs", "generate", "--static"], report=report)
    page = settings.report_dir / "dbt_docs" / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(settings.state_folder / "dbt" / "target" / "static_index.html", page)
    told = f"The dbt documentation is one page, for any browser: {page.resolve().as_uri()}"
    show(paragraph(surface(), told))
    return 0
