"""One class per decision that an operator takes; each carries its exit code and the next command."""

from __future__ import annotations

from functools import partial
from typing import Any


class LoaderError(Exception):
    """Base of every error that ends a command on purpose.

    `message` says subject, got, expected and what was not done; `next_command` is printed as the
    last line, so that the operator never has to search for it. `reason_codes`: what a program goes by where the exit
    code says too little.
    """

    exit_code = 1
    reason_codes: tuple[str, ...] = ()

    def __init__(self, message: str, *, next_command: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_command = next_command

    def __reduce__(self) -> tuple[Any, ...]:
        """As it crosses from a process that reads and loads."""
        return partial(type(self), next_command=self.next_command), (self.message,)


class CheckFailedError(LoaderError):
    """The run ended, and what it found is not good enough: a gap, a failed check, a withheld asset."""

    exit_code = 1


class NoLinesError(CheckFailedError):
    """Nothing was started: no line belongs to the days that were asked for. Another kind may have some."""

    reason_codes = ("no_lines_for_partition",)


class CommandUsageError(LoaderError):
    """The command line, a setting or a manifest cannot be understood; nothing was started."""

    exit_code = 2


class InfrastructureError(LoaderError):
    """Database, disk or process trouble: no statement about the data. Bronze keeps completed loads only."""

    exit_code = 3


class OutputError(InfrastructureError):
    """Standard output could not be written: whatever the command did stands, and its answer is not to be seen."""


class RefusedError(LoaderError):
    """Refused for safety (locked, changed manifest, stale plan); nothing was written."""

    exit_code = 4
