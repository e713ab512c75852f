"""What a command says of itself stands on the page of commands; README and `make help` leave none out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from loader.cli import cli, short_help
from loader.cli.reference import PAGE, commands_page
from tests.checkouts import ROOT
from tests.makefile import lists, targets


def _commands(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield " ".join([*names, name]), command
        if isinstance(command, click.Group):
            yield from _commands(command, (*names, name))


COMMANDS = dict(_commands(cli))


def test_the_page_of_commands_is_what_they_say() -> None:
    """Mended by `python -m loader.cli.reference`."""
    assert (ROOT / PAGE).read_text("utf-8") == commands_page()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_and_its_options_say_what_they_do(name: str) -> None:
    command = COMMANDS[name]
    assert 10 < len(short_help(command)) <= 120
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.opts for each in options if not (each.help or "").strip()] == []


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_each_command_and_each_target_stands_in_the_readme(page: str) -> None:
    """Prevents a command that nobody finds."""
    rows = re.findall(r"^\|(.*)$", (ROOT / page).read_text("utf-8"), re.MULTILINE)
    named = set(re.findall(r"[a-z][a-z-]+", " ".join(word for row in rows for word in re.findall(r"`([^`]*)`", row))))
    assert [target for target in targets() if target not in named] == []
    assert [name for name in COMMANDS if name.split()[0] not in named] == []


def test_a_command_that_make_has_is_the_loaders() -> None:
    assert lists()["COMMANDS"] | {"docs", "psql"} == {name for name in COMMANDS if " " not in name} - {"kind"}
