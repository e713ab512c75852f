"""The manifests that a command without MANIFEST takes: those of one folder of the checkout."""

from __future__ import annotations

from pathlib import Path


def manifests_folder(project_root: Path) -> Path:
    """Where they lie, whether it exists or not."""
    return project_root / "data" / "seed_manifests"


def is_hidden(path: Path) -> bool:
    """Whether it is nobody's manifest: an editor's lock (`.#x.json`, a link that leads nowhere), what another system
    keeps beside a file (`._x.json`)."""
    return path.name.startswith(".")


def seed_manifests(project_root: Path) -> list[Path]:
    """The folder's `.json` files in the order of their names, without hidden ones; opens none."""
    return sorted(path for path in manifests_folder(project_root).glob("*.json") if not is_hidden(path))
