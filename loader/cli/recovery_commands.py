"""`loader plan`, `loader apply`, and each verb in one step: plan, and with `--mode execute` apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, lock_option, settings_of
from loader.cli.output import print_error, print_json, progress, show
from loader.cli.recovery_options import (
    backfill_options,
    expire_options,
    mode_option,
    replay_options,
    request_of_backfill,
    request_of_expire,
    request_of_replay,
    request_of_restore,
    request_of_run,
    restore_options,
    run_options,
)
from loader.cli.recovery_output import apply_command, print_expired, print_plan, print_restored

if TYPE_CHECKING:
    from loader.config import Settings

# What hands a record to a program; None in its place: a person is shown the same.
_Tell = Callable[[Mapping[str, Any]], object]


@click.command()
@run_options
@mode_option
@lock_option
@json_option
def retry(run_id: str | None, latest: bool, mode: str, lock_timeout: float | None, as_json: bool) -> int:
    """The same run as its next attempt, from what it recorded; refused for a run that is alive, and for one that
    succeeded and is sound."""
    return _in_one_step("retry", request_of_run(run_id, latest, "retry"), mode, lock_timeout, as_json)


@click.command()
@click.option("--run", "run_id", metavar="RUN", help="The run whose job is done again.")
@click.option("--latest", is_flag=True, help="The run that was started last (the default).")
@mode_option
@lock_option
@json_option
def rerun(run_id: str | None, latest: bool, mode: str, lock_timeout: float | None, as_json: bool) -> int:
    """The same job as a new run: sources are read and parsed again; says which of them changed."""
    return _in_one_step("rerun", request_of_run(run_id, latest, "rerun"), mode, lock_timeout, as_json)


@click.command()
@replay_options
@mode_option
@lock_option
@json_option
def replay(
    run_id: str | None, batch: str | None, rejected_only: bool, mode: str, lock_timeout: float | None, as_json: bool
) -> int:
    """A past run or batch from the raw zone, under today's ruleset; says what that changed."""
    return _of_each_kind("replay", request_of_replay(run_id, batch, rejected_only), mode, lock_timeout, as_json)


