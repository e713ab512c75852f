"""Record kinds: what each declares (contracts/kinds/<kind>/), and what is written from it for dbt."""

from loader.kinds.declaration import Field, FieldType, Kind, Landing, Link, Roles
from loader.kinds.read import kind_option, landed_kind, load_kinds, schema_file

__all__ = [
    "Field",
    "FieldType",
    "Kind",
    "Landing",
    "Link",
    "Roles",
    "kind_option",
    "landed_kind",
    "load_kinds",
    "schema_file",
]
