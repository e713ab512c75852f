"""An operator who types what "next:" says, word for word: in this process where it is `loader` or `make`."""

from __future__ import annotations

import gc
import io
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

from loader.cli import main
from tests.advice.persons import PERSONS
from tests.e2e.commands import LOADER
from tests.makefile import loader_words

# How often what "next:" says is typed before somebody gives up.
PATIENCE = 3
# What an operator has to replace before it can be typed.
PLACEHOLDER = re.compile(r"<[^<>]*>|…")
_NEXT = re.compile(r"(?:^why: +(.*(?:\n      .*)*)\n)?^next: (.*)$", re.MULTILINE)
_LOOKS = ("status", "diagnose", "ready", "state", "completeness")
_LINES_SHOWN = 25


@dataclass(frozen=True, slots=True)
class Typed:
    """A command that ended, as it was typed, and what it said."""

    command: str
    code: int
    out: str
    err: str

    @property
    def next_line(self) -> str | None:
        """What its last `next:` says, and its words after three spaces; they stand before it where it had no room."""
        said = [*_NEXT.finditer(self.out), *_NEXT.finditer(self.err)]
        if not said:
            return None
        why, command = said[-1].groups()
        return command if why is None else f"{command}   # {' '.join(why.split())}"


@dataclass(frozen=True, slots=True)
class Followed:
    """Every command that was typed, in its order; `is_closed`: diagnose had nothing to say then."""

    typed: tuple[Typed, ...]
    is_closed: bool

    @property
    def left(self) -> str | None:
        """What was said last."""
        return self.typed[-1].next_line

    @property
    def is_only_planned(self) -> bool:
        return (self.left or "").startswith("make apply ")

    def is_left_to_a_person(self, operator: Operator) -> bool:
        """Whether what was said last names what a person decides or delivers, or leaves a place for them to fill."""
        if self.left is None:
            # It said nothing to type.
            return False
        if PLACEHOLDER.search(operator.filled(self.left)):
            return True
        if operator.decides:
            return False
        knows = operator.filled(self.left) != without_words(self.left)
        return not knows and any(sentence in self.left for sentence in PERSONS)

    def __str__(self) -> str:
        shown = [f"$ {each.command}\n{_tail(each.out)}{_tail(each.err)}[exit {each.code}]" for each in self.typed]
        return "\n".join([*shown, f"closed: {self.is_closed}, left: {self.left}"])


def _tail(said: str) -> str:
    lines = said.splitlines(keepends=True)
    return "".join(["…\n", *lines[-_LINES_SHOWN:]] if len(lines) > _LINES_SHOWN else lines)


@dataclass(slots=True)
class Operator:
    """Types commands in the checkout `root`. `fills`: what they know of placeholders, e.g. `<the same person>`."""

    root: Path
    fills: Mapping[str, str] = field(default_factory=dict)
    # Whether they are the person to whom sentences leave it, and type on.
    decides: bool = False
    # Whether a command was typed that may have changed anything.
    has_acted: bool = False
    # What happens elsewhere once the first command has been typed.
    meanwhile: Callable[[], None] = lambda: None

    def follow(self, first: str, patience: int = PATIENCE) -> Followed:
        """Type `first`, then what "next:" says, until a command ends well and diagnose has nothing to say, a person
        must decide, or patience ends."""
        followed = Followed((self.type(first),), is_closed=False)
        self.meanwhile()
        while followed.typed[-1].code or followed.is_only_planned or not self.is_closed():
            if len(followed.typed) > patience or followed.is_left_to_a_person(self):
                return followed
            followed = self.goes_on(followed)
        return replace(followed, is_closed=True)

    def ends(self, followed: Followed) -> None:
        """What was said last is there to be typed as well: it shows what is left, or what there is now."""
        if followed.left is not None and not PLACEHOLDER.search(self.filled(followed.left)):
            assert self.type(self.filled(followed.left)).code != 2, str(followed)

    def heed(self, first: str) -> Followed:
        """Type `first`, and what it says once, unless a person has to fill it in."""
        followed = Followed((self.type(first),), is_closed=False)
        return followed if followed.is_left_to_a_person(self) else self.goes_on(followed)

    def goes_on(self, followed: Followed) -> Followed:
        """What is said next is typed. A command of the shell says nothing of what comes then: what had failed is typed
        again."""
        advice = followed.left
        assert advice is not None
        command = self.filled(advice)
        typed = [*followed.typed, self.type(command)]
        if typed[-1].next_line is None and typed[-1].code == 0 and not command.endswith("--help"):
            failed = [each.command for each in followed.typed if each.next_line is not None][-1]
            typed.append(self.type(failed))
        return Followed(tuple(typed), is_closed=False)

    def filled(self, advice: str) -> str:
        """The command in it, with what this operator knows."""
        command = without_words(advice)
        for placeholder, value in self.fills.items():
            command = command.replace(placeholder, value)
        return command

    def is_closed(self) -> bool:
        return self.type("loader diagnose").code == 0

    def type(self, command: str) -> Typed:
        # What a shell has said before `&&` is not the last word.
        for part in command.split(" && "):
            done = self._type(part.strip())
            if done.code:
                break
        return replace(done, command=command)

    def _type(self, command: str) -> Typed:
        words = shlex.split(command)
        if words[:2] == ["env", "-u"]:
            with patch.dict(os.environ):
                os.environ.pop(words[2], None)
                return self._type(shlex.join(words[3:]))
        if words[0] == "make":
            words = ["loader", *loader_words(command)]
        if words[:2] == ["loader", "psql"]:
            # It becomes psql.
            command = shlex.join([*LOADER, *words[1:]])
        elif words[0] == "loader":
            done = in_this_process(command, words[1:], self.root)
            # Refused command lines, and commands that only look, leave all as it was.
            self.has_acted |= done.code != 2 and "--help" not in words and words[1] not in _LOOKS
            return done
        self.has_acted = True
        if words[0] == "unset":
            for name in words[1:]:
                os.environ.pop(name, None)
            return Typed(command, 0, "", "")
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Typed(command, done.returncode, done.stdout, done.stderr)


def without_words(advice: str) -> str:
    """The command alone: after three spaces come words for people."""
    return advice.split("   #")[0].strip()


def in_this_process(command: str, words: Sequence[str], root: Path) -> Typed:
    """`loader` with these words, as its console script runs it; dbt keeps its parsed project between them."""
    out, err = io.StringIO(), io.StringIO()
    with _undisturbed(), chdir(root), redirect_stdout(out), redirect_stderr(err):
        try:
            main(words)
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    return Typed(command, code, out.getvalue(), err.getvalue())


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What a command sets for its whole process is as it was afterwards."""
    signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    thresholds, umask = gc.get_threshold(), os.umask(0o022)
    os.umask(umask)
    try:
        with patch.dict(os.environ):
            yield
    finally:
        os.umask(umask)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        for number, handler in signals.items():
            signal.signal(number, handler)
