"""What is told of a proof."""

from __future__ import annotations

import pytest

from loader.silver import BuildResult, NodeResult, checks_of_reconcile, proved_in_words
from tests.checkouts import ROOT
from tests.sabotage.cases import CASES

MODEL = NodeResult("model.omnisupport.ticket_fact", "success", None, None)
FINDINGS = NodeResult("test.omnisupport.no_finding.1", "fail", 2, None, reads_findings=True)
OTHER = NodeResult("test.omnisupport.shown_once.1", "fail", 1, None)
PASSED = NodeResult("test.omnisupport.shown_once.2", "pass", 0, None)


@pytest.mark.parametrize(
    ("nodes", "found", "days", "told"),
    [
        ((MODEL, PASSED), 0, 1_061, "83 checks of reconcile found nothing in 1,061 days"),
        ((MODEL, FINDINGS), 2, 1, "2 of 83 checks of reconcile found something in 1 day"),
        ((OTHER,), 0, 1, "83 checks of reconcile found nothing in 1 day; 1 other check of dbt fails"),
        (
            (OTHER, OTHER, FINDINGS),
            1,
            2,
            "1 of 83 checks of reconcile found something in 2 days; 2 other checks of dbt fail",
        ),
    ],
)
def test_a_proof_says_what_was_looked_for_and_in_how_much(
    nodes: tuple[NodeResult, ...], found: int, days: int, told: str
) -> None:
    """Prevents "4 checks passed" of a proof that compared everything."""
    assert proved_in_words(BuildResult("1", nodes), 83, found, days) == told


def test_every_check_that_was_seen_to_find_damage_is_counted() -> None:
    """Prevents a number that a change of the models' layout makes too small."""
    assert {case.check_name for case in CASES} <= checks_of_reconcile(ROOT)
