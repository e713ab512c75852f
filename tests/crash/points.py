"""Where a command is killed: every boundary between stages, and inside every stage, by name."""

from __future__ import annotations

_ATTEMPT = "loader.ingest.attempt"
_EXECUTION = "loader.ingest.execution"
_PROVING = "loader.ingest.proving"
_LEDGER = "loader.runs.ledger"
_JOB = "dlt.common.destination.client:RunnableLoadJob.run_managed"

# name -> CRASH_AT. Functions that a module imports by name are armed where they are called.
POINTS = {
    "the run is about to be recorded": f"{_LEDGER}:Ledger.start:before:1",
    "the run is recorded": f"{_LEDGER}:Ledger.start:after:1",
    "dbt's project is being parsed": f"{_PROVING}:parse_project:after:1",
    "gate: one manifest judged": f"{_EXECUTION}:inspect_manifest:after:1",
    "raw zone: an object is begun": "loader.raw_zone.durable:PartFile.write:before:1",
    "raw zone: an object is half there": "loader.raw_zone.durable:PartFile.write:after:1",
    "raw zone: an object is whole and has no name": "loader.raw_zone.durable:PartFile.publish:before:1",
    "raw zone: one of three objects is there": "loader.raw_zone.archive:RawZone.put:after:1",
    "assets are registered, not committed": f"{_EXECUTION}:register:after:1",
    "entries are recorded, not committed": f"{_LEDGER}:Ledger.record_actions:after:1",
    "everything is archived": f"{_EXECUTION}:Execution.archive:after:1",
    "parse: the first line is judged": "loader.kinds.judge:Ruleset.judge:after:1",
    "parse: in the middle of an asset": "loader.kinds.judge:Ruleset.judge:after:1300",
    "dlt: staging tables are made": "loader.bronze.load:_create_staging:after:1",
    "dlt: extracted": "dlt.pipeline.pipeline:Pipeline.extract:after:1",
    "dlt: normalized": "dlt.pipeline.pipeline:Pipeline.normalize:after:1",
    "dlt: before the first job": f"{_JOB}:before:1",
    "dlt: between two copies": f"{_JOB}:after:1",
    "dlt: all tables copied": f"{_JOB}:after:3",
    "dlt: between two tables' merges": f"{_JOB}:after:4",
    "dlt: before the last merge": f"{_JOB}:before:6",
    "dlt: a load is merged": "loader.bronze.load:BronzeLoader.load:after:1",
    "completion: begun": f"{_EXECUTION}:complete:before:1",
    "completion: loads are recorded": "loader.bronze.completion:_record_loads:after:1",
    "completion: one of three indexes is recorded": "loader.bronze.completion:_record_index:after:1",
    "completion: all but committed": f"{_EXECUTION}:complete:after:1",
    "working state is about to be dropped": f"{_EXECUTION}:drop_working_state:before:1",
    "landed": f"{_EXECUTION}:Execution.land:after:1",
    "dbt: about to build": f"{_PROVING}:run_dbt:before:1",
    "dbt: silver is built": "loader.silver.dbt:Step:after:12",
    "dbt: reconcile is half built": "loader.silver.dbt:Step:after:35",
    "dbt: tests are running": "loader.silver.dbt:Step:after:53",
    "dbt: built": f"{_PROVING}:run_dbt:after:1",
    "proof: all but committed": f"{_PROVING}:record_proof:after:1",
    "facts are read": f"{_PROVING}:read_facts:after:1",
    "release: pointers have moved, not committed": "loader.release.publish:publish:after:1",
    "state has moved, not committed": f"{_LEDGER}:advance_state:after:1",
    "evidence: one of five records is added": "loader.ingest.evidence:append:after:1",
    "evidence: all recorded, not committed": "loader.ingest.evidence:Evidence.write:after:1",
    "the run has ended, no file of its evidence is written": f"{_ATTEMPT}:write_files:before:2",
    "the run has ended, one of six files is written": "loader.evidence.chain:write_once:after:1",
    "the run has ended, nobody was told": f"{_PROVING}:Proving.conclude:after:1",
}

# With two workers: the command and all of its workers die.
IN_WORKERS = {
    "workers: one has begun": "loader.bronze.workers:_work:before:1",
    "workers: one has loaded": "loader.bronze.load:BronzeLoader.load:after:1",
    "workers: one has ended": "loader.bronze.workers:_work:after:1",
    "workers: all have ended": f"{_EXECUTION}:land_in_processes:after:1",
}

# Killed while it repairs what a command left that was killed when a load was merged.
IN_REPAIR = {
    "repair: dead attempts have their evidence, not committed": f"{_ATTEMPT}:record_crashes:after:1",
    "repair: dead attempts are marked": "loader.runs.repair:_remove_uncompleted_rows:before:1",
    "repair: rows are removed, not committed": "loader.runs.repair:_remove_uncompleted_rows:after:1",
    "repair: staging is dropped, not committed": "loader.runs.repair:_drop_staging:after:1",
    "repair: folders are still there": "loader.runs.repair:_remove_folders:before:1",
    "repair: files of the evidence are not written": f"{_ATTEMPT}:write_files:before:1",
    "repair: done": f"{_ATTEMPT}:repair:after:1",
}

# In `make test`; the others in `make test-long`.
QUICK = (
    "dlt: between two tables' merges",
    "completion: all but committed",
    "workers: one has loaded",
    "repair: rows are removed, not committed",
)
