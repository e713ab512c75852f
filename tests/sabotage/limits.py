"""Damages that no SQL can find, each a row of docs/reconcile_limits.md: reconcile must pass on them.

If one of them is found one day, the table there is out of date. Statements run as those of cases.py do.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.sabotage.victims import DUPLICATE_LINE, OLDER, REJECT

# The forger's last step: the load says again what its rows hold.
_REDIGEST = """
    update ops.completed_load as done
    set row_count = content.row_count, row_digest = content.row_digest
    from ops.load_content as content
    where content.load_id = done.load_id and content.table_name = done.table_name
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """One damage that stays unseen."""

    name: str
    statements: tuple[str, ...]


LIMITS: tuple[Limit, ...] = (
    Limit(
        "warnings of a superseded event, digest recomputed",
        (
            f"update bronze.:events set warning_codes = '{{x}}', envelope = '{{}}' where event_id = {OLDER}",
            _REDIGEST,
        ),
    ),
    Limit(
        "reasons of a reject, digest recomputed",
        (
            (
                "update bronze.rejected_record set reason_codes = '{unknown_field}', message = 'x', json_path = '$.x'"
                f" where ctid = {REJECT}"
            ),
            _REDIGEST,
        ),
    ),
    Limit(
        "a duplicate line delivers another event of its day, digest recomputed",
        (
            (
                "update bronze.asset_line as line set event_id = other.event_id from bronze.:events as other"
                f" where line.ctid = {DUPLICATE_LINE} and other.partition_key = line.partition_key"
                " and other.asset_id = line.asset_id and other.line_number < line.line_number"
            ),
            _REDIGEST,
        ),
    ),
    Limit(
        "a manifest changed with its hash",
        (
            (
                "update ops.manifest set manifest_bytes ="
                " convert_to((convert_from(manifest_bytes, 'UTF8')::jsonb || '{\"license\": \"x\"}')::text, 'UTF8')"
            ),
            "update ops.manifest set manifest_sha256 = encode(sha256(manifest_bytes), 'hex')",
        ),
    ),
    Limit(
        "facts that nothing repeats",
        (
            "update ops.manifest set manifest_path = 'x', registered_at = '1999-01-01'",
            "update ops.manifest_asset set found_path = 'x'",
            "update ops.source_asset set registered_at = '1999-01-01'",
            "update ops.asset_index set indexed_at = '1999-01-01'",
            "update ops.asset_partition set taken_at = '1999-01-01' where taken_at is not null",
            "update ops.completed_load set completed_at = '1999-01-01'",
            (
                "update ops.ingest_run set trace_id = repeat('0', 32), mode = 'rerun', host = 'x', git_sha = 'x',"
                " failure = 'x', exit_code = 0, started_at = '1999-01-01', watermarks = '{}'"
            ),
            "update ops.ruleset set components = '{}' where not components ? 'facts_version'",
            "update bronze._dlt_loads set schema_name = 'x', inserted_at = '1999-01-01'",
        ),
    ),
    Limit("the state of the cursor", ("update ops.ingest_state set value_at = '1999-01-01'",)),
    Limit(
        "guards dropped",
        (
            "drop trigger refuse_change on bronze.:events",
            "alter table bronze.asset_line drop constraint asset_line_pkey",
        ),
    ),
)
