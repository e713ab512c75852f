"""Pages of runs, ten to a page: each attempt as a timeline of its stages, what it loaded, changed and proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from loader.advice import end_of
from loader.site.ledger import Details, Row
from loader.site.pages import Model, Page
from loader.site.timeline import Runs, by_run, day_href, folder_of

_STAGES = ("gated", "archived", "landed", "built", "reconciled", "finished")
# So many of the slowest are told.
_NODES = 8
_TOTALS = ("total", "valid", "invalid", "blank", "inserted", "skipped", "late", "not_read", "errors")


def run_pages(model: Model, runs: Runs) -> list[Page]:
    """In the order of the runs."""
    ledger = model.ledger
    loads, releases, evidence = by_run(ledger.loads), by_run(ledger.releases), by_run(ledger.evidence)
    alive = {(row["run_id"], row["attempt"]) for row in model.status.runs if row["is_alive"]}
    moves: dict[int, list[Row]] = {}
    for row in ledger.moves:
        moves.setdefault(row["moved_by"], []).append(row)
    shared: dict[str, list[str]] = {}
    for run_id, page in runs.pages.items():
        shared.setdefault(page, []).append(run_id)
    pages = []
    for path, run_ids in shared.items():
        told: list[dict[str, Any]] = [
            {
                "run_id": run_id,
                "attempts": [_attempt(row, alive) for row in runs.attempts[run_id]],
                "loads": loads.get(run_id, []),
                "releases": [
                    {**row, "moves": [_move(each) for each in moves.get(row["data_release_id"], [])]}
                    for row in releases.get(run_id, [])
                ],
                "evidence": [_evidence(row, model) for row in evidence.get(run_id, [])],
                "verified": [each for each in model.verified if each["run_id"] == run_id],
            }
            for run_id in run_ids
        ]
        pages.append(
            Page(
                path=path,
                template="runs.html",
                told={"runs": told},
                run_ids=run_ids,
                evidence_ids=[row["evidence_id"] for run in told for row in run["evidence"] if row["of"] == "_run"],
                finish=partial(_details, told),
            )
        )
    return pages


def summary(row: Row, alive: bool) -> dict[str, Any]:
    """An attempt in a line."""
    return {
        "verb": row["mode"],
        "kind": row["record_kind"],
        "window": _window(row),
        "status": row["status"],
        "end": end_of({**row, "is_alive": alive}),
        "started_at": row["started_at"],
        "seconds": _seconds(row["started_at"], row["finished_at"]),
    }


def _attempt(row: Row, alive: set[tuple[str, int]]) -> dict[str, Any]:
    named = ("attempt", "trace_id", "batch_id", "manifest_ids", "failure", "exit_code", "finished_at", "loader_version")
    return {
        **summary(row, (row["run_id"], row["attempt"]) in alive),
        **{name: row[name] for name in (*named, "git_sha", "dbt_invocation_ids", "repaired_row_count", "line_limit")},
        "stages": stages_of(row),
    }


def stages_of(row: Row) -> list[dict[str, Any]]:
    """Each stage that ended: when, after how many seconds since the one before, and where it lies in the whole, in
    hundredths. A clock that went back makes a stage of no length."""
    began = datetime.fromisoformat(row["started_at"])
    ended = sorted(
        (
            (name, datetime.fromisoformat(row["stage_ended_at"][name]))
            for name in _STAGES
            if name in row["stage_ended_at"]
        ),
        key=lambda each: _STAGES.index(each[0]),
    )
    whole = max((ended[-1][1] - began).total_seconds(), 0.001) if ended else 1.0
    found, before = [], began
    for name, at in ended:
        seconds = max((at - before).total_seconds(), 0.0)
        found.append(
            {
                "name": name,
                "ended_at": at.isoformat(),
                "seconds": round(seconds, 2),
                "start": round(100 * max((before - began).total_seconds(), 0.0) / whole, 2),
                "share": round(100 * seconds / whole, 2),
            }
        )
        before = at
    return found


def _move(row: Row) -> dict[str, Any]:
    key = (row["record_kind"], row["partition_key"])
    return {
        "kind": key[0],
        "day": key[1],
        "href": day_href(key),
        "words": f"from {row['old_data_release_id'] or 'nothing'} to {row['new_data_release_id'] or 'nothing'}",
    }


def _evidence(row: Row, model: Model) -> dict[str, Any]:
    return {
        "evidence_id": row["evidence_id"],
        "attempt": row["attempt"],
        "of": folder_of(row["report_path"]),
        "href": model.link(row["report_path"]),
        "sha256": row["content_sha256"],
    }


def _window(row: Row) -> str:
    first, end = row["window_start"], row["window_end"]
    if first is None:
        return "all days"
    last = datetime.fromisoformat(end).toordinal() - 1
    last_day = datetime.fromordinal(last).date().isoformat()
    return str(first) if last_day == first else f"{first} … {last_day}"


def _seconds(began: str, ended: str | None) -> float | None:
    """None where the clock went back meanwhile, and of a run that has no end."""
    if ended is None:
        return None
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    return round(seconds, 1) if seconds >= 0 else None


def _details(told: Sequence[Mapping[str, Any]], details: Details) -> dict[str, Any]:
    """What each run's last record says, and its files by what became of them."""
    found = {}
    for run in told:
        records = [details.contents.get(row["evidence_id"], {}) for row in run["evidence"] if row["of"] == "_run"]
        record = records[-1] if records else {}
        totals = record.get("totals") or {}
        nodes = sorted(record.get("nodes") or (), key=lambda node: (-node["seconds"], node["name"]))
        found[run["run_id"]] = {
            "totals": [(name, totals[name]) for name in _TOTALS if isinstance(totals.get(name), int)],
            "problems": record.get("problems") or [],
            "warnings": sorted((record.get("warnings") or {}).items()),
            "decision": record.get("downstream_decision"),
            "checks": [each for each in record.get("checks", ()) if each.get("status") != "pass"],
            "check_count": len(record.get("checks", ())),
            "nodes": nodes[:_NODES],
            "node_count": len(nodes),
            "node_seconds": sum(node["seconds"] for node in nodes),
            "entries": [row for row in details.entries if row["run_id"] == run["run_id"]],
        }
    return {"details": found}
