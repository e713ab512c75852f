"""Words and titles: the rules, whatever kind of file the text comes from."""

from __future__ import annotations

from loader.bounds import MAX_TITLE_LENGTH


def title_of(text: str) -> str | None:
    """The title with each run of white space as one blank, where it is one that can be shown: it has 1 to 500
    characters, and each prints. None else: a title that would be cut or cleaned is not what the file says."""
    title = " ".join(text.split())
    return title if 0 < len(title) <= MAX_TITLE_LENGTH and title.isprintable() else None
