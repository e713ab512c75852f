"""The contract room: pure rules of what a line may hold, whatever its kind, and why it is rejected."""

from __future__ import annotations

from loader.contract.exact_json import InexactError, number_json, number_text, read_exactly, values_at
from loader.contract.explain import Explainer
from loader.contract.foreign_format import JSON_DOCUMENT, ONE_ARRAY, begins_document, foreign_bytes
from loader.contract.lenient_json import (
    UnreadableError,
    has_duplicate_key,
    has_nul,
    has_surrogate,
    read_leniently,
    strings_of,
)
from loader.contract.record import AcceptedRecord, LineFault, NoRules, RejectedRecord, Rules
from loader.contract.schema import (
    ReasonCodes,
    SchemaFault,
    compile_schema,
    fault_of_schema,
    json_path,
    load_reason_codes,
    load_schema,
    read_contract_file,
    schema_faults,
)
from loader.contract.timestamps import CODE_OF_FORMAT, PARSER_OF_FORMAT, TimestampError, parse_date_start, parse_instant

__all__ = [
    "CODE_OF_FORMAT",
    "JSON_DOCUMENT",
    "ONE_ARRAY",
    "PARSER_OF_FORMAT",
    "AcceptedRecord",
    "Explainer",
    "InexactError",
    "LineFault",
    "NoRules",
    "ReasonCodes",
    "RejectedRecord",
    "Rules",
    "SchemaFault",
    "TimestampError",
    "UnreadableError",
    "begins_document",
    "compile_schema",
    "fault_of_schema",
    "foreign_bytes",
    "has_duplicate_key",
    "has_nul",
    "has_surrogate",
    "json_path",
    "load_reason_codes",
    "load_schema",
    "number_json",
    "number_text",
    "parse_date_start",
    "parse_instant",
    "read_contract_file",
    "read_exactly",
    "read_leniently",
    "schema_faults",
    "strings_of",
    "values_at",
]
