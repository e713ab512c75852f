"""`loader up`, `down`, `env`, `psql`, `clean` as an operator types them, on an embedded server of their own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from loader.config import Settings
from loader.runs import IngestLock
from loader.warehouse import embedded_status, open_warehouse
from tests.checkouts import ROOT


def _run(project: Settings, *words: str, shell: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    """`loader WORDS` (or a shell line with $LOADER) in the checkout, without libpq variables from outside."""
    command = [sys.executable, "-c", "from loader.cli import main; main()"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {"PYTHONPATH": str(ROOT), "LOADER_PROJECT_ROOT": str(project.project_root), **extra}
    if shell is not None:
        environment["LOADER"] = shlex.join(command)
    return subprocess.run(
        ["/bin/sh", "-c", shell] if shell is not None else [*command, *words],
        cwd=project.project_root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_commands_of_a_day(project: Settings) -> None:
    """up, env in a shell, psql, down: each leaves what its help says, and an ingest at work is not ended unasked."""
    up = _run(project, "up")
    assert up.returncode == 0, up.stderr
    assert str(project.state_folder / "run") in up.stdout
    assert up.stdout.splitlines()[-1].startswith("next: make ")

    env = _run(project, "env")
    assert env.stderr == ""
    words = shlex.split(env.stdout)
    assert words[0] == "export"
    variables = dict(word.split("=", 1) for word in words[1:])
    assert variables == {
        "PGHOST": str(project.state_folder / "run"),
        "PGPORT": "5432",
        "PGUSER": "omni_transform",
        "PGDATABASE": "omnisupport",
        "PGPASSFILE": str(project.state_folder / "pgpass"),
    }
    assert json.loads(_run(project, "env", "--json").stdout) == variables
    line = 'eval "$(eval "$LOADER env")" && ' + shlex.join(
        [sys.executable, "-c", "import psycopg2; print(psycopg2.connect('').info.dbname)"]
    )
    assert _run(project, shell=line).stdout == "omnisupport\n"

    psql = _run(project, "psql", "-X", "-At", "-c", "select current_user, 'two words'")
    assert (psql.stdout, psql.returncode) == ("omni_transform|two words\n", 0), psql.stderr

    with closing(IngestLock.acquire(open_warehouse(project, announce=lambda line: None))) as held:
        for command, words in (("down", ["down"]), ("clean", ["clean", "--yes"])):
            refused = _run(project, *words)
            assert refused.returncode == 4, refused.stderr
            who = f"a command writes the warehouse: process {held.process_id}@{held.host}, database omnisupport, for "
            said = " ".join(refused.stderr.split())
            assert f"error: {who}" in said
            assert f" and make {command} when it has ended; make {command} FORCE=1 ends it" in said
            assert refused.stderr.splitlines()[-1].startswith("next: make status")
        assert embedded_status(project).is_running
        assert _run(project, "down", "--force").returncode == 0
        assert not embedded_status(project).is_running
    _run(project, "up")

    down = _run(project, "down", "--json")
    assert json.loads(down.stdout) == {"was_running": True}
    assert not embedded_status(project).is_running
    assert "was not running" in _run(project, "down").stdout


def test_clean_asks_and_removes_nothing_but_local_state_and_reports(project: Settings, tmp_path: Path) -> None:
    _run(project, "up")
    (project.project_root / "reports").mkdir()
    own_zone = tmp_path / "zone"
    own_zone.mkdir()

    refused = _run(project, "clean")
    assert refused.returncode == 2
    assert "nothing was removed" in " ".join(refused.stderr.split()) and "next: make clean YES=1" in refused.stderr
    assert embedded_status(project).is_running

    cleaned = _run(project, "clean", "--yes", LOADER_RAW_ZONE=str(own_zone))
    assert cleaned.returncode == 0, cleaned.stderr
    assert not project.state_folder.exists() and not (project.project_root / "reports").exists()
    assert own_zone.is_dir()
    assert (project.project_root / "pyproject.toml").exists()
    assert _run(project, "clean").stdout.startswith("Nothing was there to remove.\n")


def test_a_given_server_is_neither_stopped_nor_cleaned(project: Settings) -> None:
    down = _run(project, "down", PGHOST="db.example.org")
    assert down.returncode == 2
    assert down.stderr.splitlines()[-1] == "next: env -u PGHOST make down"
    assert _run(project, "clean", "--yes", PGHOST="db.example.org").returncode == 0


@pytest.mark.parametrize("command", ["up", "env", "psql"])
def test_a_server_that_does_not_answer_is_exit_3_with_the_next_command(project: Settings, command: str) -> None:
    done = _run(project, command, PGHOST=str(project.project_root), PGPORT="5999")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"next: pg_isready -h {project.project_root} -p 5999")
