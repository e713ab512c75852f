"""docs/your_own_kind.md, as a reader follows it: files saved, commands typed, each line of output looked for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import LOADER, Checkout, make_own_checkout, own_checkout
from tests.makefile import loader_words

PAGE = ROOT / "docs" / "your_own_kind.md"

_PARTS = re.compile(r"as `(?P<name>[a-z]+\.jsonl?)`|```(?P<of>json|console|diff)\n(?P<body>.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Edited:
    """What is changed by hand, as git applies it."""

    patch: str


@dataclass(frozen=True)
class Typed:
    command: str
    expected: list[str]
    exit_code: int


def _page() -> Iterator[tuple[str, str] | Typed | Edited]:
    """Files to save, by name and content, edits, and commands, in the page's order. A command may fail where the text
    behind it says so."""
    text = PAGE.read_text()
    name = ""
    for match in _PARTS.finditer(text):
        if match["name"]:
            name = match["name"]
        elif match["of"] == "json":
            yield name, match["body"]
        elif match["of"] == "diff":
            yield Edited(match["body"])
        else:
            first, *lines = match["body"].rstrip("\n").split("\n")
            said = re.match(r"\s*[^`]*?\(exit code (\d)\)", text[match.end() :].split("\n```")[0].replace("\n", " "))
            yield Typed(first.removeprefix("$ "), lines, int(said[1]) if said else 0)


@pytest.fixture
def checkout(server: Warehouse, _template: str) -> Iterator[Checkout]:
    with own_checkout(server, _template, make_own_checkout) as checkout:
        yield checkout


def test_the_page_does_what_it_says(checkout: Checkout) -> None:
    """Prevents a page that was true once. The warehouse has tickets: days are told with their kind."""
    terms = ("--owner", "tests", "--license", "CC0-1.0", "--pii-scan", "clean")
    declared = ("--from", "data/exports", "--out", "data/seed_manifests/exports.json", *terms)
    assert checkout.loader("manifest", *declared).code == 0
    assert checkout.loader("ingest").code == 0
    commands = 0
    for step in _page():
        if isinstance(step, Typed):
            words = list(loader_words(step.command))
            # A process of its own, since it parses: dbt's parser waits for ever in a fork of one that has parsed.
            is_parsing = words[:2] == ["kind", "new"]
            done = checkout.run([*LOADER, *words]) if is_parsing else checkout.loader(*words)
            assert done.code == step.exit_code, (step.command, done)
            rest = done.out
            for line in map(str.rstrip, step.expected):
                assert line in rest, (step.command, line, done.out)
                rest = rest.split(line, 1)[1]
            commands += 1
        elif isinstance(step, Edited):
            subprocess.run(
                ["git", "apply", "--unidiff-zero", "-"], cwd=checkout.root, input=step.patch, text=True, check=True
            )
        else:
            name, content = step
            (checkout.root / name).write_text(content)
    assert commands == 9
