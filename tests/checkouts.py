"""Checkouts in folders of their own, each with its own .local, for tests that start servers or run commands."""

from __future__ import annotations

import tempfile
from pathlib import Path

from loader.config import Settings
from loader.warehouse import embedded, placement

ROOT = Path(__file__).resolve().parents[1]
# What a checkout needs to be one, and what commands read from it.
CHECKOUT = ("pyproject.toml", "infra", "contracts", "data", "dbt_project", "profiles.yml", "loader")


def make_reachable_folder() -> Path:
    """A new folder that other users can pass through; the caller removes it."""
    folder = Path(tempfile.mkdtemp(prefix="omnisupport-tests-")).resolve()
    folder.chmod(0o711)
    return folder


def make_checkout(root: Path) -> None:
    """A checkout at `root` by links to this one; .local and reports are its own."""
    root.mkdir(parents=True)
    for name in CHECKOUT:
        if (ROOT / name).exists():
            (root / name).symlink_to(ROOT / name)


def remove_server(settings: Settings) -> None:
    """Stop the embedded server of a test's checkout and remove its data, also what lies outside of it."""
    embedded.stop(settings.state_folder)
    placement.remove_folders(settings.state_folder)
