"""The recovery verbs as a table: what each is given on the command line, and the request of a plan that it makes.

`loader VERB`, `loader plan VERB` and what the Makefile passes on follow from it: an option of a verb is a line here, in
the request that reads it, and in the Makefile's list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click

from loader.cli.options import CommandOption, kind_option, partition_option
from loader.errors import CommandUsageError

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VerbOptions:
    """`request`: what was typed (`loader backfill`, `loader plan backfill`: without `loader`) and the values of the
    options by their names, to the plan's `request`; raises CommandUsageError. `of_each_kind`: the records of each kind
    get a plan of their own. `help`: of the verb; its first paragraph stands in the list of commands. `help_of_plan`: of
    `loader plan VERB`."""

    name: str
    options: Sequence[CommandOption]
    request: Callable[[str, Given], dict[str, Any]]
    help: str
    help_of_plan: str
    of_each_kind: bool = False


mode_option = click.option(
    "--mode",
    type=click.Choice(["dry-run", "execute"]),
    default="dry-run",
    show_default=True,
    help="dry-run writes and prints the plan; execute applies it too.",
)
_latest_option = click.option("--latest", is_flag=True, help="The run that was started last (the default).")
_window_options = (
    partition_option,
    click.option("--from", "first", metavar="YYYY-MM-DD", help="The first partition."),
    click.option("--to", "last", metavar="YYYY-MM-DD", help="The last partition, included."),
)
_reason_option = click.option("--reason", help="Why; recorded, and told to those who ask.")


def _example(typed: str, variables: str = "") -> str:
    """What may be typed at make instead."""
    verb = typed.removeprefix("plan ")
    return f"make {verb if verb == typed else f'plan MODE={verb}'} {variables}".rstrip()


def _request_of_run(typed: str, given: Given) -> dict[str, Any]:
    if given["run_id"] is not None and given["latest"]:
        raise CommandUsageError(
            f"{typed}: got both RUN and --latest, expected one of them; nothing was started",
            next_command=_example(typed),
        )
    return {"run_id": given["run_id"]}


def _request_of_replay(typed: str, given: Given) -> dict[str, Any]:
    run_id, batch = given["run_id"], given["batch"]
    if (run_id is None) == (batch is None):
        raise CommandUsageError(
            f"{typed}: got {'neither --run nor --batch' if run_id is None else 'both --run and --batch'}, expected one"
            " of them; nothing was started",
            next_command=_example(typed, "RUN=<a run_id from make status>"),
        )
    return {"run_id": run_id, "batch_id": batch, "rejected_only": given["rejected_only"]}


def _request_of_backfill(typed: str, given: Given) -> dict[str, Any]:
    paths = [str(Path(path).resolve()) for path in (given["manifest"] or "").split(",") if path.strip()]
    window = _window_of(typed, given)
    of_kind = {} if given["kind"] is None else {"record_kind": given["kind"]}
    return {**of_kind, **window, "manifest_paths": paths, "keep_going": given["keep_going"]}


def _request_of_restore(typed: str, given: Given) -> dict[str, Any]:
    from loader.config import parse_instant

    release, as_of = given["release"], given["as_of"]
    if release is not None and as_of is not None:
        raise CommandUsageError(
            f"{typed}: got both --release and --as-of, expected one of them; nothing was changed",
            next_command=_example(typed, f"PARTITION=2026-04-17 RELEASE={release} REASON='why'"),
        )
    reason = _reason_of(typed, given, "changed", _example(typed, "PARTITION=2026-04-17 REASON='why'"))
    window: dict[str, Any] = {"window_start": None, "window_end": None}
    if not given["is_everything"]:
        window = _window_of(typed, given)
    elif given["partition"] or given["first"] or given["last"] or (release is None and as_of is None):
        raise CommandUsageError(
            f"{typed}: --all needs --release or --as-of, and no partition; nothing was changed",
            next_command=_example(typed, "ALL=1 RELEASE=1 REASON='why'"),
        )
    instant = None if as_of is None else parse_instant(as_of).isoformat()
    return {"record_kind": given["kind"], **window, "release": release, "as_of": instant, "reason": reason}


def _request_of_expire(typed: str, given: Given) -> dict[str, Any]:
    from loader.config import parse_instant, parse_partition

    older_than, keep = given["older_than"], given["keep"]
    example = _example(typed, "OLDER_THAN=30 REASON='why'")
    if older_than is None and keep is None:
        raise CommandUsageError(
            f"{typed}: expected --older-than or --keep: what may go is never guessed; nothing was removed",
            next_command=example,
        )
    reason = _reason_of(typed, given, "removed", example)
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
            f"{typed}: got --older-than {older_than}, expected a time that has passed; nothing was removed",
            next_command=example,
        )
    return {"older_than": instant.isoformat(), "keep": keep or 1, "reason": reason}


def _reason_of(typed: str, given: Given, undone: str, example: str) -> str:
    reason = (given["reason"] or "").strip()
    if not reason:
        raise CommandUsageError(
            f"{typed}: expected a --reason that is not empty; nothing was {undone}", next_command=example
        )
    return str(reason)


def _window_of(typed: str, given: Given) -> dict[str, Any]:
    """Days as `window_start`, and `window_end`: the day after the last one."""
    from loader.config import parse_partition

    partition, first, last = given["partition"], given["first"], given["last"]
    if (partition is None) == (first is None and last is None) or (first is None) != (last is None):
        raise CommandUsageError(
            f"{typed}: expected --partition, or --from and --to, and not both: a window is never guessed; nothing was"
            " started",
            next_command=_example(typed, "PARTITION=2026-04-17"),
        )
    start = parse_partition(partition or first or "")
    end = parse_partition(partition or last or "")
    if end == date.max:
        raise CommandUsageError(
            f"{typed}: got the window {start} to {end}: its last day has no next one that could end it; nothing was"
            " started",
            next_command=_example(typed, f"FROM={min(start, end - timedelta(days=1))} TO={end - timedelta(days=1)}"),
        )
    if end < start:
        raise CommandUsageError(
            f"{typed}: got the window {start} to {end}, expected --to on or after --from; nothing was started",
            next_command=_example(typed, f"FROM={end} TO={start}"),
        )
    return {"window_start": start.isoformat(), "window_end": (end + timedelta(days=1)).isoformat()}


VERBS = (
    VerbOptions(
        "retry",
        (click.argument("run_id", metavar="[RUN]", required=False), _latest_option),
        _request_of_run,
        "The same run as its next attempt, from what it recorded.\n\nRefused for a run that is alive, and for"
        " one that succeeded and is sound.",
        "The same run as its next attempt.",
    ),
    VerbOptions(
        "rerun",
        (click.option("--run", "run_id", metavar="RUN", help="The run whose job is done again."), _latest_option),
        _request_of_run,
        "The same job as a new run; sources are read again.\n\nSays which of them changed.",
        "The same job as a new run; reads and hashes the sources.",
    ),
    VerbOptions(
        "replay",
        (
            click.option("--run", "run_id", metavar="RUN", help="Every asset that this run archived."),
            click.option("--batch", metavar="batch-YYYYMMDD-NNN", help="Every asset that this batch archived."),
            click.option("--rejected-only", is_flag=True, help="Assets with rejects only; no valid line may change."),
        ),
        _request_of_replay,
        "A past run or batch from the raw zone, under today's rules.\n\nSays what that changed.",
        "A past run or batch, from the raw zone.",
        of_each_kind=True,
    ),
    VerbOptions(
        "backfill",
        (
            *_window_options,
            kind_option,
            click.option("--manifest", metavar="PATH[,PATH…]", help="Only these manifests."),
            click.option("--keep-going", is_flag=True, help="Do not stop at the first partition that fails."),
        ),
        _request_of_backfill,
        "A window of partitions from the declared sources; the cursor does not move.",
        "A window of partitions.",
        of_each_kind=True,
    ),
    VerbOptions(
        "restore",
        (
            *_window_options,
            kind_option,
            click.option("--all", "is_everything", is_flag=True, help="Every partition; needs --release or --as-of."),
            click.option("--release", type=click.IntRange(min=1), help="As of this data_release_id."),
            click.option("--as-of", metavar="INSTANT", help="As it was shown at this time: 2026-04-18T09:00:00Z."),
            _reason_option,
        ),
        _request_of_restore,
        "Readers see an earlier released state of partitions again.\n\nThese are held; nothing is deleted.",
        "An earlier released state of partitions.",
    ),
    VerbOptions(
        "expire",
        (
            click.option(
                "--older-than",
                metavar="DAYS|DATE",
                help="What readers have seen in so many days, or since, stays.",
            ),
            click.option(
                "--keep", type=click.IntRange(min=1), metavar="N", help="The N newest of each partition stay."
            ),
            _reason_option,
        ),
        _request_of_expire,
        "Remove versions that readers have not seen for long.\n\nNever one that a pointer, a hold or a moved"
        " record needs. There is no way back.",
        "Versions of partitions that readers have not seen for long.",
    ),
)
