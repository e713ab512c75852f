"""How commands speak: progress to standard error, results to standard output, JSON when asked."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click

from loader.errors import OutputError

if TYPE_CHECKING:
    from loader.screen import Lines, Screen

_BELOW_ERROR = " " * len("error: ")


@contextmanager
def progress() -> Iterator[Lines]:
    """How the command that begins now shows what it is at, on standard error; entered around its work."""
    from loader.cli.waits import listening
    from loader.screen import Bars

    is_drawn = surface(err=True).is_terminal
    with lines(Bars) if is_drawn else lines() as shown, listening(shown):
        yield shown


def lines(kind: type[Lines] | None = None) -> Lines:
    """Progress on standard error, in plain lines unless another `kind` is asked for."""
    from loader.screen import Lines

    return (kind or Lines)(surface(err=True), lambda line: click.echo(line, err=True))


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


def print_error(
    message: str, next_command: str, exit_code: int, *, as_json: bool, reason_codes: Sequence[str] = ()
) -> None:
    """The last line is the next command; as JSON it is the field `next_command`, and where a program needs more than
    the exit code to go by, `reason_codes` stands beside it. In words where no JSON can be
    written: the exit code stays that of the error."""
    if as_json:
        with suppress(OutputError):
            codes = {"reason_codes": [*reason_codes]} if reason_codes else {}
            print_json({"error": message, "exit_code": exit_code, "next_command": next_command, **codes})
            return
    show(error_lines(surface(err=True), message, next_command), err=True)


def error_lines(screen: Screen, message: str, next_command: str) -> list[str]:
    """The message as a paragraph that hangs below its first word, what is listed in it a step further; then what to
    type, which is never wrapped."""
    from loader.screen import next_lines, paragraph

    first, *others = message.split("\n")
    lines = paragraph(screen, f"error: {first}", hanging=_BELOW_ERROR)
    for line in others:
        step = _BELOW_ERROR + " " * (len(line) - len(line.lstrip()))
        lines += paragraph(screen, line.strip(), indent=step, hanging=step + "  ")
    lines[0] = screen.painted("error:", "bad") + lines[0].removeprefix("error:")
    return [*lines, *next_lines(screen, next_command)]
