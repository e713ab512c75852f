"""Variables of the environment: whether one is known, and whether its value is what was meant."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping

from loader.errors import CommandUsageError


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
            near = difflib.get_close_matches(name.upper(), expected, n=1, cutoff=0)[0]
            raise CommandUsageError(
                f"{variable}: got {value!r}, expected no such variable: the nearest setting is {prefix}{near}; "
                "nothing was started",
                next_command=f"unset {variable}   # all settings: infra/env/.env.example",
            )
        if found := blemish(value):
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
    edges = value[:1] + value[-1:]
    if any(edge in "\"'" for edge in edges):
        return "quotes"
    if any(edge.isspace() or unicodedata.category(edge) == "Cf" for edge in edges):
        return "the blank at its edge"
    return None
