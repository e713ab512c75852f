"""Pages about the whole warehouse: the calendar, all runs, manifests and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loader.site.ledger import Row
from loader.site.pages import Model, Page
from loader.site.run_pages import summary
from loader.site.squares import ABSENT, GAP, SQUARES, THIN, WAITING, Square, calendars
from loader.site.timeline import Key, Runs, day_href

_IN_NEED = (GAP, ABSENT, THIN, WAITING)
# So many days of one reason say so once, and how many there are.
_OF_ONE_REASON = 5
_LAST_RUNS = 8
# A longer table is nothing that anybody reads.
_LISTED = 500


def index_page(model: Model, squares: Mapping[Key, tuple[Square, str]], runs: Runs, kinds: Sequence[str]) -> Page:
    status = model.status
    return Page(
        path="index.html",
        template="index.html",
        told={
            "sentence": model.sentence,
            "said": list(model.said),
            "next_command": status.next_command,
            "needs": _needs(model, squares),
            "legend": [each._asdict() for each in SQUARES],
            "calendars": calendars(squares, kinds),
            "last_runs": _run_rows(model, runs, _LAST_RUNS),
            "proofs": list(status.proofs),
            "verified": [each for each in model.verified if not each["is_proved"]],
            "last_verified": _last_verified(model),
            "made_at": model.made_at.isoformat(),
        },
    )


def _last_verified(model: Model) -> list[tuple[str, Row]]:
    """What was found last in the archive, and in the evidence."""
    last = {"archive" if each["run_id"] else "evidence": each for each in model.verified}
    return sorted(last.items())


def _needs(model: Model, squares: Mapping[Key, tuple[Square, str]]) -> list[dict[str, Any]]:
    """Days that wait for somebody, with what ends it; of many days of one kind and reason the first, and how many."""
    rows = [*model.status.partitions, *model.status.readers]
    obstacles: dict[Key, list[Row]] = {}
    for row in rows:
        obstacles.setdefault((row["record_kind"], row["partition_key"]), []).extend(row["obstacles"])
    groups: dict[tuple[str, Square, str], list[Key]] = {}
    for key, (square, reason) in sorted(squares.items()):
        if square in _IN_NEED:
            groups.setdefault((key[0], square, reason), []).append(key)
    told = []
    for (kind, square, reason), keys in sorted(groups.items(), key=lambda group: SQUARES.index(group[0][1])):
        for key in keys if len(keys) <= _OF_ONE_REASON else keys[:1]:
            commands = [row["next_command"] for row in obstacles.get(key, ())]
            told.append(
                {
                    "kind": kind,
                    "day": key[1],
                    "href": day_href(key),
                    "square": square.name,
                    "words": square.words,
                    "reason": reason,
                    "more": len(keys) - 1 if len(keys) > _OF_ONE_REASON else 0,
                    "next_command": commands[0] if commands else model.status.next_command,
                }
            )
    return told


def _run_rows(model: Model, runs: Runs, limit: int) -> list[dict[str, Any]]:
    """The newest runs in a line each, by the last attempt."""
    alive = {(row["run_id"], row["attempt"]) for row in model.status.runs if row["is_alive"]}
    newest = [*runs.attempts.items()][: -limit - 1 : -1]
    return [
        {
            **summary(attempts[-1], (run_id, attempts[-1]["attempt"]) in alive),
            "run_id": run_id,
            "href": runs.href(run_id),
            "attempts": len(attempts),
        }
        for run_id, attempts in newest
    ]


def runs_page(model: Model, runs: Runs) -> Page:
    """The newest in a table; of the older ones the pages."""
    older: dict[str, str] = {}
    for run_id in [*runs.attempts][:-_LISTED]:
        older.setdefault(runs.pages[run_id], runs.attempts[run_id][0]["started_at"][:10])
    told = {"count": len(runs.attempts), "runs": _run_rows(model, runs, _LISTED), "older": [*older.items()][::-1]}
    return Page(path="runs.html", template="all_runs.html", told=told)


def manifests_page(model: Model, runs: Runs) -> Page:
    rows = [
        {**row, "run_href": runs.href(row["registered_by_run_id"])}
        for row in model.ledger.manifests[: -_LISTED - 1 : -1]
    ]
    absent = [
        {name: row.get(name) for name in ("manifest_id", "source_id", "disposition", "reason_codes")}
        for row in model.status.absent_assets
    ]
    told = {"manifests": rows, "absent": absent, "count": len(model.ledger.manifests)}
    return Page(path="manifests.html", template="manifests.html", told=told)


def state_page(model: Model, runs: Runs) -> Page:
    """Cursor, watermark and checkpoint, and each change of them."""
    changes = [{**row, "run_href": runs.href(row["run_id"])} for row in model.ledger.state[: -_LISTED - 1 : -1]]
    told = {"now": list(model.status.state), "changes": changes, "count": len(model.ledger.state)}
    return Page(path="state.html", template="state.html", told=told)
