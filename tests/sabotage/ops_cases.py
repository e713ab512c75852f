"""Damages to the loader's own tables."""

from __future__ import annotations

from tests.sabotage.case import Case, double
from tests.sabotage.victims import ASSET, COMMENTS, ENTRY, LOAD, OTHER_UUID, PARTITION, PLAIN_ASSET, RULESET, TICKETS

_ASSET_ITSELF = f"select {ASSET}"
_ENTRY_ASSET = f"select asset_id from ops.manifest_asset where ctid = {ENTRY}"
_PARTITION_DAY = f"select partition_key from ops.asset_partition where ctid = {PARTITION}"
_INDEX = f"asset_id = {ASSET} and ruleset_id = (select max(ruleset_id) from ops.asset_index where asset_id = {ASSET})"
_MANIFEST = "manifest_id = (select min(manifest_id) from ops.manifest where not is_implicit and contract_ref = ':kind')"
# A run that landed events, and one that indexed lines.
_RUN = f"(select run_id from ops.completed_load where load_id = {LOAD} and table_name = 'record_event')"


def _asset_edit(column: str, value: str, check_name: str, other_kind: str | None = None) -> Case:
    return Case(
        f"edit source_asset.{column}",
        (f"update ops.source_asset set {column} = {value} where asset_id = {ASSET}",),
        "ops.source_asset",
        check_name,
        None,
        _ASSET_ITSELF,
        other_kind=other_kind,
    )


def _index_edit(column: str, value: str, check_name: str) -> Case:
    return Case(
        f"edit asset_index.{column}",
        (f"update ops.asset_index set {column} = {value} where {_INDEX}",),
        "ops.asset_index",
        check_name,
        None,
        _ASSET_ITSELF,
    )


def _partition_edit(column: str, value: str, check_name: str, other_days: str | None = None) -> Case:
    return Case(
        f"edit asset_partition.{column}",
        (f"update ops.asset_partition set {column} = {value} where ctid = {PARTITION}",),
        "ops.asset_partition",
        check_name,
        _PARTITION_DAY,
        _ASSET_ITSELF,
        other_days,
    )


def _entry_edit(column: str, value: str, check_name: str = "entry_differs_from_manifest") -> Case:
    return Case(
        f"edit manifest_asset.{column}",
        (f"update ops.manifest_asset set {column} = {value} where ctid = {ENTRY}",),
        "ops.manifest_asset",
        check_name,
        None,
        _ENTRY_ASSET,
    )


def _manifest_edit(
    column: str, value: str, check_name: str = "manifest_differs_from_bytes", other_kind: str | None = None
) -> Case:
    return Case(
        f"edit manifest.{column}",
        (f"update ops.manifest set {column} = {value} where {_MANIFEST}",),
        "ops.manifest",
        check_name,
        other_kind=other_kind,
    )


ASSETS = (
    Case(
        "delete a source asset",
        (f"delete from ops.source_asset where asset_id = {ASSET}",),
        "ops.source_asset",
        "source_asset_missing",
        None,
        _ASSET_ITSELF,
    ),
    Case(
        "double a source asset",
        double("ops.source_asset", f"asset_id = {ASSET}"),
        "ops.source_asset",
        "source_asset_doubled",
        None,
        _ASSET_ITSELF,
    ),
    _asset_edit("source_fingerprint", "repeat('0', 64)", "source_asset_differs_from_raw_zone_key"),
    _asset_edit("size_bytes", "size_bytes + 1", "size_differs_from_declared"),
    _asset_edit("record_kind", "':other'", "asset_of_another_kind", other_kind="either may be the right one"),
    Case(
        "say that a ruleset is another kind's",
        (f"update ops.ruleset set contract_ref = 'another_v1' where ruleset_id = {RULESET}",),
        "ops.ruleset",
        "read_under_another_kind",
    ),
    _asset_edit("raw_zone_key", "'sha256/elsewhere'", "source_asset_differs_from_raw_zone_key"),
    _asset_edit(
        "content_encoding",
        "case content_encoding when 'gzip' then 'identity' else 'gzip' end",
        "source_asset_differs_from_raw_zone_key",
    ),
    Case(
        "edit source_asset.content_bytes of a plain file",
        ((f"update ops.source_asset set content_bytes = content_bytes + 7 where asset_id = {PLAIN_ASSET}"),),
        "ops.source_asset",
        "source_asset_sizes_differ",
        None,
        f"select {PLAIN_ASSET}",
    ),
    Case(
        "delete an asset index",
        (f"delete from ops.asset_index where {_INDEX}",),
        "ops.asset_index",
        "asset_index_missing",
        None,
        _ASSET_ITSELF,
    ),
    Case(
        "double an asset index",
        double("ops.asset_index", _INDEX),
        "ops.asset_index",
        "asset_index_doubled",
        None,
        _ASSET_ITSELF,
    ),
    _index_edit("(line_count, indexed_line_count)", "(line_count + 1, indexed_line_count + 1)", "line_count_differs"),
    _index_edit("(line_count, is_complete)", "(line_count + 1, false)", "index_incomplete_at_the_end"),
    _index_edit("run_id", OTHER_UUID, "run_unknown"),
    _index_edit("ruleset_id", "ruleset_id + 100", "asset_index_missing"),
    Case(
        "delete an asset partition",
        (f"delete from ops.asset_partition where ctid = {PARTITION}",),
        "ops.asset_partition",
        "partition_counts_differ",
        _PARTITION_DAY,
        _ASSET_ITSELF,
    ),
    Case(
        "double an asset partition",
        double("ops.asset_partition", f"ctid = {PARTITION}"),
        "ops.asset_partition",
        "partition_doubled",
        _PARTITION_DAY,
        _ASSET_ITSELF,
    ),
    _partition_edit("record_line_count", "record_line_count + 1", "partition_counts_differ"),
    _partition_edit("rejected_line_count", "rejected_line_count + 1", "partition_counts_differ"),
    _partition_edit(
        "partition_key",
        "partition_key + 400",
        "partition_counts_differ",
        other_days="lines are promised for the day that the row names now",
    ),
    _partition_edit("(taken_by_run_id, taken_at)", "(null, null)", "partition_not_taken"),
    _partition_edit("taken_by_run_id", OTHER_UUID, "run_unknown"),
    Case(
        "drop an asset with all its rows",
        tuple(
            f"delete from {table} where asset_id = {ASSET}"
            for table in (
                "bronze.:events",
                "bronze.asset_line",
                "bronze.rejected_record",
                "ops.asset_partition",
                "ops.asset_index",
                "ops.run_asset",
                "ops.source_asset",
                "silver.built_asset",
                "silver.:fact",
                "ops.manifest_asset",
            )
        ),
        "ops.manifest_asset",
        "entry_missing",
    ),
)

