"""`loader plan`, `loader apply`, and each verb in one step: plan, and with `--mode execute` apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.diff_command import before_pointers
from loader.cli.options import json_option, lock_option, settings_of, with_options
from loader.cli.output import print_error, print_json, progress, show
from loader.cli.recovery_options import VERBS, VerbOptions, mode_option
from loader.cli.recovery_output import apply_command, print_expired, print_plan, print_restored

if TYPE_CHECKING:
    from loader.config import Settings

# What hands a record to a program; None in its place: a person is shown the same.
_Tell = Callable[[Mapping[str, Any]], object]


def _command(verb: VerbOptions) -> click.Command:
    def carry_out(mode: str, lock_timeout: float | None, as_json: bool, **given: Any) -> int:
        return _run(verb, verb.request(verb.name, given), mode, lock_timeout, as_json)

    options = (*verb.options, mode_option, lock_option, json_option)
    return click.command(verb.name, help=verb.help)(with_options(carry_out, options))


def _plan_command(verb: VerbOptions) -> click.Command:
    def make(as_json: bool, **given: Any) -> int:
        return _run(verb, verb.request(f"plan {verb.name}", given), "dry-run", None, as_json)

    return click.command(verb.name, help=verb.help_of_plan)(with_options(make, (*verb.options, json_option)))


retry, rerun, replay, backfill, restore, expire = map(_command, VERBS)
plan = click.Group(
    "plan",
    commands={verb.name: _plan_command(verb) for verb in VERBS},
    no_args_is_help=False,
    help="Write and print the plan of a recovery verb; nothing else is written.",
)


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@lock_option
@json_option
def apply(plan_file: Path, lock_timeout: float | None, as_json: bool) -> int:
    """Carry out a reviewed plan; refused with exit code 4 when what it rests on has moved."""
    from loader.recovery import read_plan

    settings = settings_of(lock_timeout)
    return _apply(settings, read_plan(settings, plan_file), print_json if as_json else None)


def _run(verb: VerbOptions, request: Mapping[str, Any], mode: str, lock_timeout: float | None, as_json: bool) -> int:
    if verb.of_each_kind:
        return _of_each_kind(verb.name, request, mode, lock_timeout, as_json)
    return _step(verb.name, request, mode, lock_timeout, print_json if as_json else None)


def _of_each_kind(verb: str, request: Mapping[str, Any], mode: str, lock_timeout: float | None, as_json: bool) -> int:
    """A backfill, or the replay of a batch, of each of its kinds, by a plan of its own. One that fails stops no other;
    a kind without a line in the window fails where it is the only one."""
    from loader.cli.ingest_command import error_record
    from loader.errors import LoaderError, NoLinesError
    from loader.recovery import kinds_of

    kinds = kinds_of(settings_of(lock_timeout), verb, request)
    if len(kinds) < 2:
        return _step(verb, request, mode, lock_timeout, print_json if as_json else None)
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
        if record["pointers"]:
            report(f"readers: will see {before_pointers(settings, record['pointers'])}")
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
