"""What dbt sends to the server in a build, kept, and sent again by a later one that would send the same.

A build costs dbt seconds, and the server tenths of one. What dbt sends follows from its project, its words, from which
relations there are, and from which kinds have nothing new (macros/silver/at_rest.sql): not from rows otherwise, for no
other macro of the project asks for any. So tests whose promise is what a build makes of rows have dbt write its
statements once in a run, for each of a few such states. With --long every
build is dbt's own; tests/integration/test_replay.py compares the two.
"""

from __future__ import annotations

import os
import pickle
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg2

from loader.progress import Report, Step
from loader.silver import dbt, worker
from loader.silver.results import NodeResult
from loader.silver.thrift import be_thrifty
from loader.silver.watch import DbtWatch
from loader.silver.worker import Ended, Parse, Project, Run
from loader.warehouse import Role, Warehouse
from loader.warehouse.connection import given_warehouse

# A replay has a transaction for each node, as dbt has.
_TRANSACTION = ("BEGIN", "COMMIT")
# The first statement of a model that may have nothing to do, and its only one where it has not.
_AT_REST = " as is_at_rest"
# What one build says that the next one says otherwise: who holds the ingest lock, and the names of new indexes.
_TOKEN = "DBT_ENV_CUSTOM_ENV_WRITER_TOKEN"
_INDEX = re.compile(r'(?<=index if not exists)\s+"[0-9a-f]{32}"')
# Every relation that dbt may ask for, as far as what it sends depends on it.
_RELATIONS = """
select md5(string_agg(to_jsonb(relation)::text, ' ' order by nspname, relname)) from (
    select nspname, nspacl, relname, relkind, relowner, reloptions, relacl,
        case relkind when 'v' then pg_get_viewdef(relation.oid) end as query,
        (select jsonb_agg(jsonb_build_array(attname, atttypid::regtype, atttypmod, attacl) order by attnum)
            from pg_attribute where attrelid = relation.oid and attnum > 0 and not attisdropped) as columns,
        (select count(*) from pg_rewrite where ev_class = relation.oid and relkind = 'v') as rule_count,
        (select count(*) from pg_trigger where tgrelid = relation.oid and relkind = 'v') as trigger_count
    from pg_class as relation inner join pg_namespace on pg_namespace.oid = relnamespace
    where nspname in ('bronze', 'ops', 'release', 'staging', 'silver', 'reconcile', 'serving')
        and relkind not in ('i', 'I', 't', 'S')
) as relation
"""


@dataclass(frozen=True, slots=True)
class _Recording:
    """The statements of each node, by its id, in the order in which the nodes began: what one reads was made before."""

    statements: dict[str, list[str]]
    ended: Ended
    token: str
    # Data tests of which a failure is a warning.
    warnings: frozenset[str]

    def is_of(self, cursor: Any) -> bool:
        """Whether the same models of Silver would find nothing to do now."""
        for statements in self.statements.values():
            if _AT_REST in statements[0]:
                cursor.execute(statements[0])
                if cursor.fetchone() != (len(statements) == 1,):
                    return False
        return True


def _name(state: tuple[Any, ...]) -> str:
    """One for all workers: a state is said in the same words by each."""
    return sha256(repr(state).encode()).hexdigest()


class _NotTheSameError(Exception):
    """dbt would have gone on otherwise."""


