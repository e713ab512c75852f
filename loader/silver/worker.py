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
from pathlib import Path
from typing import Any

from loader.silver.checks import project_sha256
from loader.silver.importing import import_dbt
from loader.silver.parsed import keep, key_of, read
from loader.silver.results import NodeResult
from loader.silver.thrift import be_thrifty, keep_templates_in

# The tag of tests that read reconcile_finding and nothing else of what they are about.
FINDINGS = "findings"
# How dbt parses: every file.
WHOLLY = "--no-partial-parse"


@dataclass(frozen=True, slots=True)
class Project:
    """The dbt project of the checkout at `root`, to be parsed for databases of one name by the words `parse`; dbt
    keeps what it parsed in the folder `target`. Where a database lies is in nothing that was parsed."""

    root: Path
    dbname: str
    parse: tuple[str, ...]
    target: Path


@dataclass(frozen=True, slots=True)
class Parse:
    """Parse `project` and keep it. Not answered: what is wrong with it is said when it is built."""

    project: Project
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a project was parsed as, and the SHA-256 of its files before that."""

    sha256: str
    manifest: Any


@dataclass(frozen=True, slots=True)
class Run:
    """Run dbt with the kept `project`, parsed now if need be. None: dbt parses for itself."""

    project: Project | None
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
    # Nobody may be waiting yet.
    import_dbt()
    be_thrifty()
    projects: dict[Project, _Parsed] = {}
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        os.environ.clear()
        os.environ.update(request.environment)
        if request.project is not None:
            keep_templates_in(request.project.target / "templates")
        if isinstance(request, Parse):
            _keep(projects, request.project)
        else:
            connection.send(_run(request, projects, _Console(connection)))


def _run(request: Run, projects: dict[Project, _Parsed], console: _Console) -> Ended:
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import reset_metadata_vars
    from dbt_common.invocation import get_invocation_id

    # What dbt remembers of an earlier request's anchors.
    reset_metadata_vars()
    # dbt asks where it is, though every path is given; the folder that this process began in may be gone.
    if not _has_folder():
        os.chdir("/")
    manifest = None
    if request.project is not None:
        if request.project not in projects:
            _keep(projects, request.project)
        manifest = projects[request.project].manifest
    nodes = _Nodes(console)
    with redirect_stdout(console), redirect_stderr(console):
        result = dbtRunner(manifest=manifest, callbacks=[nodes]).invoke([*request.arguments])
    is_interrupted = isinstance(result.exception, KeyboardInterrupt)
    error = None
    if not is_interrupted and (result.exception is not None or (not result.success and result.result is None)):
        error = str(result.exception).strip()
    return Ended(get_invocation_id(), _nodes(result.result), error, is_interrupted)


def _has_folder() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return False
    return True


def _keep(projects: dict[Project, _Parsed], project: Project) -> None:
    """The project as its files stand now, parsed again only if they have changed."""
    sha256 = project_sha256(project.root)
    kept = projects.get(project)
    if kept is None or kept.manifest is None or kept.sha256 != sha256:
        projects[project] = _Parsed(sha256, _parsed(project, sha256))


def _parsed(project: Project, sha256: str) -> Any:
    """dbt's manifest; None when the project cannot be parsed, and dbt then says why when it runs."""
    from dbt.cli.main import dbtRunner

    path, key = project.target / "parsed_project", _key(project, sha256)
    manifest = read(path, key)
    if manifest is None:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            manifest = dbtRunner().invoke([*project.parse]).result
        if manifest is not None:
            keep(path, key, manifest)
    return manifest


def _key(project: Project, sha256: str) -> bytes:
    """What was parsed: the files, the profile, the name of the database, and how, wherever they lie."""
    profile = project.root / "profiles.yml"
    said = profile.read_text("utf-8") if profile.is_file() else ""
    return key_of(sha256, said, project.dbname, *(word.replace(str(project.root), "") for word in project.parse))


def _nodes(execution: Any) -> tuple[NodeResult, ...]:
    """The result of `run-operation` has no node, and names the macro itself."""
    found = [(getattr(item, "node", item), item) for item in getattr(execution, "results", ())]
    return tuple(
        NodeResult(
            node.unique_id,
            str(item.status),
            item.failures,
            item.message,
            FINDINGS in getattr(node, "tags", ()),
            getattr(item, "execution_time", None),
        )
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

    # The events for debugging that it needs (thrift.py).
    hears = frozenset({"NodeStart", "NodeFinished"})

    def __init__(self, console: _Console) -> None:
        self._console = console
        self._ended = 0
        self._total = 0

    def __call__(self, event: Any) -> None:
        self._total = max(self._total, getattr(event.data, "total", 0))
        if event.info.name == "NodeStart":
            self._console.send(Begun(event.data.node_info.node_name))
        elif event.info.name == "NodeFinished":
            self._ended += 1
            self._console.send(Done(event.data.node_info.node_name, self._ended, max(self._total, self._ended)))
