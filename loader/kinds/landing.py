"""Where a declared kind's records go, as its declaration and the schema of its records say together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from loader.contract import read_contract_file
from loader.kinds.composed import origin_of_file, origin_of_line
from loader.kinds.contradictions import (
    SCHEMA_FILE,
    Contradiction,
    contradictions,
    faults_of_facts,
    faults_of_framing,
    faults_of_linking_fields,
)
from loader.kinds.declaration import Derived, Field, Landing, Link, Roles, Whole, field_type, json_types


def landing_of(declared: Mapping[str, Any], folder: Path) -> tuple[Landing, list[Contradiction]]:
    """Also what contradicts itself in it, or the schema in the kind's `folder`."""
    _, schema = read_contract_file(folder / SCHEMA_FILE)
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    unruled = [name for name in properties if name not in declared["fields"]]
    unknown = [name for name in declared["fields"] if name not in properties]
    faults: list[Contradiction] = [
        (("fields",), f"{name}: a field of {SCHEMA_FILE} without an entry") for name in unruled
    ]
    faults += [(("fields", name), f"{name}: no field of {SCHEMA_FILE}") for name in unknown]
    links = tuple(
        Link(each["field"], _several(each["kind"]), each["missing"] == "wait", each.get("erased_with_it", False))
        for each in declared.get("linked_to", ())
    )
    named = {declared["roles"][role] for role in ("key", "source") if role in declared["roles"]}
    named |= {link.field for link in links}
    reader, whole, origin = declared.get("facts"), declared.get("whole"), _origin_in(declared)
    fields = tuple(
        replace(
            _field(name, entry, properties[name], is_required=name in required, is_name=name in named),
            origin=origin(name),
        )
        for name, entry in declared["fields"].items()
        if name in properties
    )
    roles = Roles(**{**declared["roles"], "version": tuple(declared["roles"]["version"])})
    envelope = tuple(declared.get("envelope", ()))
    faults += [*contradictions(fields, roles, envelope), *faults_of_linking_fields(links, fields, envelope)]
    if (rules := declared.get("rules")) is not None and not _has_rules(f"{__package__}.{rules}"):
        faults.append(
            (("rules",), f"loader/kinds/{rules}.py is not there, or holds no rules (loader/contract/record.py)")
        )
    dimensions = tuple(declared.get("dimensions", ()))
    derived = {name: Derived(**entry) for name, entry in declared.get("derived", {}).items()}
    taken = {field.column for field in fields}
    faults += [(("derived", name), f"{name} is the column of a field") for name in derived if name in taken]
    says_itself = any(properties.get(name, {}).get("const") == declared["kind"] for name in required - {*envelope})
    domain = "" if says_itself else declared["kind"]
    landing = Landing(
        declared["bronze"],
        declared["silver"],
        dimensions,
        roles,
        envelope,
        fields,
        domain,
        derived,
        links,
        reader,
        None if whole is None else _whole(whole),
    )
    faults += faults_of_framing(declared["framing"], declared["asset_types"], landing)
    faults += faults_of_facts(reader, schema)
    return landing, faults


def _origin_in(declared: Mapping[str, Any]) -> Callable[[str], str | None]:
    """What says a field of the kind's records, by its name."""
    reader, whole = declared.get("facts"), declared.get("whole")
    if whole is not None:
        of_place = (whole["number"], declared["roles"]["key"])
        return lambda name: origin_of_line(name, whole["from_entry"], of_place)
    return lambda name: None if reader is None else origin_of_file(name, reader)


def _whole(declared: Mapping[str, Any]) -> Whole:
    names = tuple(sorted(declared.get("also_named", {}).items()))
    return Whole(declared["for"], declared["number"], tuple(declared.get("span", ())), names)


def _several(declared: str | list[str]) -> tuple[str, ...]:
    return (declared,) if isinstance(declared, str) else tuple(declared)


def _has_rules(module: str) -> bool:
    return find_spec(module) is not None and hasattr(import_module(module), "is_refused")


def _field(
    name: str, entry: Mapping[str, Any], schema: Mapping[str, Any], *, is_required: bool, is_name: bool
) -> Field:
    """`is_name`: it names a record, its own or a linked one, or a system, by a text or an integer; an integer's text is
    what it is then."""
    return Field(
        name,
        "text" if is_name and json_types(schema) == ["integer"] else field_type(schema),
        is_required and "null" not in schema.get("type", ()),
        tuple(schema["enum"]) if "enum" in schema else None,
        entry["level"],
        entry.get("silver"),
        entry.get("serve", False),
        entry.get("show", False),
        entry.get("drift") == "mix",
        str(schema.get("description", "")),
    )
