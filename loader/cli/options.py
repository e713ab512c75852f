"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.errors import CommandUsageError

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.ingest import IngestRequest


class Seconds(click.FloatRange):
    """A number: every comparison with nan is false, and no range keeps it out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


CommandOption = Callable[[Callable[..., Any]], Callable[..., Any]]

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
lock_option = click.option(
    "--lock-timeout",
    type=Seconds(min=0, max=86400),
    metavar="SECONDS",
    help="How long to wait for another writer before exit code 4 (default: LOADER_LOCK_TIMEOUT, else 0).",
)
kind_option = click.option("--kind", metavar="KIND", help="One kind of records only (default: each).")
html_option = click.option(
    "--html", "html", metavar="FILE", type=click.Path(dir_okay=False), help="The answer as one page, too."
)
partition_option = click.option("--partition", metavar="YYYY-MM-DD", help="One UTC day of created_at.")


def with_options(command: Callable[..., Any], options: Sequence[CommandOption]) -> Callable[..., Any]:
    """The function with these options, told by `--help` in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--manifest, or --input with --batch and --limit; and --kind."""
    options = (
        click.option("--manifest", metavar="PATH[,PATH…]", help="Only these manifests (default: data/seed_manifests)."),
        click.option("--input", "input_file", metavar="FILE", help="One ad-hoc file, through an implicit manifest."),
        click.option("--batch", metavar="batch-YYYYMMDD-NNN", help="The batch that INPUT belongs to."),
        click.option("--limit", type=click.IntRange(min=1), help="Only the first lines; their days are kept back."),
        kind_option,
    )
    return with_options(command, options)


def settings_of(lock_timeout: float | None) -> Settings:
    """The settings, with the lock's timeout where the command line gives one."""
    from loader.config import load_settings

    return load_settings() if lock_timeout is None else load_settings(lock_timeout=lock_timeout)


def request_of(
    partition: str | None,
    manifest: str | None,
    input_file: str | None,
    batch: str | None,
    limit: int | None,
    kind: str | None = None,
) -> IngestRequest:
    """The options as a request.

    Raises CommandUsageError for a partition that is no date, and for an option that is given but empty: an unset
    shell variable must not turn one day into everything.
    """
    from loader.config import parse_partition
    from loader.ingest import IngestRequest

    for name, value in (("--manifest", manifest), ("--input", input_file), ("--batch", batch), ("--kind", kind)):
        if value is not None and not value.strip(", "):
            raise CommandUsageError(
                f"{name}: got {value!r}, expected a value; nothing was started",
                next_command="loader ingest --help",
            )
    return IngestRequest(
        partition=None if partition is None else parse_partition(partition),
        manifest_paths=tuple(Path(os.path.realpath(path)) for path in (manifest or "").split(",") if path),
        input_path=None if input_file is None else Path(input_file),
        batch_id=batch,
        line_limit=limit,
        record_kind=kind,
    )
