"""The evidence of a concluded attempt: one record per touched partition, one for lines without a day, one for the run
whose counts are their sum. Where their files lie: loader/evidence/attempts.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.evidence import FATES, PartitionFacts, RunFacts, append, place_of, read_run, state_record
from loader.ingest.verdict import Verdict
from loader.release import Published
from loader.runs import Attempt
from loader.silver import BuildResult
from loader.warehouse import json_value


class Evidence:
    """The records of one concluded attempt."""

    def __init__(
        self, settings: Settings, attempt: Attempt, facts: RunFacts, verdict: Verdict, build: BuildResult
    ) -> None:
        self._settings = settings
        self._attempt = attempt
        self._facts = facts
        self._verdict = verdict
        self._build = build
        self._place = place_of(settings, facts.run["record_kind"])
        self._published: Published | None = None

    def write(self, cursor: Any, published: Published) -> tuple[Path, ...]:
        """Add every record to the chain, the `_run` record last. Returns where their files will be, `_run` first.

        `published`: what the gate did, in the same transaction.
        """
        self._published = published
        run = read_run(cursor, (str(self._attempt.run_id), self._attempt.number))
        parts = [self._partition(run, partition) for partition in self._facts.partitions]
        if any(self._facts.unassigned.values()):
            parts.append(self._part(run, "unassigned", None, self._facts.unassigned, self._facts.fingerprints, {}))
        whole = self._whole(run, parts)
        paths = [append(cursor, self._settings, record) for record in (*parts, whole)]
        return (paths[-1], *paths[:-1])

    def write_partitions(self, cursor: Any, days: Sequence[date]) -> None:
        """Add the records of these partitions to the chain, while the attempt goes on."""
        run = read_run(cursor, (str(self._attempt.run_id), self._attempt.number))
        for partition in self._facts.partitions:
            if partition.partition_key in days:
                record = self._partition(run, partition)
                interim = self._place.path(run, "_interim", f".{partition.partition_key}")
                append(cursor, self._settings, {**record, "report_path": self._settings.named(interim)})

    def _partition(self, run: Mapping[str, Any], partition: PartitionFacts) -> dict[str, Any]:
        day = partition.partition_key.isoformat()
        record = self._part(run, day, day, partition.fates, partition.fingerprints, partition.reconcile)
        status, codes = self._verdict.of_partition(partition)
        if status != "failed" and day in _finished_before(run):
            status = "skipped"
        record.update(
            status=status,
            reason_codes=list(codes),
            drift=[drift.as_record() for drift in self._verdict.drift_of(partition)],
            ties=[tie.as_record() for tie in self._verdict.ties_of(partition)],
            links=[link.as_record() for link in self._verdict.links_of(partition)],
            downstream_decision=self._decision([partition.partition_key]),
        )
        return record

    def _part(
        self,
        run: Mapping[str, Any],
        folder: str,
        partition_key: str | None,
        fates: Mapping[str, int],
        fingerprints: Sequence[str],
        reconcile: Mapping[str, Any],
    ) -> dict[str, Any]:
        counts = {"input": sum(fates.values()), "output": int(reconcile.get("silver_row_count") or 0)}
        record = self._place.record(run, folder, partition_key, counts)
        record.update(
            manifest_ids=list(self._facts.manifest_ids),
            source_fingerprints=list(fingerprints),
            status=self._verdict.status,
            reason_codes=list(self._verdict.reason_codes),
            fates=dict(fates),
            digests={
                name: json_value(reconcile[f"{name}_digest"])
                for name in ("bronze", "silver")
                if reconcile.get(f"{name}_digest") is not None
            },
            state=state_record(self._facts.state),
            checks=self._checks(reconcile),
            dbt_invocation_id=self._build.invocation_id,
            proof={
                "scope": self._verdict.proof.name,
                "reason": self._verdict.proof.reason,
                "last_proof_of_all_at": json_value(self._facts.last_proof_of_all_at),
            },
            drift=[drift.as_record() for drift in self._facts.drifts],
            ties=[tie.as_record() for tie in self._facts.ties],
            links=[link.as_record() for link in self._facts.links],
            downstream_decision=self._decision(
                [part.partition_key for part in self._facts.partitions], has_drift=bool(self._facts.drifts)
            ),
            reconcile={name: json_value(value) for name, value in reconcile.items()},
        )
        return record

    def _decision(self, days: Sequence[date], *, has_drift: bool = False) -> str:
        """What the gate did of these partitions together; while the attempt goes on, nothing yet."""
        if self._published is None:
            return "hold_downstream"
        return self._published.decision(self._facts.of_days(days), has_drift=has_drift)

    def _whole(self, run: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        fates = {fate: sum(part["fates"][fate] for part in parts) for fate in FATES}
        record = self._part(run, "_run", None, fates, self._facts.fingerprints, {})
        record["output_row_count"] = sum(part["output_row_count"] for part in parts)
        facts = self._facts
        record["totals"] = {
            name: getattr(facts, name)
            for name in (
                "total",
                "valid",
                "invalid",
                "blank",
                "inserted",
                "skipped",
                "errors",
                "late",
                "not_read",
            )
        }
        record["outside_window"] = dict(facts.outside_window)
        record["warnings"] = dict(facts.warnings)
        record["nodes"] = [
            {"name": node.name, "status": node.status, "seconds": round(node.seconds, 3)}
            for node in self._build.nodes
            if node.unique_id.startswith("model.") and node.seconds is not None
        ]
        record["problems"] = [problem.message for problem in self._verdict.problems]
        record["assets"] = [
            {
                "manifest_id": asset.manifest_id,
                "source_id": asset.source_id,
                "action": asset.action,
                "judgement": asset.judgement,
                "reason_codes": list(asset.reason_codes),
                "source_fingerprint": asset.source_fingerprint,
                "found_path": asset.found_path and self._settings.named(Path(asset.found_path)),
            }
            for asset in facts.assets
        ]
        if facts.translations:
            record["translations"] = [dict(each) for each in facts.translations]
        return record

    def _checks(self, reconcile: Mapping[str, Any]) -> list[dict[str, Any]]:
        checks = [
            {"name": node.name, "status": node.status, "failures": node.failures}
            for node in self._build.nodes
            if node.unique_id.startswith("test.")
        ]
        if reconcile:
            unexplained = int(reconcile.get("unexplained_count") or 0)
            status = "pass" if unexplained == 0 else "fail"
            checks.insert(0, {"name": "unexplained_count", "status": status, "failures": unexplained})
        return checks


def _finished_before(run: Mapping[str, Any]) -> set[str]:
    """The partitions that a backfill's plan found complete."""
    days = run["plan"]["partitions"] if run["plan"] and run["plan"]["mode"] == "backfill" else ()
    return {day["partition_key"] for day in days if day["gap_reason"] == "no_gap_detected"}
