"""dbt by its programmatic door (dbtRunner), in a process beside this one, as omni_transform.

A dbt command costs seconds of imports and parsing before its first SQL: the process is started early, keeps what it
parsed, and is used again by later calls. The loader keeps dbt's artifacts in a folder of its own, so a plain
`dbt build` at the same time does not share them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

from loader.companion import Companion
from loader.environment import own_environment
from loader.errors import InfrastructureError
from loader.printable import visible_in_colour, visible_without_colour
from loader.progress import SILENT, Report, Step
from loader.screen import screen_of
from loader.silver.results import BuildResult
from loader.silver.watch import DbtWatch
from loader.silver.worker import WHOLLY, Begun, Done, Ended, Parse, Project, Run, serve
from loader.warehouse import MEANING, Role, unbounded

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

# Every flag that says what dbt does: each could also be set by a variable, or by a project. What each command knows
# besides has no flag that says "no", or is in `_places`.
_FLAGS = (
    *("--profile", "omnisupport", "--target", "warehouse"),
    *("--no-defer", "--no-favor-state", "--indirect-selection", "eager", "--no-fail-fast"),
    *("--populate-cache", "--no-cache-selected-only", "--no-single-threaded", "--version-check"),
    *(WHOLLY, "--partial-parse-file-diff", "--static-parser", "--no-use-experimental-parser"),
    *("--no-use-fast-test-edges", "--no-macro-debugging", "--warn-error-options", "{}"),
    *("--write-json", "--no-send-anonymous-usage-stats", "--no-upload-to-artifacts-ingest-api"),
    # With every event in it, writing the log takes an eighth of dbt's own time.
    *("--log-level", "info", "--log-level-file", "info", "--log-format", "default", "--log-format-file", "debug"),
    *("--no-debug", "--no-log-cache-events", "--no-show-resource-report", "--no-use-colors-file"),
)
_FLAGS_OF = {"build": ("--no-empty",), "run": ("--no-empty",), "compile": ("--no-empty", "--introspect")}

# An interrupted dbt cancels its queries first.
_SECONDS_TO_CANCEL = 10.0


def run_dbt(
    warehouse: Warehouse,
    project_root: Path,
    arguments: Sequence[str],
    *,
    anchors: Mapping[str, str] | None = None,
    is_quiet: bool = True,
    report: Report = SILENT,
) -> BuildResult:
    """Run one dbt command, e.g. `["build", "--select", "reconcile"]`, and return what each node did.

    `report` hears how many nodes of a quiet dbt have ended, and of how many; and in every ten seconds in which none
    has, which are at work since when, and whom they wait for.

    `anchors` (run_id, trace_id …) reach run_results.json as `DBT_ENV_CUSTOM_ENV_<NAME>`. With the `writer_token` of the
    ingest lock among them, the build changes nothing more once another writer has taken that over. A quiet dbt prints
    errors only, on standard error. Failing tests and models are in the result; only what kept dbt from running them (no
    connection, a broken project) is raised, as InfrastructureError: what dbt had committed by then stays. The parsed
    project is kept for this process and name of a database: whatever changes in dbt_project meanwhile is not seen, and
    variables count where SQL is written, not where the project is configured; unless `arguments` say
    --no-partial-parse.
    """
    keeps_project = arguments[0] != "docs" and WHOLLY not in arguments
    request = Run(
        project=_project(warehouse, project_root) if keeps_project else None,
        # Among the flags of every command, and dbt takes it once.
        arguments=command_line(project_root, [word for word in arguments if word != WHOLLY], is_quiet=is_quiet),
        environment={
            **_environment(warehouse),
            **{f"DBT_ENV_CUSTOM_ENV_{name.upper()}": value for name, value in (anchors or {}).items()},
        },
    )
    try:
        ended = _process().run(request, is_quiet, report, DbtWatch(warehouse, _session_name(), report))
        if ended.is_interrupted:
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        _end_sessions(warehouse)
        raise
    if ended.error is not None:
        raise _did_not_run(arguments[0], ended.error, project_root)
    return BuildResult(ended.invocation_id, ended.nodes)


def start_dbt() -> None:
    """Begin to import dbt, in the background; safe to call at any time."""
    _process()


def parse_project(warehouse: Warehouse, project_root: Path) -> None:
    """Begin to parse the project, in the background. What is wrong with it is reported by the next `run_dbt`."""
    _process().parse(Parse(_project(warehouse, project_root), _environment(warehouse)))


class _DbtProcess:
    """The process of worker.py, as this one sees it."""

    def __init__(self) -> None:
        self._companion = Companion(serve)

    def parse(self, request: Parse) -> None:
        try:
            self._companion.connection.send(request)
        except OSError as error:
            raise self._ended_early() from error

    def run(self, request: Run, is_quiet: bool, report: Report, watch: DbtWatch) -> Ended:
        try:
            self._companion.connection.send(request)
            try:
                return self._answer(is_quiet, report, watch)
            except KeyboardInterrupt:
                self._interrupt()
                raise
        except (EOFError, OSError) as error:
            raise self._ended_early() from error

    def _answer(self, is_quiet: bool, report: Report, watch: DbtWatch) -> Ended:
        while not isinstance(answer := self._next(watch), Ended):
            if isinstance(answer, Begun):
                watch.begin(answer.name)
            elif isinstance(answer, Done):
                watch.end(answer.name)
                # A dbt that prints tells its nodes itself.
                if is_quiet:
                    report.step(Step("silver", "nodes", answer.count, answer.total))
            else:
                stream = sys.stderr if is_quiet else sys.stdout
                shown = visible_in_colour if screen_of(stream).has_colour else visible_without_colour
                stream.write(shown(answer.text))
        return answer

    def _next(self, watch: DbtWatch) -> Any:
        while not self._companion.connection.poll(watch.seconds_of_silence):
            watch.look()
        return self._companion.connection.recv()

    def _interrupt(self) -> None:
        """Let dbt cancel its queries; a process that does not answer in time is ended."""
        os.kill(self._companion.pid, signal.SIGINT)
        # Still importing or parsing, it has nothing to cancel and simply ends.
        with suppress(EOFError, OSError):
            while self._companion.connection.poll(_SECONDS_TO_CANCEL):
                if isinstance(self._companion.connection.recv(), Ended):
                    return
        self._forget()

    def _ended_early(self) -> InfrastructureError:
        self._forget()
        return InfrastructureError(
            f"dbt's process ended by itself (exit code {self._companion.exit_code()}). Silver and reconcile keep what"
            " earlier builds made.",
            next_command="make build",
        )

    def _forget(self) -> None:
        self._companion.kill()
        _process.cache_clear()


@cache
def _process() -> _DbtProcess:
    return _DbtProcess()


def _end_sessions(warehouse: Warehouse) -> None:
    """What an interrupted dbt could not cancel: where a login acts as omni_transform, only the login itself may end its
    sessions."""
    if warehouse.acting_as(Role.TRANSFORM).role is None:
        return
    # The interrupt is what is told, whatever became of the server meanwhile.
    with (
        suppress(InfrastructureError, psycopg2.Error),
        closing(warehouse.as_administrator().connect(autocommit=True)) as connection,
    ):
        connection.cursor().execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and application_name = %s",
            (_session_name(),),
        )


def _session_name() -> str:
    return f"dbt-{os.getpid()}"


def _did_not_run(command: str, reason: str, project_root: Path) -> InfrastructureError:
    log = _local(project_root) / "logs" / "dbt.log"
    return InfrastructureError(
        f"dbt {command} did not run: {reason}. Silver and reconcile keep what earlier builds made.",
        next_command=f"make build   # log: {log}",
    )


def _project(warehouse: Warehouse, project_root: Path) -> Project:
    parse = command_line(project_root, ["parse"])
    return Project(project_root, warehouse.dbname, parse, _local(project_root) / "target")


def _environment(warehouse: Warehouse) -> dict[str, str]:
    own = {"PGAPPNAME": _session_name(), "OMNI_DBT_OPTIONS": _options(warehouse)}
    return {**own_environment(os.environ), **warehouse.acting_as(Role.TRANSFORM).libpq_environment(), **own}


@cache
def _options(warehouse: Warehouse) -> str:
    """Session options in place of the profile's defaults, with those that only this server's version knows."""
    with closing(warehouse.connect()) as connection:
        options = {**MEANING, **unbounded(connection.server_version)}
    return "".join(f"\t-c{name}={value}" for name, value in options.items())


def command_line(project_root: Path, arguments: Sequence[str], *, is_quiet: bool = True) -> tuple[str, ...]:
    """All words after `dbt`, every flag among them, for one command of ours."""
    loudness = ("--quiet", "--no-print", "--no-use-colors") if is_quiet else ("--no-quiet", "--print", "--use-colors")
    return (*_FLAGS, *loudness, *arguments, *_FLAGS_OF.get(arguments[0], ()), *_places(project_root))


def _places(project_root: Path) -> list[str]:
    """The loader's own folders for what dbt writes, so that a plain dbt beside it shares none of them."""
    local = _local(project_root)
    places = ["--project-dir", str(project_root / "dbt_project"), "--profiles-dir", str(project_root)]
    return [*places, "--target-path", str(local / "target"), "--log-path", str(local / "logs")]


def _local(project_root: Path) -> Path:
    return project_root / ".local" / "dbt"
