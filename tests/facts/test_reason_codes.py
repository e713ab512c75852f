"""The codes that facts give are listed ones, and each is given in a test."""

from __future__ import annotations

import re

from loader.contract import load_reason_codes
from loader.facts import DEFECT_CODES
from tests.checkouts import ROOT


def test_the_codes_that_are_given_are_rejects_of_lines() -> None:
    """Prevents a defect that no judgement can name."""
    source = "".join(path.read_text() for path in (ROOT / "loader" / "facts").glob("*.py"))
    given = set(re.findall(r'(?:RefusedFileError|FactsDefect)\(\s*"(\w+)"', source))
    assert given <= DEFECT_CODES <= load_reason_codes(ROOT / "contracts").codes("line", "reject")
