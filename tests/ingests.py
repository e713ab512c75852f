"""Exports, manifests and ingests for tests that run the whole chain in this process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from data.generator import Options, generate
from loader.audit import Fault, verify_evidence
from loader.config import Settings, load_settings
from loader.errors import LoaderError
from loader.ingest import IngestRequest, Verdict, ingest, ingest_kinds
from loader.manifest.build import BatchTerms, build_manifest
from loader.manifest.files import write_manifest
from loader.partition import Partition
from loader.warehouse import Warehouse

DAY = date(2026, 4, 17)
FATES = ("erased", "landed", "duplicate", "rejected", "blank", "out_of_partition", "gap")


def ticket(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A valid ticket of 2026-04-17; `changes` override fields, a value of ... removes one."""
    record = {
        "ticket_id": f"TKT-20260417-{number:06d}",
        "schema_version": "ticket_v1",
        "source_id": "structured:tickets:test",
        "ingest_batch_id": "batch-20260417-001",
        "customer_id": f"customer_{number}",
        "status": "open",
        "priority": "p3_medium",
        "product_line": "northstar_studio",
        "created_at": "2026-04-17T08:00:00Z",
        "pii_level": "none",
        "quality_gate": "pass",
        "owner": "group_1",
        **changes,
    }
    return {name: value for name, value in record.items() if value is not ...}


def comment(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A valid comment of 2026-04-17; `changes` as for a ticket."""
    record = {
        "comment_id": f"CMT-20260417-{number:06d}",
        "schema_version": "ticket_comment_v1",
        "source_id": "structured:comments:test",
        "ingest_batch_id": "batch-20260417-001",
        "ticket_id": f"TKT-20260417-{number:06d}",
        "author_id": f"customer_{number}",
        "author_role": "customer",
        "visibility": "public",
        "comment_body": "It came back after lunch.",
        "word_count": 5,
        "created_at": "2026-04-17T08:00:00Z",
        **changes,
    }
    return {name: value for name, value in record.items() if value is not ...}


def generate_lively(folder: Path, first_day: date, last_day: date) -> None:
    """Generated tickets with rejects, blank lines, duplicates and gzip files among them, every day."""
    spoilt = {"invalid_rate": 0.04, "blank_rate": 0.03, "duplicate_rate": 0.05}
    generate(Options(first_day, last_day, seed=7, tickets=60, gzip_every=2, **spoilt), folder)


def as_line(item: Mapping[str, Any] | bytes) -> bytes:
    return item if isinstance(item, bytes) else orjson.dumps(item)


def write_export(path: Path, items: Iterable[Mapping[str, Any] | bytes], *, end: bytes = b"\n") -> Path:
    """One line per item, records as JSON and bytes as they are, each followed by `end`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(as_line(item) + end for item in items))
    return path


def declare(folder: Path, name: str = "m", *, kind: str | None = None, **changes: Any) -> Path:
    """A manifest of all exports in `folder`, beside the folder; `changes` replace fields of the JSON."""
    out = folder.parent / f"{name}.json"
    terms = BatchTerms(contract_ref=kind, owner="tests", license="CC0-1.0", pii_scan_status="clean", order="name")
    built = build_manifest(folder, out, project_root=load_settings().project_root, terms=terms)
    if not changes:
        write_manifest(built.manifest)
        return out
    body = json.loads(built.manifest.content)
    out.write_text(json.dumps({**body, **changes}, indent=2))
    return out


def run(*manifests: Path, partition: date | None = None, **request: Any) -> Verdict:
    """An ingest of these manifests in this process, on the warehouse of `loader_environment`."""
    asked = IngestRequest(partition=partition, manifest_paths=tuple(path.resolve() for path in manifests), **request)
    return ingest(settings(), asked)


def run_kinds(*manifests: Path, partition: date | None = None) -> dict[str, Verdict]:
    """The same of manifests of several kinds: a run of each, by its kind. An error of one is raised after all."""
    asked = IngestRequest(partition=partition, manifest_paths=tuple(path.resolve() for path in manifests))
    verdicts = {}
    errors = []
    for each in ingest_kinds(settings(), asked):
        if isinstance(each.outcome, LoaderError):
            errors.append(each.outcome)
        else:
            verdicts[each.record_kind] = each.outcome
    if errors:
        raise errors[0]
    return verdicts


def settings() -> Settings:
    return load_settings()


def summary(verdict: Verdict) -> dict[str, int]:
    names = ("total", "valid", "invalid", "inserted", "skipped", "errors")
    return {name: getattr(verdict.facts, name) for name in names}


def rows(warehouse: Warehouse, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run one statement in its own transaction and return its rows, if it has any."""
    connection = warehouse.connect(application_name="test")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def evidence_faults(warehouse: Warehouse) -> list[Fault]:
    """What `loader verify --evidence` finds."""
    with closing(warehouse.connect(application_name="test")) as session, session.cursor() as cursor:
        return verify_evidence(cursor, settings())[1]


_SILVER = """
select to_jsonb(fact) - array['event_id', 'asset_id', 'source_fingerprint', 'line_number', 'manifest_id', 'batch_id',
    'ingest_batch_id', 'run_id', 'dlt_load_id']
from silver.{fact} as fact order by {key}
"""
SILVER = _SILVER.format(fact="ticket_fact", key="ticket_id")
SILVER_OF_COMMENTS = _SILVER.format(fact="ticket_comment_fact", key="comment_id")
SILVER_OF_DOCUMENTS = _SILVER.format(fact="knowledge_doc", key="source_id")


def silver(warehouse: Warehouse, question: str = SILVER) -> list[dict[str, Any]]:
    """A table of Silver without the columns of the delivery: what must not depend on order, repetition or replay."""
    return [row for (row,) in rows(warehouse, question)]


def ticket_days(*days: date) -> tuple[Partition, ...]:
    """These days of tickets."""
    return tuple(Partition("ticket_v1", day) for day in days)


def fates(verdict: Verdict) -> dict[str, int]:
    """Fates over all lines of the run's assets, zero ones left out."""
    facts = verdict.facts
    groups = [*(partition.fates for partition in facts.partitions), facts.unassigned, facts.outside_window]
    total = {fate: sum(group.get(fate, 0) for group in groups) for fate in FATES}
    return {fate: count for fate, count in total.items() if count}
