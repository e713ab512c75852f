"""Damages to files that are records: what is declared of them, what was read of them, and which bytes they are."""

from __future__ import annotations

from tests.sabotage.case import Case, double
from tests.sabotage.victims import (
    ENTRY,
    OF_FILES,
    RECORD,
    RECORD_ASSET,
    RECORD_DAY,
    REJECT,
    REJECT_ASSET,
    REJECT_DAY,
    SHOWN,
)

_ASSET = f"(select asset_id from bronze.:events where event_id = {SHOWN})"
_DAY = f"select partition_key from bronze.:events where event_id = {SHOWN}"
_FACTS = f"source_fingerprint = (select source_fingerprint from ops.source_asset where asset_id = {_ASSET})"
_WITHHELD = """(
    select entry.ctid from ops.manifest_asset as entry
    inner join ops.manifest using (manifest_id)
    where contract_ref = ':kind' and entry.disposition = 'withheld'
)"""


def _case(
    name: str,
    statements: tuple[str, ...],
    table_name: str,
    check_name: str,
    partition: str | None = _DAY,
    asset: str | None = f"select {_ASSET}",
    *,
    other_days: str | None = None,
) -> Case:
    return Case(name, statements, table_name, check_name, partition, asset, other_days, only=OF_FILES)


def _day_of_withheld(name: str, value: str) -> Case:
    return _case(
        name,
        (f"update ops.manifest_asset set partition_key = {value} where ctid = {_WITHHELD}",),
        "ops.manifest_asset",
        "day_differs_from_manifest",
        None,
        None,
    )


FILES = (
    _case(
        "say that the line of a file is longer than the file",
        (f"update bronze.asset_line set byte_length = byte_length + 1 where event_id = {SHOWN}",),
        "bronze.asset_line",
        "lines_do_not_end_with_content",
        None,
    ),
    _case(
        "withhold an admitted file after the fact",
        (
            (
                "update ops.manifest_asset set asset_id = null, disposition = 'withheld', judgement = 'reject'"
                f" where ctid = {ENTRY}"
            ),
        ),
        "ops.manifest_asset",
        "judgement_differs_from_run",
        None,
        None,
    ),
    _case(
        "declare a file otherwise after the fact",
        (
            (
                'update ops.source_asset set declaration = replace(declaration, \'"owner":"docs"\', \'"owner":"nobody"\')'
                f" where asset_id = {_ASSET}"
            ),
        ),
        "ops.source_asset",
        "record_differs_from_declaration",
    ),
    _case(
        "write a declaration that is no JSON",
        (f"update ops.source_asset set declaration = '{{broken' where asset_id = {_ASSET}",),
        "ops.source_asset",
        "declaration_differs_from_manifest",
        None,
    ),
    _case(
        "declare a file and its record otherwise: payload, hash and id agree",
        (
            (
                'update ops.source_asset set declaration = replace(declaration, \'"owner":"docs"\', \'"owner":"nobody"\')'
                f" where asset_id = {_ASSET}"
            ),
            (
                'update bronze.:events set raw_payload = replace(raw_payload, \'"owner":"docs"\', \'"owner":"nobody"\')'
                f" where event_id = {SHOWN}"
            ),
        ),
        "ops.source_asset",
        "declaration_differs_from_manifest",
        None,
    ),
    _case(
        "say that something else was read of a file",
        (f"update ops.asset_facts set facts = replace(facts, '\":fact_read\":', '\":fact_read\":1') where {_FACTS}",),
        "ops.asset_facts",
        "record_differs_from_facts",
    ),
    _case(
        "write facts that are no JSON",
        (f"update ops.asset_facts set facts = '{{broken' where {_FACTS}",),
        "ops.asset_facts",
        "record_differs_from_facts",
    ),
    _case(
        "forget what was read of a file",
        (f"delete from ops.asset_facts where {_FACTS}",),
        "ops.asset_facts",
        "facts_missing",
    ),
    _case(
        "point to an object without a byte, as an erasure does",
        (
            (
                "update ops.source_asset set raw_zone_key = 'sha256/e3/b0/' || encode(sha256(''), 'hex')"
                f" where asset_id = {_ASSET}"
            ),
        ),
        "ops.source_asset",
        "half_erased",
        None,
    ),
    _case(
        "double what was read of a file",
        double("ops.asset_facts", _FACTS),
        "ops.asset_facts",
        "facts_doubled",
    ),
    _case(
        "give a file another fingerprint and the object of it",
        (
            (
                f"update ops.source_asset set source_fingerprint = repeat('a', 64),"
                f" raw_zone_key = 'sha256/aa/aa/' || repeat('a', 64) where asset_id = {_ASSET}"
            ),
        ),
        "ops.source_asset",
        "record_differs_from_bytes",
    ),
    _case(
        "forge the record of a file with its hash",
        (
            (
                "update bronze.:events set raw_payload = replace(raw_payload, '\":fact_read\":', '\":fact_read\":1')"
                f" where event_id = {SHOWN}"
            ),
            (
                "update bronze.:events set record_fingerprint = sha256(convert_to(':kind' || raw_payload, 'UTF8'))"
                f" where event_id = {SHOWN}"
            ),
        ),
        "ops.asset_facts",
        "record_differs_from_facts",
    ),
    _case(
        "forge the reject of a file with its hash",
        (
            (
                "update bronze.rejected_record set raw_line = convert_to("
                "replace(convert_from(raw_line, 'UTF8'), 'forged-', 'forger-'), 'UTF8')"
                f" where ctid = {REJECT}"
            ),
            (
                "update bronze.rejected_record set raw_line_sha256 = sha256(raw_line)"
                " where raw_line_sha256 <> sha256(raw_line)"
            ),
        ),
        "bronze.rejected_record",
        "record_differs_from_declaration",
        REJECT_DAY + REJECT,
        REJECT_ASSET + REJECT,
    ),
    _case(
        "reject a file of which nothing can be read any more",
        (
            (
                "update bronze.rejected_record set raw_line = decode('ff00', 'hex'), raw_line_sha256 = sha256('\\xff00')"
                f" where ctid = {REJECT}"
            ),
        ),
        "bronze.rejected_record",
        "record_differs_from_declaration",
        REJECT_DAY + REJECT,
        REJECT_ASSET + REJECT,
    ),
    _case(
        "show readers another fact than was read",
        (f"update silver.:fact set :fact_read = :fact_read + 1 where :key = {RECORD}",),
        "silver.:fact",
        "record_differs_from_bronze",
        RECORD_DAY,
        RECORD_ASSET,
    ),
    _day_of_withheld("let a withheld file keep back another day", "partition_key - 400"),
    _day_of_withheld("let a withheld file keep back no day that is known", "null"),
)
