"""The `loader` command. A subcommand is imported when it runs, what it needs when it works."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from loader.cli.afterwards import changes_what_is_told, keep_up_to_date
from loader.cli.output import lines, print_error
from loader.cli.streams import outlive_readers
from loader.cli.waits import watching
from loader.collector import collect_rarely, end_without_collecting
from loader.errors import InfrastructureError, LoaderError, OutputError
from loader.printable import pasted

# Each says what it does in its own help.
_COMMANDS = {
    "ingest": "loader.cli.ingest_command:ingest",
    "dry-run": "loader.cli.dry_run_command:dry_run",
    "manifest": "loader.cli.manifest_command:command",
    "status": "loader.cli.look_commands:status",
    "plan": "loader.cli.recovery_commands:plan",
    "apply": "loader.cli.recovery_commands:apply",
    "retry": "loader.cli.recovery_commands:retry",
    "rerun": "loader.cli.recovery_commands:rerun",
    "replay": "loader.cli.recovery_commands:replay",
    "backfill": "loader.cli.recovery_commands:backfill",
    "restore": "loader.cli.recovery_commands:restore",
    "expire": "loader.cli.recovery_commands:expire",
    "release": "loader.cli.release_commands:release",
    "hold": "loader.cli.release_commands:hold",
    "ready": "loader.cli.release_commands:ready",
    "erase": "loader.cli.erase_command:erase",
    "alert": "loader.cli.alert_command:alert",
    "history": "loader.cli.history_command:history",
    "diff": "loader.cli.diff_command:diff",
    "changes": "loader.cli.changes_command:changes",
    "trace": "loader.cli.trace_command:trace",
    "verify": "loader.cli.verify_command:verify",
    "state": "loader.cli.state_command:state",
    "kind": "loader.cli.kind_command:kind",
    "diagnose": "loader.cli.look_commands:diagnose",
    "drill": "loader.cli.look_commands:drill",
    "completeness": "loader.cli.report_commands:completeness",
    "site": "loader.cli.site_command:site",
    "smoke": "loader.cli.report_commands:smoke",
    "build": "loader.cli.build_command:build",
    "docs": "loader.cli.build_command:docs",
    "up": "loader.cli.warehouse_commands:up",
    "down": "loader.cli.warehouse_commands:down",
    "env": "loader.cli.warehouse_commands:env",
    "psql": "loader.cli.warehouse_commands:psql",
    "clean": "loader.cli.warehouse_commands:clean",
}


class _LazyGroup(click.Group):
    """A group that imports a subcommand only to run it or to print its own help."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, context: click.Context, words: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(context, words)
        if command is not None:
            _refuse_repeated(command, rest, click.Context(command, parent=context, info_name=name))
        return name, command, rest

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The first paragraph of each command's help, whole."""
        found = [(name, self.get_command(context, name)) for name in _COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help(command)) for name, command in found if command])


def _refuse_repeated(command: click.Command, words: list[str], context: click.Context) -> None:
    """An option that is given twice, with a value each: click takes the last one, and says nothing of the first.

    Raises click.UsageError. What else is wrong with the words is said when they are parsed to run.
    """
    try:
        _, rest, given = command.make_parser(context).parse_args([*words])
    except click.UsageError:
        return
    for option in given:
        if isinstance(option, click.Option) and not (option.multiple or option.is_flag) and given.count(option) > 1:
            hint = option.get_error_hint(context)
            raise click.UsageError(f"Option {hint} is given twice; one of them is meant.", context)
    if isinstance(command, click.Group) and rest and (inner := command.get_command(context, rest[0])):
        _refuse_repeated(inner, rest[1:], click.Context(inner, parent=context, info_name=rest[0]))


