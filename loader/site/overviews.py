"""Pages about the whole warehouse: the calendar, all runs, manifests, state and trends over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from loader.site.ledger import Row
from loader.site.pages import Model, Page
from loader.site.run_pages import stages_of, summary
from loader.site.squares import ABSENT, GAP, SQUARES, THIN, WAITING, Square, calendars
from loader.site.timeline import Key, Runs, by_run, day_href

_IN_NEED = (GAP, ABSENT, THIN, WAITING)
# So many days of one reason say so once, and how many there are.
_OF_ONE_REASON = 5
_LAST_RUNS = 8


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
            "last_runs": _run_rows(model, runs)[:_LAST_RUNS],
            "proofs": list(status.proofs),
            "verification": model.verification,
            "made_at": model.made_at.isoformat(),
        },
    )


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


def _run_rows(model: Model, runs: Runs) -> list[dict[str, Any]]:
    """Every run in a line, by its last attempt, the newest first."""
    alive = {(row["run_id"], row["attempt"]) for row in model.status.runs if row["is_alive"]}
    rows = [
        {
            **summary(attempts[-1], (run_id, attempts[-1]["attempt"]) in alive),
            "run_id": run_id,
            "href": runs.href(run_id),
            "attempts": len(attempts),
        }
        for run_id, attempts in runs.attempts.items()
    ]
    return rows[::-1]


def runs_page(model: Model, runs: Runs) -> Page:
    return Page(path="runs.html", template="all_runs.html", told={"runs": _run_rows(model, runs)})


def manifests_page(model: Model, runs: Runs) -> Page:
    rows = [{**row, "run_href": runs.href(row["registered_by_run_id"])} for row in model.ledger.manifests[::-1]]
    absent = [
        {name: row.get(name) for name in ("manifest_id", "source_id", "disposition", "reason_codes")}
        for row in model.status.absent_assets
    ]
    return Page(path="manifests.html", template="manifests.html", told={"manifests": rows, "absent": absent})


def state_page(model: Model, runs: Runs) -> Page:
    """Cursor, watermark and checkpoint, and each change of them."""
    changes = [{**row, "run_href": runs.href(row["run_id"])} for row in model.ledger.state[::-1]]
    return Page(path="state.html", template="state.html", told={"now": list(model.status.state), "changes": changes})


def state_series(model: Model) -> dict[str, Any]:
    """Each cursor and watermark over the time at which it changed, in seconds since 1970."""
    series: dict[str, list[tuple[float, float | None]]] = {}
    for row in model.ledger.state:
        if row["state_kind"] != "checkpoint":
            name = f"{row['state_kind']} of {row['record_source']}"
            value = None if row["new_value_at"] is None else _seconds(row["new_value_at"])
            series.setdefault(name, []).append((_seconds(row["changed_at"]), value))
    return {"title": "Cursor and watermark", "unit": "instant", "steps": True, **_joined(series)}


def trends_page(model: Model, nodes: Sequence[Mapping[str, Any]] = ()) -> Page:
    return Page(path="trends.html", template="trends.html", told={"charts": charts(model), "nodes": list(nodes)})


def charts(model: Model) -> list[dict[str, Any]]:
    """Values over time, kind by kind: of days as reconcile counts them, of runs as their stages took."""
    found = []
    for title, unit, name in (
        ("Lines of a day", "lines", "line_count"),
        ("Rejected lines of a day", "lines", "rejected_count"),
        ("Records that came late", "records", "late_count"),
    ):
        series: dict[str, list[tuple[float, float | None]]] = {}
        for row in model.status.partitions:
            if row["is_complete"] or row["silver_row_count"]:
                series.setdefault(row["record_kind"], []).append((_of_day(row["partition_key"]), row.get(name) or 0))
        found.append({"title": title, "unit": unit, "steps": False, **_joined(series)})
    return [*found, _stage_seconds(model), _seconds_per_line(model)]


def _stage_seconds(model: Model) -> dict[str, Any]:
    series: dict[str, list[tuple[float, float | None]]] = {}
    for row in model.ledger.runs:
        for stage in stages_of(row):
            series.setdefault(stage["name"], []).append((_seconds(row["started_at"]), stage["seconds"]))
    return {"title": "Seconds of each stage of a run", "unit": "seconds", "steps": False, **_joined(series)}


def _seconds_per_line(model: Model) -> dict[str, Any]:
    """What the stage that reads and lands takes for 1,000 lines that it indexed, in seconds."""
    loads = by_run(model.ledger.loads)
    series: dict[str, list[tuple[float, float | None]]] = {}
    for row in model.ledger.runs:
        lines = sum(
            load["row_count"]
            for load in loads.get(row["run_id"], ())
            if load["table_name"] == "asset_line" and load["attempt"] == row["attempt"]
        )
        landed = [stage["seconds"] for stage in stages_of(row) if stage["name"] == "landed"]
        if lines and landed:
            value = round(1000 * landed[0] / lines, 3)
            series.setdefault(row["record_kind"], []).append((_seconds(row["started_at"]), value))
    return {"title": "Seconds of landing for 1,000 lines", "unit": "seconds", "steps": False, **_joined(series)}


def _joined(series: Mapping[str, Sequence[tuple[float, float | None]]]) -> dict[str, Any]:
    """One axis of time for all, and for each its values there; None where it has none. Several values
    at one instant count as the last of them."""
    axis = sorted({at for points in series.values() for at, _ in points})
    joined = []
    for name, points in sorted(series.items()):
        at = dict(points)
        joined.append({"name": name, "values": [at.get(each) for each in axis]})
    return {"axis": axis, "series": joined}


def _seconds(instant: str) -> float:
    return round(datetime.fromisoformat(instant).timestamp(), 1)


def _of_day(day: str) -> float:
    noon = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    return noon.timestamp()
