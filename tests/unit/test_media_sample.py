"""The sample's calls, videos and images: what their generator makes, and nothing that it does not."""

from __future__ import annotations

from pathlib import Path

from data.generator import course
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


def test_the_course_s_batch_is_what_its_script_makes(tmp_path: Path) -> None:
    """Prevents a manifest of the dialect that is mended by hand, or that declares other files than those that are
    there."""
    course.write(tmp_path)
    made = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    committed = [*(SAMPLE.parent / course.FOLDER).iterdir(), SAMPLE.parent / course.MANIFEST]
    assert made == {path.relative_to(SAMPLE.parent).as_posix(): path.read_bytes() for path in committed}
