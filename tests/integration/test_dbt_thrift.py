"""What dbt does for less: a project parsed once, no line that nobody reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from loader.silver import dbt, parse_project, run_dbt
from loader.silver.worker import Project, knows
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
    assert is_built() and parsed_files() == 0
    model.write_text("select 2 as one")
    assert is_built() and rows(database, "select * from silver.of_its_own") == [(2,)] and parsed_files() > 100


def test_what_was_parsed_counts_for_the_very_same_project_alone(tmp_path: Path) -> None:
    """Prevents a hook that refers to a model that went, and a file of dbt's that another command has written since."""
    target = tmp_path / "target"
    target.mkdir()
    project = Project(ROOT, "a database", (), target)
    assert not knows(project, "a" * 64)
    parsed = target / "partial_parse.msgpack"
    parsed.write_bytes(b"parsed")
    (target / "parsed_project").write_text(f"{'a' * 64} {parsed.stat().st_mtime_ns}")
    assert knows(project, "a" * 64)
    assert not knows(project, "b" * 64)
    os.utime(parsed, (1, 1))
    assert not knows(project, "a" * 64)


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


def test_a_flag_of_dbt_is_named_after_who_makes_it_as_before() -> None:
    """Prevents a warning of dbt that names the wrong package."""
    script = (
        "from dbt.adapters.base.impl import BaseAdapter\n"
        "from loader.silver.thrift import be_thrifty\n"
        "flag = {'name': 'one', 'default': False, 'docs_url': 'none'}\n"
        "class Adapter:\n"
        "    config = type('', (), {'flags': {}})\n"
        "    _behavior_flags = []\n"
        "def named():\n"
        "    adapter = Adapter()\n"
        "    BaseAdapter.behavior.fset(adapter, [flag])\n"
        "    return adapter._behavior._flags[0]._behavior_change_event.pb_msg.flag_source\n"
        "before = named()\n"
        "be_thrifty()\n"
        "assert before == named() == 'dbt.adapters.base.impl', (before, named())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
