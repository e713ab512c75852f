"""What unit tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.manifest_building import folder_of_one_export


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder of one export, which a manifest is built of."""
    return folder_of_one_export(tmp_path)
