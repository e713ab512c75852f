"""Models of sites made of values, of any size, without a warehouse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from loader.kinds import load_kinds
from loader.obstacles import Obstacle, told
from loader.partition import Partition
from loader.site import Model
from loader.site.ledger import Details, Ledger
from loader.site.pages import Page
from loader.status import DayState, State, Status
from tests.checkouts import ROOT

FIRST = date(2026, 3, 1)
MADE = datetime(2026, 12, 1, 12, tzinfo=UTC)
KINDS = ("ticket_v1", "ticket_comment_v1")
# Every hundredth day is in one of these; all others are released.
STATES: Mapping[int, tuple[State, list[str]]] = {
    10: ("damaged", ["unexplained_gap"]),
    20: ("incomplete", ["asset_missing"]),
    30: ("kept back", ["drift"]),
    40: ("held", ["held"]),
    50: ("kept back", ["waiting"]),
    60: ("not asked for", []),
    70: ("released", []),
}
THIN, LATE = 30, 70


def run_id(number: int) -> str:
    """Ids of runs in the order of time, as those of the loader are."""
    return f"019d{number:04x}-0000-7000-8000-{number:012x}"


def model(days: int = 3, runs: int = 2, kinds: Sequence[str] = KINDS, **changes: Any) -> Model:
    """So many days of each kind, and so many runs, each of one day. `changes`: fields of the status or the ledger, a
    row of a run (`run`) or a state of the first day (`first`)."""
    keys = [(kind, FIRST + timedelta(days=place)) for kind in kinds for place in range(days)]
    states = [_day(kind, day, changes.get("first") if day == FIRST else None) for kind, day in keys]
    status = Status(
        days=states,
        partitions=[_partition(each) for each in states],
        runs=[],
        state=[_state(kind) for kind in kinds],
        proofs=[{"scope": "all", "proved_at": MADE.isoformat(), "run_id": None, "load_count": 3}],
        absent_assets=changes.get("absent_assets", []),
        findings=changes.get("findings", []),
        drift=[_drift(kind, day) for kind, day in keys if (day - FIRST).days % 100 == THIN],
        ties=[],
        links=[],
        readers=[],
        holds=[],
        files=[],
        view_faults=[],
        is_reconciled=True,
        nearest=[],
        open_answers=[],
        next_command=changes.get("next_command", "make status"),
        notices=[],
        kinds=sorted(kinds),
    )
    return Model(
        status=status,
        sentence=changes.get("sentence", "Readers may rely on all days."),
        said=changes.get("said", []),
        ledger=_ledger(keys, runs, kinds, changes),
        kinds=load_kinds(ROOT / "contracts"),
        made_at=changes.get("made_at", MADE),
        link=lambda path: f"../{path.removeprefix('reports/')}",
    )


def _day(kind: str, day: date, given: Mapping[str, Any] | None) -> DayState:
    state, codes = STATES.get((day - FIRST).days % 100, ("released", []))
    told_of = {"state": state, "reason": "as it is told" if codes else "", "codes": tuple(codes), **(given or {})}
    return DayState(
        record_kind=kind,
        partition_key=day.isoformat(),
        ticket_count=400,
        line_count=1000,
        rejected_count=3,
        is_relied_on=told_of["state"] == "released",
        **told_of,
    )


def _partition(day: DayState) -> dict[str, Any]:
    # A week has its shape.
    lines = day.line_count + 100 * day.partition.day.weekday()
    obstacles = told((Obstacle(code, 2).as_record() for code in day.codes), day.partition, KINDS)
    return {
        "record_kind": day.record_kind,
        "partition_key": day.partition_key,
        "expected_count": lines,
        "declared_line_count": lines,
        "line_count": lines,
        "landed_count": lines - 50,
        "duplicate_count": 47,
        "rejected_count": day.rejected_count,
        "out_of_partition_count": 0,
        "gap_count": 2 if day.state == "damaged" else 0,
        "withheld_asset_count": 0,
        "missing_asset_count": 0,
        "not_read_asset_count": 0,
        "event_count": lines - 50,
        "superseded_count": lines - 50 - day.ticket_count,
        "collided_count": 0,
        "retired_count": 0,
        "pending_count": 0,
        "moved_count": 0,
        "late_count": 4 if (day.partition.day - FIRST).days % 100 == LATE else 0,
        "silver_row_count": day.ticket_count + day.partition.day.weekday(),
        "unexplained_count": 2 if day.state == "damaged" else 0,
        "obstacles": obstacles,
        "is_complete": day.state == "released",
        "last_run_id": None,
        "last_verb": None,
    }


def _state(kind: str) -> dict[str, Any]:
    value = MADE.isoformat()
    return {"record_kind": kind, "record_source": f"desk_{kind}", "state_kind": "cursor", "value_at": value}


def _drift(kind: str, day: date) -> dict[str, Any]:
    return {
        "record_kind": kind,
        "partition_key": day.isoformat(),
        "check_name": "drift_thin_day",
        "measure": "tickets",
        "detail": "3 records, 40 expected",
    }


def _ledger(keys: Sequence[tuple[str, date]], runs: int, kinds: Sequence[str], changes: Mapping[str, Any]) -> Ledger:
    ran = [_run(number, *keys[number % len(keys)], changes.get("run", {})) for number in range(runs)]
    return Ledger(
        runs=ran,
        evidence=[row for run in ran for row in _evidence(run)],
        loads=[_load(run, table) for run in ran for table in ("asset_line", "record_event", "rejected_record")],
        releases=[_release(number, run) for number, run in enumerate(ran, 1)],
        moves=[_move(number, run) for number, run in enumerate(ran, 1)],
        versions=[_version(number, run) for number, run in enumerate(ran, 1)],
        pointers=[{**Partition(*key).as_record(), "data_release_id": number} for number, key in _last(ran).items()],
        holds=[],
        acceptances=[],
        manifests=[_manifest(kind, number) for kind in kinds for number in range(max(len(keys) // 30, 1))],
        state=[_change(run) for run in ran],
        rejects=changes.get("rejects", [_reject(*key) for key in keys]),
        drift=[
            {**_drift(*key), "measured_value": 3, "trailing_value": 40, "score": 0.1, "threshold": 0.5}
            for key in keys
            if (key[1] - FIRST).days % 100 == THIN
        ],
    )


def _last(ran: Sequence[Mapping[str, Any]]) -> dict[int, tuple[str, date]]:
    newest = {
        (run["record_kind"], date.fromisoformat(run["window_start"])): number for number, run in enumerate(ran, 1)
    }
    return {number: key for key, number in newest.items()}


def _run(number: int, kind: str, day: date, changes: Mapping[str, Any]) -> dict[str, Any]:
    began = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(minutes=5 * number)
    stages = ("gated", "archived", "landed", "built", "reconciled", "finished")
    return {
        "run_id": run_id(number),
        "attempt": 1,
        "trace_id": f"{number:032x}",
        "mode": "ingest",
        "status": "success",
        "last_stage": "reconciled",
        "batch_id": f"batch-{number:06}",
        "manifest_ids": [f"manifest-{kind}-0"],
        "record_kind": kind,
        "window_start": day.isoformat(),
        "window_end": (day + timedelta(days=1)).isoformat(),
        "line_limit": None,
        "dbt_invocation_ids": [],
        "loader_version": "0.1.0",
        "git_sha": "6e08e9e25f0328a47c36ff2e23ac1279c59ed6ba",
        "failure": None,
        "exit_code": 0,
        "started_at": began.isoformat(),
        "finished_at": (began + timedelta(seconds=12)).isoformat(),
        "stage_ended_at": {
            name: (began + timedelta(seconds=2 * place)).isoformat() for place, name in enumerate(stages, 1)
        },
        "repaired_row_count": 0,
        **changes,
    }


def _evidence(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record of the day and one of the run; their numbers follow from the run's."""
    number = int(run["run_id"][-12:], 16)
    return [
        {
            "evidence_id": 2 * number + place,
            "dataset": "bronze/raw",
            "run_id": run["run_id"],
            "attempt": 1,
            "report_path": f"reports/run_evidence/{folder}/{run['run_id']}.1.json",
            "content_sha256": hashlib.sha256(f"{folder}{number}".encode()).hexdigest(),
            "written_at": run["finished_at"],
        }
        for place, folder in enumerate((run["window_start"], "_run"))
    ]


