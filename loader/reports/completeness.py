"""Is Tuesday complete? What the last reconcile says of a partition, or of all, and when it was proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from loader.evidence import read_link_faults, read_open_drift
from loader.obstacles import told
from loader.partition import Partition
from loader.printable import counted
from loader.recovery import never_asked
from loader.release import known_kinds, refuse_unknown_kind
from loader.report_files import markdown_table
from loader.warehouse import Warehouse, are_built, built, json_rows, released_kinds

_PARTITIONS = """
select record_kind, partition_key, is_complete, declared_line_count as declared, line_count as lines,
    rejected_count as rejected, landed_count as landed, duplicate_count as duplicate,
    out_of_partition_count as out_of_partition, gap_count as gap, event_count as events,
    superseded_count as superseded, silver_row_count as silver,
    withheld_asset_count as withheld_files, missing_asset_count as missing_files,
    not_read_asset_count as unread_files, late_count as late, unexplained_count as unexplained,
    bronze_digest = silver_digest as is_content_equal, obstacles
from reconcile.reconcile_partition
where (%(day)s::date is null or partition_key = %(day)s) and (%(kind)s::text is null or record_kind = %(kind)s)
order by record_kind, partition_key
"""

# Files of the day, and those whose lines nobody knows, which may belong to it.
_FILES = """
select coalesce(proof.record_kind, manifest.contract_ref) as record_kind,
    entry.manifest_id, entry.source_id as file, entry.disposition,
    array_to_string(entry.reason_codes, ', ') as reasons,
    proof.line_count as lines, proof.rejected_count as rejected, proof.landed_count as landed,
    proof.duplicate_count as duplicate, proof.not_read_line_count as unread, proof.is_tiled,
    proof.is_record_count_match
from ops.manifest_asset as entry
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
left join reconcile.reconcile_asset as proof on proof.asset_id = entry.asset_id
where entry.disposition <> 'not_available'
    and (%(kind)s::text is null or coalesce(proof.record_kind, manifest.contract_ref) = %(kind)s) and (
    %(day)s::date is null
    or exists (
        select from ops.asset_partition as part
        where part.asset_id = entry.asset_id and part.partition_key = %(day)s
    )
    or (
        proof.ruleset_id is null
        and (
            manifest.window_field is distinct from 'created_at'
            or (manifest.window_start < (%(day)s::date + 1)::timestamp at time zone 'UTC'
                and manifest.window_end > %(day)s::date::timestamp at time zone 'UTC')
        )
    )
)
order by entry.manifest_id, entry.ordinal
"""

_REJECTS = """
select record_kind, coalesce(partition_key::text, 'unassigned') as partition, reason_code as reason,
    line_count as lines, asset_count as files
from reconcile.reconcile_reject
where (%(day)s::date is null or partition_key = %(day)s or partition_key is null)
    and (%(kind)s::text is null or coalesce(record_kind, %(kind)s) = %(kind)s)
order by record_kind, 2, line_count desc, reason_code
"""

_FINDINGS = """
select record_kind, table_name, check_name, partition_key, source_id as file, finding_count as rows, detail
from reconcile.reconcile_finding
where %(kind)s::text is null or coalesce(record_kind, %(kind)s) = %(kind)s
order by table_name, check_name, record_kind, partition_key, source_id
"""

_PROOFS = """
select distinct on (scope) scope, proved_at, run_id::text as run, load_count as loads
from ops.proof order by scope, proof_id desc
"""


# Loads that landed and no proof covers, and runs at work.
_UNPROVED = """
select (select count(*) from (
        select load_id from ops.completed_load where coalesce(%(kind)s::text, record_kind) = record_kind
        except select load_id from ops.proved_load
    ) as unproved)::int as loads,
    (select count(*) from ops.ingest_run
        where status = 'running' and coalesce(%(kind)s::text, record_kind) = record_kind)::int as runs