@click.command()
@backfill_options
@mode_option
@lock_option
@json_option
def backfill(
    partition: str | None,
    first: str | None,
    last: str | None,
    manifest: str | None,
    kind: str | None,
    keep_going: bool,
    mode: str,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """A window of partitions from the declared sources; the cursor does not move."""
    request = request_of_backfill(kind, partition, first, last, manifest, keep_going)
    return _of_each_kind("backfill", request, mode, lock_timeout, as_json)


@click.command()
@restore_options
@mode_option
@lock_option
@json_option
def restore(
    kind: str | None,
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
    request = request_of_restore("restore", kind, partition, first, last, is_everything, release, as_of, reason)
    return _in_one_step("restore", request, mode, lock_timeout, as_json)


@click.command()
@expire_options
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
    record needs. There is no way back."""
    return _in_one_step("expire", request_of_expire("expire", older_than, keep, reason), mode, lock_timeout, as_json)


@click.group(no_args_is_help=False)
def plan() -> None:
    """Write and print the plan of a recovery verb; nothing else is written."""


@plan.command("retry")
@run_options
@json_option
def plan_retry(run_id: str | None, latest: bool, as_json: bool) -> int:
    """The same run as its next attempt."""
    return _in_one_step("retry", request_of_run(run_id, latest, "plan retry"), "dry-run", None, as_json)


@plan.command("rerun")
@click.option("--run", "run_id", metavar="RUN", help="The run whose job is done again.")
@click.option("--latest", is_flag=True, help="The run that was started last (the default).")
@json_option
def plan_rerun(run_id: str | None, latest: bool, as_json: bool) -> int:
    """The same job as a new run; reads and hashes the sources."""
    return _in_one_step("rerun", request_of_run(run_id, latest, "plan rerun"), "dry-run", None, as_json)


@plan.command("replay")
@replay_options
@json_option
def plan_replay(run_id: str | None, batch: str | None, rejected_only: bool, as_json: bool) -> int:
    """A past run or batch, from the raw zone."""
    return _of_each_kind("replay", request_of_replay(run_id, batch, rejected_only), "dry-run", None, as_json)


@plan.command("backfill")
@backfill_options
@json_option
def plan_backfill(
    partition: str | None,
    first: str | None,
    last: str | None,
    manifest: str | None,
    kind: str | None,
    keep_going: bool,
    as_json: bool,
) -> int:
    """A window of partitions."""
    request = request_of_backfill(kind, partition, first, last, manifest, keep_going)
    return _of_each_kind("backfill", request, "dry-run", None, as_json)


@plan.command("restore")
@restore_options
@json_option
def plan_restore(
    kind: str | None,
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
    request = request_of_restore("plan restore", kind, partition, first, last, is_everything, release, as_of, reason)
    return _in_one_step("restore", request, "dry-run", None, as_json)


@plan.command("expire")
@expire_options
@json_option
def plan_expire(older_than: str | None, keep: int | None, reason: str | None, as_json: bool) -> int:
    """Versions of partitions that readers have not seen for long."""
    return _in_one_step("expire", request_of_expire("plan expire", older_than, keep, reason), "dry-run", None, as_json)


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@lock_option
@json_option
def apply(plan_file: Path, lock_timeout: float | None, as_json: bool) -> int:
    """Carry out a reviewed plan; refused with exit code 4 when what it rests on has moved."""
    from loader.recovery import read_plan

    settings = settings_of(lock_timeout)
    return _apply(settings, read_plan(settings, plan_file), print_json if as_json else None)


def _of_each_kind(verb: str, request: Mapping[str, Any], mode: str, lock_timeout: float | None, as_json: bool) -> int:
    """A backfill, or the replay of a batch, of each of its kinds, by a plan of its own. One that fails stops no other;
    a kind without a line in the window fails where it is the only one."""
    from loader.cli.ingest_command import error_record
    from loader.errors import LoaderError, NoLinesError
    from loader.recovery import kinds_of

    kinds = kinds_of(settings_of(lock_timeout), verb, request)
    if len(kinds) < 2:
        return _in_one_step(verb, request, mode, lock_timeout, as_json)
    exit_codes: list[int] = []
    without_lines: list[int] = []
    told: list[Mapping[str, Any]] = []
    for kind in kinds:
        if not as_json:
            show([f"{kind}:"])
        try:
            of_kind = {**request, "record_kind": kind}
            exit_codes.append(_step(verb, of_kind, mode, lock_timeout, told.append if as_json else None))
        except LoaderError as error:
            (without_lines if isinstance(error, NoLinesError) else exit_codes).append(error.exit_code)
            if as_json:
                told.append(error_record(kind, error))
            else:
                print_error(error.message, error.next_command, error.exit_code, as_json=False)
    exit_code = max(exit_codes or without_lines)
    if as_json:
        print_json({"runs" if mode == "execute" else "plans": told, "exit_code": exit_code})
    return exit_code


def _in_one_step(verb: str, request: Mapping[str, Any], mode: str, lock_timeout: float | None, as_json: bool) -> int:
    return _step(verb, request, mode, lock_timeout, print_json if as_json else None)


def _step(verb: str, request: Mapping[str, Any], mode: str, lock_timeout: float | None, tell: _Tell | None) -> int:
    from loader.plans import write_plan
    from loader.recovery import make_plan

    settings = settings_of(lock_timeout)
    made = make_plan(settings, verb, request, is_applied=mode == "execute")
    path = write_plan(settings, made)
    record = made.as_record(settings)
    if mode == "execute":
        return _apply(settings, record, tell)
    if tell is not None:
        tell({**record, "next_command": apply_command(path, settings)})
    else:
        print_plan(made, record, path, settings)
    return 0


def _apply(settings: Settings, record: Mapping[str, Any], tell: _Tell | None) -> int:
    from loader.cli.ingest_command import print_verdict, verdict_record
    from loader.recovery import Expired, Restored, apply_plan

    with progress() as report:
        done = apply_plan(settings, record, report)
    if isinstance(done, Restored):
        print_restored(done, settings, tell is not None)
        return 0
    if isinstance(done, Expired):
        print_expired(done, settings, tell is not None)
        return 0
    if tell is not None:
        tell(verdict_record(done, settings))
    else:
        print_verdict(done, settings, as_json=False)
    return done.exit_code
