"""The sample's calls, videos and images: what their generator makes, and nothing that it does not."""

from __future__ import annotations

from pathlib import Path

from data.generator.media import FILES, write
from tests.checkouts import ROOT

SAMPLE = ROOT / "data" / "canonization"


def test_the_committed_files_are_what_their_script_makes(tmp_path: Path) -> None:
    """Prevents a recording of which nobody can say where it comes from."""
    write(tmp_path)
    folders = {Path(name).parts[0] for name in FILES}
    committed = {path.relative_to(SAMPLE).as_posix(): path for name in folders for path in (SAMPLE / name).iterdir()}
    assert {name: path.read_bytes() for name, path in committed.items()} == {
        name: (tmp_path / name).read_bytes() for name in FILES
    }
