"""The process in which dbt runs: it imports dbt once, keeps parsed projects, and does what it is told.

A process of its own, because dbt takes seconds of importing and parsing, which in a thread it would take from the
reading of files; because dbt writes to standard output and reads the environment, both of which belong to the
command; and because all that dbt holds in memory goes with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from loader.silver.results import NodeResult
from loader.silver.unread import write_what_is_read

PARTIAL_PARSE = "--partial-parse"
# The tag of tests that read reconcile_finding and nothing else of what they are about.
FINDINGS = "findings"


@dataclass(frozen=True, slots=True)
class Parse:
    """Parse `project` and keep it. Not answered: what is wrong with it is said when it is built."""

    project: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """Run dbt with the kept `project`, parsed now if need be (`parse_arguments`). None: dbt parses for itself."""

    project: str | None
    parse_arguments: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of what dbt prints, sent while it runs."""

    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A node has begun, by the name that an operator would select, sent while dbt runs."""

    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """The node `name` has ended, and with it `count` of `total`, sent while dbt runs."""

    name: str

    count: int
    total: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer to a Run. `error`: why dbt ran nothing."""

    invocation_id: str
    nodes: tuple[NodeResult, ...]
    error: str | None
    is_interrupted: bool


def serve(connection: Connection) -> None:
    """Answer requests until nobody asks any more. An interrupt (SIGINT) ends the request at work, not the process."""
    from dbt.cli.main import dbtRunner

    write_what_is_read()
    projects: dict[str, Any] = {}
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        os.environ.clear()
        os.environ.update(request.environment)
        if isinstance(request, Parse):
            projects[request.project] = _parsed(dbtRunner(), request.arguments)
        else:
            connection.send(_run(request, projects, _Console(connection)))


def _run(request: Run, projects: dict[str, Any], console: _Console) -> Ended:
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import reset_metadata_vars
    from dbt_common.invocation import get_invocation_id

    # What dbt remembers of an earlier request's anchors.
    reset_metadata_vars()
    manifest = None
    if request.project is not None:
        manifest = projects.get(request.project) or _parsed(dbtRunner(), request.parse_arguments)
        if manifest is not None and not _is_whole(manifest):
            # dbt's own file of parsed parts, from before an upgrade: a hook in it keeps references to models that went.
            wholly = ("--no-partial-parse" if word == PARTIAL_PARSE else word for word in request.parse_arguments)
            manifest = _parsed(dbtRunner(), tuple(wholly))
        projects[request.project] = manifest
    nodes = _Nodes(console)
    with redirect_stdout(console), redirect_stderr(console):
        result = dbtRunner(manifest=manifest, callbacks=[nodes.hear]).invoke([*request.arguments])
    is_interrupted = isinstance(result.exception, KeyboardInterrupt)
    error = None
    if not is_interrupted and (result.exception is not None or (not result.success and result.result is None)):
        error = str(result.exception).strip()
    return Ended(get_invocation_id(), _nodes(result.result), error, is_interrupted)


def _parsed(runner: Any, arguments: tuple[str, ...]) -> Any:
    """The parsed project; None when it cannot be parsed, and dbt then says why when it runs."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        return runner.invoke([*arguments]).result


def _is_whole(manifest: Any) -> bool:
    """Whether every node that another one depends on is there."""
    known = {*manifest.nodes, *manifest.sources, *manifest.macros}
    return all(known.issuperset(node.depends_on.nodes) for node in manifest.nodes.values())


def _nodes(execution: Any) -> tuple[NodeResult, ...]:
    """The result of `run-operation` has no node, and names the macro itself."""
    found = [(getattr(item, "node", item), item) for item in getattr(execution, "results", ())]
    return tuple(
        NodeResult(node.unique_id, str(item.status), item.failures, item.message, FINDINGS in getattr(node, "tags", ()))
        for node, item in found
        if hasattr(node, "unique_id")
    )


class _Console:
    """What dbt takes for its terminal; dbt's threads print, too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, word: Said | Begun | Done) -> None:
        with self._lock:
            self._connection.send(word)

    def write(self, text: str) -> int:
        self.send(Said(text))
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


class _Nodes:
    """Names and counts nodes as dbt tells of them; its events carry each node's number, and of how many."""

    def __init__(self, console: _Console) -> None:
        self._console = console
        self._ended = 0
        self._total = 0

    def hear(self, event: Any) -> None:
        self._total = max(self._total, getattr(event.data, "total", 0))
        if event.info.name == "NodeStart":
            self._console.send(Begun(event.data.node_info.node_name))
        elif event.info.name == "NodeFinished":
            self._ended += 1
            self._console.send(Done(event.data.node_info.node_name, self._ended, max(self._total, self._ended)))