"""


@dataclass(frozen=True, slots=True)
class Completeness:
    """Rows as name → JSON-ready value. `partition`: the day asked for, `record_kind`: the kind, None for all that are
    known; `kinds`: those that the warehouse knows.

    `is_complete`: every partition shown is, at least one is shown, reconcile has no finding at all, every load that
    landed is proved, and no run is at work. Days that nobody has asked for, `unasked`, are counted and left out, where
    all are asked about.
    """

    partition: str | None
    record_kind: str | None
    kinds: Sequence[str]
    is_complete: bool
    partitions: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    rejects: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]
    drift: Sequence[Mapping[str, Any]]
    links: Sequence[Mapping[str, Any]]
    proofs: Sequence[Mapping[str, Any]]
    unproved_load_count: int
    running_count: int
    unasked: Sequence[Partition] = ()

    @property
    def answer(self) -> str:
        of_kind = f" of {self.record_kind}" if self.record_kind and len(self.kinds) > 1 else ""
        what = (self.partition or "every known partition") + of_kind
        if self.is_complete:
            told = [f"{counted(len(self.drift), 'drift')} to review"] if self.drift else []
            lacking = sum(row["record_count"] for row in self.links)
            names = counted(lacking, "record names", "records name")
            told += [f"{names} what is not there"] if lacking else []
            never = counted(len(self.unasked), "declared day was", "declared days were")
            told += [f"{never} never asked for"] if self.unasked else []
            return f"{what}: complete" + (f" ({'; '.join(told)})" if told else "")
        if not self.partitions:
            return f"{what}: nothing is known of it"
        lacking = [each.named(self.kinds) for each in self.not_complete]
        reasons = [counted(len(self.findings), "finding")] if self.findings else []
        if self.unproved_load_count:
            reasons.append(f"{counted(self.unproved_load_count, 'load')} landed that no proof covers")
        if self.running_count:
            reasons.append("a run is at work")
        asked = counted(len(self.partitions) - len(self.unasked), "day")
        if self.partition is None and lacking:
            reasons.append(f"{len(lacking)} of {asked} asked for: {', '.join(lacking[:10])}")
        return f"{what}: not complete" + (f" ({'; '.join(reasons)})" if reasons else "")

    @property
    def asked(self) -> list[Mapping[str, Any]]:
        """The partitions that somebody has asked for."""
        return [row for row in self.partitions if partition_of(row) not in self.unasked]

    @property
    def not_complete(self) -> list[Partition]:
        """The partitions among those asked for that are not complete."""
        return [partition_of(row) for row in self.asked if not row["is_complete"]]

    def record(self) -> dict[str, Any]:
        unasked = [each.as_record() for each in self.unasked]
        return {"answer": self.answer, **asdict(self), "unasked": unasked}

    def markdown(self) -> str:
        # Counts say the same; of a warehouse that knows one kind, the day says it all.
        hidden = {"obstacles", *(["record_kind"] if len(self.kinds) < 2 else [])}
        parts = {
            "Partitions": self.partitions,
            "Files (each whole, with all its days)": self.files,
            "Rejected lines (those without a readable day: of every file)": self.rejects,
            "Findings": self.findings,
            "Drift that nobody has accepted": self.drift,
            "Links to what is not there": self.links,
            "Proofs": self.proofs,
        }
        shown = {
            title: [{name: value for name, value in row.items() if name not in hidden} for row in rows]
            for title, rows in parts.items()
        }
        sections = [f"## {title}\n\n{markdown_table(rows)}" for title, rows in shown.items()]
        return "\n".join([f"# Completeness\n\n**{self.answer}**\n", *sections])


def partition_of(row: Mapping[str, Any]) -> Partition:
    """The partition of a row of Completeness.partitions."""
    return Partition(row["record_kind"], date.fromisoformat(row["partition_key"]))


def read_completeness(warehouse: Warehouse, partition: date | None, *, record_kind: str | None = None) -> Completeness:
    """What the last reconcile left, in one snapshot; writes nothing. Without any reconcile nothing is known.

    Raises CommandUsageError for a kind that is none.
    """
    connection = warehouse.connect(application_name="omnisupport-report")
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with closing(connection), connection, connection.cursor() as cursor:
        tables = [f"reconcile.reconcile_{name}" for name in ("partition", "asset", "reject", "finding")]
        is_reconciled = are_built(cursor, *tables)
        if record_kind is not None:
            refuse_unknown_kind([kind.record_kind for kind in released_kinds(cursor)], record_kind)
        asked_for = {"day": partition, "kind": record_kind}
        found = {
            name: json_rows(built(cursor), query, asked_for) if is_reconciled else []
            for name, query in {
                "partitions": _PARTITIONS,
                "files": _FILES,
                "rejects": _REJECTS,
                "findings": _FINDINGS,
            }.items()
        }
        drift = [
            {"record_kind": each.record_kind, **each.as_record()}
            for each in read_open_drift(cursor)
            if partition in (None, each.partition_key) and record_kind in (None, each.record_kind)
        ]
        links = [
            {"record_kind": each.record_kind, **each.as_record()}
            for each in read_link_faults(cursor, record_kind, None if partition is None else [partition])
        ]
        proofs = json_rows(cursor, _PROOFS, {})
        (unproved,) = json_rows(cursor, _UNPROVED, asked_for)
        never = never_asked(cursor) if partition is None else frozenset()
        unasked = sorted(each for each in never if record_kind in (None, each.record_kind))
        kinds = known_kinds(cursor).union(row["record_kind"] for row in found["partitions"])
    for row in found["partitions"]:
        row["obstacles"] = told(row["obstacles"], partition_of(row), kinds)
    asked = [row for row in found["partitions"] if partition_of(row) not in unasked]
    return Completeness(
        partition=None if partition is None else partition.isoformat(),
        record_kind=record_kind,
        kinds=sorted(kinds),
        is_complete=bool(asked)
        and all(row["is_complete"] for row in asked)
        and not found["findings"]
        and not unproved["loads"]
        and not unproved["runs"],
        **found,
        drift=drift,
        links=links,
        proofs=proofs,
        unproved_load_count=unproved["loads"],
        running_count=unproved["runs"],
        unasked=unasked,
    )
