"""A full disk is told as that, whatever its victims say: which one, and a command that shows it."""

from __future__ import annotations

import errno
import os
import subprocess
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe
from pathlib import Path
from types import SimpleNamespace

import pytest

from loader.bronze import workers
from loader.bronze.columns import BRONZE
from loader.bronze.load import BronzeLoader
from loader.cli import main
from loader.config import Settings
from loader.disk import full_disk
from loader.errors import InfrastructureError, LoaderError, RefusedError
from loader.warehouse import embedded

NOW = datetime(2026, 11, 28, 12, 0, 0, 500, tzinfo=UTC)
WORDS = "No space left on device"


class DiskFull(Exception):
    """As psycopg2's, whose code only a server can set."""

    pgcode = "53100"


@pytest.fixture
def settings(project: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("PGHOST", raising=False)
    (project.state_folder / "pgdata").mkdir(parents=True)
    return project


def told(error: BaseException, settings: Settings | None) -> LoaderError:
    found = full_disk(error, settings, NOW)
    assert found is not None
    assert found.exit_code == 3
    return found


def by(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_disk_of_the_file_is_named_with_a_command_that_shows_it(tmp_path: Path, number: int) -> None:
    """Prevents `next: make status`, which no full disk has ever been emptied by."""
    error = OSError(number, os.strerror(number), str(tmp_path / "not yet" / "made"))
    found = told(by(InfrastructureError("a load failed", next_command="make status"), error), None)
    assert found.message.startswith("the disk /") and f"({tmp_path} lies on it) ran full" in found.message
    assert found.message.endswith(" MiB are free now: a load failed")
    shown = subprocess.run(found.next_command, shell=True, check=True, capture_output=True, text=True)
    assert "Mounted on" in shown.stdout


@pytest.mark.parametrize(
    "error",
    [
        InfrastructureError(f"dlt failed in step normalize: [Errno 28] {WORDS}: '/proc/x.parquet'", next_command=""),
        InfrastructureError(f"dbt: could not write to file '/x': {WORDS}", next_command=""),
        OSError(f"Arrow: error writing bytes to file: {WORDS}"),
        DiskFull('could not extend file "base/5/16673"'),
        by(InfrastructureError("the database stopped a statement", next_command=""), DiskFull("no room")),
    ],
)
def test_what_others_say_of_a_full_disk_is_understood(error: BaseException, settings: Settings) -> None:
    """Prevents a message that depends on which library met the full disk first."""
    assert " ran full, " in told(error, settings).message
    if "/proc/" in str(error):
        assert told(error, settings).message.startswith("the disk /proc ran full")


def test_what_an_operator_wrote_is_not_taken_for_a_disk(settings: Settings) -> None:
    """Prevents `--reason 'after: No space left on device'` from changing what is told."""
    assert full_disk(RefusedError(f"held: after: {WORDS}", next_command="make status"), settings, NOW) is None


def test_a_segment_of_shared_memory_lies_on_its_own_disk(settings: Settings) -> None:
    """Prevents `df` of the data folder where /dev/shm is what is small."""
    error = DiskFull(f'could not resize shared memory segment "/PostgreSQL.1" to 4194304 bytes: {WORDS}')
    assert told(error, settings).next_command.startswith("df -h /dev/shm ")


def test_the_disk_of_a_server_elsewhere_is_not_looked_for_here(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    assert told(DiskFull("no room"), settings).next_command.startswith("loader psql -c 'select pg_size_pretty(")


LOST = "server closed the connection unexpectedly"


@pytest.mark.parametrize(
    ("words", "age", "is_told"),
    [
        (f'PANIC:  could not write to file "pg_wal/xlogtemp.9": {WORDS}', 0, True),
        (f'PANIC:  could not write to file "pg_wal/xlogtemp.9": {WORDS}', 60, False),
        ("LOG:  server process (PID 9) was terminated by signal 9: Killed", 0, False),
    ],
)
def test_a_server_that_a_full_disk_has_ended_is_told_by_its_log(
    settings: Settings, words: str, age: int, is_told: bool
) -> None:
    """Prevents "server closed the connection" for a full disk, and a full disk of yesterday for a killed server."""
    at = NOW - timedelta(seconds=age)
    (settings.state_folder / "postgres.log").write_text(f"{at:%Y-%m-%d %H:%M:%S}.123 UTC [9] {words}\n")
    found = full_disk(InfrastructureError(LOST, next_command="make up"), settings, NOW)
    assert (found is not None) is is_told
    assert full_disk(ValueError("something else"), settings, NOW) is None


def test_a_command_ends_with_the_disk_and_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prevents a traceback, or exit code 1, which is a statement about the data."""

    def full(*_: object) -> None:
        raise RuntimeError("what a library made of it") from OSError(errno.ENOSPC, WORDS, str(tmp_path / "x"))

    monkeypatch.setattr("loader.warehouse.open_warehouse", full)
    with pytest.raises(SystemExit) as end:
        main(["status"])
    said = "".join(capfd.readouterr())
    assert end.value.code == 3
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(f"next: df -h {tmp_path}")


def test_a_loading_process_says_what_its_disk_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents dlt's traceback and "a loading process ended by itself" for a full disk."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, WORDS, "/work/x")

    monkeypatch.setattr(workers, "_work", full)
    ours, theirs = Pipe()
    ours.send((0, None))
    workers.work(theirs)
    said = ours.recv()
    assert isinstance(said, InfrastructureError)
    assert f"{WORDS}: '/work/x'. The attempt's rows stay invisible" in said.message


def test_a_fault_that_dlt_does_not_wrap_is_one_of_the_load() -> None:
    """Prevents a traceback where dlt lets a disk's own error through."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, WORDS)

    loader = object.__new__(BronzeLoader)
    loader._pipeline = SimpleNamespace(has_pending_data=False, extract=full)  # type: ignore[assignment]
    loader._sessions = SimpleNamespace(close=lambda: None)  # type: ignore[assignment]
    loader._format, loader._tables = "parquet", {table.name: table.name for table in BRONZE}
    with pytest.raises(InfrastructureError, match=WORDS):
        loader.load(SimpleNamespace(window=None))  # type: ignore[arg-type]


def test_a_server_that_cannot_start_names_no_file_where_the_error_has_none(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents "No space left on device on None"."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, WORDS)

    monkeypatch.setattr(embedded, "make_state_folder", full)
    with pytest.raises(InfrastructureError, match=f"got {WORDS}, expected to read, write and run"):
        embedded.start(settings.state_folder, lambda _: None)