MANIFESTS = (
    Case("delete a manifest", (f"delete from ops.manifest where {_MANIFEST}",), "ops.manifest", "manifest_missing"),
    Case(
        "double a manifest",
        double("ops.manifest", _MANIFEST),
        "ops.manifest",
        "manifest_doubled",
    ),
    _manifest_edit("manifest_bytes", "manifest_bytes || ' '", "manifest_bytes_differ_from_sha256"),
    _manifest_edit("manifest_bytes", "decode('ff00', 'hex')", "manifest_bytes_differ_from_sha256"),
    _manifest_edit("manifest_sha256", "repeat('0', 64)", "manifest_bytes_differ_from_sha256"),
    _manifest_edit("batch_id", "'batch-19990101-001'"),
    _manifest_edit("contract_ref", "contract_ref || 'x'", other_kind="either may be the right one"),
    _manifest_edit("load_mode", "load_mode || 'x'"),
    _manifest_edit("declared_asset_count", "declared_asset_count - 1"),
    _manifest_edit(
        "(window_field, window_start, window_end)",
        "('created_at', timestamptz '1999-01-01 00:00Z', timestamptz '1999-01-02 00:00Z')",
    ),
    _manifest_edit("registered_by_run_id", OTHER_UUID, "run_unknown"),
    Case(
        "remove a manifest entry",
        (f"delete from ops.manifest_asset where ctid = {ENTRY}",),
        "ops.manifest_asset",
        "entry_missing",
    ),
    Case(
        "remove a manifest entry and what the runs said about it",
        (
            (
                "delete from ops.run_asset where (manifest_id, source_id) ="
                f" (select manifest_id, source_id from ops.manifest_asset where ctid = {ENTRY})"
            ),
            f"delete from ops.manifest_asset where ctid = {ENTRY}",
        ),
        "ops.manifest_asset",
        "entry_missing",
    ),
    Case(
        "double a manifest entry",
        double("ops.manifest_asset", f"ctid = {ENTRY}"),
        "ops.manifest_asset",
        "entry_doubled",
        None,
        _ENTRY_ASSET,
    ),
    Case(
        "add an entry that the manifest does not declare",
        (
            (
                "insert into ops.manifest_asset select manifest_id, 'extra.jsonl', ordinal, asset_id, source_url_or_path,"
                " asset_type, declared_checksum_sha256, declared_size_bytes, declared_record_count, sequence, judgement,"
                f" disposition, reason_codes, judged_by_run_id, judged_at from ops.manifest_asset where ctid = {ENTRY}"
            ),
        ),
        "ops.manifest_asset",
        "entry_not_declared",
        None,
        _ENTRY_ASSET,
    ),
    _entry_edit("ordinal", "ordinal + 1"),
    _entry_edit("source_url_or_path", "source_url_or_path || 'x'"),
    _entry_edit("asset_type", "asset_type || 'x'"),
    _entry_edit("declared_checksum_sha256", "repeat('0', 64)"),
    _entry_edit("declared_size_bytes", "coalesce(declared_size_bytes, 0) + 1"),
    _entry_edit("declared_record_count", "coalesce(declared_record_count, 0) + 1"),
    _entry_edit("sequence", "sequence + 1"),
    _entry_edit("judgement", "case judgement when 'warn' then 'accept' else 'warn' end", "judgement_differs_from_run"),
    _entry_edit("reason_codes", "reason_codes || 'x'::text", "judgement_differs_from_run"),
    Case(
        "withhold an admitted asset after the fact",
        (
            (
                "update ops.manifest_asset set asset_id = null, disposition = 'withheld', judgement = 'reject'"
                f" where ctid = {ENTRY}"
            ),
        ),
        "ops.manifest_asset",
        "judgement_differs_from_run",
        holds_more="lines of a file that was not admitted may be of any day",
        only=(TICKETS, COMMENTS),
    ),
)

