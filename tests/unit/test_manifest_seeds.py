"""Which files of the default folder are manifests."""

from __future__ import annotations

from pathlib import Path

from loader.manifest.files import manifests_folder, seed_manifests


def test_hidden_files_are_nobodys_manifests(tmp_path: Path) -> None:
    """Prevents an editor's lock, or what another system keeps beside a file, from stopping every ingest."""
    folder = manifests_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "tickets.json").write_text("{}")
    (folder / "broken.json").symlink_to("nowhere")
    (folder / ".#tickets.json").symlink_to("an.editor@its.machine:1")
    for name in ("._tickets.json", ".tickets.json", ".json", "tickets.json~", "#tickets.json#", "tickets.json.swp"):
        (folder / name).write_bytes(b"\0\5")
    assert seed_manifests(tmp_path) == [folder / "broken.json", folder / "tickets.json"]