def short_help(command: click.Command) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Reliable ingestion of support records: every line has one provable fate.

    Exit codes: 0 ok · 1 a check failed · 2 usage · 3 infrastructure · 4 refused for safety.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs a command and ends the process with DESIGN's exit codes."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C, if nobody has decided that it is to be ignored.
        if signal.getsignal(signal_number) is signal.SIG_DFL:
            signal.signal(signal_number, signal.default_int_handler)
    as_json = "--json" in words
    outlive_readers()
    # Raw records, their names and the ways to them are nobody else's, whatever the shell would let others read.
    os.umask(0o077)
    collect_rarely()
    try:
        exit_code = _ended(words, as_json)
        # 2: nothing was started.
        if exit_code != 2 and changes_what_is_told(words):
            keep_up_to_date()
        sys.exit(exit_code)
    finally:
        end_without_collecting()


def _ended(words: list[str], as_json: bool) -> int:
    """Run a command; how it ended is told, and returned as its exit code."""
    began = datetime.now(UTC)
    try:
        with watching(lines):
            result = cli.main(args=words, prog_name="loader", standalone_mode=False)
        # Here, where a disk that is full can still be told.
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except LoaderError as raised:
        is_unread = isinstance(raised, OutputError)
        # Its disk is none of the loader's, and nothing more can be said where the answer was to go.
        error = raised if is_unread else _of_device(raised, began) or raised
        is_json = as_json and not is_unread
        print_error(
            error.message, error.next_command, error.exit_code, as_json=is_json, reason_codes=error.reason_codes
        )
        return error.exit_code
    except click.UsageError as error:
        print_error(*_misused(error, words), 2, as_json=as_json)
        return 2
    except click.Abort:
        print_error("interrupted; what was not completed stays invisible.", "make status", 3, as_json=as_json)
        return 3
    except Exception as error:
        full = _of_device(error, began)
        told = (full.message, full.next_command) if full else _unforeseen(error)
        print_error(*told, 3, as_json=as_json)
        return 3


def _misused(error: click.UsageError, words: list[str]) -> tuple[str, str]:
    """Message and next command for words that no command takes. A record's key may begin as an option does."""
    command = error.ctx.command_path if error.ctx else "loader"
    message = f"{error.format_message()} Nothing was started."
    if isinstance(error, click.NoSuchOption) and not error.possibilities and command.endswith(" trace"):
        word = next((word for word in words if word.startswith(error.option_name)), error.option_name)
        return f"{message} A KEY that begins so comes after -- alone.", f"make trace KEY={pasted(word)}"
    return message, f"{command} --help"


def _of_device(error: Exception, began: datetime) -> LoaderError | None:
    """Whatever a full disk, or full shared memory, made of a command that `began` then: told as that, with its name. No
    next command that foresaw another end would help."""
    from loader.config import load_settings
    from loader.disk import full_disk
    from loader.warehouse import find_warehouse, with_full_device

    try:
        settings = load_settings()
        if "shared memory" in str(error):
            told = with_full_device(str(error), is_embedded=find_warehouse(settings).is_embedded)
            return None if told is None else InfrastructureError(told[0], next_command=told[1])
    except LoaderError:
        settings = None
    return full_disk(error, settings, began)


# Gives each schema's owner what is its own.
_ROLES_ANEW = "psql -f infra/postgres/roles.sql   # as an administrator, in this database"


def _unforeseen(error: Exception) -> tuple[str, str]:
    """Message and next command for what no command foresaw: never exit 1, which is a statement about the data."""
    import psycopg2

    reason = (str(error).strip().splitlines() or [""])[0]
    end = "the command ended here; what was not completed stays invisible."
    if isinstance(error, psycopg2.errors.UndefinedColumn | psycopg2.errors.UndefinedTable):
        return f"what dbt made in this warehouse is of another version of the project: {reason}; {end}", "make build"
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return f"{type(error).__name__}: {reason}; {end}", _ROLES_ANEW
    if isinstance(error, OSError | psycopg2.Error):
        return f"{type(error).__name__}: {reason}; {end}", "make status"
    traceback.print_exc()
    return f"a defect of the loader itself, {type(error).__name__}: {reason}; {end}", "make status   # and report this"
