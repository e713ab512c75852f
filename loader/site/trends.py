"""Trends: values of days and runs over time, as charts that a script draws and as tables; what dbt's nodes take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial
from statistics import median
from typing import Any

from loader.site.ledger import Details, Row
from loader.site.pages import Model, Page
from loader.site.run_pages import stages_of
from loader.site.timeline import folder_of

# Charts show so many of the newest runs.
_CHARTED = 1000
# The records of so many runs are read for what nodes took, and so many of the slowest nodes are told.
_RECORDS, _NODES = 100, 20
_OF_LINES = ("archived", "landed", "built")


def state_series(model: Model) -> dict[str, Any]:
    """Each cursor and watermark over the time at which it changed, in seconds since 1970."""
    series: dict[str, list[tuple[float, float | None]]] = {}
    for row in model.ledger.state:
        if row["state_kind"] != "checkpoint":
            name = f"{row['state_kind']} of {row['record_source']}"
            value = None if row["new_value_at"] is None else _seconds(row["new_value_at"])
            series.setdefault(name, []).append((_seconds(row["changed_at"]), value))
    return {"title": "Cursor and watermark", "unit": "instant", "form": "steps", "across": "when", **_joined(series)}


def trends_page(model: Model, drawn: Sequence[Mapping[str, Any]]) -> Page:
    """The charts, and the dbt nodes that take longest."""
    records = [row for row in model.ledger.evidence if row["run_id"] and folder_of(row["report_path"]) == "_run"]
    lines = _lines_of_attempts(model)
    told = {
        "charts": drawn,
        "records": [
            {"evidence_id": row["evidence_id"], "lines": lines.get((row["run_id"], row["attempt"]), 0)}
            for row in records[-_RECORDS:]
        ],
    }
    return Page(
        path="trends.html",
        template="trends.html",
        told=told,
        evidence_ids=[row["evidence_id"] for row in told["records"]],
        finish=partial(_nodes, told["records"]),
    )


def _nodes(records: Sequence[Mapping[str, Any]], details: Details) -> dict[str, Any]:
    """The slowest of dbt's nodes: what each took, run by run, beside the lines that the run had read."""
    points: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        for node in details.contents.get(record["evidence_id"], {}).get("nodes") or ():
            points.setdefault(str(node["name"]), []).append((record["lines"], float(node["seconds"])))
    told: list[dict[str, Any]] = [
        {
            "name": name,
            "newest": taken[-1][1],
            "median": median(seconds for _, seconds in taken),
            "most": max(seconds for _, seconds in taken),
            "points": taken,
        }
        for name, taken in points.items()
    ]
    slowest = sorted(told, key=lambda node: (-node["median"], node["name"]))[:_NODES]
    return {
        "nodes": slowest,
        "most_lines": max((lines for node in slowest for lines, _ in node["points"]), default=0),
        "most_seconds": max((node["most"] for node in slowest), default=0),
    }


def _lines_of_attempts(model: Model) -> dict[tuple[str, int], int]:
    """How many lines each attempt indexed."""
    found: dict[tuple[str, int], int] = {}
    for load in model.ledger.loads:
        if load["table_name"] == "asset_line":
            key = (load["run_id"], load["attempt"])
            found[key] = found.get(key, 0) + load["row_count"]
    return found


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
        found.append({"title": title, "unit": unit, "form": "lines", "across": "day", **_joined(series)})
    runs = [(row, stages_of(row)) for row in model.ledger.runs[-_CHARTED:]]
    return [*found, _stage_seconds(runs), _seconds_against_lines(model, runs)]


def _stage_seconds(runs: Sequence[tuple[Row, Sequence[Row]]]) -> dict[str, Any]:
    series: dict[str, list[tuple[float, float | None]]] = {}
    for row, stages in runs:
        for stage in stages:
            series.setdefault(stage["name"], []).append((_seconds(row["started_at"]), stage["seconds"]))
    return {
        "title": "Seconds of each stage of a run",
        "unit": "seconds",
        "form": "lines",
        "across": "run",
        **_joined(series),
    }


def _seconds_against_lines(model: Model, runs: Sequence[tuple[Row, Sequence[Row]]]) -> dict[str, Any]:
    """A point for each stage that depends on how many lines the run indexed."""
    lines_of = _lines_of_attempts(model)
    series: dict[str, list[tuple[float, float | None]]] = {}
    for row, stages in runs:
        lines = lines_of.get((row["run_id"], row["attempt"]), 0)
        for stage in stages if lines else ():
            if stage["name"] in _OF_LINES:
                series.setdefault(stage["name"], []).append((lines, stage["seconds"]))
    title = "Seconds against the lines that a run read"
    return {"title": title, "unit": "seconds", "form": "points", "across": "lines", **_joined(series)}


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