LOADS_AND_RUNS = (
    Case(
        "delete a completed load",
        (f"delete from ops.completed_load where load_id = {LOAD}",),
        "ops.completed_load",
        "completed_load_missing",
    ),
    Case(
        "delete one table of a completed load",
        (f"delete from ops.completed_load where load_id = {LOAD} and table_name = 'record_event'",),
        "ops.completed_load",
        "completed_load_missing",
    ),
    Case(
        "double a completed load",
        double("ops.completed_load", f"load_id = {LOAD} and table_name = 'record_event'"),
        "ops.completed_load",
        "completed_load_doubled",
    ),
    *(
        Case(
            f"edit completed_load.{column}",
            (
                (
                    f"update ops.completed_load set {column} = {value} where load_id = {LOAD}"
                    " and table_name = 'record_event'"
                ),
            ),
            "ops.completed_load",
            check_name,
        )
        for column, value, check_name in (
            ("row_count", "row_count + 1", "completed_load_differs_from_content"),
            ("row_digest", "row_digest + 1", "completed_load_differs_from_content"),
            ("run_id", OTHER_UUID, "rows_carry_another_run"),
            ("attempt", "attempt + 1", "load_listed_by_another_attempt"),
            ("load_id", "'1.1'", "completed_load_missing"),
        )
    ),
    Case(
        "delete a row of _dlt_loads",
        (f"delete from bronze._dlt_loads where load_id = {LOAD}",),
        "bronze._dlt_loads",
        "dlt_load_differs",
    ),
    Case(
        "double a row of _dlt_loads",
        (f"insert into bronze._dlt_loads select * from bronze._dlt_loads where load_id = {LOAD}",),
        "bronze._dlt_loads",
        "dlt_load_differs",
    ),
    Case(
        "edit _dlt_loads.status",
        (f"update bronze._dlt_loads set status = 1 where load_id = {LOAD}",),
        "bronze._dlt_loads",
        "dlt_load_differs",
    ),
    Case("delete a run", (f"delete from ops.ingest_run where run_id = {_RUN}",), "ops.ingest_run", "run_missing"),
    Case(
        "double a run",
        double("ops.ingest_run", f"run_id = {_RUN}"),
        "ops.ingest_run",
        "attempts_not_contiguous",
    ),
    Case(
        "take a load out of its run's list",
        (f"update ops.ingest_run set dlt_load_ids = '{{}}' where run_id = {_RUN}",),
        "ops.ingest_run",
        "load_not_listed",
    ),
    Case(
        "let a finished run look as if it were at work",
        (f"update ops.ingest_run set status = 'running' where run_id = {_RUN}",),
        "ops.ingest_run",
        "run_contradicts_itself",
    ),
    Case(
        "edit ingest_run.batch_id",
        (f"update ops.ingest_run set batch_id = 'batch-19990101-001' where run_id = {_RUN}",),
        "ops.ingest_run",
        "batch_differs_from_manifests",
    ),
    Case(
        "delete what a run did with an asset",
        (
            (
                f"delete from ops.run_asset where run_id = {_RUN} and asset_id = (select min(asset_id) from ops.run_asset"
                f" where run_id = {_RUN})"
            ),
        ),
        "ops.run_asset",
        "run_asset_missing",
        None,
        f"select min(asset_id) from ops.run_asset where run_id = {_RUN}",
    ),
    Case(
        "double what a run did with an asset",
        double("ops.run_asset", f"run_id = {_RUN} and asset_id is not null"),
        "ops.run_asset",
        "run_asset_doubled",
        None,
        f"select min(asset_id) from ops.run_asset where run_id = {_RUN}",
    ),
    Case(
        "edit run_asset.asset_id",
        (f"update ops.run_asset set asset_id = asset_id + 1000 where run_id = {_RUN} and asset_id is not null",),
        "ops.run_asset",
        "run_asset_differs_from_entry",
        None,
        f"select min(asset_id) from ops.run_asset where run_id = {_RUN}",
    ),
    Case(
        "edit run_asset.action",
        (f"update ops.run_asset set action = 'withheld' where run_id = {_RUN} and asset_id is not null",),
        "ops.run_asset",
        "run_asset_differs_from_entry",
        None,
        f"select min(asset_id) from ops.run_asset where run_id = {_RUN}",
    ),
    Case(
        "delete a ruleset",
        (f"delete from ops.ruleset where ruleset_id = {RULESET}",),
        "ops.ruleset",
        "ruleset_missing",
    ),
)
