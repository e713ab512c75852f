"""docs/commands.md: every command with its options, from the commands themselves; `python -m loader.cli.reference`
writes it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

PAGE = Path("docs") / "commands.md"
_HEAD = """\
# Commands

Every command of `loader` with its options, as `loader COMMAND --help` says it, written by
`python -m loader.cli.reference`.
`make COMMAND` passes each variable on as the option of its name: `AS_OF=…` is `--as-of …`, `JSON=1` is `--json`;
`make help` lists which target takes which. Exit codes: 0 ok · 1 a check failed · 2 usage · 3 infrastructure ·
4 refused for safety.
"""


def commands_page() -> str:
    """The page, with its last line's end."""
    from loader.cli import cli

    context = click.Context(cli, info_name="loader")
    return "\n".join([_HEAD, *_sections(cli, context)])


def _sections(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        yield f"## {inner.command_path}\n"
        yield from (f"{' '.join(paragraph.split())}\n" for paragraph in (command.help or "").split("\n\n"))
        rows = [each.get_help_record(inner) for each in command.params]
        described = [row for row in rows if row is not None]
        if described:
            usage = " ".join([inner.command_path, *command.collect_usage_pieces(inner)])
            yield f"| `{_cell(usage)}` | |\n|---|---|"
            yield "".join(f"| `{_cell(option)}` | {_cell(text)} |\n" for option, text in described)
        if isinstance(command, click.Group):
            yield from _sections(command, inner)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(commands_page(), encoding="utf-8")
