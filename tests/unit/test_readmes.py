"""The README stands in two languages: a command, a message or a link that one of them lacks misleads its readers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = (ROOT / "README.md").read_text()
CHINESE = (ROOT / "README.zh-CN.md").read_text()
EXAMPLE_OUTPUT = re.compile(r"^```\n\w+:\n\S+ is complete and released\..*?^```\n", re.MULTILINE | re.DOTALL)


def code(text: str) -> set[str]:
    """Everything in single backquotes, outside blocks."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)))


def links(text: str) -> set[str]:
    return {target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith(("http", "README"))}


def test_both_name_the_same_commands_messages_and_settings() -> None:
    """Whatever stands in code font is typed or seen by a reader of either."""
    assert code(ENGLISH) ^ code(CHINESE) == set()


def test_both_have_the_same_tables() -> None:
    """Row by row: what is in the first column of a table is never translated where it is code."""
    rows = [
        [line.split("|")[1].count("`") for line in text.splitlines() if line.startswith("|")]
        for text in (ENGLISH, CHINESE)
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_link_leads_somewhere(text: str) -> None:
    """A dead link in the first file that anybody reads."""
    assert [target for target in links(text) if not (ROOT / target.split("#")[0]).exists()] == []


def test_both_lead_to_the_same_places() -> None:
    """The example output stands in the English one only."""
    assert EXAMPLE_OUTPUT.search(ENGLISH) and not EXAMPLE_OUTPUT.search(CHINESE)
    assert links(ENGLISH) ^ links(CHINESE) == set()
