"""The loader's command, as Dagster calls it: words in, JSON and an exit code out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

# The checkout whose days these are: the loader's own setting, or that of this file.
ROOT = Path(os.environ.get("LOADER_PROJECT_ROOT") or Path(__file__).resolve().parents[3])
# How long a writing command waits for the one at work (seconds): runs that go on side by side write one by one.
_WAIT = "86400"
_CHECK_FAILED, _INFRASTRUCTURE, _REFUSED = 1, 3, 4
_NO_LINES = "no_lines_for_partition"


@dataclass(frozen=True)
class Answer:
    """What a command printed as JSON, and how it ended."""

    exit_code: int
    record: Mapping[str, Any]

    @property
    def has_no_lines(self) -> bool:
        """No line belongs to the days that were asked for: there is nothing to say of them."""
        return _NO_LINES in self.record.get("reason_codes", ())

    @property
    def may_be_repeated(self) -> bool:
        """The database was away, or a plan was made for a world that has moved: nothing is known of the data."""
        return self.exit_code in (_INFRASTRUCTURE, _REFUSED)

    @property
    def reason(self) -> str:
        """In one sentence, with what to type next."""
        said = self.record.get("error") or "; ".join(self.record.get("problems", ())) or "a check failed"
        return f"exit code {self.exit_code}: {said}. Next: {self.record.get('next_command', 'make status')}"


class Loader:
    """`loader` of the checkout at `root`."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    @property
    def report_folder(self) -> Path:
        return self.root / (os.environ.get("LOADER_REPORT_DIR") or "reports")

    def look(self, *words: str) -> Mapping[str, Any]:
        """The answer of a command that only looks. Raises LoaderError where it has none."""
        answer = self.run(words, lambda line: None)
        if answer.exit_code > _CHECK_FAILED:
            raise LoaderError(answer.reason)
        return answer.record

    def write(self, *words: str, tell: Callable[[str], object]) -> Answer:
        """Run a command that writes, after whoever writes now. `tell` hears each line of its progress."""
        return self.run((*words, "--lock-timeout", _WAIT), tell)

    def run(self, words: Sequence[str], tell: Callable[[str], object]) -> Answer:
        """Raises LoaderError where the command cannot be started, or says no JSON. Whatever ends the caller ends the
        command as well, as Ctrl-C does: what was not completed stays invisible."""
        # What Dagster's own environment says of Python is not the loader's.
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        command = [os.fspath(self.root / ".venv" / "bin" / "loader"), *words, "--json"]
        try:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env={**inherited, "COLUMNS": "120"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise LoaderError(f"{command[0]}: {error.strerror}. Next: make smoke, in {self.root}") from error
        assert process.stdout is not None and process.stderr is not None
        progress = Thread(target=_tell_lines, args=(process.stderr, tell))
        progress.start()
        try:
            said = process.stdout.read()
            exit_code = process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        finally:
            progress.join()
        try:
            return Answer(exit_code, json.loads(said))
        except ValueError as error:
            raise LoaderError(f"{' '.join(command)} ended with {exit_code} and said no JSON: {said[:500]!r}") from error


class LoaderError(Exception):
    """The loader could not be asked."""


def _tell_lines(stream: IO[str], tell: Callable[[str], object]) -> None:
    for line in stream:
        if line.strip():
            tell(line.rstrip("\n"))
