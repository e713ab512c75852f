"""Ids as short as they may be."""

from __future__ import annotations

from collections.abc import Iterable

# A UUIDv7's first 13 characters are its millisecond.
IN_A_SENTENCE = 8
IN_A_COMMAND = 13


def shortened(identity: str, among: Iterable[str] = (), *, at_least: int = IN_A_SENTENCE) -> str:
    """The shortest prefix, of `at_least` characters, that no other id of `among` begins with; it ends in no hyphen."""
    others = [other for other in among if other != identity]
    for length in range(at_least, len(identity)):
        prefix = identity[:length]
        if not prefix.endswith("-") and not any(other.startswith(prefix) for other in others):
            return prefix
    return identity
