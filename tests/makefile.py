"""What the Makefile says of its targets, as make itself reads it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_LOADER = ".venv/bin/loader "


@cache
def lists() -> dict[str, frozenset[str]]:
    """The words of each list, by the list's name."""
    shown = subprocess.run(["make", "-pn", "help"], cwd=_ROOT, capture_output=True, text=True, check=True).stdout
    return {name: frozenset(words.split()) for name, words in re.findall(r"^(\S+) := (.*)$", shown, re.MULTILINE)}


@cache
def targets() -> dict[str, frozenset[str]]:
    """Each target and the variables that it takes, those of developers included. `plan`: of whatever verb."""
    found = lists()
    takes = {name.removeprefix("takes_"): words for name, words in found.items() if name.startswith("takes_")}
    verbs = ("retry", "rerun", "replay", "backfill", "restore", "expire")
    takes["plan"] |= frozenset().union(*(takes[verb] for verb in verbs)) - {"LOCK_TIMEOUT"}
    return {target: takes.get(target, frozenset()) | found["FREE"] for target in _rules()}


def _rules() -> list[str]:
    rules = re.findall(r"^([a-z][a-z -]*): .*##", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    return [target for rule in rules for target in rule.split()]


@cache
def loader_words(command: str) -> tuple[str, ...]:
    """What a command of make's, or of the loader's own, gives to `loader`."""
    program, *words = shlex.split(command, comments=True)
    if program == "loader":
        return tuple(words)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        [program, "-n", *words], cwd=_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(_LOADER)]
    assert done.returncode == 0 and len(lines) == 1, f"{command}: {done.stdout}{done.stderr}"
    return tuple(shlex.split(lines[0])[1:])
