"""The columns of a kind's model of Silver: its fields, and what every kind's model has beside them, in one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loader.kinds.declaration import COLUMN_TYPES, Field, Landing


@dataclass(frozen=True, slots=True)
class Column:
    """`type`: PostgreSQL's; `words`: what it holds, as dbt's documentation takes them; `field`: that it holds, None: it
    follows from the event. `is_ours`: the loader's own tables give it, and always do."""

    name: str
    type: str
    is_required: bool
    words: str
    field: Field | None = None
    is_ours: bool = False


_PARTITION = Column("partition_key", "date", True, "{{ doc('partition_key') }}")
_OF_THE_VERSION = (
    Column("version_count", "bigint", True, "Versions of the record from this record source."),
    Column("warning_codes", "text[]", True, "{{ doc('warning_codes') }}"),
    Column("record_fingerprint", "text", True, "{{ doc('record_fingerprint') }}"),
    Column("event_id", "uuid", True, "{{ doc('event_id') }}"),
    Column("asset_id", "integer", True, "{{ doc('first_asset_id') }}"),
    Column("source_fingerprint", "text", False, "{{ doc('source_fingerprint') }}", is_ours=True),
    Column("line_number", "integer", True, "{{ doc('first_line_number') }}"),
    Column("manifest_id", "text", False, "{{ doc('lineage_manifest_id') }}", is_ours=True),
    Column("batch_id", "text", False, "{{ doc('batch_id') }}"),
)
_OF_THE_RUN = (
    Column("run_id", "uuid", True, "{{ doc('run_id') }}"),
    Column("dlt_load_id", "text", True, "{{ doc('dlt_load_id') }}"),
)
OF_EVERY_KIND = frozenset(column.name for column in (_PARTITION, *_OF_THE_VERSION, *_OF_THE_RUN))


def silver_columns(landing: Landing) -> Iterator[Column]:
    """In the order in which the digest of a row takes them: the record's, what follows from it, the delivery's."""
    yield from _of_fields(landing, is_envelope=False)
    yield _PARTITION
    for name, derived in landing.derived.items():
        yield Column(name, COLUMN_TYPES[derived.type], False, derived.words)
    yield from _OF_THE_VERSION
    yield from _of_fields(landing, is_envelope=True)
    yield from _OF_THE_RUN


def _of_fields(landing: Landing, *, is_envelope: bool) -> Iterator[Column]:
    for each in landing.fields:
        if each.column is not None and (each.name in landing.envelope) == is_envelope:
            words = each.words or f"The record's {each.name}."
            yield Column(each.column, COLUMN_TYPES[each.type], each.is_required, words, each)
