"""Which of the four kinds of trouble each check of reconcile finds."""

from __future__ import annotations

import re

from loader.status.kinds import KIND_OF_CHECK
from tests.checkouts import ROOT

_CHECKS = (ROOT / "dbt_project" / "models" / "reconcile").rglob("*.sql")
_NAMED = {name for path in _CHECKS for name in re.findall(r"finding\(\s*'([a-z_]+)'", path.read_text())}


def test_every_name_is_a_check() -> None:
    """A check that was renamed would silently become drift."""
    assert set(KIND_OF_CHECK) <= _NAMED


def test_what_is_left_to_drift_compares_two_sides() -> None:
    """A new check must be given its kind, unless its name says that contents differ."""
    unclear = {
        name
        for name in _NAMED - set(KIND_OF_CHECK)
        if not re.search(r"_differs?(_|$)|_of_another_|_by_another_|_another_", name)
    }
    assert unclear == set()
