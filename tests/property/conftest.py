"""What histories share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """One folder for all histories of a test."""
    path = Path(tempfile.mkdtemp(prefix="history-"))
    yield path
    shutil.rmtree(path)
