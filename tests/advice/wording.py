"""Whether a text of the loader's source names commands, options, variables and files that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from loader.cli import cli
from tests.advice.sites import FILLED
from tests.checkouts import ROOT
from tests.makefile import targets

# A command stands at a text's beginning, after another one, or after a colon or a sign of a remark.
_COMMANDS = re.compile(
    r"(?:^|next: |&& |: |# |then |or |and |[A-Z_]+=\S+ |-u PGHOST )(make|loader) ([a-z][a-z-]*)((?:(?!   #|&& |; ).)*)",
    re.DOTALL,
)
# English, and no command.
_PROSE = re.compile(r"make (?:it|room|no)\b|loader (?:itself|of|schema|roles|probe|layers)\b")
# A file of the checkout, by its way from the root.
_FILE = re.compile(r"(?<![\w/.{}\0-])((?:docs|infra|contracts|loader|dbt_project|tests)(?:/[\w.-]+)+)")
_OF_MAKE = {"test", "test-media", "test-long", "fuzz", "bench", "soak", "lint", "lock", "help"}


def faults(text: str) -> Iterator[str]:
    """What is wrong with the commands and files that it names, in words."""
    for program, name, words in _COMMANDS.findall(_PROSE.sub("", text)):
        if program == "make":
            yield from _faults_of_make(name, words)
        else:
            yield from _faults_of_loader(name, words)
    for file in _FILE.findall(text):
        if not (ROOT / file.rstrip(".")).exists():
            yield f"no file {file}"


def _faults_of_make(target: str, words: str) -> Iterator[str]:
    taken = targets().get(target)
    if taken is None:
        yield f"no target {target} of make"
        return
    for variable in re.findall(r"(?<![\w'\"])([A-Z_]+)=", words):
        if variable not in taken:
            yield f"make {target} takes no {variable}"


def _faults_of_loader(name: str, words: str) -> Iterator[str]:
    command = cli.get_command(click.Context(cli), name)
    if command is None:
        yield f"no command loader {name}"
        return
    if isinstance(command, click.Group):
        sub = next(iter(words.split()), "")
        commands = [command, *([command.commands[sub]] if sub in command.commands else command.commands.values())]
    else:
        commands = [command]
    known = {word for each in commands for option in each.params for word in option.opts} | {"--help"}
    if command.context_settings.get("ignore_unknown_options"):
        return
    options = re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", words)
    unknown = [option for option in options if option not in known]
    yield from (f"loader {name} has no {option}" for option in unknown)
    # `loader` lies in .venv/bin; make is there before anything is.
    variables = {option.removeprefix("--").upper().replace("-", "_") for option in options}
    if name in targets() and not unknown and variables <= targets()[name] and not words.startswith(" reset"):
        yield f"make {name} says the same"


def shown(text: str) -> str:
    return text.replace(FILLED, "{}")
