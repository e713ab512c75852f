"""Record kinds: what each declares (contracts/kinds/<kind>/), the judge of its lines, and what is written for dbt."""

from loader.kinds.declaration import Field, FieldType, Kind, Landing, Link, Roles
from loader.kinds.read import kind_option, landed_kind, load_kinds, schema_file
from loader.kinds.ruleset import Ruleset, load_ruleset, load_same_ruleset, too_long

__all__ = [
    "Field",
    "FieldType",
    "Kind",
    "Landing",
    "Link",
    "Roles",
    "Ruleset",
    "kind_option",
    "landed_kind",
    "load_kinds",
    "load_ruleset",
    "load_same_ruleset",
    "schema_file",
    "too_long",
]
