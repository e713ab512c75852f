"""What a file may do to the process that reads its facts, and to the files after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from loader.bounds import FactsLimits
from loader.errors import InfrastructureError
from loader.facts import Facts, FactsDefect, FactsReader
from loader.facts.process import _read_in_child
from tests.checkouts import ROOT
from tests.facts.serving import serve_misbehaving

# Two seconds of a processor that others have, too, may take a minute.
LIMITS = FactsLimits(cpu_seconds=2, wall_seconds=90, memory_bytes=2**29)


@pytest.fixture(scope="module")
def reader() -> Iterator[FactsReader]:
    with FactsReader(LIMITS, serve=serve_misbehaving) as reading:
        yield reading


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text)
    return path


def words(answer: Facts | FactsDefect) -> object:
    assert isinstance(answer, Facts)
    return answer.values["word_count"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("abort", "the library that reads its facts crashed on it, or had no more memory"),
        ("segfault", "the library that reads its facts crashed on it, or had no more memory"),
        ("spin", "reading its facts took more than 2 seconds of processor"),
        ("grow", "reading its facts needs more than 536,870,912 bytes of memory, or a file to write to"),
    ],
)
def test_a_library_that_crashes_or_never_ends_costs_one_file(
    tmp_path: Path, reader: FactsReader, word: str, message: str
) -> None:
    """Prevents a file that takes its siblings along, or the command."""
    assert reader.read(page(tmp_path, word), "document", "markdown") == FactsDefect("facts_limit", message)
    assert words(reader.read(page(tmp_path, "plain words here"), "document", "markdown")) == 3


def test_a_library_that_waits_is_ended(tmp_path: Path) -> None:
    """Prevents a wait for ever of what uses no processor."""
    limits = FactsLimits(cpu_seconds=2, wall_seconds=6, memory_bytes=2**29)
    with FactsReader(limits, serve=serve_misbehaving) as reader:
        assert reader.read(page(tmp_path, "sleep"), "document", "markdown") == FactsDefect(
            "facts_limit", "reading its facts took more than 6 seconds"
        )
        assert words(reader.read(page(tmp_path, "plain"), "document", "markdown")) == 1


@pytest.mark.parametrize(("word", "said"), [("killed", "was killed"), ("fault", "Input/output error")])
def test_what_the_machine_does_is_no_defect_of_the_file(
    tmp_path: Path, reader: FactsReader, word: str, said: str
) -> None:
    """Prevents a good file from being rejected because a disk failed, or the system had no memory."""
    with pytest.raises(InfrastructureError, match=said):
        reader.read(page(tmp_path, word), "document", "markdown")
    assert words(reader.read(page(tmp_path, "plain"), "document", "markdown")) == 1


def test_a_file_that_is_gone_is_no_defect(tmp_path: Path, reader: FactsReader) -> None:
    with pytest.raises(InfrastructureError, match="No such file"):
        reader.read(tmp_path / "gone.md", "document", "markdown")


def test_a_child_that_leaves_without_an_answer_has_none(tmp_path: Path, reader: FactsReader) -> None:
    """Prevents an exit by the library from being taken for the answer of the file before."""
    answer = reader.read(page(tmp_path, "leave"), "document", "markdown")
    assert isinstance(answer, FactsDefect)
    assert answer.reason_code == "facts_limit"


def test_what_a_library_prints_is_seen_by_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Prevents content of a file on the operator's terminal, and an answer that is mixed with it."""
    with FactsReader(LIMITS, serve=serve_misbehaving) as reader:
        assert words(reader.read(page(tmp_path, "print"), "document", "markdown")) == 1
    assert capfd.readouterr() == ("", "")


def test_a_library_writes_no_file(tmp_path: Path, reader: FactsReader) -> None:
    """Prevents a file from outside from filling the disk."""
    answer = reader.read(page(tmp_path, "write"), "document", "markdown")
    assert isinstance(answer, FactsDefect)
    assert answer.reason_code == "facts_limit"
    assert (tmp_path / "page.written").stat().st_size == 0


def test_no_process_is_left(tmp_path: Path) -> None:
    """Prevents a reader of a hostile file from running on after its command."""
    with FactsReader(serve=serve_misbehaving) as reader:
        assert words(reader.read(page(tmp_path, "plain"), "document", "markdown")) == 1
        assert reader._companion is not None
        process = psutil.Process(reader._companion.pid)
        reader._companion.connection.send((page(tmp_path, "spin"), "document", "markdown", FactsLimits()))
        child = _first_child(process)
    psutil.wait_procs([process, child], timeout=10)
    assert not child.is_running()


def test_a_child_whose_process_went_before_it_could_ask_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents the same where the process is killed in the instant after it made the child."""
    answer = Facts({"word_count": 1}, frozenset(), {})
    assert _read_in_child(lambda: answer, LIMITS) == answer
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert isinstance(_read_in_child(lambda: answer, LIMITS), FactsDefect)


def _first_child(process: psutil.Process) -> psutil.Process:
    for _ in range(500):
        if children := process.children():
            return children[0]
        time.sleep(0.02)
    raise AssertionError("no child was made")


def test_the_process_is_replaced_when_it_is_gone(tmp_path: Path) -> None:
    with FactsReader(LIMITS) as reader:
        assert words(reader.read(page(tmp_path, "plain"), "document", "markdown")) == 1
        assert reader._companion is not None
        os.kill(reader._companion.pid, signal.SIGKILL)
        with pytest.raises(InfrastructureError, match="was ended"):
            reader.read(page(tmp_path, "plain"), "document", "markdown")
        assert words(reader.read(page(tmp_path, "plain"), "document", "markdown")) == 1


def test_no_process_begins_before_the_first_file() -> None:
    """Prevents a command that reads lines only from paying for libraries of documents."""
    with FactsReader() as reader:
        assert reader._companion is None


def test_an_unknown_kind_of_file_is_told_to_the_programmer(tmp_path: Path, reader: FactsReader) -> None:
    with pytest.raises(KeyError):
        reader.read(page(tmp_path, "plain"), "document", "docx")


def test_the_door_brings_no_library_in() -> None:
    """Prevents every command from waiting for the libraries of files that it does not read."""
    libraries = ("pypdf", "pypdfium2", "selectolax", "markdown_it", "tinytag", "pymediainfo", "PIL")
    code = f"import sys, loader.facts; print(*sorted(sys.modules.keys() & set({libraries})))"
    assert _printed(code) == ""
    assert "pypdf" in _printed(code.replace("loader.facts", "loader.facts, pypdf"))


def _printed(code: str) -> str:
    command = [sys.executable, "-P", "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout.strip()
