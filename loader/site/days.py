"""A page for each UTC day: what became of its lines, kind by kind, from what was declared to what readers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from loader.site.ledger import Details, Row
from loader.site.pages import Model, Page
from loader.site.squares import Square
from loader.site.timeline import Key, Runs, acts_by_day, by_day, day_page, evidence_by_day
from loader.status import DayState

_TRAILING_DAYS = 28
# Each term of a day's equation: what it is called, its column, and what it is beside the one before it.
_LINES = (
    ("rejected", "rejected_count", "out"),
    ("duplicates", "duplicate_count", "out"),
    ("not asked for", "out_of_partition_count", "out"),
    ("without a fate", "gap_count", "gap"),
)
_EVENTS = (
    ("older versions", "superseded_count", "out"),
    ("keys of another source", "collided_count", "out"),
    ("of erased people", "retired_count", "out"),
    ("waiting for Silver", "pending_count", "out"),
)


def day_pages(model: Model, squares: Mapping[Key, tuple[Square, str]], runs: Runs) -> list[Page]:
    """In the order of the days."""
    sections = _sections(model, squares, runs)
    days: dict[str, list[dict[str, Any]]] = {}
    for key in sorted(sections):
        days.setdefault(key[1], []).append(sections[key])
    known = sorted(days)
    pages = []
    for place, day in enumerate(known):
        told = {
            "day": day,
            "sections": days[day],
            "before": known[place - 1] if place else None,
            "after": known[place + 1] if place + 1 < len(known) else None,
        }
        newest = [each["evidence"][-1]["evidence_id"] for each in days[day] if each["evidence"]]
        pages.append(
            Page(
                path=day_page(day),
                template="day.html",
                told=told,
                days=[date.fromisoformat(day)],
                evidence_ids=newest,
                finish=partial(_details, told, runs),
            )
        )
    return pages


def _sections(model: Model, squares: Mapping[Key, tuple[Square, str]], runs: Runs) -> dict[Key, dict[str, Any]]:
    ledger, status = model.ledger, model.status
    evidence = evidence_by_day(ledger.evidence, runs)
    acts = acts_by_day(ledger, runs, evidence)
    states = {(day.record_kind, day.partition_key): day for day in status.days}
    proved = {(row["record_kind"], row["partition_key"]): row for row in status.partitions}
    waiting = {(row["record_kind"], row["partition_key"]): row for row in status.readers}
    shown = {(row["record_kind"], row["partition_key"]): row["data_release_id"] for row in ledger.pointers}
    rejects, drift, versions = by_day(ledger.rejects), by_day(ledger.drift), by_day(ledger.versions)
    counts = _counts(proved)
    findings: dict[str, list[Row]] = {}
    for row in status.findings:
        findings.setdefault(row["partition_key"], []).append(row)
    sections = {}
    for key, (square, reason) in squares.items():
        kind, day = key
        of_day = versions.get(key, [])
        served = next((row["record_count"] for row in of_day if row["data_release_id"] == shown.get(key)), None)
        sections[key] = {
            "kind": kind,
            "square": square.name,
            "words": square.words,
            "reason": reason,
            "is_relied_on": states[key].is_relied_on if key in states else False,
            "steps": _steps(proved.get(key), served),
            "obstacles": _obstacles(proved.get(key), waiting.get(key), states.get(key)),
            "findings": [row for row in findings.get(day, []) if row["record_kind"] in (None, kind)],
            "acts": acts.get(key, []),
            "rejects": rejects.get(key, []),
            "drift": drift.get(key, []),
            "trailing": _trailing(key, counts),
            "versions": [{**row, "is_shown": row["data_release_id"] == shown.get(key)} for row in of_day],
            "evidence": [_evidence(row, model, runs) for row in evidence.get(key, [])],
        }
    return sections


def _steps(proved: Row | None, served: int | None) -> list[dict[str, Any]]:
    """From the lines that were declared to the records that are served; each with its share of the largest. A term that
    is nothing is left out, but the gap is always told."""
    if proved is None:
        return []
    terms = [("lines read", proved["line_count"], "stage")]
    declared = proved.get("declared_line_count")
    if declared is not None:
        terms.insert(0, ("lines declared", declared, "stage"))
    terms += [(words, proved[name], sort) for words, name, sort in _LINES if proved[name]]
    terms.append(("events in Bronze", proved["event_count"], "stage"))
    terms += [(words, proved[name], sort) for words, name, sort in _EVENTS if proved[name]]
    terms.append(("records in Silver", proved["silver_row_count"], "stage"))
    terms.append(("records served", served or 0, "stage"))
    terms.append(("unexplained", proved["unexplained_count"], "gap"))
    most = max(count for _, count, _ in terms) or 1
    return [
        {"words": words, "count": count, "sort": sort, "share": round(100 * count / most, 2)}
        for words, count, sort in terms
    ]


def _obstacles(proved: Row | None, waiting: Row | None, state: DayState | None) -> list[dict[str, str]]:
    """What keeps the day from moving, each with what ends it; of a day that moves, nothing."""
    if state is not None and state.state in ("released", "not asked for"):
        return []
    rows = [*(proved or {}).get("obstacles", ()), *(waiting or {}).get("obstacles", ())]
    told = {row["code"]: {name: row[name] for name in ("code", "message", "next_command")} for row in rows}
    return list(told.values())


def _counts(proved: Mapping[Key, Row]) -> dict[tuple[str, int], int]:
    """The records of each day of a kind, by the day's number."""
    return {(kind, date.fromisoformat(day).toordinal()): row["silver_row_count"] for (kind, day), row in proved.items()}


