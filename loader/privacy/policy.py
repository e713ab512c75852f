"""The field policy (contracts/privacy): read, checked against its schema and its contract, and written out for dbt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from loader.contract.schema import load_schema, read_contract_file, schema_faults
from loader.errors import CommandUsageError

POLICY_FILE = Path("privacy/field_policy_v1.json")
MACRO_FILE = Path("dbt_project/macros/privacy/field_policy.sql")

_HEADER = """\
{#- Written by `python -m loader.privacy.policy` from contracts/privacy/field_policy_v1.json; a test compares them. -#}
"""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """What the policy says of one field; `column`: its name in Silver."""

    field: str
    column: str
    level: str
    may_be_in_silver: bool
    may_be_retrieved: bool
    may_be_shown: bool


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """Rules in the contract's order, and the columns that hold whole records."""

    rules: tuple[FieldRule, ...]
    containers: tuple[str, ...]


def load_policy(contracts: Path) -> FieldPolicy:
    """The policy of the ticket contract. Raises CommandUsageError when it breaks its schema, lacks a field of the
    contract, or has one that the contract does not: nothing is allowed by being forgotten."""
    path = contracts / POLICY_FILE
    _, policy = read_contract_file(path)
    faults = schema_faults(load_schema(path.with_suffix(".schema.json")), policy)
    if faults:
        raise _broken(path, f"{faults[0].json_path}: {faults[0].message}")
    _, contract = read_contract_file(contracts / "data" / f"{policy['contract_ref']}.schema.json")
    unruled = sorted(set(contract["properties"]) ^ set(policy["fields"]))
    if unruled:
        raise _broken(path, f"{', '.join(unruled)}: a field of the contract without a rule, or the reverse")
    rules = tuple(_rule(name, policy["fields"][name]) for name in contract["properties"])
    return FieldPolicy(rules, tuple(policy["containers"]))


def as_macro(policy: FieldPolicy) -> str:
    """The policy as dbt macros. Every name is a plain identifier by its schema: nothing in it needs an escape."""
    rules = "".join(
        "        "
        + orjson.dumps(
            {"column": rule.column, "silver": rule.may_be_in_silver, "retrieval": rule.may_be_retrieved}
            | {"field": rule.field, "level": rule.level}
        ).decode()
        + ",\n"
        for rule in policy.rules
    )
    containers = orjson.dumps(list(policy.containers)).decode()
    return (
        f"{_HEADER}{{% macro field_policy() -%}}\n    {{{{ return([\n{rules}    ]) }}}}\n{{%- endmacro %}}\n\n"
        "{#- Columns that hold a whole record or line. -#}\n"
        f"{{% macro record_containers() -%}}\n    {{{{ return({containers}) }}}}\n{{%- endmacro %}}\n"
    )


def _rule(name: str, entry: dict[str, Any]) -> FieldRule:
    return FieldRule(
        name,
        entry.get("column", name),
        entry["level"],
        entry["storage"]["silver"] == "keep",
        entry["retrieval"] == "allow",
        entry["output"] == "show",
    )


def _broken(path: Path, fault: str) -> CommandUsageError:
    return CommandUsageError(f"{path}: {fault}; nothing was read", next_command="git status contracts")


def main() -> None:
    """Write the macros anew."""
    from loader.config import load_settings

    root = load_settings().project_root
    (root / MACRO_FILE).write_text(as_macro(load_policy(root / "contracts")))


if __name__ == "__main__":
    main()
