"""Checkouts in folders of their own, each with its own .local, for tests that start servers or run commands."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.warehouse import embedded, placement

ROOT = Path(__file__).resolve().parents[1]
# What a checkout needs to be one, and what commands read from it.
CHECKOUT = ("pyproject.toml", "infra", "contracts", "data", "dbt_project", "profiles.yml", "loader")
# A server's files come and go with each test: in memory a database is copied in a tenth of the time.
_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 2**30


def quick_place() -> Path | None:
    """A folder in memory, where there is room for a whole run; None: temporary files lie where they always do."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES else None


def make_reachable_folder() -> Path:
    """A new folder that other users can pass through; the caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="omnisupport-tests-", dir=quick_place())).resolve()
    folder.chmod(0o711)
    return folder


def make_checkout(root: Path) -> None:
    """A checkout at `root` by links to this one; .local and reports are its own."""
    root.mkdir(parents=True)
    for name in CHECKOUT:
        if (ROOT / name).exists():
            (root / name).symlink_to(ROOT / name)


def contracts_and(folder: Path, kinds: Mapping[str, tuple[str, Mapping[str, Any]]]) -> Path:
    """The contracts of the repository without their fixtures, in `folder`, and these kinds: declaration and schema."""
    contracts = Path(
        shutil.copytree(ROOT / "contracts", folder / "contracts", ignore=shutil.ignore_patterns("fixtures"))
    )
    for name, (declaration, schema) in kinds.items():
        kind = contracts / "kinds" / name
        kind.mkdir()
        (kind / "kind.yml").write_text(declaration)
        (kind / "schema.json").write_text(json.dumps(schema))
    return contracts


def remove_server(settings: Settings) -> None:
    """Stop the embedded server of a test's checkout and remove its data, also what lies outside of it."""
    embedded.stop(settings.state_folder)
    placement.remove_folders(settings.state_folder)
