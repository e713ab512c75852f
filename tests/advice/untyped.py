"""Errors that no scene types, by the kind of their place, and why not. A place is `module:function`, with `*`."""

from __future__ import annotations

UNTYPED: dict[str, str] = {
    # A process of the loader's dies by itself.
    "loader.bronze.load:*": "a load that dlt cannot do: tests/unit/test_disk.py",
    "loader.bronze.workers:*": "workers that are killed: tests/integration/test_workers.py",
    "loader.facts.*": "a process that reads facts is killed, or lacks a library: tests/facts/test_process.py",
    "loader.recovery.counting:*": "a process that is killed while it reads: tests/unit/test_day_counting.py",
    "loader.silver.dbt:*": "dbt does not start, or dies: tests/integration/test_dbt_process.py",
    # A person writes it, or another one's server takes it.
    "loader.alerts.rules:*": "a file of rules that is not understood: tests/integration/test_alerts.py",
    "loader.cli.trace_command:_write_page": "a page that a disk does not take: tests/unit/test_report_files.py",
    "loader.cli.alert_command:*": "a channel that fails: tests/integration/test_alerts.py types it again",
    # A disk does not read or write, or a file is taken away while it is read. The command shows the place.
    "loader.disk:*": "a full disk: tests/unit/test_disk.py types what it says",
    "loader.cli:_of_device": "full shared memory: tests/unit/test_shared_memory.py",
    "loader.cli.build_command:build": "full shared memory: tests/unit/test_shared_memory.py",
    "loader.cli.streams:*": "standard output that cannot be written: tests/unit/test_ended_readers.py",
    "loader.raw_zone.archive:RawZone._[dt]*": "an object that is damaged or not written: tests/unit/test_raw_zone.py",
    "loader.raw_zone.archive:RawZone.*": "a disk that does not let objects be read, measured or removed",
    "loader.raw_zone.durable:_changed": "a source that changes while it is archived: tests/unit/test_raw_zone.py",
    "loader.erasure.traces:landing_of": "a kind that is not declared: tests/integration/privacy/test_mentions.py",
    "loader.privacy.tombstones:put_without": "the same, of a file that holds erased people",
    "loader.reader.content:*": "an archived object that changes while it is read: tests/unit/test_reader_content.py",
    "loader.gate.location:unreadable_disk": "a disk that fails under the gate: tests/unit/test_gate_location.py",
    "loader.evidence.*": "a report folder that goes away under a command: tests/integration/test_evidence_chain.py",
    "loader.manifest.exports:*": "a folder or an export that cannot be read: tests/unit/test_manifest_build.py",
    "loader.manifest.build:_facts": "an export that goes away meanwhile: tests/unit/test_manifest_build.py",
    # The server: it is started, stopped and moved by tests that have one of their own.
    "loader.warehouse.partitions:_undeclared": "a kind that is not declared: test_bronze_partitions.py",
    "loader.warehouse.partitions:_away": "a kind's table that is gone: tests/integration/test_bronze_partitions.py",
    "loader.warehouse.*": "servers that do not start, stop, answer or let in: tests/integration/test_embedded_*.py",
    "loader.warehouse:*": "a server that is too old: tests/integration/test_warehouse_connection.py",
    "loader.cli.warehouse_commands:*": "it takes a server, or this place, away: tests/screens/committed",
    "loader.drill.scratch:*": "a scratch database that cannot be made: tests/integration/test_drill_scratch.py",
    "loader.runs.lock:*": "sessions that are ended by the server: tests/integration/test_ingest_lock.py",
    "loader.runs.ledger:*": "an attempt that another one has overtaken: tests/integration/test_ingest_lock.py",
    # What only damage, a kill or another session in the midst of a command brings.
    "loader.bronze.completion:*": "an index that does not add up: the sabotage of ops.asset_index is typed",
    "loader.ingest.proving:*": "a table that a session keeps from dbt: tests/integration/test_idle_readers.py",
    "loader.erasure.verb:*": "an erasure that is cut off or does not close: it is typed, cut off at another place",
    "loader.recovery.comparison:*": "a replay that finds other bytes: tests/integration/recovery",
    "loader.recovery.replay:*": "a replay that would reject: tests/integration/recovery",
    "loader.recovery.past:input_of_run": "no error of its own: what was refused to a run is remembered",
    "loader.release.released_rows:*": "Silver's columns of other types: tests/integration/test_foreign_code.py",
    "loader.release.releases:*": "a release store that contradicts itself: a defect",
    # What is asked of one kind where there are several.
    "loader.ingest.request:_of_kind": "no manifest of the kind: tests/unit/test_kinds_of_a_request.py",
    # Files of the checkout that somebody edited: `git status` shows them.
    "loader.contract.*": "broken contracts: tests/unit/test_contract_schema.py",
    "loader.kinds.read:*": "a broken declaration: tests/contract/test_kinds.py",
    "loader.kinds.ruleset:*": "a broken contract: tests/unit/test_contract_judge.py",
    "loader.silver.checks:*": "checks that are switched off: tests/integration/test_outside.py",
    "loader.checkout:*": "the shell stands in no checkout, or in another one: tests/unit/test_config.py",
}
