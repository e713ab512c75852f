"""How commands speak: progress to standard error, results to standard output, JSON when asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import click

from loader.errors import OutputError
from loader.printable import in_one_line, visible

if TYPE_CHECKING:
    from loader.progress import Step
    from loader.screen import Screen

_SECONDS_BETWEEN_LINES = 10.0


class Lines:
    """Progress as plain lines on standard error, each with the seconds since the command began.

    A stage that takes long says every ten seconds how far it is.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._stage = ""
        self._stage_began = self._spoke = self._heard = self._began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def __call__(self, line: str, /) -> None:
        self._heard = time.monotonic()
        echo(f"[{self._heard - self._began:6.1f}s] {line}", err=True)

    def _seconds_of(self, step: Step) -> float:
        """Since the stage began: when the last word before its first step was heard."""
        if step.stage != self._stage:
            self._stage, self._stage_began, self._spoke = step.stage, self._heard, self._heard
        self._heard = time.monotonic()
        return max(self._heard - self._stage_began, 1e-3)

    def step(self, step: Step, /) -> None:
        seconds = self._seconds_of(step)
        now = self._heard
        if now - self._spoke >= _SECONDS_BETWEEN_LINES and step.done < step.total:
            self._spoke = now
            self(f"{step.stage}: {_how_far(step, seconds)}")


def _how_far(step: Step, seconds: float) -> str:
    words = [f"{step.done / step.total:.0%} of {_amount(step)}"]
    if step.line_count:
        words += [f"{step.line_count:,} lines", f"{step.line_count / seconds:,.0f} lines/s"]
    left = timedelta(seconds=round(seconds * (step.total - step.done) / step.done)) if step.done else "?"
    return ", ".join([*words, f"{left} left"])


def _amount(step: Step) -> str:
    return f"{step.total / 1e6:,.0f} MB" if step.unit == "bytes" else f"{step.total} {step.unit}"


class Bars(Lines):
    """Progress on a terminal: the same lines, and below them one bar, that of the stage at work."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[amounts]}"),
            TimeRemainingColumn(),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", visible=False, amounts="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, line: str, /) -> None:
        self._bar.update(self._task, visible=False)
        self._heard = time.monotonic()
        shown = f"[{self._heard - self._began:6.1f}s] {visible(line)}"
        self._bar.console.print(shown, markup=False, highlight=False, emoji=False)

    def step(self, step: Step, /) -> None:
        if step.stage != self._stage:
            self._bar.reset(self._task, description=step.stage, total=step.total)
        seconds = self._seconds_of(step)
        amounts = _amount(step)
        if step.line_count:
            amounts += f", {step.line_count:,} lines, {step.line_count / seconds:,.0f} lines/s"
        self._bar.update(self._task, completed=step.done, visible=step.done < step.total, amounts=amounts)


def progress() -> Lines:
    """How the command that begins now shows its progress; to be entered around its work."""
    return Bars() if sys.stderr.isatty() else Lines()


def echo(text: str, *, err: bool = False) -> None:
    """One or more lines in plain words; what a value could make a terminal do is shown, not done."""
    click.echo(visible(text), err=err)


def surface(*, err: bool = False) -> Screen:
    """What standard output, or standard error, can show now."""
    from loader.screen import screen_of

    return screen_of(sys.stderr if err else sys.stdout)


def show(lines: Iterable[str], *, err: bool = False) -> None:
    """Lines as loader.screen drew them."""
    for line in lines:
        click.echo(line, err=err)


def print_json(record: Mapping[str, Any]) -> None:
    import json

    import orjson

    try:
        text = orjson.dumps(record, option=orjson.OPT_INDENT_2, default=str).decode()
    except orjson.JSONEncodeError:
        # A path that is no UTF-8: its odd bytes are escaped.
        text = json.dumps(record, indent=2, default=str)
    # A terminal that shows it obeys also what JSON need not escape.
    click.echo("".join(each if each == "\n" or each.isprintable() else json.dumps(each)[1:-1] for each in text))


def print_error(message: str, next_command: str, exit_code: int, *, as_json: bool) -> None:
    """The last line is the next command; as JSON it is the field `next_command`. In words where no JSON can be
    written: the exit code stays that of the error."""
    if as_json:
        with suppress(OutputError):
            print_json({"error": message, "exit_code": exit_code, "next_command": next_command})
            return
    click.echo(click.style("error: ", fg="red", bold=True) + visible(message), err=True)
    echo(f"next: {next_command}", err=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table: drawn on a terminal, tab-separated otherwise so that `cut` and `awk` work."""
    cells = [["" if value is None else in_one_line(str(value)) for value in row] for row in rows]
    if not sys.stdout.isatty():
        echo(f"# {title}")
        for row in (columns, *cells):
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # As Text, so that nothing in a value is markup of rich's.
    table = Table(title=Text(visible(title)), title_justify="left")
    for column in columns:
        # An id that is cut into lines cannot be copied.
        table.add_column(column, overflow="fold", no_wrap=column.endswith("run_id"))
    for row in cells:
        table.add_row(*map(Text, row))
    Console().print(table)
