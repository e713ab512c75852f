"""The sabotage matrix: what a superuser can do to a proved warehouse past every guard, and the finding that names it.

Pure data; a case is done to one of three kinds (Case.of), one of which is of files. Its statements run in one session
with `session_replication_role = replica`: triggers and foreign keys are silent, keys and checks are not unless a
statement drops them. Rows are picked by query, so any warehouse serves that holds records of these kinds with several
versions, duplicate, blank and rejected lines (one with a readable day, one without), a plain file, files that are
records with a rejected and a withheld one among them, and Silver built from it. Afterwards `dbt build --select
reconcile` must fail, and reconcile.reconcile_finding must hold a row with the case's table_name and check_name, and
with the values that its `partition` and `asset` queries gave before the damage.
"""

from __future__ import annotations

from tests.sabotage.bronze_cases import EVENTS, LINES, REJECTS, WHOLES
from tests.sabotage.case import Case
from tests.sabotage.file_cases import FILES
from tests.sabotage.kind_cases import KINDS
from tests.sabotage.ops_cases import ASSETS, LOADS_AND_RUNS, MANIFESTS
from tests.sabotage.silver_cases import CUSTOMERS_AND_LEDGERS, DAYS, RECORDS
from tests.sabotage.victims import Victim

CASES: tuple[Case, ...] = (
    *EVENTS,
    *LINES,
    *REJECTS,
    *WHOLES,
    *ASSETS,
    *MANIFESTS,
    *LOADS_AND_RUNS,
    *RECORDS,
    *DAYS,
    *CUSTOMERS_AND_LEDGERS,
    *KINDS,
    *FILES,
)


def cases_of(victim: Victim) -> list[Case]:
    """Every case that can be done to a kind."""
    return [case.of(victim) for case in CASES if case.can_be_done_to(victim)]
