"""Did a clock go back? Nothing is ordered by clocks; a person who reads their times should know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from loader.advice.questions import Advice, AdviceKind
from loader.runs import FUTURE_TOLERANCE
from loader.warehouse import fetch_rows

# Below this a clock was corrected, and not set.
_BACK = timedelta(seconds=1)
_NEWEST = 30
_SET_IT = Advice(AdviceKind.CLOCK, "date -u")

# What happens under the ingest lock happens one after the other: a run that began before the one that had ended began
# by another clock. The newest only. (When a run that crashed was found says nothing of when it ended.)
_STEPS = """
with
happened as (
    select event_number, 'run ' || run_id || ' attempt ' || attempt as what, started_at as began_at,
        case when status = 'crashed' then started_at else greatest(started_at, finished_at) end as ended_at
    from ops.ingest_run
    union all
    select event_number, 'release ' || data_release_id, released_at, released_at from release.data_release
    union all
    select event_number, 'erasure ' || erasure_id, removed_at, removed_at from ops.erasure
),
newest as (
    select * from happened order by event_number desc limit %(limit)s
),
stepped as (
    select event_number, what, began_at, lag(what) over earlier as before, lag(ended_at) over earlier as before_at
    from newest window earlier as (order by event_number)
)
select what, before, before_at - began_at as back from stepped
where before_at - began_at > %(back)s order by event_number desc
"""

_NOW = """
select clock_timestamp() as now, greatest(
    (select max(greatest(started_at, finished_at)) from ops.ingest_run),
    (select max(released_at) from release.data_release)
) as newest_at
"""


def look_at_clocks(cursor: Any) -> tuple[str | None, Advice | None]:
    """What is to be said of the server's clock and of ours, None where that is nothing; and what to do where one is
    wrong now. A step that lies behind is told, and asks for nothing."""
    words = []
    for step in fetch_rows(cursor, _STEPS, {"limit": _NEWEST, "back": _BACK})[:1]:
        words.append(
            f"the server's clock went back by {_rough(step['back'])}: {step['what']} came after {step['before']} and"
            " says an earlier time. Order is by number, nothing is lost or tampered with"
        )
    (row,) = fetch_rows(cursor, _NOW, None)
    advice = None
    if row["newest_at"] is not None and row["newest_at"] - row["now"] > _BACK:
        words.append(
            f"it is {_rough(row['newest_at'] - row['now'])} behind what was recorded before: now {_instant(row['now'])}"
        )
        advice = _SET_IT
    apart = datetime.now(UTC) - row["now"]
    if abs(apart) > FUTURE_TOLERANCE:
        ahead = "ahead of" if apart > timedelta() else "behind"
        words.append(f"this machine's clock is {_rough(abs(apart))} {ahead} the server's")
        advice = _SET_IT
    return "; ".join(words) or None, advice


def _rough(span: timedelta) -> str:
    return str(timedelta(seconds=round(span.total_seconds())))


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
