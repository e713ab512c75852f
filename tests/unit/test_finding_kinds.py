"""Which of the four kinds of trouble each check of reconcile finds."""

from __future__ import annotations

import re

from loader.advice.damage import KINDS
from tests.checkouts import ROOT

_CHECKS = (ROOT / "dbt_project" / "models" / "reconcile").rglob("*.sql")
_NAMED = {
    name: kind.replace("_", " ")
    for path in _CHECKS
    for name, kind in re.findall(r"finding\(\s*'([a-z0-9_]+)', '([a-z_]+)'", path.read_text())
}


def test_each_check_finds_one_of_four_kinds() -> None:
    """A fifth would be found, and told by nobody."""
    assert set(_NAMED.values()) == set(KINDS) and len(_NAMED) > 60
