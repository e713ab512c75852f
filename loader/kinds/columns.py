"""The columns of a kind's model in Silver, as its declaration gives them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from loader.kinds.declaration import COLUMN_TYPES, Field, Landing


@dataclass(frozen=True, slots=True)
class SilverColumn:
    """`type`: PostgreSQL's; `words`: what it holds, as dbt's documentation takes them; `field`: that it holds, None: it
    follows from the event. `is_ours`: the loader's own tables give it, and always do."""

    name: str
    type: str
    is_required: bool
    words: str
    field: Field | None = None
    is_ours: bool = False


_PARTITION = SilverColumn("partition_key", "date", True, "{{ doc('partition_key') }}")
_OF_THE_VERSION = (
    SilverColumn("version_count", "bigint", True, "Versions of the record from this record source."),
    SilverColumn("warning_codes", "text[]", True, "{{ doc('warning_codes') }}"),
    SilverColumn("record_fingerprint", "text", True, "{{ doc('record_fingerprint') }}"),
    SilverColumn("event_id", "uuid", True, "{{ doc('event_id') }}"),
    SilverColumn("asset_id", "integer", True, "{{ doc('first_asset_id') }}"),
    SilverColumn("source_fingerprint", "text", False, "{{ doc('source_fingerprint') }}", is_ours=True),
    SilverColumn("line_number", "integer", True, "{{ doc('first_line_number') }}"),
    SilverColumn("manifest_id", "text", False, "{{ doc('lineage_manifest_id') }}", is_ours=True),
    SilverColumn("batch_id", "text", False, "{{ doc('batch_id') }}"),
)
_OF_THE_RUN = (
    SilverColumn("run_id", "uuid", True, "{{ doc('run_id') }}"),
    SilverColumn("dlt_load_id", "text", True, "{{ doc('dlt_load_id') }}"),
)
OF_EVERY_KIND = frozenset(column.name for column in (_PARTITION, *_OF_THE_VERSION, *_OF_THE_RUN))


def silver_columns(landing: Landing) -> Iterator[SilverColumn]:
    """In the order in which the digest of a row takes them: the record's, what follows from it, the delivery's."""
    yield from _of_fields(landing, is_envelope=False)
    yield _PARTITION
    for name, derived in landing.derived.items():
        yield SilverColumn(name, COLUMN_TYPES[derived.type], False, derived.words)
    yield from _OF_THE_VERSION
    yield from _of_fields(landing, is_envelope=True)
    yield from _OF_THE_RUN


def _of_fields(landing: Landing, *, is_envelope: bool) -> Iterator[SilverColumn]:
    for each in landing.fields:
        if each.column is not None and (each.name in landing.envelope) == is_envelope:
            words = each.words or f"The record's {each.name}."
            yield SilverColumn(each.column, COLUMN_TYPES[each.type], each.is_required, words, each)
