"""Record kinds: what each declares (contracts/kinds/<kind>/), the judge of its lines, and what is written for dbt."""

from loader.kinds.check import KindFault, check_kinds, waiting_for_persons
from loader.kinds.composed import (
    asset_type_of,
    contradicted,
    declaration,
    declared_day,
    fields_to_say,
    framed,
    metadata_fields,
    named_files,
)
from loader.kinds.declaration import Field, Kind, Landing, Link
from loader.kinds.generate import generated_files
from loader.kinds.judge import Ruleset, judged_line
from loader.kinds.new import Wish, write_kind
from loader.kinds.read import kind_option, landed_kind, load_kinds, schema_file
from loader.kinds.ruleset import load_ruleset, load_same_ruleset

__all__ = [
    "Field",
    "Kind",
    "KindFault",
    "Landing",
    "Link",
    "Ruleset",
    "Wish",
    "asset_type_of",
    "check_kinds",
    "contradicted",
    "declaration",
    "declared_day",
    "fields_to_say",
    "framed",
    "generated_files",
    "judged_line",
    "kind_option",
    "landed_kind",
    "load_kinds",
    "load_ruleset",
    "load_same_ruleset",
    "metadata_fields",
    "named_files",
    "schema_file",
    "waiting_for_persons",
    "write_kind",
]
