"""Ids as short as they may be."""

from __future__ import annotations

from collections.abc import Iterable

# As many as a command that writes asks for (loader/runs/prefix.py): whatever is printed can be pasted anywhere.
SHORTEST = 13


def shortened(identity: str, among: Iterable[str] = ()) -> str:
    """The shortest prefix, of 13 characters, that no other id of `among` begins with; it ends in no hyphen."""
    others = [other for other in among if other != identity]
    for length in range(SHORTEST, len(identity)):
        prefix = identity[:length]
        if not prefix.endswith("-") and not any(other.startswith(prefix) for other in others):
            return prefix
    return identity