def _load(run: Mapping[str, Any], table: str) -> dict[str, Any]:
    named = {"run_id": run["run_id"], "attempt": 1, "load_id": "1796111579.8474355", "table_name": table}
    return {**named, "row_count": 1000, "completed_at": run["finished_at"]}


def _release(number: int, run: Mapping[str, Any]) -> dict[str, Any]:
    said = {"data_release_id": number, "kind": "publish", "run_id": run["run_id"], "operator": "anna@host"}
    return {**said, "reason": None, "released_at": run["finished_at"]}


def _move(number: int, run: Mapping[str, Any]) -> dict[str, Any]:
    day = {"record_kind": run["record_kind"], "partition_key": run["window_start"]}
    return {"moved_by": number, **day, "old_data_release_id": 0, "new_data_release_id": number}


def _version(number: int, run: Mapping[str, Any]) -> dict[str, Any]:
    day = {"record_kind": run["record_kind"], "partition_key": run["window_start"], "data_release_id": number}
    return {**day, "record_count": 400, "record_digest": str(10**18 + number), "is_expired": False}


def _manifest(kind: str, number: int) -> dict[str, Any]:
    return {
        "manifest_id": f"manifest-{kind}-{number}",
        "manifest_sha256": "ab" * 32,
        "manifest_path": f"data/seed_manifests/{kind}-{number}.json",
        "batch_id": f"batch-{number:06}",
        "contract_ref": kind,
        "load_mode": "full",
        "registered_at": MADE.isoformat(),
        "registered_by_run_id": run_id(0),
        "declared_asset_count": 31,
        "admitted_count": 30,
        "withheld_count": 1,
        "missing_count": 0,
        "size_bytes": 1_234_567,
    }


