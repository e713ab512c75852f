"""What the loader's source tells people to type is there to be typed: command, option, variable, file."""

from __future__ import annotations

import pytest

from tests.advice.sites import texts
from tests.advice.wording import faults, shown
from tests.makefile import targets


def test_what_is_told_can_be_typed() -> None:
    """Prevents advice with an option that was renamed, or a variable that make refuses."""
    assert [(shown(text.text), fault) for text in texts() for fault in faults(text.text)] == []
    assert len(texts()) > 150


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("loader realese --partition 2026-04-17", "no command loader realese"),
        ("loader release --day 2026-04-17", "loader release has no --day"),
        ("loader plan restore --manifest x", "loader plan has no --manifest"),
        ("loader retry 01a223dd --mode execute", "make retry says the same"),
        ("make ingset PARTITION=2026-04-17", "no target ingset of make"),
        ("make ready DAY=2026-04-17", "make ready takes no DAY"),
        ("make down && make status RUN=1", "make status takes no RUN"),
        ("make build   # then make retry NOW=1", "make retry takes no NOW"),
        ("make status   # how: docs/nowhere.md", "no file docs/nowhere.md"),
    ],
)
def test_what_cannot_be_typed_is_seen(text: str, fault: str) -> None:
    """A check that passes on anything would be none."""
    assert list(faults(text)) == [fault]


def test_every_target_and_its_variables_are_read_from_the_makefile() -> None:
    assert targets()["ready"] >= {"PARTITION", "JSON"} and "RUN" not in targets()["ready"]
    assert targets()["dry-run"] >= {"PARTITION", "MANIFEST", "INPUT", "BATCH", "LIMIT"}
    assert targets()["plan"] >= {"MODE", "RUN", "OLDER_THAN", "AS_OF"}
