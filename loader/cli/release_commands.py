"""`loader release`, `loader hold`, `loader ready`: the gate between what is proved and what readers see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, kind_option, lock_option, settings_of
from loader.cli.output import print_json, progress, show, surface
from loader.errors import CommandUsageError

if TYPE_CHECKING:
    from loader.config import Settings


def _partitions_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--partition",
        "partitions",
        metavar="YYYY-MM-DD[,…]",
        multiple=True,
        help="UTC days; may be given again.",
    )(command)


def _days(partitions: Sequence[str], verb: str) -> list[date]:
    from loader.config import parse_partition

    if not partitions:
        raise CommandUsageError(
            f"{verb}: expected --partition; nothing was done", next_command=f"make {verb} PARTITION=2026-04-17"
        )
    return sorted({parse_partition(day) for text in partitions for day in text.split(",")})


def _reason(reason: str | None, verb: str, days: Sequence[date], kind: str | None, *flags: str) -> str:
    if not (reason or "").strip():
        variables = [f"PARTITION={','.join(map(str, days))}", *([f"KIND={kind}"] if kind else []), *flags]
        raise CommandUsageError(
            f"{verb}: expected a --reason that is not empty; nothing was done",
            next_command=f"make {verb} {' '.join(variables)} REASON='why'",
        )
    assert reason is not None
    return reason.strip()


@click.command()
@_partitions_option
@kind_option
@click.option("--override", is_flag=True, help="Also where checks fail; needs --reason, and is recorded.")
@click.option(
    "--accept-drift", is_flag=True, help="Drift that is known of them keeps them back no more; needs --reason."
)
@click.option(
    "--accept-rejects", is_flag=True, help="Files with too many rejects keep them back no more; needs --reason."
)
@click.option("--reason", help="Why.")
@lock_option
@json_option
def release(
    partitions: Sequence[str],
    kind: str | None,
    override: bool,
    accept_drift: bool,
    accept_rejects: bool,
    reason: str | None,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Prove Silver as it stands, and let readers see partitions of it; ends their holds."""
    from loader.advice import after_kept_back, after_release
    from loader.cli.diff_command import before_release
    from loader.cli.release_screen import released_lines
    from loader.release import KeptBackError, ReleaseRequest
    from loader.release import release as release_days

    days = _days(partitions, "release")
    why = reason
    given = {"OVERRIDE=1": override, "ACCEPT_DRIFT=1": accept_drift, "ACCEPT_REJECTS=1": accept_rejects}
    flags = [flag for flag, is_set in given.items() if is_set]
    if flags:
        why = _reason(reason, "release", days, kind, *flags)
    settings = settings_of(lock_timeout)
    try:
        with progress() as report:
            report(f"readers: will see {before_release(settings, days, kind)}")
            asked = ReleaseRequest(days, kind, why, override, accept_drift, accept_rejects)
            found = release_days(settings, asked, report)
    except KeptBackError as error:
        error.next_command = after_kept_back(error).line
        raise
    next_command = after_release(settings, days[0], kind).line
    if as_json:
        print_json(
            {
                "data_release_id": found.data_release_id,
                "partitions": [partition.as_record() for partition in found.partitions],
                "report_path": None if found.report_path is None else settings.named(found.report_path),
                "next_command": next_command,
            }
        )
        return 0
    evidence = None if found.report_path is None else settings.named(found.report_path)
    show(released_lines(surface(), found, evidence, next_command))
    return 0


@click.command()
@_partitions_option
@kind_option
@click.option("--reason", help="Why.")
@json_option
def hold(partitions: Sequence[str], kind: str | None, reason: str | None, as_json: bool) -> int:
    """Keep partitions as readers see them, whatever runs, until `make release`."""
    from loader.advice import after_hold
    from loader.cli.release_screen import held_lines
    from loader.config import load_settings
    from loader.release import hold as hold_days

    days = _days(partitions, "hold")
    why = _reason(reason, "hold", days, kind)
    settings = load_settings()
    found = hold_days(settings, days, why, record_kind=kind)
    next_command = after_hold(settings, days[0], kind).line
    if as_json:
        print_json({"held": [partition.as_record() for partition in found.partitions], "next_command": next_command})
    else:
        show(held_lines(surface(), found, why, next_command))
    return 0


def _mend(settings: Settings, day: str) -> str:
    from loader.advice import after_question
    from loader.warehouse import open_warehouse

    return after_question(settings, open_warehouse(settings), date.fromisoformat(day)).line


@click.command()
@_partitions_option
@kind_option
@json_option
def ready(partitions: Sequence[str], kind: str | None, as_json: bool) -> int:
    """Exit 0 when every partition is released and unchanged since; for schedulers."""
    from loader.cli.release_screen import ready_lines
    from loader.config import load_settings
    from loader.release import readiness
    from loader.screen import next_lines

    days = _days(partitions, "ready")
    settings = load_settings()
    found = readiness(settings, days, record_kind=kind)
    not_ready = [row for row in found.partitions if not row["is_ready"]]
    is_ready = not not_ready
    next_command = "make psql ROLE=reader   # what readers see"
    if not_ready:
        next_command = not_ready[0].get("next_command") or _mend(settings, not_ready[0]["partition_key"])
    if as_json:
        print_json({"is_ready": is_ready, "partitions": found.partitions, "next_command": next_command})
    else:
        show(ready_lines(surface(), found))
        show(next_lines(surface(err=not is_ready), next_command), err=not is_ready)
    return 0 if is_ready else 1
