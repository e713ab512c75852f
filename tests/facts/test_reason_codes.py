"""The codes that facts give are listed ones, and each is given in a test."""

from __future__ import annotations

import re

from loader.contract import load_reason_codes
from tests.checkouts import ROOT

CODES = {"unreadable_file", "encrypted_file", "not_utf8", "media_type_mismatch", "too_many_pixels", "facts_limit"}


def test_the_codes_that_are_given_are_rejects_of_assets() -> None:
    """Prevents a defect that no judgement can name."""
    source = "".join(path.read_text() for path in (ROOT / "loader" / "facts").glob("*.py"))
    given = set(re.findall(r'(?:RefusedFileError|FactsDefect)\(\s*"(\w+)"', source))
    assert given <= CODES <= load_reason_codes(ROOT / "contracts").codes("asset", "reject")
