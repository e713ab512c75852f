"""`loader plan`, `loader apply`, and each verb in one step: plan, and with `--mode execute` apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, lock_option, settings_of
from loader.cli.output import echo, print_json, print_table, progress
from loader.errors import CommandUsageError
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.recovery import Plan
    from loader.recovery.plan import PlannedAsset
    from loader.recovery.verbs import Expired, Restored

_PARTITION_COLUMNS = (
    ("partition", "partition_key"),
    ("expected", "expected_input_count"),
    ("current", "current_input_count"),
    ("rejected", "rejected_count"),
    ("silver", "current_output_count"),
    ("assets", "asset_count"),
    ("gap", "gap_reason"),
)
_ASSETS_SHOWN = 20

mode_option = click.option(
    "--mode",
    type=click.Choice(["dry-run", "execute"]),
    default="dry-run",
    show_default=True,
    help="dry-run writes and prints the plan; execute applies it too.",
)


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--latest", is_flag=True, help="The run that was started last (the default).")(command)
    return click.argument("run_id", metavar="[RUN]", required=False)(command)


def _replay_options(command: Callable[..., Any]) -> Callable[..., Any]:
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


def _backfill_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--keep-going", is_flag=True, help="Do not stop at the first partition that fails.")(command)
    command = click.option("--manifest", metavar="PATH[,PATH…]", help="Only these manifests.")(command)
    return _window_options(command)


def _restore_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--reason", help="Why; readers' owners will ask."),
        click.option("--as-of", metavar="INSTANT", help="As it was shown at this time: 2026-04-18T09:00:00Z."),
        click.option("--release", type=click.IntRange(min=1), help="As of this data_release_id."),
        click.option("--all", "is_everything", is_flag=True, help="Every partition; needs --release or --as-of."),
    ):
        command = option(command)
    return _window_options(command)


def _of_restore(
    verb: str,
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
            f"{verb}: expected --reason, and that it says something; nothing was changed",
            next_command=f"loader {verb} --partition 2026-04-17 --reason 'why'",
        )
    window: dict[str, Any] = {"window_start": None, "window_end": None}
    if not is_everything:
        window = _of_window(verb, partition, first, last)
    elif partition or first or last or (release is None and as_of is None):
        raise CommandUsageError(
            f"{verb}: --all needs --release or --as-of, and no partition; nothing was changed",
            next_command=f"loader {verb} --all --release 1 --reason 'why'",
        )
    instant = None if as_of is None else parse_instant(as_of).isoformat()
    return {**window, "release": release, "as_of": instant, "reason": (reason or "").strip()}


def _expire_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--reason", help="Why; recorded."),
        click.option("--keep", type=click.IntRange(min=1), metavar="N", help="The N newest of each partition stay."),
        click.option(
            "--older-than", metavar="DAYS|DATE", help="What readers have seen in so many days, or since, stays."
        ),
    ):
        command = option(command)
    return command


def _of_expire(verb: str, older_than: str | None, keep: int | None, reason: str | None) -> dict[str, Any]:
    from loader.config import parse_instant, parse_partition

    example = f"loader {verb} --older-than 30 --reason 'why'"
    if older_than is None and keep is None:
        raise CommandUsageError(
            f"{verb}: expected --older-than or --keep: what may go is never guessed; nothing was removed",
            next_command=example,
        )
    if not (reason or "").strip():
        raise CommandUsageError(
            f"{verb}: expected --reason, and that it says something; nothing was removed", next_command=example
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


def _of_run(run_id: str | None, latest: bool, verb: str) -> dict[str, Any]:
    if run_id is not None and latest:
        raise CommandUsageError(
            f"{verb}: got both RUN and --latest, expected one of them; nothing was started",
            next_command=f"loader {verb} --latest",
        )
    return {"run_id": run_id}


def _of_replay(run_id: str | None, batch: str | None, rejected_only: bool) -> dict[str, Any]:
    if (run_id is None) == (batch is None):
        raise CommandUsageError(
            f"replay: got {'neither --run nor --batch' if run_id is None else 'both --run and --batch'}, expected one"
            " of them; nothing was started",
            next_command="loader replay --run <a run_id from make status>",
        )
    return {"run_id": run_id, "batch_id": batch, "rejected_only": rejected_only}


def _of_window(verb: str, partition: str | None, first: str | None, last: str | None) -> dict[str, Any]:
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


def _of_backfill(
    partition: str | None, first: str | None, last: str | None, manifest: str | None, keep_going: bool
) -> dict[str, Any]:
    paths = [str(Path(path).resolve()) for path in (manifest or "").split(",") if path.strip()]
    return {**_of_window("backfill", partition, first, last), "manifest_paths": paths, "keep_going": keep_going}


@click.command()
@_run_options
@mode_option
@lock_option
@json_option
def retry(run_id: str | None, latest: bool, mode: str, lock_timeout: float | None, as_json: bool) -> int:
    """The same run as its next attempt, from what it recorded; refused for a run that succeeded or is alive."""
    return _in_one_step("retry", _of_run(run_id, latest, "retry"), mode, lock_timeout, as_json)


@click.command()
@click.option("--run", "run_id", metavar="RUN", help="The run whose job is done again.")
@click.option("--latest", is_flag=True, help="The run that was started last (the default).")
@mode_option
@lock_option
@json_option
def rerun(run_id: str | None, latest: bool, mode: str, lock_timeout: float | None, as_json: bool) -> int:
    """The same job as a new run: sources are read and parsed again; says which of them changed."""
    return _in_one_step("rerun", _of_run(run_id, latest, "rerun"), mode, lock_timeout, as_json)


@click.command()
@_replay_options
@mode_option
@lock_option
@json_option
def replay(
    run_id: str | None, batch: str | None, rejected_only: bool, mode: str, lock_timeout: float | None, as_json: bool
) -> int:
    """A past run or batch from the raw zone, under today's ruleset; says what that changed."""
    return _in_one_step("replay", _of_replay(run_id, batch, rejected_only), mode, lock_timeout, as_json)


