"""`loader trace`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import html_option, json_option, kind_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.trace import Trace


@click.command()
@click.argument("key", required=False, metavar="[KEY]")
@click.option("--line", metavar="FILE:N", help="Instead of a key: a line of a declared file, from 1.")
@click.option("--event", metavar="ID", help="Instead of a key: an event of Bronze.")
@kind_option
@click.option("--quick", "is_quick", is_flag=True, help="Without what reads an archived file or a whole day.")
@click.option("--bytes", "with_content", is_flag=True, help="The line itself, too, as it was delivered.")
@html_option
@json_option
def trace(
    key: str | None,
    line: str | None,
    event: str | None,
    kind: str | None,
    is_quick: bool,
    with_content: bool,
    html: str | None,
    as_json: bool,
) -> int:
    """Follow a record from its byte to its readers, or a line to what became of it; changes nothing.

    KEY is a record's key, after -- where it begins with a dash. Every link is recomputed: archived bytes, lines,
    records, Silver's row, released and served rows, the chain of evidence. Exit code 1 names those that do not hold.
    """
    given = [name for name, value in (("KEY", key), ("--line", line), ("--event", event)) if value]
    if len(given) != 1:
        raise click.UsageError(f"expected one of KEY, --line and --event, got {' and '.join(given) or 'none'}.")
    from loader.cli.trace_screen import trace_lines
    from loader.config import load_settings
    from loader.screen import next_lines
    from loader.trace import Asked
    from loader.trace import trace as follow
    from loader.warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    found = follow(settings, warehouse, Asked(key, line, event, kind, is_quick, with_content))
    next_command = "make status"
    if found.broken:
        # What advises knows every room: who is told that all is well does not wait for it.
        from loader.advice import after_trace

        next_command = after_trace(settings, warehouse, found).line
    if html:
        _write_page(html, found, next_command)
    if as_json:
        print_json({**_as_record(found), "next_command": next_command})
    else:
        show(trace_lines(surface(), found))
        show(next_lines(surface(err=bool(found.broken)), next_command), err=bool(found.broken))
    return int(bool(found.broken))


def _write_page(path: str, found: Trace, next_command: str) -> None:
    """Replaces what is there. Raises InfrastructureError."""
    from pathlib import Path

    from loader.cli.trace_screen import answer, content_in_words
    from loader.report_files import write_file
    from loader.screen import Screen
    from loader.site import single_page

    page = single_page(
        "trace.html",
        found=found,
        broken=found.broken,
        answer=answer(Screen(), found),
        content=None if found.content is None else content_in_words(found.content),
        next_command=next_command,
        command="make trace",
    )
    write_file(Path(path), page)


def _as_record(found: Trace) -> dict[str, Any]:
    """JSON-ready; bytes as text where they are text, else in base64."""
    import base64

    record = asdict(found)
    content = record.pop("content")
    if content is not None:
        try:
            record["content"] = content.decode()
        except UnicodeDecodeError:
            record["content_base64"] = base64.b64encode(content).decode()
    return {
        **record,
        "is_sound": not found.broken,
        "broken": [asdict(link) for link in found.broken],
        "left_out": list(found.left_out),
    }
