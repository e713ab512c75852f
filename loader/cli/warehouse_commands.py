"""`loader up`, `down`, `env`, `psql`, `clean`: the warehouse to start, reach, stop and throw away."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, progress, show, surface
from loader.errors import RefusedError

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.warehouse import Warehouse


@click.command()
@json_option
def up(as_json: bool) -> int:
    """Start the embedded PostgreSQL, or check the given one.

    Creates or updates the loader's tables.
    """
    from loader.config import load_settings
    from loader.screen import next_lines, paragraph
    from loader.warehouse import open_warehouse

    with progress() as report:
        warehouse = open_warehouse(load_settings(), announce=report)
    if as_json:
        print_json({**warehouse.libpq_environment(), "is_embedded": warehouse.is_embedded})
    else:
        screen = surface()
        show(paragraph(screen, f"PostgreSQL is up at {warehouse.address}"))
        show(paragraph(screen, 'Other clients connect after `eval "$(make -s env)"`.'))
        show(next_lines(screen, "make ingest PARTITION=2026-04-17"))
    return 0


force_option = click.option("--force", is_flag=True, help="Also while a command writes: it is ended.")


@click.command()
@force_option
@json_option
def down(force: bool, as_json: bool) -> int:
    """Stop the embedded PostgreSQL; its data stays.

    A given server is never stopped. Refused while a command writes, which would fail in the middle of its work.
    """
    from loader.config import load_settings
    from loader.screen import next_lines
    from loader.warehouse import stop_embedded

    settings = load_settings()
    if not force:
        _refuse_while_written("down", settings)
    was_running = stop_embedded(settings)
    if as_json:
        print_json({"was_running": was_running})
    else:
        screen = surface()
        show(["PostgreSQL is stopped, its data stays." if was_running else "PostgreSQL was not running."])
        show(next_lines(screen, "make up   # starts it again, as every command does"))
    return 0


def _refuse_while_written(command: str, settings: Settings) -> None:
    from loader.runs import writers_at_work
    from loader.warehouse import running_embedded

    server = running_embedded(settings)
    told = [] if server is None else writers_at_work(server)
    if told:
        raise RefusedError(
            f"a command writes the warehouse: {', '.join(told)}; the server was not stopped, nothing was removed",
            next_command=f"make status   # and make {command} when it has ended; make {command} FORCE=1 ends it",
        )


def role_option(command: Callable[..., int]) -> Callable[..., int]:
    """--role, by default the one that dbt works as."""
    return click.option(
        "--role",
        type=click.Choice(["loader", "transform", "reader", "auditor"]),
        default="transform",
        show_default=True,
        help="Whose rights the connection has (docs/access.md).",
    )(command)


def _opened(settings: Settings) -> Warehouse:
    """The warehouse, also for who is to put a table of Bronze back."""
    from loader.warehouse import PartitionAwayError, find_warehouse, open_warehouse

    try:
        return open_warehouse(settings)
    except PartitionAwayError:
        return find_warehouse(settings)


@click.command()
@role_option
@json_option
def env(role: str, as_json: bool) -> int:
    """Print a role's connection as one line of shell exports, for eval.

    Starts the server if needed. Variables of the shell's that would lead elsewhere or bend its sessions are unset. A
    password is never printed.
    """
    from loader.config import load_settings
    from loader.environment import VARIABLES
    from loader.warehouse import Role

    held = [name for name in VARIABLES if name in os.environ]
    variables = _opened(load_settings()).acting_as(Role[role.upper()]).libpq_environment()
    # Opening it left them aside.
    foreign = [name for name in held if name not in os.environ and name not in variables]
    if as_json:
        print_json(variables)
    else:
        if foreign:
            click.echo(f"unset {' '.join(foreign)}; ", nl=False)
        click.echo("export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
    return 0


@click.command(context_settings={"ignore_unknown_options": True})
@role_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(role: str, arguments: tuple[str, ...]) -> int:
    """Open psql on the warehouse; further words go to psql: -c 'select 1'."""
    from loader.config import load_settings
    from loader.errors import InfrastructureError
    from loader.warehouse import Role, find_binaries

    warehouse = _opened(load_settings()).acting_as(Role[role.upper()])
    program: str | None = str(find_binaries() / "psql")
    if not os.access(str(program), os.X_OK):
        program = shutil.which("psql")
    if program is None:
        raise InfrastructureError(
            "psql: got none in this environment nor on the PATH, expected one; the warehouse is up",
            next_command='eval "$(make -s env)"   # then use any other client',
        )
    sys.stdout.flush()
    os.execve(program, [program, *arguments], os.environ | warehouse.libpq_environment())


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@force_option
@json_option
def clean(yes: bool, force: bool, as_json: bool) -> int:
    """Remove local state: embedded database, raw zone, work files (.local) and reports.

    Nothing else: a given server, and a raw zone or reports at a place of your own, stay. Refused while a command
    writes.
    """
    from loader.config import load_settings
    from loader.errors import CommandUsageError
    from loader.screen import Failure, failures, next_lines
    from loader.warehouse import remove_embedded

    settings = load_settings()
    folders = [settings.state_folder, settings.project_root / "reports"]
    doomed = [folder for folder in folders if folder.exists()]
    if not force:
        _refuse_while_written("clean", settings)
    if doomed and not yes:
        if not sys.stdin.isatty():
            raise CommandUsageError(
                f'clean: got no answer to "remove {" and ".join(map(str, doomed))}?", expected --yes; '
                "nothing was removed",
                next_command="make clean YES=1",
            )
        click.confirm(f"Remove {' and '.join(map(str, doomed))}, the embedded database in it?", abort=True)
    removed: list[Path] = list(remove_embedded(settings))
    for folder in doomed:
        shutil.rmtree(folder)
        removed.append(folder)
    if as_json:
        print_json({"removed": [str(folder) for folder in removed]})
    else:
        screen = surface()
        show(["Nothing was there to remove."] if not removed else [])
        show(failures(screen, [Failure("", "Removed:", str(folder)) for folder in removed], noun="folder", indent=""))
        show(next_lines(screen, "make ingest PARTITION=2026-04-17   # begins anew"))
    return 0
