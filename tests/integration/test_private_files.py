"""What other users of the machine find of a command's work, while it works."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loader.config import Settings, load_settings
from loader.private import close_to_others, make_state_folder
from tests.checkouts import ROOT
from tests.ingests import ticket, write_export

IS_ROOT = os.geteuid() == 0
# As another user: which of the paths on standard input may be read, listed or written?
ASK = 'while IFS= read -r path; do if [ -r "$path" ] || [ -w "$path" ]; then printf "%s\\n" "$path"; fi; done'


def _open_to_others(paths: list[Path]) -> set[Path]:
    if not IS_ROOT:
        return {path for path in paths if _is_open(path)}
    asked = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(
        ["/bin/sh", "-c", ASK], input=asked, user=65534, group=65534, extra_groups=[], capture_output=True, text=True
    )
    return {Path(line) for line in done.stdout.splitlines()}


def _is_open(path: Path) -> bool:
    """By its rights and those of the folders above, up to .local."""
    above = [folder for folder in path.parents if ".local" in folder.parts or "reports" in folder.parts]
    try:
        is_reached = all(folder.stat().st_mode & 0o011 for folder in above)
        return is_reached and bool(path.stat().st_mode & 0o066)
    except OSError:
        return False


@pytest.mark.usefixtures("loader_environment")
def test_nothing_of_an_ingest_is_anybody_elses_and_it_ends_whole_though_nobody_reads_on(project: Settings) -> None:
    """Prevents raw tickets that every user of the machine reads, a parsed project that every user changes, and a run
    that dies of its own progress line."""
    root = project.project_root
    local = project.state_folder
    reports, raw_zone = root / "given" / "reports", root / "given" / "raw_zone"
    # What an earlier version left open, and what was only given.
    for folder, mode in ((local / "dlt", 0o755), (local / "dbt" / "target", 0o777), (raw_zone / "sha256", 0o755)):
        folder.mkdir(parents=True)
        folder.chmod(mode)
    for folder in (local, local / "dbt", raw_zone, raw_zone.parent):
        folder.chmod(0o755)
    (local / "dbt" / "target" / "partial_parse.msgpack").touch(mode=0o666)
    write_export(root / "day" / "tickets-2026-04-17.jsonl", [ticket(number) for number in range(1, 4)])
    words = ("ingest", "--input", "day/tickets-2026-04-17.jsonl", "--batch", "batch-20260417-001")
    command = [sys.executable, "-c", "from loader.cli import main; main()", *words]
    ended, reading = os.pipe()
    os.close(ended)
    process = subprocess.Popen(
        command,
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "LOADER_PROJECT_ROOT": str(root),
            "LOADER_RAW_ZONE": str(raw_zone),
            "LOADER_REPORT_DIR": str(reports),
        },
        stdin=subprocess.DEVNULL,
        stdout=reading,
        stderr=reading,
        umask=0,
    )
    os.close(reading)
    seen: set[Path] = set()
    found: set[Path] = set()
    while process.poll() is None:
        time.sleep(0.2)
        if _is_open(local / "dbt" / "target"):
            # The command has only begun.
            continue
        paths = {path for place in (local, raw_zone / "sha256", reports) for path in (place, *place.rglob("*"))}
        found |= _open_to_others(sorted(paths - seen))
        seen |= paths
    assert process.returncode == 0
    assert len(list((reports / "run_evidence" / "2026-04-17").iterdir())) == 1
    assert found == set()
    assert any(".csv" in path.suffixes for path in seen) and local / "dbt" / "target" / "manifest.json" in seen
    assert stat.S_IMODE(local.stat().st_mode) == (0o711 if IS_ROOT else 0o700)


def test_folders_that_were_open_are_closed_or_told(project: Settings, tmp_path: Path) -> None:
    """Prevents a folder that others can change from staying so for ever, and one of theirs from being changed."""
    given = tmp_path / "given"
    for folder in (project.state_folder / "dlt", project.project_root / "reports", given / "sha256", given / "theirs"):
        folder.mkdir(parents=True)
        folder.chmod(0o777)
    given.chmod(0o777)
    settings = load_settings(project_root=project.project_root, raw_zone=given)
    said: list[str] = []
    close_to_others(settings, said.append)
    for folder in (project.state_folder / "dlt", project.project_root / "reports", given / "sha256"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert stat.S_IMODE((given / "theirs").stat().st_mode) == 0o777
    assert said == [f"LOADER_RAW_ZONE: every user may change {given} (drwxrwxrwx); chmod o-w {given}"]
    close_to_others(settings, said.append)
    assert len(said) == 2


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_servers_user_passes_through_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    """Prevents data that moves outside the checkout because of a shell's umask."""
    before = os.umask(umask)
    try:
        make_state_folder(tmp_path / ".local")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".local").stat().st_mode) == (0o711 if IS_ROOT else 0o700)
