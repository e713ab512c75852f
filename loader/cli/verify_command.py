"""`loader verify`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, progress, show, surface

if TYPE_CHECKING:
    from loader.audit import Fault
    from loader.config import Settings
    from loader.raw_zone import ArchiveDamagedError
    from loader.screen import Screen
    from loader.verify import Verification
    from loader.warehouse import Warehouse


@click.command()
@click.option("--run", "run_id", metavar="RUN", help="The run whose claims are verified.")
@click.option("--evidence", "is_evidence", is_flag=True, help="The chain of evidence records, instead of a run.")
@json_option
def verify(run_id: str | None, is_evidence: bool, as_json: bool) -> int:
    """Read the raw zone again and compare Bronze with it line by line; changes nothing.

    With --evidence: no evidence was edited, removed or put elsewhere, and the warehouse holds what it says. What was
    found stands in reports/verify, for the site.
    """
    if (run_id is None) != is_evidence:
        raise click.UsageError("expected one of --run and --evidence.")
    if run_id is None:
        return _verify_evidence(as_json)
    return _verify_run(run_id, as_json)


def _verify_evidence(as_json: bool) -> int:
    from loader.advice import after_audit
    from loader.audit import faults_of_sight, verify_evidence
    from loader.config import load_settings
    from loader.release import view_faults
    from loader.screen import Screen, next_lines
    from loader.verify import keep
    from loader.warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    session = warehouse.connect(application_name="omnisupport-verify")
    session.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with closing(session):
        with session, session.cursor() as cursor:
            count, faults, strange_count = verify_evidence(cursor, settings)
        if faults:
            # Files are of now, and rows of when it began: what a command wrote meanwhile is no fault the second time.
            with session, session.cursor() as cursor:
                count, again, strange_count = verify_evidence(cursor, settings)
            faults = [fault for fault in faults if fault in again]
    faults += faults_of_sight(warehouse, view_faults(warehouse, settings.project_root))
    next_command = after_audit(settings, warehouse, has_faults=bool(faults)).line
    keep(settings.report_dir, None, not faults, _evidence_answer(Screen(), count, faults), next_command)
    if as_json:
        print_json(
            {
                "is_proved": not faults,
                "record_count": count,
                "strange_file_count": strange_count,
                "faults": [[fault.report_path, fault.fault] for fault in faults],
                "next_command": next_command,
            }
        )
        return int(bool(faults))
    show(evidence_lines(surface(), count, faults, strange_count))
    show(next_lines(surface(err=bool(faults)), next_command), err=bool(faults))
    return int(bool(faults))


def evidence_lines(screen: Screen, count: int, faults: Sequence[Fault], strange_count: int) -> list[str]:
    from loader.screen import Failure, amount, failures, paragraph

    lines = paragraph(screen, _evidence_answer(screen, count, faults))
    lines += failures(screen, [Failure("", f"{fault.fault}:", fault.report_path) for fault in faults], noun="record")
    if strange_count:
        files = amount(screen, strange_count, "file")
        lines += paragraph(
            screen, f"{files} of another warehouse, or of this one before it was restored: `make diagnose`."
        )
    return lines


def _evidence_answer(screen: Screen, count: int, faults: Sequence[Fault]) -> str:
    from loader.screen import amount

    records = f"{amount(screen, count, 'record')} of evidence"
    if faults:
        return f"{records}, {amount(screen, len(faults), 'fault')}:"
    return f"{records}: each is as it was written, and the warehouse holds what it says."


def _verify_run(run_id: str, as_json: bool) -> int:
    from loader.advice import after_verification
    from loader.config import load_settings
    from loader.kinds import load_ruleset
    from loader.progress import Meter
    from loader.raw_zone import RawZone
    from loader.recovery import archived_bytes, looking_at, run_of
    from loader.runs import whole_run_id
    from loader.screen import Screen, next_lines
    from loader.verify import keep, verify_run
    from loader.warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    with looking_at(settings, warehouse) as world:
        run_id = whole_run_id(world.cursor, run_id)
        size = archived_bytes(world, run_id)
        kind = run_of(world, run_id)["record_kind"]
    with progress() as report:
        meter = Meter(report, "verify", "bytes", size)
        found = verify_run(
            warehouse,
            RawZone(settings.raw_zone),
            load_ruleset(settings.project_root / "contracts", kind),
            run_id,
            lambda lines, content_bytes: meter.add(content_bytes, lines),
        )
    next_command = after_verification(warehouse, found).line
    lost = _lost_objects(settings, warehouse, list(found.unreadable))
    if lost is not None:
        next_command = lost.next_command
    keep(settings.report_dir, run_id, found.is_proved, _run_answer(Screen(), run_id, found), next_command)
    if as_json:
        print_json(
            {
                "run_id": run_id,
                "is_proved": found.is_proved,
                "asset_count": found.asset_count,
                "line_count": found.line_count,
                "differences": dict(found.differences),
                "shown": [[each.asset_id, each.line_number, each.difference] for each in found.shown],
                "unreadable": {str(asset_id): reason for asset_id, reason in found.unreadable.items()},
                "archive": None if lost is None else lost.message,
                "next_command": next_command,
            }
        )
        return 0 if found.is_proved else 1
    show(found_lines(surface(), run_id, found, lost))
    show(next_lines(surface(err=not found.is_proved), next_command), err=not found.is_proved)
    return 0 if found.is_proved else 1


def found_lines(screen: Screen, run_id: str, found: Verification, lost: ArchiveDamagedError | None) -> list[str]:
    """Whether Bronze holds what the archive says, and the first lines that differ."""
    from loader.screen import Failure, failures, paragraph, table

    shown = [*paragraph(screen, _run_answer(screen, run_id, found))]
    shown += table(
        screen,
        [(f"asset {each.asset_id}", f"line {each.line_number:,}", each.difference) for each in found.shown],
        indent="  ",
    )
    shown += failures(
        screen, [Failure("", f"not proved, {why}:", f"asset {asset}") for asset, why in found.unreadable.items()]
    )
    return shown if lost is None else [*shown, *paragraph(screen, lost.message)]


def _run_answer(screen: Screen, run_id: str, found: Verification) -> str:
    from loader.screen import amount, shortened

    lines, files = amount(screen, found.line_count, "line"), amount(screen, found.asset_count, "file")
    if found.is_proved:
        return f"Bronze holds every line that run {shortened(run_id)} claims: {lines} of {files} read again."
    differing = ", ".join(f"{screen.words(count)} {kind}" for kind, count in found.differences.items() if count)
    unreadable = f"{amount(screen, len(found.unreadable), 'file')} not readable"
    answer = f"Bronze is not what run {shortened(run_id)} claims: {lines} of {files} read again,"
    return f"{answer} {differing or 'none differs'}, {unreadable}."


def _lost_objects(settings: Settings, warehouse: Warehouse, asset_ids: list[int]) -> ArchiveDamagedError | None:
    """What the archive does not give of these assets, and what mends it; None when it gives all of them."""
    from loader.raw_zone import ArchiveDamagedError, require_objects

    with closing(warehouse.connect(application_name="omnisupport-verify")) as session, session.cursor() as cursor:
        cursor.execute("select raw_zone_key from ops.source_asset where asset_id = any(%s)", (asset_ids,))
        try:
            require_objects(cursor, settings, [key for (key,) in cursor.fetchall()], are_read=True)
        except ArchiveDamagedError as lost:
            return lost
    return None