class Replays:
    """Stands where loader.silver.dbt has dbt's process."""

    def __init__(self, real: Callable[[], Any], shared: Path | None = None) -> None:
        """`real`: gives dbt's process, for what is not sent again; `shared`: a folder of this run, in which its
        workers give each other what they have kept."""
        self._real = real
        self._shared = shared
        self._projects: dict[Project, Any] = {}
        self._kept: dict[tuple[Any, ...], list[_Recording]] = {}
        self.replayed_count = 0

    def anew(self) -> Replays:
        """One that has kept nothing but the parsed project."""
        other = Replays(self._real)
        other._projects = self._projects
        return other

    def parse(self, request: Parse) -> None:
        """dbt parses when it is needed."""

    def run(self, request: Run, is_quiet: bool, report: Report, watch: DbtWatch) -> Ended:
        if request.project is None or "build" not in request.arguments:
            return self._real().run(request, is_quiet, report, watch)  # type: ignore[no-any-return]
        given = given_warehouse(request.environment)
        assert given is not None
        warehouse = given.acting_as(Role.TRANSFORM)
        with closing(warehouse.connect(application_name="replay")) as session, session.cursor() as cursor:
            cursor.execute(_RELATIONS)
            state = (request.project, request.arguments, _TOKEN in request.environment, cursor.fetchone())
            recordings = self._kept.setdefault(state, [])
            kept = next((each for each in recordings if each.is_of(cursor)), None)
            if kept is None:
                kept = next((each for each in self._of_others(state) if each.is_of(cursor)), None)
                recordings += [kept] if kept else []
        if kept is None:
            count = len(recordings)
            ended = self._recorded(recordings, request, request.project)
            if len(recordings) == count:
                # dbt's own words of what failed.
                return self._real().run(request, is_quiet, report, watch)  # type: ignore[no-any-return]
            self._give(state, recordings[-1])
        else:
            try:
                ended = _sent_again(kept, warehouse, request.environment.get(_TOKEN, ""))
            except (psycopg2.Error, _NotTheSameError):
                return self._real().run(request, is_quiet, report, watch)  # type: ignore[no-any-return]
            self.replayed_count += 1
        for count, _ in enumerate(ended.nodes, start=1):
            report.step(Step("silver", "nodes", count, len(ended.nodes)))
        return ended

    def _of_others(self, state: tuple[Any, ...]) -> Iterator[_Recording]:
        """What any worker has kept of such a state, where this one has nothing that fits."""
        if self._shared is not None:
            for file in sorted(self._shared.glob(f"{_name(state)}.*")):
                yield pickle.loads(file.read_bytes())

    def _give(self, state: tuple[Any, ...], recording: _Recording) -> None:
        if self._shared is not None:
            self._shared.mkdir(exist_ok=True)
            place = self._shared / f"{_name(state)}.{os.getpid()}-{uuid.uuid4().hex}"
            # It has its name when it is whole.
            place.with_name(f"new-{place.name}").write_bytes(pickle.dumps(recording))
            place.with_name(f"new-{place.name}").rename(place)

    def _recorded(self, recordings: list[_Recording], request: Run, project: Project) -> Ended:
        """dbt's own build, in this process; kept among the others where it made everything."""
        from dbt_common.events.functions import reset_metadata_vars
        from dbt_common.invocation import get_invocation_id

        sent: dict[str, list[str]] = {}

        def hear(event: Any) -> None:
            if event.info.name == "SQLQuery" and event.data.sql not in _TRANSACTION:
                sent.setdefault(event.data.node_info.unique_id, []).append(event.data.sql)

        with (
            patch.dict(os.environ, request.environment, clear=True),
            open(os.devnull, "w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            # What dbt remembers of a build's anchors is not for the next one in this process.
            reset_metadata_vars()
            worker._keep(self._projects, project)
            manifest = self._projects[project].manifest
            result = dbt_of_here()(manifest=manifest, callbacks=[hear]).invoke([*request.arguments])
            invocation_id = get_invocation_id()
            reset_metadata_vars()
        error = str(result.exception) if result.exception is not None or result.result is None else None
        ended = Ended(invocation_id, worker._nodes(result.result), error, is_interrupted=False)
        if ended.error is None and not any(node.status in ("error", "skipped") for node in ended.nodes):
            nodes = manifest.nodes.items()
            warnings = frozenset(name for name, node in nodes if getattr(node.config, "severity", "").lower() == "warn")
            # Unit tests read no row of the warehouse.
            of_rows = {name: each for name, each in sent.items() if name and not name.startswith("unit_test.")}
            recordings.append(_Recording(of_rows, ended, request.environment.get(_TOKEN, ""), warnings))
        return ended


def _sent_again(recording: _Recording, warehouse: Warehouse, token: str) -> Ended:
    invocation_id = str(uuid.uuid4())

    def of_now(statement: str) -> str:
        for then, now in ((recording.ended.invocation_id, invocation_id), (recording.token, token)):
            statement = statement.replace(then, now) if then else statement
        return _INDEX.sub(lambda found: f' "{uuid.uuid4().hex}"', statement)

    answers: dict[str, tuple[int, bool, bool]] = {}
    with closing(warehouse.connect(application_name="replay")) as session:
        for name, statements in recording.statements.items():
            with session, session.cursor() as cursor:
                for statement in statements:
                    cursor.execute(of_now(statement))
                if name.startswith("test."):
                    answers[name] = cursor.fetchone()  # type: ignore[assignment]
    nodes = (
        _judged(node, answers[node.unique_id], recording) if node.unique_id in answers else node
        for node in recording.ended.nodes
    )
    return replace(recording.ended, invocation_id=invocation_id, nodes=tuple(nodes))


def _judged(node: NodeResult, answer: tuple[int, bool, bool], recording: _Recording) -> NodeResult:
    """A data test, of whose rows `answer` says how many there are, and whether it should warn or fail."""
    failures, should_warn, should_fail = answer
    if node.unique_id in recording.warnings:
        should_fail = False
    if not should_warn and not should_fail:
        return replace(node, status="pass", failures=failures, message=None)
    if should_fail and not node.reads_findings:
        raise _NotTheSameError(node.unique_id)
    word = "fail" if should_fail else "warn"
    results = "1 result" if failures == 1 else f"{failures} results"
    return replace(node, status=word, failures=failures, message=f"Got {results}, configured to {word} if != 0")


@cache
def dbt_of_here() -> Any:
    """dbtRunner, for this process: as thrifty as in the loader's own."""
    from dbt.cli.main import dbtRunner

    be_thrifty()
    return dbtRunner


@contextmanager
def in_place_of_dbt(replays: Replays) -> Iterator[None]:
    """For the block, in this process and in those that are forked from it."""
    with patch.object(dbt, "_process", cache(lambda: replays)):
        yield