def _change(run: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dataset": "bronze.raw",
        "record_source": f"desk_{run['record_kind']}",
        "state_kind": "cursor",
        "old_value_at": None,
        "new_value_at": f"{run['window_start']}T23:00:00+00:00",
        "run_id": run["run_id"],
        "operator": None,
        "reason": None,
        "changed_at": run["finished_at"],
    }


def _reject(kind: str, day: date) -> dict[str, Any]:
    return {**Partition(kind, day).as_record(), "reason_code": "wrong_type", "line_count": 3, "asset_count": 1}


def details(pages: Sequence[Page], file: str = "tickets.jsonl", message: str = "$.x: expected string") -> Details:
    """What a warehouse would say of these pages: of each day five files, three samples, and twelve checks."""
    days = [day.isoformat() for page in pages for day in page.days]
    numbers = [number for page in pages for number in page.evidence_ids]
    files = [
        {"record_kind": kind, "partition_key": day, "source_id": f"{place}-{file}", "manifest_id": f"manifest-{kind}-0"}
        | {"record_line_count": 200, "rejected_line_count": 1, "taken_by_run_id": run_id(0), "asset_id": place}
        for day in days
        for kind in KINDS
        for place in range(5)
    ]
    samples = [
        {"record_kind": kind, "partition_key": day, "asset_id": place, "line_number": 7, "reason_code": "wrong_type"}
        | {"json_path": "$.x", "message": message}
        for day in days
        for kind in KINDS
        for place in range(3)
    ]
    checks = [{"name": f"check_of_something_{place}", "status": "pass", "failures": 0} for place in range(12)]
    totals = {"total": 1000, "valid": 997, "invalid": 3, "inserted": 950, "skipped": 47, "errors": 0}
    nodes = [{"name": f"model_{place}", "status": "success", "seconds": 0.25 * place} for place in range(25)]
    record = {
        "nodes": nodes,
        "checks": checks,
        "totals": totals,
        "downstream_decision": "proceed",
        "problems": [],
        "warnings": {},
    }
    entries = [
        {"run_id": each, "attempt": 1, "action": "parsed", "judgement": "accept", "file_count": 5, "names": None}
        for page in pages
        for each in page.run_ids
    ]
    return Details(dict.fromkeys(numbers, record), files, samples, entries)
