"""dbt in this process, by its programmatic door (dbtRunner), with the warehouse's own connection.

In process because a dbt command costs seconds of imports and parsing before its first SQL. The loader keeps dbt's
artifacts in a folder of its own, so a plain `dbt build` at the same time does not share them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.errors import InfrastructureError

if TYPE_CHECKING:
    from loader.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What dbt said of one node. `failures`: failing rows of a test, else None."""

    unique_id: str
    status: str
    failures: int | None
    message: str | None

    @property
    def is_failed(self) -> bool:
        return self.status in ("error", "fail", "runtime error", "partial success")

    @property
    def reason(self) -> str:
        """What dbt said, without the query: a database repeats it after its own words."""
        lines = [line.strip() for line in (self.message or self.status).splitlines() if line.strip()]
        return " ".join(lines[:2])

    @property
    def name(self) -> str:
        """The node's name as an operator would select it, e.g. `ticket_fact`."""
        return self.unique_id.split(".")[2]


@dataclass(frozen=True, slots=True)
class BuildResult:
    invocation_id: str
    nodes: tuple[NodeResult, ...]

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.is_failed)

    @property
    def skipped(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.status == "skipped")

    @property
    def is_ok(self) -> bool:
        return not self.failed and not self.skipped

    def then(self, later: BuildResult) -> BuildResult:
        """Both as one: the later invocation's id, and its word on every node that it ran too."""
        nodes = {node.unique_id: node for node in (*self.nodes, *later.nodes)}
        return BuildResult(later.invocation_id, tuple(nodes.values()))


def run_dbt(
    warehouse: Warehouse,
    project_root: Path,
    arguments: Sequence[str],
    *,
    anchors: Mapping[str, str] | None = None,
    is_quiet: bool = True,
) -> BuildResult:
    """Run one dbt command, e.g. `["build", "--select", "reconcile"]`, and return what each node did.

    `anchors` (run_id, trace_id …) reach run_results.json as `DBT_ENV_CUSTOM_ENV_<NAME>`. Failing tests and models
    are in the result; only what kept dbt from running them (no connection, a broken project) is raised, as
    InfrastructureError: what dbt had committed by then stays.
    """
    from dbt.cli.main import dbtRunner
    from dbt_common.invocation import get_invocation_id

    local = project_root / ".local" / "dbt"
    environment = {
        **warehouse.libpq_environment(),
        **{f"DBT_ENV_CUSTOM_ENV_{name.upper()}": value for name, value in (anchors or {}).items()},
    }
    manifest = None if "--vars" in arguments or arguments[0] == "docs" else _parsed(warehouse, project_root)
    # Even a quiet dbt prints its errors, and standard output may be somebody's JSON.
    with _environment(environment), redirect_stdout(sys.stderr if is_quiet else sys.stdout):
        result = dbtRunner(manifest=manifest).invoke([*_flags(is_quiet), *arguments, *_places(project_root)])
    if isinstance(result.exception, KeyboardInterrupt):
        raise result.exception
    if result.exception is not None or (not result.success and result.result is None):
        raise InfrastructureError(
            f"dbt {arguments[0]} did not run: {str(result.exception).strip()}. Silver and reconcile keep what earlier"
            " builds made.",
            next_command=f"make build SELECT=ticket_fact+   (log: {local / 'logs' / 'dbt.log'})",
        )
    return BuildResult(get_invocation_id(), _nodes(result.result))


def warm_up(warehouse: Warehouse, project_root: Path) -> None:
    """Import dbt and parse the project in the background, while the caller waits for other things.

    The parsed project is kept for this process and this database: whatever changes in dbt_project meanwhile is not
    seen. A project that cannot be parsed is reported by the next `run_dbt`.
    """
    key = (warehouse.address, str(project_root))
    if key not in _projects:
        executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dbt")
        _projects[key] = executor.submit(_parse, warehouse, project_root)
        executor.shutdown(wait=False)


_projects: dict[tuple[str, str], Future[Any]] = {}


def _parsed(warehouse: Warehouse, project_root: Path) -> Any:
    """The parsed project, waited for; None when it could not be parsed, and dbt then says why itself."""
    warm_up(warehouse, project_root)
    key = (warehouse.address, str(project_root))
    manifest = _projects[key].result()
    if manifest is None:
        del _projects[key]
    return manifest


def _parse(warehouse: Warehouse, project_root: Path) -> Any:
    from dbt.cli.main import dbtRunner

    # Silent: the caller may be printing, and `run_dbt` says what is wrong.
    silent = [*_flags(is_quiet=True), "--log-level", "none"]
    with _environment(warehouse.libpq_environment()):
        return dbtRunner().invoke([*silent, "parse", *_places(project_root)]).result


def _flags(is_quiet: bool) -> list[str]:
    return ["--quiet", "--no-print", "--no-use-colors"] if is_quiet else []


def _places(project_root: Path) -> list[str]:
    """The loader's own folders for what dbt writes, so that a plain dbt beside it shares none of them."""
    local = project_root / ".local" / "dbt"
    places = ["--project-dir", str(project_root / "dbt_project"), "--profiles-dir", str(project_root)]
    return [*places, "--target-path", str(local / "target"), "--log-path", str(local / "logs")]


def _nodes(execution: Any) -> tuple[NodeResult, ...]:
    return tuple(
        NodeResult(item.node.unique_id, str(item.status), item.failures, item.message)
        for item in getattr(execution, "results", ())
        if hasattr(item, "node")
    )


class _environment:
    """Set variables for a block and put back what was there."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = dict(variables)

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
