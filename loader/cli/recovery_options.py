"""What the recovery verbs are given on the command line, and the request of a plan that it makes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click

from loader.cli.options import kind_option
from loader.errors import CommandUsageError

mode_option = click.option(
    "--mode",
    type=click.Choice(["dry-run", "execute"]),
    default="dry-run",
    show_default=True,
    help="dry-run writes and prints the plan; execute applies it too.",
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--latest", is_flag=True, help="The run that was started last (the default).")(command)
    return click.argument("run_id", metavar="[RUN]", required=False)(command)


def replay_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--rejected-only", is_flag=True, help="Assets with rejects only; no valid line may change."),
        click.option("--batch", metavar="batch-YYYYMMDD-NNN", help="Every asset that this batch archived."),
        click.option("--run", "run_id", metavar="RUN", help="Every asset that this run archived."),
    ):
        command = option(command)
    return command


def _window_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--to", "last", metavar="YYYY-MM-DD", help="The last partition, included."),
        click.option("--from", "first", metavar="YYYY-MM-DD", help="The first partition."),
        click.option("--partition", metavar="YYYY-MM-DD", help="One UTC day of created_at."),
    ):
        command = option(command)
    return command


def backfill_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--keep-going", is_flag=True, help="Do not stop at the first partition that fails.")(command)
    command = click.option("--manifest", metavar="PATH[,PATH…]", help="Only these manifests.")(command)
    command = kind_option(command)
    return _window_options(command)


def restore_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--reason", help="Why; readers' owners will ask."),
        click.option("--as-of", metavar="INSTANT", help="As it was shown at this time: 2026-04-18T09:00:00Z."),
        click.option("--release", type=click.IntRange(min=1), help="As of this data_release_id."),
        click.option("--all", "is_everything", is_flag=True, help="Every partition; needs --release or --as-of."),
        kind_option,
    ):
        command = option(command)
    return _window_options(command)


def request_of_restore(
    verb: str,
    kind: str | None,
    partition: str | None,
    first: str | None,
    last: str | None,
    is_everything: bool,
    release: int | None,
    as_of: str | None,
    reason: str | None,
) -> dict[str, Any]:
    from loader.config import parse_instant

    if release is not None and as_of is not None:
        raise CommandUsageError(
            f"{verb}: got both --release and --as-of, expected one of them; nothing was changed",
            next_command=f"loader {verb} --partition 2026-04-17 --release {release} --reason 'why'",
        )
    if not (reason or "").strip():
        raise CommandUsageError(
            f"{verb}: expected a --reason that is not empty; nothing was changed",
            next_command=f"loader {verb} --partition 2026-04-17 --reason 'why'",
        )
    window: dict[str, Any] = {"window_start": None, "window_end": None}
    if not is_everything:
        window = _window_of(verb, partition, first, last)
    elif partition or first or last or (release is None and as_of is None):
        raise CommandUsageError(
            f"{verb}: --all needs --release or --as-of, and no partition; nothing was changed",
            next_command=f"loader {verb} --all --release 1 --reason 'why'",
        )
    instant = None if as_of is None else parse_instant(as_of).isoformat()
    return {"record_kind": kind, **window, "release": release, "as_of": instant, "reason": (reason or "").strip()}


def expire_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--reason", help="Why; recorded."),
        click.option("--keep", type=click.IntRange(min=1), metavar="N", help="The N newest of each partition stay."),
        click.option(
            "--older-than", metavar="DAYS|DATE", help="What readers have seen in so many days, or since, stays."
        ),
    ):
        command = option(command)
    return command


def request_of_expire(verb: str, older_than: str | None, keep: int | None, reason: str | None) -> dict[str, Any]:
    from loader.config import parse_instant, parse_partition

    example = f"loader {verb} --older-than 30 --reason 'why'"
    if older_than is None and keep is None:
        raise CommandUsageError(
            f"{verb}: expected --older-than or --keep: what may go is never guessed; nothing was removed",
            next_command=example,
        )
    if not (reason or "").strip():
        raise CommandUsageError(
            f"{verb}: expected a --reason that is not empty; nothing was removed", next_command=example
        )
    now = datetime.now(UTC)
    if older_than is None:
        instant = now
    elif older_than.isdecimal() and len(older_than) <= 6:
        instant = now - timedelta(days=int(older_than))
    elif "T" in older_than:
        instant = parse_instant(older_than)
    else:
        instant = datetime.combine(parse_partition(older_than), time(), UTC)
    if instant > now:
        raise CommandUsageError(
            f"{verb}: got --older-than {older_than}, expected a time that has passed; nothing was removed",
            next_command=example,
        )
    return {"older_than": instant.isoformat(), "keep": keep or 1, "reason": (reason or "").strip()}


def request_of_run(run_id: str | None, latest: bool, verb: str) -> dict[str, Any]:
    if run_id is not None and latest:
        raise CommandUsageError(
            f"{verb}: got both RUN and --latest, expected one of them; nothing was started",
            next_command=f"loader {verb} --latest",
        )
    return {"run_id": run_id}


def request_of_replay(run_id: str | None, batch: str | None, rejected_only: bool) -> dict[str, Any]:
    if (run_id is None) == (batch is None):
        raise CommandUsageError(
            f"replay: got {'neither --run nor --batch' if run_id is None else 'both --run and --batch'}, expected one"
            " of them; nothing was started",
            next_command="loader replay --run <a run_id from make status>",
        )
    return {"run_id": run_id, "batch_id": batch, "rejected_only": rejected_only}


def _window_of(verb: str, partition: str | None, first: str | None, last: str | None) -> dict[str, Any]:
    from loader.config import parse_partition

    if (partition is None) == (first is None and last is None) or (first is None) != (last is None):
        raise CommandUsageError(
            f"{verb}: expected --partition, or --from and --to, and not both: a window is never guessed; nothing was"
            " started",
            next_command=f"loader {verb} --partition 2026-04-17",
        )
    start = parse_partition(partition or first or "")
    end = parse_partition(partition or last or "")
    if end == date.max:
        raise CommandUsageError(
            f"{verb}: got the window {start} to {end}: its last day has no next one that could end it; nothing was"
            " started",
            next_command=f"loader {verb} --from {min(start, end - timedelta(days=1))} --to {end - timedelta(days=1)}",
        )
    if end < start:
        raise CommandUsageError(
            f"{verb}: got the window {start} to {end}, expected --to on or after --from; nothing was started",
            next_command=f"loader {verb} --from {end} --to {start}",
        )
    return {"window_start": start.isoformat(), "window_end": (end + timedelta(days=1)).isoformat()}


def request_of_backfill(
    kind: str | None,
    partition: str | None,
    first: str | None,
    last: str | None,
    manifest: str | None,
    keep_going: bool,
) -> dict[str, Any]:
    paths = [str(Path(path).resolve()) for path in (manifest or "").split(",") if path.strip()]
    window = _window_of("backfill", partition, first, last)
    of_kind = {} if kind is None else {"record_kind": kind}
    return {**of_kind, **window, "manifest_paths": paths, "keep_going": keep_going}
