"""What a manifest declares of a file that is a record, against what was read from its bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from loader.facts import Facts
from loader.kinds.composed import contradicted


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"page_count": Decimal(1)}, []),
        ({"page_count": None, "title": "another", "word_count": Decimal("5.0")}, []),
        ({"page_count": True}, ["metadata say page_count true, the file has 1"]),
        ({"word_count": "5"}, ['metadata say word_count "5", the file has 5']),
        ({"media_type": "x" * 10**6}, [f'metadata say media_type "{"x" * 79}…, the file has "application/pdf"']),
        ({"word_count": [{"a": Decimal("1.5")}]}, ['metadata say word_count [{"a":1.5}], the file has 5']),
    ],
)
def test_a_declared_fact_is_compared_and_told_as_what_it_is(declared: dict[str, Any], told: list[str]) -> None:
    """Prevents: true taken for one page, "5" said to be no 5, and a message of a megabyte."""
    facts = Facts({"media_type": "application/pdf", "page_count": 1, "word_count": 5}, frozenset(), {})
    assert list(contradicted(declared, facts)) == told
