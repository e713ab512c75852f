"""What dbt does for less: a project parsed once, no line that nobody reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any

from loader.silver import dbt, parse_project, run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import make_small_checkout
from tests.ingests import rows


def test_a_project_is_parsed_again_only_when_it_has_changed(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    """Prevents three seconds of parsing in each command, and a build of SQL as it was before an edit."""
    root = tmp_path / "checkout"
    make_small_checkout(root)
    told, model = root / ".local" / "dbt" / "target" / "perf_info.json", root / "dbt_project/models/of_its_own.sql"

    def is_built() -> bool:
        parse_project(database, root)
        return run_dbt(database, root, ["run", "--select", "of_its_own"]).is_ok

    def parsed_files() -> int:
        return int(json.loads(told.read_text())["parsed_path_count"])

    model.write_text("select 1 as one")
    assert is_built() and rows(database, "select * from silver.of_its_own") == [(1,)] and parsed_files() > 100
    when = told.stat().st_mtime_ns
    assert is_built() and told.stat().st_mtime_ns == when
    # The next command.
    dbt._process()._forget()
    assert is_built() and told.stat().st_mtime_ns == when
    model.write_text("select 2 as one")
    assert is_built() and rows(database, "select * from silver.of_its_own") == [(2,)] and parsed_files() > 100


def test_what_was_parsed_counts_for_the_very_same_project_alone(tmp_path: Path) -> None:
    """Prevents a build of models that are no longer so, of those of another database or another dbt, and a command that
    ends for a file that was cut short or cannot be written."""
    _where_dbt_runs(f"""
        import shutil
        from dataclasses import replace
        from dbt.contracts.graph.manifest import Manifest
        from loader.silver import parsed, worker

        root = parsed.Path({os.fspath(tmp_path)!r})
        shutil.copy({os.fspath(ROOT / "profiles.yml")!r}, root)
        project = worker.Project(root, "a database", ("parse", f"{{root}}/dbt_project"), root)

        def key_of(sha256="a" * 64, **changed):
            return worker._key(replace(project, **changed), sha256)

        elsewhere = root / "elsewhere"
        elsewhere.mkdir()
        shutil.copy(root / "profiles.yml", elsewhere)
        key = key_of()
        assert key == key_of() == key_of(root=elsewhere, parse=("parse", f"{{elsewhere}}/dbt_project"))
        others = [key_of("b" * 64), key_of(dbname="another"), key_of(parse=("parse", "--no-static-parser"))]
        version, parsed.version = parsed.version, lambda name: "1"
        others.append(key_of())
        parsed.version = version
        (elsewhere / "profiles.yml").write_text("")
        others.append(key_of(root=elsewhere))
        assert len({{key, *others}}) == 6

        file, manifest = root / "kept", Manifest(macros={{"one": "a macro"}}, unit_tests={{"two": "a test"}})
        assert parsed.read(file, key) is None
        parsed.keep(file, key, manifest)
        found = parsed.read(file, key)
        assert (found.macros, found.unit_tests, found.fixtures) == (manifest.macros, manifest.unit_tests, {{}})
        assert [parsed.read(file, other) for other in others] == [None] * 5
        whole = file.read_bytes()
        for length in (0, 20, len(key), len(key) + 1, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:length])
            assert parsed.read(file, key) is None, length
        for place in range(len(whole)):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            assert parsed.read(file, key) is None, place
        (root / "no_folder").write_text("")
        parsed.keep(root / "no_folder" / "kept", key, manifest)
    """)


def test_what_dbt_logs_and_how_it_ended_are_written_as_they_were(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """Prevents that with the lines that nobody reads, those that somebody needs stay out."""
    log = ROOT / ".local" / "dbt" / "logs" / "dbt.log"
    size = log.stat().st_size if log.exists() else 0
    assert run_dbt(database, ROOT, ["run", "--select", "stg_ops__manifest"], anchors={"run_id": "r-1"}).is_ok
    with log.open("rb") as lines:
        lines.seek(size)
        written = lines.read().decode()
    assert "OK created sql view model staging.stg_ops__manifest" in written and "[debug]" not in written
    results = json.loads((ROOT / ".local" / "dbt" / "target" / "run_results.json").read_bytes())
    assert results["metadata"]["env"] == {"RUN_ID": "r-1"}
    assert [each["unique_id"] for each in results["results"]] == [
        "operation.omnisupport.omnisupport-on-run-start-0",
        "model.omnisupport.stg_ops__manifest",
        "operation.omnisupport.omnisupport-on-run-end-0",
    ]


def test_dbts_classes_are_read_and_written_as_before_and_when_they_are_called_first(tmp_path: Path) -> None:
    """Prevents a second of writing functions that nobody calls, at each start, and a field that is left out."""

    def told(how: str) -> dict[str, Any]:
        """What a process that imports dbt in that way knows of its classes, and how many functions it has written when
        it has imported dbt, and in the end."""
        out = tmp_path / "told.json"
        _where_nothing_is_imported(
            f"""
            import json
            from mashumaro.core.meta.code.builder import CodeBuilder

            written, compile_now = [], CodeBuilder.compile
            CodeBuilder.compile = lambda self: (written.append(self.cls), compile_now(self))
            {how}
            count = len(written)

            from dbt.artifacts.resources import ColumnInfo, NodeConfig
            from dbt.contracts.graph.nodes import GenericTestNode, ModelNode
            from dbt.contracts.project import Project
            from dbt_common.dataclass_schema import dbtClassMixin

            def below(base):
                return {{base}}.union(*map(below, base.__subclasses__()))

            made = {{
                f"{{each.__module__}}.{{each.__qualname__}}": sorted(
                    (name, type(value).__name__)
                    for name, value in vars(each).items()
                    if "mashumaro" in name or name in ("to_dict", "from_dict", "to_msgpack", "from_msgpack")
                )
                for each in below(dbtClassMixin)
            }}
            column = ColumnInfo(name="one", description="a column", data_type=None, tags=["x"])
            model = NodeConfig.from_dict({{"materialized": "view", "post-hook": ["select 1"], "schema": "silver"}})
            raised = []
            for given in ({{}}, {{"name": ["no text"]}}):
                try:
                    raised.append(ColumnInfo.from_dict(given).to_dict())
                except Exception as error:
                    raised.append(f"{{type(error).__name__}}: {{error}}")
            told = [
                column.to_dict(omit_none=True), ColumnInfo.from_msgpack(column.to_msgpack()).to_dict(),
                model.to_dict(omit_none=True), NodeConfig.from_dict(model.to_dict()) == model, raised,
                ModelNode.json_schema(), GenericTestNode.json_schema(), Project.json_schema(),
            ]
            telling = {{"made": made, "told": told, "first": count, "written": len(written)}}
            open({os.fspath(out)!r}, "w").write(json.dumps(telling))
            """,
        )
        return dict(json.loads(out.read_text()))

    before = told("import dbt.cli.main")
    now = told("from loader.silver.importing import import_dbt; import_dbt()")
    assert (now["made"], now["told"]) == (before["made"], before["told"])
    assert before["first"] > 1000 and now["first"] < 10 and now["written"] < before["written"] - 900


def test_a_flag_of_dbt_is_named_after_who_makes_it_as_before() -> None:
    """Prevents a warning of dbt that names the wrong package."""
    _where_dbt_runs("""
        from dbt.adapters.base.impl import BaseAdapter

        flag = {"name": "one", "default": False, "docs_url": "none"}

        class Adapter:
            config = type("", (), {"flags": {}})
            _behavior_flags = []

        def named():
            adapter = Adapter()
            BaseAdapter.behavior.fset(adapter, [flag])
            return adapter._behavior._flags[0]._behavior_change_event.pb_msg.flag_source

        before = named()
        be_thrifty()
        assert before == named() == "dbt.adapters.base.impl", (before, named())
    """)


def test_an_event_for_debugging_is_made_for_who_hears_it_and_for_nobody_else() -> None:
    """Prevents a node that is not counted, a log for debugging that stays empty, a warning that is not said."""
    _where_dbt_runs("""
        import io
        from dbt.adapters.events.types import ConnectionUsed, SQLCommit
        from dbt_common.events.base_types import EventLevel
        from dbt_common.events.event_manager import EventManager
        from dbt_common.events.logger import LoggerConfig
        from dbt_common.events.types import Note, PrintEvent

        class All(list):
            def __call__(self, message):
                self.append(message.info.msg)

        class Some(All):
            hears = {"SQLCommit"}

        def fired(listener=None, level=EventLevel.INFO):
            manager, log = EventManager(), io.StringIO()
            manager.add_logger(LoggerConfig(name="tested", level=level, output_stream=log))
            manager.callbacks = [listener] if listener is not None else []
            used = ConnectionUsed(conn_type="kind", conn_name="mine")
            manager.fire_event(used)
            manager.fire_event(SQLCommit(conn_name="mine"))
            manager.fire_event(SQLCommit(conn_name="raised"), level=EventLevel.WARN)
            manager.fire_event(Note(msg="noted"), level=EventLevel.WARN)
            manager.fire_event(PrintEvent(msg="printed"))
            return [line.split("  ")[-1] for line in log.getvalue().splitlines()], "pb_msg" in vars(used)

        using, committed = 'Using kind connection "mine"', "On mine: COMMIT"
        others = ["On raised: COMMIT", "noted", "printed"]
        everything, some = All(), Some()
        be_thrifty()
        assert fired() == (others, False), fired()
        assert fired(some) == (others, False) and some == [committed, *others], some
        assert fired(everything) == (others, True) and everything == [using, committed, *others], everything
        assert fired(level=EventLevel.DEBUG) == ([using, committed, *others], True)
        unread = SQLCommit(conn_name="mine")
        unread.conn_name = "another"
        assert (unread.conn_name, unread.message()) == ("another", "On another: COMMIT")
    """)


def test_a_template_is_compiled_once_and_means_what_is_given_to_it() -> None:
    """Prevents the SQL of another node with the same text, a text in the place of a number, an error of the wrong
    node."""
    _where_dbt_runs("""
        import dbt_common.clients.jinja as jinja
        from dbt.clients.jinja import get_rendered
        from dbt_common.exceptions import CompilationError

        class Node:
            name, original_file_path = "mine", "mine.sql"

        def code_of(text):
            return jinja.get_template(text, {}).root_render_func.__code__

        def faulty(node):
            try:
                get_rendered("{% if %}", {}, node)
            except CompilationError as error:
                return error.node

        def undefined(node):
            return jinja.get_template("{{ one }}", {}, node, capture_macros=True).environment.undefined().node

        be_thrifty()
        assert code_of("{{ one }}") is code_of("{{ one }}")
        assert code_of("{{ one }}") is not code_of("{{ one }} ")
        assert [get_rendered("{{ one }}", given) for given in ({"one": 1}, {"one": 2}, {})] == ["1", "2", ""]
        assert [get_rendered("{{ one }}", {"one": 1}, native=native) for native in (True, False)] == [1, "1"]
        assert get_rendered("{{ one }} and two", {"one": 1}) == "1 and two"
        for node in (Node(), Node()):
            assert faulty(node) is undefined(node) is node
    """)


def test_the_next_process_compiles_no_template_again(tmp_path: Path) -> None:
    """Prevents a second and a half of compiling in each command, code of another text or of another compiler, and a
    command that ends for a file that was cut short or cannot be written."""
    folder = tmp_path / "kept"

    def compiled(where: Path = folder, of_compiler: str = "") -> int:
        """How many texts of three a new process compiles."""
        _where_dbt_runs(f"""
            import dbt_common.clients.jinja as jinja
            from dbt.clients.jinja import get_rendered
            from loader.silver import thrift

            made, of_now = [], thrift.version
            thrift.version = lambda name: of_now(name) + {of_compiler!r}
            compile_text = jinja.MacroFuzzEnvironment.compile

            def counted(self, text, *rest, **given):
                made.append(text)
                return compile_text(self, text, *rest, **given)

            jinja.MacroFuzzEnvironment.compile = counted
            be_thrifty()
            thrift.keep_templates_in(thrift.Path({os.fspath(where)!r}))
            texts = [("{{{{ one }}}}", 1), ("{{{{ one }}}}", 2), ("{{{{ one }}}} and", 1)]
            assert [get_rendered(text, {{"one": one}}) for text, one in texts] == ["1", "2", "1 and"]
            assert get_rendered("{{{{ one }}}}", {{"one": 1}}, native=True) == 1
            thrift.Path({os.fspath(tmp_path / "count")!r}).write_text(str(len(made)))
        """)
        return int((tmp_path / "count").read_text())

    assert [compiled(), compiled()] == [3, 0]
    assert compiled(of_compiler=".1") == 3
    for kept in folder.iterdir():
        kept.write_bytes(kept.read_bytes()[:30])
    assert compiled() == 3
    (tmp_path / "no_folder").write_text("")
    assert compiled(tmp_path / "no_folder") == 3


def test_of_macros_of_one_name_the_same_one_counts_as_before() -> None:
    """Prevents that a macro of a package, or dbt's own, runs instead of the project's that overrides it, and that what
    a unit test puts in the place of a macro is what the next node calls."""
    _where_dbt_runs("""
        from types import SimpleNamespace as Made
        from dbt.adapters.factory import get_adapter_package_names, load_plugin
        from dbt.clients.jinja import MacroGenerator
        from dbt.context.manifest import ManifestContext

        load_plugin("postgres")
        macros = {
            "ours": ["everywhere", "ours_and_theirs", "ours_and_dbts", "log", "theirs"],
            "theirs": ["everywhere", "ours_and_theirs", "theirs_and_dbts", "env_var"],
            "dbt_postgres": ["everywhere", "both_of_dbt"],
            "dbt": ["everywhere", "ours_and_dbts", "theirs_and_dbts", "both_of_dbt", "run_query"],
        }
        assert [*get_adapter_package_names("postgres")] == ["dbt_postgres", "dbt"]
        found = {
            package: {name: Made(name=name, package_name=package, unique_id=f"{package}.{name}") for name in names}
            for package, names in macros.items()
        }
        config = Made(project_name="ours", credentials=Made(type="postgres"), cli_vars={}, to_target_dict=dict)

        def context(package):
            return ManifestContext(config, Made(get_macros_by_package=lambda: found), package)

        def told(value):
            if isinstance(value, dict):
                return {name: told(each) for name, each in value.items() if name not in ("context", "builtins")}
            return value.macro.unique_id if isinstance(value, MacroGenerator) else type(value)

        def all_of(package):
            made = context(package)
            space = made.namespace
            parts = space.packages, space.global_namespace, space.local_namespace, space.global_project_namespace
            return [told(each) for each in (made.to_dict(), dict(space), *parts)]

        before = {package: all_of(package) for package in macros}
        be_thrifty()
        for package in macros:
            assert all_of(package) == before[package], (package, all_of(package), before[package])
        assert before["theirs"][0]["ours_and_theirs"] == "theirs.ours_and_theirs"
        made, another = context("ours"), context("ours")
        one = made.to_dict()["everywhere"]
        assert (one.context, one.stack, one.node) == (made._ctx, made.macro_stack, None)
        made.to_dict()["dbt"].clear()
        made.namespace.packages["theirs"].clear()
        assert told(another.to_dict()) == before["ours"][0]
    """)


def test_dates_are_read_as_before() -> None:
    """Prevents a value of another type than a macro expects, and words of another language."""
    _where_dbt_runs("""
        import agate
        from dbt_common.clients.agate_helper import table_from_data

        rows = [{"day": "2026-04-17", "at": "2026-04-17 08:00:00", "iso": "2026-04-17T08:00:00Z", "word": "tomorrow"}]

        def read():
            table = table_from_data(rows, [*rows[0]])
            in_words = agate.Date().cast("april 17, 2026"), agate.DateTime().cast("april 17, 2026 8am")
            languages = [each._constants.localeID for each in (agate.Date(locale="de_DE"), agate.Date())]
            return [*table.rows[0].values()], [type(each) for each in table.column_types], in_words, languages

        before = read()
        be_thrifty()
        assert before == read(), (before, read())
        assert agate.Date()._constants is agate.DateTime()._constants
    """)


def test_a_node_finds_the_session_of_the_one_before_as_if_it_began(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """Prevents a table, a setting, a lock or a role of one node in the next, and a dead session that is used again."""
    address = database.libpq_environment()
    _where_dbt_runs(f"""
        from multiprocessing import get_context
        from types import SimpleNamespace
        import psycopg2
        from dbt.adapters.postgres.connections import PostgresConnectionManager, PostgresCredentials
        from dbt_common.exceptions import DbtDatabaseError

        credentials = PostgresCredentials(
            host="{address["PGHOST"]}", user="{address["PGUSER"]}", port={address["PGPORT"]}, password="",
            database="{address["PGDATABASE"]}", schema="silver",
            search_path="pg_catalog\t-crole=omni_transform\t-clock_timeout=7s",
        )
        sessions = PostgresConnectionManager(SimpleNamespace(credentials=credentials), get_context("spawn"))

        def asked(sql):
            sessions.begin()
            said = sessions.add_query(sql, auto_begin=False)[1].fetchone()
            sessions.commit()
            return said

        def node(name, *statements):
            sessions.set_connection_name(name)
            looked = asked(
                "select pg_backend_pid(), session_user || ' as ' || current_user, current_setting('lock_timeout'),"
                " current_setting('search_path'), to_regclass('left_over') is null,"
                " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())"
            )
            try:
                for statement in statements:
                    asked(statement + "; select 1")
            finally:
                sessions.release()
            return looked

        be_thrifty()
        first, *new = node(
            "one",
            "create temporary table left_over (one int)",
            "set role none; set lock_timeout = 0; set search_path = public",
            "select pg_advisory_lock(4711)",
        )
        user = "{address["PGUSER"]} as omni_transform"
        assert new == [user, "7s", "pg_catalog", True, 0], new
        assert node("two") == (first, *new)
        try:
            node("fails", "select 1 / 0")
        except DbtDatabaseError:
            pass
        assert node("three") == (first, *new)
        sessions.set_connection_name("in a transaction")
        sessions.begin()
        sessions.add_query("create temporary table left_over (one int)", auto_begin=False)
        sessions.release()
        assert node("four") == (first, *new)
        sessions.set_connection_name("is ended")
        asked("select 1")
        administrator = psycopg2.connect(
            host=credentials.host, user=credentials.user, port=credentials.port, dbname=credentials.database
        )
        administrator.cursor().execute("select pg_terminate_backend(%s, 10000)", (first,))
        sessions.release()
        second, *as_new = node("five")
        assert second != first and as_new == new, as_new
        sessions.cleanup_all()
    """)


def _where_dbt_runs(script: str) -> None:
    """Run it in a new process that has dbt imported, as this one never has, and is not thrifty yet."""
    process = _dbt_imported()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(dedent(script)) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline()) == [0, ""]


# Importing dbt costs seconds: once, and each script in a fork.
_FORKS = """
import json, os, sys, tempfile, traceback
import dbt.cli.main
from loader.silver.thrift import be_thrifty

for line in sys.stdin:
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if pid == 0:
            code = 1
            os.dup2(said.fileno(), 2)
            os.dup2(2, 1)
            try:
                exec(json.loads(line), {"be_thrifty": be_thrifty})
                code = 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        print(json.dumps([code, said.read().decode()]), flush=True)
"""


@cache
def _dbt_imported() -> subprocess.Popen[str]:
    """It ends with this process, whose end of its input is closed then."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore:resource_tracker", "-c", _FORKS],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _where_nothing_is_imported(script: str) -> None:
    done = subprocess.run([sys.executable, "-c", dedent(script)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
