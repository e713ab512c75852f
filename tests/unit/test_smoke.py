"""`loader smoke` ends with the command that mends what it found."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from loader.cli import cli
from loader.config import Settings
from loader.errors import InfrastructureError
from loader.release.views import MEND_VIEWS, ViewFault
from loader.reports import smoke


def _set_up(monkeypatch: pytest.MonkeyPatch, project: Settings) -> None:
    """Every check is sound."""
    monkeypatch.setattr("loader.config.load_settings", lambda: project)
    for name in ("packages", "folders", "contract", "manifests", "guards", "dbt", "notes", "serving"):
        monkeypatch.setattr(smoke, f"_{name}", lambda *_: "sound")
    monkeypatch.setattr(smoke, "_warehouse", lambda _, found: found.append(None) or "sound")


def _last_line(code: int) -> str:
    done = CliRunner().invoke(cli, ["smoke"], standalone_mode=False)
    assert done.return_value == code, done.output
    return done.output.splitlines()[-1]


def test_the_last_line_is_what_mends_the_first_check_that_failed(
    monkeypatch: pytest.MonkeyPatch, project: Settings
) -> None:
    """Prevents `next: make up` for a view that only a build puts right."""
    serving = smoke._serving
    _set_up(monkeypatch, project)
    assert _last_line(0) == "next: make status   # what is there, and what comes next"
    fault = ViewFault("serving.ticket_fact", "its query", "loader psql -c 'drop view serving.else'")
    monkeypatch.setattr(smoke, "_serving", serving)
    monkeypatch.setattr(smoke, "view_faults", lambda *_: [fault])
    assert _last_line(3) == f"next: {fault.next_command}"

    def refused(*_: object) -> str:
        raise InfrastructureError("no answer", next_command="pg_isready -h db")

    # The first failure's: what comes after may follow from it.
    monkeypatch.setattr(smoke, "_warehouse", refused)
    assert _last_line(3) == "next: pg_isready -h db"


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("packages", "rm -f .venv/.stamp && make smoke"),
        ("contract", "git status contracts"),
        ("manifests", "make dry-run"),
        ("warehouse", "make up"),
        ("guards", "loader psql --role loader -v ON_ERROR_STOP=1 -1 -f infra/postgres/02_bronze.sql"),
        ("dbt", "git status dbt_project"),
        ("serving", MEND_VIEWS),
    ],
)
def test_each_check_knows_what_mends_it(
    name: str, mend: str, monkeypatch: pytest.MonkeyPatch, project: Settings
) -> None:
    _set_up(monkeypatch, project)

    def unsound(*_: object) -> str:
        raise ValueError("not sound")

    monkeypatch.setattr(smoke, f"_{name}", unsound)
    assert _last_line(3).startswith(f"next: {mend}")


def test_a_folder_that_lacks_room_is_named_with_the_command_that_shows_it(
    monkeypatch: pytest.MonkeyPatch, project: Settings, tmp_path: Path
) -> None:
    folders = smoke._folders
    _set_up(monkeypatch, project)
    monkeypatch.setattr(smoke, "_folders", folders)
    usage = namedtuple("usage", "total used free")(1, 1, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert _last_line(3).startswith(f"next: df -h {project.project_root}")
