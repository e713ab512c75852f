"""Commands whose reader ends before they do, or that nobody reads from the start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkouts import ROOT

LOADER = (sys.executable, "-c", "from loader.cli import main; main()")
# Each asks for the exit code of the command itself, which the shell says on its descriptor 3.
ENDED = {
    "a pipe to a reader that ended": '(exec 3>&1; ("$@" 2>&1; echo $? >&3) | true)',
    "closed output": '"$@" >&-; echo $?',
    "closed errors": '"$@" 2>&-; echo $?',
    "all closed": 'exec 3>&1; ("$@" <&- >&- 2>&- 3>&-); echo $? >&3',
}


def _code(line: str, words: tuple[str, ...], **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        ["/bin/sh", "-c", line, "sh", *LOADER, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("line", ENDED.values(), ids=ENDED)
def test_the_exit_code_is_what_the_command_found(line: str) -> None:
    """Prevents "not ready" for a day that is ready, and a traceback, because nobody reads on."""
    for buffering in ({}, {"PYTHONUNBUFFERED": "1"}):
        assert _code(line, ("--help",), **buffering) == (0, "")
    code, said = _code(line, ("ready",))
    assert code == 2
    assert "Traceback" not in said and "Exception ignored" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_full_disk_is_told_where_results_go_and_stops_nothing_where_errors_go(buffering: str) -> None:
    for words in (("--help",), ("smoke", "--json", "--help")):
        code, said = _code('"$@" >/dev/full; echo $?', words, PYTHONUNBUFFERED=buffering)
        words = " ".join(said.split())
        # Not one of the loader's own disks, which is not full.
        assert words.startswith("error: standard output") and "got No space left on device, expected to write" in words
        assert (code, said.splitlines()[-1], words.count("error: ")) == (3, "next: make status", 1), said
    code, said = _code('"$@" >/dev/full; echo $?', ("ready", "--json"), PYTHONUNBUFFERED=buffering)
    assert code == 2 and said.startswith("error: ready: expected --partition") and "Traceback" not in said
    assert _code('"$@" 2>/dev/full; echo $?', ("ready",), PYTHONUNBUFFERED=buffering) == (2, "")
