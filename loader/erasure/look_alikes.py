"""Ids that people take for the same: who asks to be forgotten under one of them may stand under another, too."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

# Cyrillic and Greek letters that are drawn as Latin ones, after case is folded.
_SAME_SHAPE = str.maketrans("авекмнорстухѕіјԁԛԝαβεικμνορτυχ", "abekmhopctyxsijdqwabeikuvoptux")


def shape(identity: str) -> str:
    """What a reader sees of an id: without blanks, invisible characters and case; widths, dashes and letters of the
    same form are one."""
    folded = unicodedata.normalize("NFKC", identity).casefold().translate(_SAME_SHAPE)
    return "".join(
        "-" if unicodedata.category(each) == "Pd" else each for each in folded if each.isprintable() and each != " "
    )


def look_alikes(identity: str, known: Iterable[str]) -> Iterator[str]:
    """Those of `known` that are another id and look like this one, in their order."""
    wanted = shape(identity)
    yield from (each for each in known if each != identity and shape(each) == wanted)
