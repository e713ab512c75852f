"""Which of the four kinds of trouble each check of reconcile finds."""

from __future__ import annotations

import re

from loader.status.kinds import KIND_OF_CHECK, kind_of
from tests.checkouts import ROOT

_CHECKS = (ROOT / "dbt_project" / "models" / "reconcile").rglob("*.sql")
_NAMED = {
    name: kind.replace("_", " ")
    for path in _CHECKS
    for name, kind in re.findall(r"finding\(\s*'([a-z0-9_]+)', '([a-z_]+)'", path.read_text())
}


def test_every_name_is_a_check() -> None:
    """A check that was renamed would silently become drift."""
    assert KIND_OF_CHECK.keys() <= _NAMED.keys()


def test_each_kind_is_the_one_that_the_check_writes_into_its_findings() -> None:
    """A second list says the same as the first."""
    assert {name: kind_of(name) for name in _NAMED} == _NAMED