def _trailing(key: Key, counts: Mapping[tuple[str, int], int]) -> list[int | None]:
    """The records of the days before it and of the day itself, which is last; None: nothing is known of one."""
    kind, last = key[0], date.fromisoformat(key[1]).toordinal()
    return [counts.get((kind, day)) for day in range(last - _TRAILING_DAYS, last + 1)]


def _evidence(row: Row, model: Model, runs: Runs) -> dict[str, Any]:
    return {
        "evidence_id": row["evidence_id"],
        "name": row["report_path"].rpartition("/")[2],
        "href": model.link(row["report_path"]),
        "sha256": row["content_sha256"],
        "written_at": row["written_at"],
        "run_id": row["run_id"],
        "run_href": runs.href(row["run_id"]),
    }


def _details(told: Mapping[str, Any], runs: Runs, details: Details) -> dict[str, Any]:
    """Files, checks and samples of rejected lines of each kind of the day."""
    names = {(row["record_kind"], row["asset_id"]): row["source_id"] for row in details.files}
    found: dict[str, dict[str, Any]] = {}
    for section in told["sections"]:
        kind = section["kind"]
        samples: dict[str, list[Row]] = {}
        for row in details.samples:
            if row["record_kind"] == kind and row["partition_key"] == told["day"]:
                name = names.get((kind, row["asset_id"]), "")
                samples.setdefault(row["reason_code"], []).append({**row, "file": name})
        record = details.contents.get(section["evidence"][-1]["evidence_id"], {}) if section["evidence"] else {}
        found[kind] = {
            "files": _files(details.files, kind, told["day"], runs),
            "samples": samples,
            "checks": _checks(record),
        }
    return {"details": found}


def _files(rows: Sequence[Row], kind: str, day: str, runs: Runs) -> list[dict[str, Any]]:
    return [
        {**row, "run_href": runs.href(row["taken_by_run_id"])}
        for row in rows
        if row["record_kind"] == kind and row["partition_key"] == day
    ]


def _checks(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that did not pass come first."""
    checks = [each for each in record.get("checks", ()) if isinstance(each, dict)]
    return sorted(checks, key=lambda each: (each.get("status") == "pass", str(each.get("name"))))
