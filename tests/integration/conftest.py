"""Fixtures of the tests that start embedded servers of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.config import Settings, load_settings
from tests.checkouts import make_reachable_folder, remove_server
from tests.integration.embedded_servers import checkout


@pytest.fixture
def no_given_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests start servers of their own, whatever PGHOST says."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def shared() -> Iterator[Settings]:
    """One checkout for tests that leave its server as good as they found it."""
    folder = make_reachable_folder()
    settings = checkout(folder / "project")
    yield settings
    remove_server(settings)
    shutil.rmtree(folder)


@pytest.fixture
def folder(reachable_tmp_path: Path) -> Iterator[Path]:
    """A place for checkouts; the servers that tests start in them are removed, also from 0700 folders."""
    yield reachable_tmp_path
    for root in reachable_tmp_path.rglob("pyproject.toml"):
        root.parent.parent.chmod(0o755)
        remove_server(load_settings(project_root=root.parent))
