"""Records of attempts in the chain: what all of them say, and those of attempts that did not conclude.

Layout: `<reports>/run_evidence/<partition | unassigned | _run>/<run_id>.<attempt>.json`, of a kind that is not the
default one below `run_evidence/<kind>/`; of a partition that is finished while the attempt goes on,
`_interim/<run_id>.<attempt>.<partition>.json`. Schema contracts/run_evidence/run_evidence_v1.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from loader.config import Settings
from loader.evidence.chain import append
from loader.evidence.run_facts import FATES, read_run
from loader.kinds import load_kinds
from loader.warehouse import json_value

SCHEMA_VERSION = "run_evidence_v1"
_STATUS_OF_RUN = {"running": "failed", "crashed": "failed", "interrupted": "failed"}


def record_crashes(cursor: Any, settings: Settings, attempts: Iterable[tuple[str, int]]) -> None:
    """The `_run` record of attempts that did not conclude, from the ledger alone: no count is claimed.

    In the transaction that ends them: an attempt has not ended without its evidence.
    """
    for key in attempts:
        run = read_run(cursor, key)
        place = place_of(settings, run["record_kind"])
        record = place.record(run, "_run", None, {"input": 0, "output": 0})
        record.update(
            manifest_ids=list(run["manifest_ids"]),
            source_fingerprints=[],
            status=_STATUS_OF_RUN.get(run["status"], run["status"]),
            reason_codes=[f"run_{run['status']}"],
            fates=dict.fromkeys(FATES, 0),
            digests={},
            state=state_record(()),
            checks=[],
            dbt_invocation_id=(run["dbt_invocation_ids"] or [None])[-1],
            downstream_decision="hold_downstream",
            problems=[run["failure"] or f"ended in stage {run['stage']}"],
        )
        append(cursor, settings, record)


class Place(NamedTuple):
    """What the evidence of a kind's attempts is of, and where it lies below run_evidence."""

    settings: Settings
    asset_key: str
    folder: str

    def path(self, run: Mapping[str, Any], folder: str, which: str = "") -> Path:
        """Where a record of an attempt lies. `run`: its row (read_run); `which`: of several in the folder."""
        below = self.settings.report_dir / "run_evidence" / self.folder / folder
        return below / f"{run['run_id']}.{run['attempt']}{which}.json"

    def record(
        self, run: Mapping[str, Any], folder: str, partition_key: str | None, counts: Mapping[str, int]
    ) -> dict[str, Any]:
        """The fields that every record has, whatever became of its run; `counts`: lines of `input`, rows of
        `output`."""
        finished = run["finished_at"] or datetime.now(UTC)
        return {
            "evidence_schema_version": SCHEMA_VERSION,
            "run_id": str(run["run_id"]),
            "attempt": run["attempt"],
            "trace_id": run["trace_id"],
            "mode": run["mode"],
            "asset_key": self.asset_key,
            "record_kind": run["record_kind"],
            "partition_key": partition_key,
            "batch_id": run["batch_id"],
            "started_at": run["started_at"].astimezone(UTC).isoformat(),
            "finished_at": finished.astimezone(UTC).isoformat(),
            "input_row_count": counts["input"],
            "output_row_count": counts["output"],
            "dlt_load_ids": list(run["dlt_load_ids"]),
            "git_sha": run["git_sha"],
            "report_path": self.settings.named(self.path(run, folder)),
        }


def place_of(settings: Settings, record_kind: str) -> Place:
    """A kind that is declared no more, or not landed any more, has its own name."""
    kind = load_kinds(settings.project_root / "contracts").get(record_kind)
    if kind is None or kind.landing is None:
        return Place(settings, f"bronze/{record_kind}", record_kind)
    return Place(settings, kind.landing.asset_key, kind.folder)


def state_record(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The three state objects apart: {"cursor": {"<record source>": "<instant>"}, …}."""
    state: dict[str, dict[str, Any]] = {"checkpoint": {}, "cursor": {}, "watermark": {}}
    for row in rows:
        state[row["state_kind"]][row["record_source"]] = json_value(row["value_at"])
    return state