@click.command()
@_backfill_options
@mode_option
@lock_option
@json_option
def backfill(
    partition: str | None,
    first: str | None,
    last: str | None,
    manifest: str | None,
    keep_going: bool,
    mode: str,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """A window of partitions from the declared sources; the cursor does not move."""
    request = _of_backfill(partition, first, last, manifest, keep_going)
    return _in_one_step("backfill", request, mode, lock_timeout, as_json)


@click.command()
@_restore_options
@mode_option
@lock_option
@json_option
def restore(
    partition: str | None,
    first: str | None,
    last: str | None,
    is_everything: bool,
    release: int | None,
    as_of: str | None,
    reason: str | None,
    mode: str,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Readers see an earlier released state of partitions again, and these are held; nothing is deleted."""
    request = _of_restore("restore", partition, first, last, is_everything, release, as_of, reason)
    return _in_one_step("restore", request, mode, lock_timeout, as_json)


@click.command()
@_expire_options
@mode_option
@lock_option
@json_option
def expire(
    older_than: str | None,
    keep: int | None,
    reason: str | None,
    mode: str,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Remove versions of partitions that readers have not seen for long; never one that a pointer, a hold or a moved
    ticket needs. There is no way back."""
    return _in_one_step("expire", _of_expire("expire", older_than, keep, reason), mode, lock_timeout, as_json)


@click.group(no_args_is_help=False)
def plan() -> None:
    """Write and print the plan of a recovery verb; nothing else is written."""


@plan.command("retry")
@_run_options
@json_option
def plan_retry(run_id: str | None, latest: bool, as_json: bool) -> int:
    """The same run as its next attempt."""
    return _in_one_step("retry", _of_run(run_id, latest, "plan retry"), "dry-run", None, as_json)


@plan.command("rerun")
@click.option("--run", "run_id", metavar="RUN", help="The run whose job is done again.")
@click.option("--latest", is_flag=True, help="The run that was started last (the default).")
@json_option
def plan_rerun(run_id: str | None, latest: bool, as_json: bool) -> int:
    """The same job as a new run; reads and hashes the sources."""
    return _in_one_step("rerun", _of_run(run_id, latest, "plan rerun"), "dry-run", None, as_json)


@plan.command("replay")
@_replay_options
@json_option
def plan_replay(run_id: str | None, batch: str | None, rejected_only: bool, as_json: bool) -> int:
    """A past run or batch, from the raw zone."""
    return _in_one_step("replay", _of_replay(run_id, batch, rejected_only), "dry-run", None, as_json)


@plan.command("backfill")
@_backfill_options
@json_option
def plan_backfill(
    partition: str | None, first: str | None, last: str | None, manifest: str | None, keep_going: bool, as_json: bool
) -> int:
    """A window of partitions."""
    return _in_one_step(
        "backfill", _of_backfill(partition, first, last, manifest, keep_going), "dry-run", None, as_json
    )


@plan.command("restore")
@_restore_options
@json_option
def plan_restore(
    partition: str | None,
    first: str | None,
    last: str | None,
    is_everything: bool,
    release: int | None,
    as_of: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """An earlier released state of partitions."""
    request = _of_restore("plan restore", partition, first, last, is_everything, release, as_of, reason)
    return _in_one_step("restore", request, "dry-run", None, as_json)


@plan.command("expire")
@_expire_options
@json_option
def plan_expire(older_than: str | None, keep: int | None, reason: str | None, as_json: bool) -> int:
    """Versions of partitions that readers have not seen for long."""
    return _in_one_step("expire", _of_expire("plan expire", older_than, keep, reason), "dry-run", None, as_json)


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@lock_option
@json_option
def apply(plan_file: Path, lock_timeout: float | None, as_json: bool) -> int:
    """Carry out a reviewed plan; refused with exit code 4 when what it rests on has moved."""
    from loader.recovery import read_plan

    settings = settings_of(lock_timeout)
    return _apply(settings, read_plan(settings, plan_file), as_json)


def _in_one_step(verb: str, request: Mapping[str, Any], mode: str, lock_timeout: float | None, as_json: bool) -> int:
    from loader.recovery import make_plan

    settings = settings_of(lock_timeout)
    made = make_plan(settings, verb, request)
    path = made.write(settings)
    record = made.as_record(settings)
    if mode == "execute":
        return _apply(settings, record, as_json)
    if as_json:
        print_json({**record, "next_command": _next_command(path, settings)})
    else:
        _print(made, record, path, settings)
    return 0


def _apply(settings: Settings, record: Mapping[str, Any], as_json: bool) -> int:
    from loader.cli.ingest_command import print_verdict
    from loader.recovery import apply_plan
    from loader.recovery.verbs import Expired, Restored

    with progress() as report:
        done = apply_plan(settings, record, report)
    if isinstance(done, Restored):
        _print_restored(done, as_json)
        return 0
    if isinstance(done, Expired):
        _print_expired(done, as_json)
        return 0
    print_verdict(done, settings.project_root, as_json=as_json)
    return done.exit_code


def _print_restored(restored: Restored, as_json: bool) -> None:
    days = [day.isoformat() for day in sorted(restored.targets)]
    next_command = f"loader release --partition {days[0]}"
    if as_json:
        print_json(
            {
                "data_release_id": restored.data_release_id,
                "partitions": {day.isoformat(): version for day, version in sorted(restored.targets.items())},
                "report_path": str(restored.report_path),
                "next_command": next_command,
            }
        )
        return
    echo(f"restored by release {restored.data_release_id}, and held: {', '.join(days)}")
    echo(f"evidence: {restored.report_path}")
    echo(f"next: {next_command}   # when readers may see the newest rows again")


def _print_expired(expired: Expired, as_json: bool) -> None:
    next_command = "loader verify --evidence"
    if as_json:
        print_json(
            {
                "expiry_id": expired.expiry_id,
                "versions": [[day.isoformat(), version] for day, version in expired.versions],
                "removed_row_count": expired.row_count,
                "report_path": None if expired.report_path is None else str(expired.report_path),
                "next_command": next_command,
            }
        )
        return
    if expired.expiry_id is None:
        echo("expired: nothing; every version is needed, or was seen since")
    else:
        echo(f"expired by expiry {expired.expiry_id}: {len(expired.versions)} version(s), {expired.row_count} row(s)")
        echo(f"evidence: {expired.report_path}")
    echo(f"next: {next_command}")


def _print(made: Plan, record: Mapping[str, Any], path: Path, settings: Settings) -> None:
    window = "every partition" if made.window is None else f"[{made.window[0]}, {made.window[1]})"
    if made.pointers:
        _print_pointers(made, path, settings)
        return
    if made.mode == "expire":
        _print_versions(made, path, settings)
        return
    echo(f"plan {made.plan_id}: {made.mode}, {window}, by {made.operator}")
    rows = [[getattr(partition, name) for _, name in _PARTITION_COLUMNS] for partition in made.partitions]
    print_table("partitions", [title for title, _ in _PARTITION_COLUMNS], rows)
    reaching = [asset for asset in made.assets if _reaches(asset, made)]
    shown = reaching[:_ASSETS_SHOWN]
    print_table(
        f"reads ({len(reaching)} of {len(made.assets)} asset(s) may hold lines of it"
        + (f", the first {_ASSETS_SHOWN})" if len(reaching) > len(shown) else ")"),
        ["manifest", "source", "from", "registered", "found"],
        [
            [
                asset.manifest_id,
                asset.source_id,
                asset.reads_from,
                (asset.source_fingerprint or "")[:12],
                (asset.found or "")[:12] if len(asset.found or "") == 64 else asset.found,
            ]
            for asset in shown
        ],
    )
    for name in ("expected_input_count", "current_output_count", "gap_reason"):
        echo(f"{name.replace('_', ' ')}: {record[name]}")
    for name in ("proposed_action", "idempotency_guard", "downstream_impact"):
        echo(f"{name.replace('_', ' ')}: {record[name]}")
    echo(f"writes: {', '.join(record['target_assets'])}")
    echo(f"next: {_next_command(path, settings)}")


def _print_pointers(made: Plan, path: Path, settings: Settings) -> None:
    echo(f"plan {made.plan_id}: {made.mode}, by {made.operator}")
    print_table(
        "readers would see",
        ["partition", "release now", "release then", "tickets", "because"],
        [
            [
                pointer.partition_key,
                pointer.shown_release_id,
                pointer.target_release_id,
                pointer.ticket_count,
                "shares a moved ticket" if pointer.is_linked else "asked for",
            ]
            for pointer in made.pointers
        ],
    )
    for name in ("proposed_action", "idempotency_guard", "downstream_impact"):
        echo(f"{name.replace('_', ' ')}: {getattr(made, name)}")
    echo(f"next: {_next_command(path, settings)}")


def _print_versions(made: Plan, path: Path, settings: Settings) -> None:
    echo(f"plan {made.plan_id}: {made.mode}, by {made.operator}")
    print_table(
        "would be removed",
        ["partition", "release", "tickets", "readers saw it until"],
        [
            [version.partition_key, version.data_release_id, version.ticket_count, version.left_at]
            for version in made.versions
        ],
    )
    for name in ("proposed_action", "idempotency_guard", "downstream_impact"):
        echo(f"{name.replace('_', ' ')}: {getattr(made, name)}")
    echo(f"next: {_next_command(path, settings)}")


def _reaches(asset: PlannedAsset, made: Plan) -> bool:
    """Whether some line of an asset may lie in the plan's window; unknown days may."""
    if made.window is None:
        return True
    if asset.first_partition is None or asset.last_partition is None:
        return asset.asset_id is not None or asset.reads_from == "nowhere"
    start, end = (day.isoformat() for day in made.window)
    return asset.first_partition < end and asset.last_partition >= start


def _next_command(path: Path, settings: Settings) -> str:
    root = settings.project_root
    return f"make apply PLAN={pasted(path.relative_to(root) if path.is_relative_to(root) else path)}"
