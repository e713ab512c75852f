"""A password is in its 0600 file and nowhere else: not in what commands say, write, log, or are started with."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from loader.config import Settings
from loader.warehouse import Role, embedded_status, open_warehouse
from loader.warehouse.roles import find_password
from tests.checkouts import ROOT

pytestmark = pytest.mark.usefixtures("no_given_server")
LOADER = (sys.executable, "-c", "from loader.cli import main; main()")


class ProcessList(threading.Thread):
    """Every command line that `ps` would have shown meanwhile, by looking a hundred times a second; at a process that
    is two seconds old, once a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.has_ended = threading.Event()

    def run(self) -> None:
        first_look: dict[str, int] = {}
        for look in itertools.count():
            if self.has_ended.wait(0.01):
                return
            for process in filter(str.isdigit, os.listdir("/proc")):
                age = look - first_look.setdefault(process, look)
                if age < 200 or age % 100 == 0:
                    with suppress(OSError):
                        self.seen.add(Path("/proc", process, "cmdline").read_bytes())


def loader(project: Settings, *words: str, **extra: str) -> subprocess.CompletedProcess[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "LOADER_PROJECT_ROOT": str(project.project_root),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **extra,
    }
    return subprocess.run(
        [*LOADER, *words],
        cwd=project.project_root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )


def test_passwords_are_made_per_checkout_and_role_and_lie_in_one_private_file(shared: Settings) -> None:
    warehouse = open_warehouse(shared, announce=lambda line: None)
    passfile = shared.state_folder / "pgpass"
    assert passfile.stat().st_mode & 0o077 == 0
    found = [find_password(warehouse.acting_as(role)) for role in Role]
    # omni_transform has none: its door is for this checkout's own user.
    assert [password is None for password in found] == [False, True, False, False]
    assert len(set(found)) == 4 and all(len(password) >= 32 for password in found if password)


def test_a_lost_password_file_is_made_anew_and_the_old_passwords_end(shared: Settings) -> None:
    warehouse = open_warehouse(shared, announce=lambda line: None)
    old = find_password(warehouse)
    passfile = shared.state_folder / "pgpass"
    passfile.unlink()
    open_warehouse(shared, announce=lambda line: None).connect().close()
    assert find_password(warehouse) not in (None, old)
    for role in Role:
        warehouse.acting_as(role).connect().close()


def test_no_password_is_seen_in_anything_that_commands_leave(project: Settings) -> None:
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("no /proc: command lines can't be read")
    said: dict[str, bytes] = {}
    processes = ProcessList()
    processes.start()
    try:
        for command in (
            "up --json",
            "env",
            "env --role reader --json",
            "ingest --partition 2026-04-17 --json",
            "status",
            "plan backfill --partition 2026-04-17",
            "verify --evidence",
            "psql --role auditor -- -c",
            "psql -- -c '\\conninfo'",
            "build --select nothing_of_that_name",
        ):
            done = loader(project, *command.split())
            said[command] = done.stdout + done.stderr
        # Refused by the server, and by dlt's address.
        passfile = project.state_folder / "pgpass"
        secrets = {
            password
            for role in Role
            if (password := find_password(open_warehouse(project).acting_as(role))) is not None
        }
        given = {"PGHOST": "127.0.0.1", "PGPORT": "9", "PGUSER": "omni_loader", "PGPASSWORD": min(secrets)}
        done = loader(project, "up", **given)
        said["a server that is not there"] = done.stdout + done.stderr
        blank = {**given, "PGPASSWORD": f"{min(secrets)} x"}
        done = loader(project, "up", **blank)
        said["a password that dlt can't carry"] = done.stdout + done.stderr
    finally:
        processes.has_ended.set()
        processes.join()

    assert b'"run_id"' in said["ingest --partition 2026-04-17 --json"] and len(secrets) == 3
    assert any(b"bin/postgres" in line for line in processes.seen)
    folders = (project.state_folder, project.project_root / "reports", embedded_status(project).data_folder.parent)
    written = {
        path: path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path != passfile
    }
    assert any(path.suffix == ".log" for path in written)
    assert any("run_evidence" in path.parts for path in written)
    for secret in (secret.encode() for secret in secrets):
        assert [name for name, text in said.items() if secret in text] == []
        assert [line for line in processes.seen if secret in line] == []
        # Data files included: the server has verifiers only.
        assert [path for path, content in written.items() if secret in content] == []
