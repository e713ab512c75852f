"""dbt's own process: whose output, environment, interrupts and end are whose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loader.errors import InfrastructureError
from loader.silver import dbt, parse_project, run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows

pytestmark = pytest.mark.usefixtures("loader_environment")

BUILD = ["run", "--select", "stg_ops__run_asset"]
IS_WAITING = (
    "select exists (select from pg_stat_activity where starts_with(application_name, 'dbt')"
    " and wait_event_type = 'Lock' and datname = current_database())"
)


def _later(database: Warehouse, act: Callable[[], None]) -> threading.Thread:
    """Does `act` as soon as dbt waits for a lock."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not rows(database, IS_WAITING)[0][0] and time.monotonic() < deadline:
            time.sleep(0.05)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_this_process_never_imports_dbt_and_keeps_its_environment(database: Warehouse) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from loader.silver import run_dbt\n"
        "from loader.warehouse.connection import given_warehouse\n"
        "from loader.environment import leave_aside\n"
        "leave_aside(is_embedded=False)\n"
        "before = dict(os.environ)\n"
        f"root, anchors = Path({str(ROOT)!r}), {{'run_id': 'r'}}\n"
        f"result = run_dbt(given_warehouse(os.environ), root, {BUILD!r}, anchors=anchors)\n"
        "assert result.is_ok and len(result.invocation_id) == 36, result\n"
        "assert dict(os.environ) == before\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'dbt']\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_dbt_says_comes_out_here_and_nowhere_when_quiet(
    database: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dbt(database, ROOT, BUILD, is_quiet=False)
    assert "1 of 1 OK created sql view model staging.stg_ops__run_asset" in capsys.readouterr().out
    run_dbt(database, ROOT, BUILD)
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def _hears_interrupts() -> Iterator[None]:
    """Also where a shell has put this run into the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.long
@pytest.mark.usefixtures("_hears_interrupts")
def test_an_interrupt_here_cancels_the_query_there_and_dbt_works_on(database: Warehouse) -> None:
    assert run_dbt(database, ROOT, BUILD).is_ok
    with closing(database.connect(application_name="blocker")) as blocker:
        blocker.cursor().execute("lock table ops.run_asset in access exclusive mode")
        thread = _later(database, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            run_dbt(database, ROOT, BUILD)
        thread.join()
        # Nobody waits any more for what the blocker holds.
        assert rows(database, IS_WAITING) == [(False,)]
    assert run_dbt(database, ROOT, BUILD).is_ok


@pytest.mark.usefixtures("_hears_interrupts")
def test_an_interrupt_while_dbt_is_imported_is_an_interrupt(
    database: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    dbt._process()._forget()
    threading.Timer(0.8, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        run_dbt(database, ROOT, BUILD)
    assert capfd.readouterr() == ("", "")
    assert run_dbt(database, ROOT, BUILD).is_ok


def test_a_dbt_that_is_killed_is_an_infrastructure_error_and_the_next_call_has_a_new_one(database: Warehouse) -> None:
    assert run_dbt(database, ROOT, BUILD).is_ok
    pid = dbt._process()._companion.pid
    assert pid is not None
    with closing(database.connect(application_name="blocker")) as blocker:
        blocker.cursor().execute("lock table ops.run_asset in access exclusive mode")
        thread = _later(database, lambda: os.kill(pid, signal.SIGKILL))
        with pytest.raises(InfrastructureError, match="dbt's process ended by itself"):
            run_dbt(database, ROOT, BUILD)
        thread.join()
    parse_project(database, ROOT)
    assert run_dbt(database, ROOT, BUILD).is_ok


def test_dbt_ends_with_a_parent_that_is_killed(database: Warehouse) -> None:
    script = (
        "import os; from pathlib import Path\n"
        "from loader.silver import dbt, run_dbt\n"
        "from loader.warehouse.connection import given_warehouse\n"
        "print(dbt._process()._companion.pid, flush=True)\n"
        f"run_dbt(given_warehouse(os.environ), Path({str(ROOT)!r}), {BUILD!r})\n"
    )
    with closing(database.connect(application_name="blocker")) as blocker:
        blocker.cursor().execute("lock table ops.run_asset in access exclusive mode")
        parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        _later(database, parent.kill).join()
        parent.wait()
        deadline = time.monotonic() + 10
        while _is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_operation_that_fails_is_told_though_it_has_no_node(database: Warehouse) -> None:
    """Prevents an erasure that calls Silver vacuumed when dbt could not: here there is no Silver to vacuum."""
    done = run_dbt(database, ROOT, ["run-operation", "vacuum_silver"])
    assert not done.is_ok
    assert [node.name for node in done.failed] == ["vacuum_silver"]


def test_the_folder_that_dbt_was_started_in_may_go(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents "dbt build did not run: No such file or directory" of a folder that has nothing to do with it."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    dbt._process()._forget()
    dbt.start_dbt()
    assert run_dbt(database, ROOT, ["run", "--select", "stg_ops__manifest"]).is_ok
    (tmp_path / "gone").rmdir()
    assert run_dbt(database, ROOT, ["run", "--select", "stg_ops__manifest"]).is_ok
    monkeypatch.chdir(tmp_path)
    dbt._process()._forget()
