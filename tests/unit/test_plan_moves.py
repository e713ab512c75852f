"""What a stale plan says moved."""

from __future__ import annotations

import pytest

from loader.errors import RefusedError
from loader.plans import refuse_moved


def test_moves_are_told_in_the_plans_own_order() -> None:
    """The same move in the same words: by a set's order the first five told would be others with every run."""
    names = [f"count_{letter}" for letter in "hgfedcba"]
    planned = {"plan_id": "p", "timestamp": "t", **dict.fromkeys(names, 1)}
    with pytest.raises(RefusedError) as refused:
        refuse_moved(planned, {**planned, **dict.fromkeys(names, 2)}, "again")
    told = refused.value.message.split("what moved: ")[1]
    assert [word.split(":")[0] for word in told.split("; ")[:5]] == names[:5]
