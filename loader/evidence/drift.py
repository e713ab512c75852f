"""Semantic drift as dbt found it: partitions that are not like those before them, and that wait for a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from loader.warehouse import are_built, built

MISSING_DAY = "drift_missing_day"
# As far as a following day makes a day without records a missing one.
_DAYS_AFTER = timedelta(days=7)

_FOUND = """
select drift.record_kind::text, drift.partition_key::date, drift.asset_id::integer, drift.check_name::text,
    drift.measure::text, drift.detail::text
from reconcile.drift_finding as drift
order by drift.record_kind, drift.partition_key, drift.check_name, drift.measure, drift.detail
"""


@dataclass(frozen=True, slots=True)
class Drift:
    """One row of reconcile.drift_finding. `partition_key` None: rejects without a readable day; `asset_id`: of a file's
    rejects only."""

    record_kind: str
    partition_key: date | None
    asset_id: int | None
    check_name: str
    measure: str
    detail: str

    @property
    def line(self) -> str:
        return f"{self.partition_key or 'no day'} {self.check_name}: {self.detail}"

    @property
    def short(self) -> str:
        return f"{self.check_name} of {self.measure}"

    def as_record(self) -> dict[str, str | None]:
        """JSON-ready values."""
        return {
            "partition_key": None if self.partition_key is None else self.partition_key.isoformat(),
            "check_name": self.check_name,
            "measure": self.measure,
            "detail": self.detail,
        }

    def is_about(self, kind: str, days: Collection[date], asset_ids: Collection[int]) -> bool:
        """Whether it is of these assets or days of a kind, or of a day that is missing in the week before one of
        them."""
        if self.record_kind != kind:
            return False
        if self.asset_id in asset_ids or self.partition_key in days:
            return True
        missing = self.partition_key
        if self.check_name != MISSING_DAY or missing is None:
            return False
        return any(missing < day <= missing + _DAYS_AFTER for day in days)


def read_open_drift(cursor: Any) -> tuple[Drift, ...]:
    """Every drift that nobody has accepted, by partition; none before drift_finding was ever built."""
    if not are_built(cursor, "reconcile.drift_finding"):
        return ()
    # Those of this transaction among them.
    cursor.execute("select record_kind, partition_key, check_name, measure from release.acceptance")
    accepted = set(cursor.fetchall())
    with built(cursor) as there:
        there.execute(_FOUND)
        found = [Drift(*row) for row in there.fetchall()]
    return tuple(
        drift
        for drift in found
        if (drift.record_kind, drift.partition_key, drift.check_name, drift.measure) not in accepted
    )
