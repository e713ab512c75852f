"""Variables of the environment: whether one is known, and whether its value is what was meant."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping

from loader.errors import CommandUsageError

_VARIABLE = re.compile(r"\$(?:\{[^}]*\}?|[A-Za-z_][A-Za-z0-9_]*)")


def require_plain(environment: Mapping[str, str], prefix: str, expected: Mapping[str, str]) -> None:
    """Refuse a variable with the prefix that is no setting, or whose value has a blemish: a misspelt name changes
    nothing and says nothing, an unseen character in a path makes a second archive.

    `expected`: what each setting holds, in words, by its name without the prefix. Raises CommandUsageError.
    """
    for variable, value in environment.items():
        if not variable.upper().startswith(prefix):
            continue
        name = variable.removeprefix(prefix)
        if name not in expected:
            near = difflib.get_close_matches(name.upper(), expected, n=1, cutoff=0.5)
            told = f": the nearest setting is {prefix}{near[0]}" if near else ""
            raise CommandUsageError(
                f"{variable}: got {value!r}, expected no such variable{told}; nothing was started",
                next_command=f"unset {variable}   # all settings: infra/env/.env.example",
            )
        if found := blemish(value) or unread(value):
            raise CommandUsageError(
                f"{variable}: got {value!r}, expected {expected[name]}, without {found}; nothing was started",
                next_command=f"unset {variable}   # or set it as in infra/env/.env.example",
            )


def blemish(value: str) -> str | None:
    """What a value has that nobody meant, in words; None when it is plain.

    Env files with the line ends of another system leave carriage returns, those that are not read by a shell quotes.
    """
    control = next((character for character in value if unicodedata.category(character) in ("Cc", "Zl", "Zp")), None)
    if control is not None:
        return "the carriage return" if control == "\r" else f"the control character {control!a}"
    unseen = next((character for character in value if unicodedata.category(character) == "Cf"), None)
    if unseen is not None:
        return f"the unseen character {unseen!a}"
    edges = value[:1] + value[-1:]
    if any(edge in "\"'" for edge in edges):
        return "quotes"
    if any(map(str.isspace, edges)):
        return "the blank at its edge"
    return None


def unread(value: str) -> str | None:
    """What a shell would have read and an env file's reader did not, in words: a comment, another variable."""
    if " #" in value:
        return "the comment from ' #' on"
    variable = _VARIABLE.search(value)
    return None if variable is None else f"the variable {variable[0]!r}, which nobody has replaced"
