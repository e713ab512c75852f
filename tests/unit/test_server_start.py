"""What is told when PostgreSQL cannot be set up or does not start."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from loader.errors import InfrastructureError
from loader.warehouse import server
from loader.warehouse.placement import Placement
from loader.warehouse.server import Started, cause_in

INITDB = """\
The files belonging to this database system will be owned by user "omni".
running bootstrap script ... 2026-04-17 08:00:00.000 UTC [71] FATAL:  could not create shared memory segment: \
No space left on device
2026-04-17 08:00:00.000 UTC [71] DETAIL:  Failed system call was shmget(key=1, size=56, 03600).
2026-04-17 08:00:00.000 UTC [71] HINT:  This error does *not* mean that you have run out of disk space.
child process exited with exit code 1
initdb: removing contents of data directory "/data/pgdata.new-70"
"""
PANIC = """\
UTC [9] LOG:  starting PostgreSQL
UTC [9] PANIC:  could not locate a valid checkpoint record
UTC [8] LOG:  startup process (PID 9) was terminated by signal 6: Aborted
"""
SHORT = (
    "FATAL:  could not create shared memory segment: No space left on device DETAIL:  Failed system call was"
    " shmget(key=1, size=56, 03600). HINT:  This error does *not* mean that you have run out of disk space."
)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (INITDB, SHORT),
        (
            'initdb: error: directory "/d" exists\ninitdb: hint: remove it\n',
            'error: directory "/d" exists hint: remove it',
        ),
        (
            "postgres: error while loading shared libraries: libssl.so.3: cannot open shared object file\n",
            "error while loading shared libraries: libssl.so.3: cannot open shared object file",
        ),
        (
            PANIC,
            "PANIC:  could not locate a valid checkpoint record",
        ),
        ("Segmentation fault\n", "Segmentation fault"),
        ("\n", "no answer"),
    ],
)
def test_why_it_ended_is_told_and_not_what_was_said_last(said: str, cause: str, tmp_path: Path) -> None:
    """Prevents "removing contents of data directory" as the reason why there is no warehouse."""
    assert cause_in(said) == cause
    log = tmp_path / "postgres.log"
    log.write_text("FATAL:  of an earlier start\n")
    start = log.stat().st_size
    log.write_text(log.read_text() + said)
    assert Started(1, tmp_path, log, start).complaint() == cause


def test_all_that_initdb_said_is_kept_where_the_error_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a cause that nobody can look up, since the program that knew it is gone."""
    log = tmp_path / "postgres.log"
    placement = Placement(tmp_path / "pgdata", tmp_path / "run", log, tmp_path / "bin", None, ())
    stdout, stderr = INITDB.splitlines(keepends=True)[0], "".join(INITDB.splitlines(keepends=True)[1:])
    failed = subprocess.CompletedProcess(["initdb"], 1, stdout, stderr)
    monkeypatch.setattr(server, "run_program", lambda *arguments: failed)
    with pytest.raises(InfrastructureError) as told:
        server.initialise(placement)
    assert told.value.message == (
        f"initdb: got {SHORT!r}, expected a new data directory; nothing was left; all that it said: {log}"
    )
    assert log.read_text() == INITDB and log.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["postgres.log"]
