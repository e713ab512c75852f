"""The one door to the declarations: read, compared with their schemas, and refused with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from loader.contract import load_schema, read_contract_file, schema_faults
from loader.errors import CommandUsageError
from loader.kinds.declaration import Derived, Field, FieldType, Kind, Landing, Link, Roles

KINDS_FOLDER = "kinds"
_DECLARATION, _SCHEMA = "kind.yml", "schema.json"
_SCHEMA_OF_KINDS = "kind_v1.schema.json"

_TYPE_OF_FORMAT: Mapping[str, FieldType] = {"date-time": "instant", "date": "date"}
# A fault: where in the declaration, as keys from the top, and what is wrong there.
_Fault = tuple[tuple[str, ...], str]


def schema_file(contracts: Path, kind: str) -> Path:
    """The schema of a kind's records."""
    return contracts / KINDS_FOLDER / kind / _SCHEMA


def load_kinds(contracts: Path) -> Mapping[str, Kind]:
    """Every kind of a contracts folder, by name: landed ones first, of these the default one, then by name; but a kind
    that another one is linked to comes before it, unless they are linked to each other.

    Raises CommandUsageError, with the file and line, where a declaration breaks its schema, contradicts the schema of
    its records or another declaration, or says what another one says.
    """
    folder = contracts / KINDS_FOLDER
    validator = load_schema(folder / _SCHEMA_OF_KINDS)
    kinds: dict[str, Kind] = {}
    tables: dict[str, str] = {}
    places: dict[str, tuple[Path, Mapping[tuple[str, ...], int]]] = {}
    for path in sorted(kind / _DECLARATION for kind in folder.iterdir() if kind.is_dir()):
        declared, lines = _read(path)
        faults = [(_keys(fault.json_path), fault.message) for fault in schema_faults(validator, declared)]
        if not faults and declared["kind"] != path.parent.name:
            faults = [(("kind",), f"got {declared['kind']}, expected its folder's name, {path.parent.name}")]
        if faults:
            raise _broken(path, lines, *faults[0])
        kind, faults = _kind(declared, path.parent)
        for layer in ("bronze", "silver"):
            if (table := f"{layer}.{declared.get(layer)}") in tables:
                faults.append(((layer,), f"{table} is {tables[table]}'s"))
            tables |= {table: kind.name} if layer in declared else {}
        others = [other.name for other in kinds.values() if other.is_default and kind.is_default]
        faults += [(("default",), f"the default is {other}") for other in others]
        if faults:
            raise _broken(path, lines, *faults[0])
        kinds[kind.name] = kind
        places[kind.name] = (path, lines)
    for name, (path, keys) in places.items():
        for place, fault in _faults_of_links(kinds[name], kinds, folder):
            raise _broken(path, keys, place, fault)
    if not kinds:
        raise CommandUsageError(
            f"{folder}: holds no declaration; nothing was read", next_command="git status contracts"
        )
    return _linked_first(dict(sorted(kinds.items(), key=lambda each: (not each[1].is_landed, not each[1].is_default))))


def landed_kind(kinds: Mapping[str, Kind], name: str | None) -> Kind:
    """The kind of that name; where none is named, the only one that is landed, or the default one.

    Raises CommandUsageError where there is none, or none that lands.
    """
    landed = [kind for kind in kinds.values() if kind.is_landed]
    if name is None:
        found = landed if len(landed) == 1 else [kind for kind in landed if kind.is_default]
    else:
        found = [kind for kind in landed if kind.name == name]
    if not found:
        got = "none" if name is None else f"{name}, which is not landed yet" if name in kinds else repr(name)
        raise CommandUsageError(
            f"KIND: got {got}, expected one of {', '.join(kind.name for kind in landed)}; nothing was started",
            next_command="loader kind list",
        )
    return found[0]


def kind_option(contracts: Path, record_kind: str | None) -> str:
    """What a make command about a file of a kind's records has to say; nothing for the default kind, which is meant
    without it, and where no kind is known."""
    if not record_kind:
        return ""
    path = contracts / KINDS_FOLDER / record_kind / _DECLARATION
    is_default = path.is_file() and _read(path)[0].get("default", False)
    return "" if is_default else f" KIND={record_kind}"


def _read(path: Path) -> tuple[Any, dict[tuple[str, ...], int]]:
    """What a declaration says, and on which line (from 1) each of its keys stands."""
    try:
        text = path.read_text("utf-8")
        lines: dict[tuple[str, ...], int] = {}
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        for place, line in _lines_of(node):
            if place in lines:
                raise _broken(path, {place: line}, place, "stands here for the second time")
            lines[place] = line
        return None if node is None else loader.construct_document(node), lines
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandUsageError(
            f"{path}: {' '.join(str(error).split())}; nothing was read", next_command="git status contracts"
        ) from error


def _lines_of(node: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*place, str(key.value))
            yield here, key.start_mark.line + 1
            yield from _lines_of(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines_of(value, (*place, str(number)))


def _kind(declared: Mapping[str, Any], folder: Path) -> tuple[Kind, list[_Fault]]:
    landing, faults = _landing(declared, folder) if "bronze" in declared else (None, [])
    kind = Kind(
        declared["kind"],
        declared["title"],
        declared["modality"],
        declared["framing"],
        tuple(declared["source_types"]),
        tuple(declared["asset_types"]),
        landing,
        declared.get("rules"),
        declared.get("default", False),
    )
    return kind, faults


def _landing(declared: Mapping[str, Any], folder: Path) -> tuple[Landing, list[_Fault]]:
    _, schema = read_contract_file(folder / _SCHEMA)
    properties, required = schema.get("properties", {}), set(schema.get("required", ()))
    unruled = [name for name in properties if name not in declared["fields"]]
    unknown = [name for name in declared["fields"] if name not in properties]
    faults: list[_Fault] = [(("fields",), f"{name}: a field of {_SCHEMA} without an entry") for name in unruled]
    faults += [(("fields", name), f"{name}: no field of {_SCHEMA}") for name in unknown]
    links = tuple(
        Link(each["field"], each["kind"], each["missing"] == "wait") for each in declared.get("linked_to", ())
    )
    named = {declared["roles"][role] for role in ("key", "source") if role in declared["roles"]}
    named |= {link.field for link in links}
    fields = tuple(
        _field(name, entry, properties[name], is_required=name in required, is_name=name in named)
        for name, entry in declared["fields"].items()
        if name in properties
    )
    roles = Roles(**{**declared["roles"], "version": tuple(declared["roles"]["version"])})
    envelope = tuple(declared.get("envelope", ()))
    faults += [*_contradictions(fields, roles, envelope), *_faults_of_linking_fields(links, fields, envelope)]
    if (rules := declared.get("rules")) is not None and not _has_rules(f"{__package__}.{rules}"):
        faults.append(
            (("rules",), f"loader/kinds/{rules}.py is not there, or holds no rules (loader/contract/rules.py)")
        )
    dimensions = tuple(declared.get("dimensions", ()))
    derived = {name: Derived(**entry) for name, entry in declared.get("derived", {}).items()}
    taken = {field.column for field in fields}
    faults += [(("derived", name), f"{name} is the column of a field") for name in derived if name in taken]
    says_itself = any(properties.get(name, {}).get("const") == declared["kind"] for name in required - {*envelope})
    domain = "" if says_itself else declared["kind"]
    landing = Landing(
        declared["bronze"], declared["silver"], dimensions, roles, envelope, fields, domain, derived, links
    )
    return landing, faults


def _has_rules(module: str) -> bool:
    return find_spec(module) is not None and hasattr(import_module(module), "is_refused")


def _field(
    name: str, entry: Mapping[str, Any], schema: Mapping[str, Any], *, is_required: bool, is_name: bool
) -> Field:
    """`is_name`: it names a record, its own or a linked one, or a system, by a text or an integer; an integer's text is
    what it is then."""
    return Field(
        name,
        "text" if is_name and _json_types(schema) == ["integer"] else _type(schema),
        is_required and "null" not in schema.get("type", ()),
        tuple(schema["enum"]) if "enum" in schema else None,
        entry["level"],
        entry.get("silver"),
        entry.get("serve", False),
        entry.get("show", False),
        entry.get("drift") == "mix",
        str(schema.get("description", "")),
    )


def _type(schema: Mapping[str, Any]) -> FieldType:
    """How Silver types what the schema lets in; null is always let in."""
    match _json_types(schema):
        case ["string"]:
            return _TYPE_OF_FORMAT.get(str(schema.get("format")), "text")
        case ["boolean"]:
            return "boolean"
        case ["integer"] | ["number"] | ["integer", "number"]:
            return "number"
        case _:
            return "json"


def _json_types(schema: Mapping[str, Any]) -> list[str]:
    """What a value may be beside null, sorted."""
    named = schema.get("type", ())
    return sorted(({named} if isinstance(named, str) else set(named)) - {"null"})


def _contradictions(fields: tuple[Field, ...], roles: Roles, envelope: tuple[str, ...]) -> Iterator[_Fault]:
    by_name = {field.name: field for field in fields}

    def expected(role: str, name: str | None, *wanted: FieldType, is_required: bool) -> Iterator[_Fault]:
        field = by_name.get(name or "")
        if name is not None and (field is None or field.type not in wanted or (is_required and not field.is_required)):
            what = f"{'a required' if is_required else 'a'} field of type {' or '.join(wanted)}"
            yield ("roles", role), f"got {name}, expected {what} of {_SCHEMA}"

    yield from expected("key", roles.key, "text", is_required=True)
    yield from expected("source", roles.source, "text", is_required=True)
    yield from expected("person", roles.person, "text", is_required=False)
    yield from expected("partition", roles.partition, "instant", "date", is_required=True)
    for name in roles.version:
        yield from expected("version", name, "instant", "date", is_required=name == roles.version[-1])
    if len(roles.version) > 1 and roles.version[1:] != (roles.partition,):
        yield ("roles", "version"), f"expected one field, and after it {roles.partition} where a record may lack it"
    person = by_name.get(roles.person or "")
    if person is not None and person.level not in ("pseudonymous", "personal"):
        yield ("fields", person.name), f"{person.name} stands for a person: its level is {person.level}"
    for name in envelope:
        if name not in by_name:
            yield ("envelope",), f"{name}: no field of {_SCHEMA}"
        elif name in (roles.key, roles.source, roles.person, roles.partition, *roles.version):
            yield ("envelope",), f"{name} has a role: it is of the record"
        elif by_name[name].column is not None and by_name[name].type != "text":
            yield ("envelope",), f"{name} is of type {by_name[name].type}: of a delivery, Silver holds texts alone"
    for role in ("key", "source", "person", "partition"):
        field = by_name.get(getattr(roles, role) or "")
        if field is not None and field.column is None:
            yield ("roles", role), f"{field.name} stays in Bronze: Silver shows what has a role"
    columns: dict[str, str] = {}
    for field in fields:
        if field.column is not None and columns.setdefault(field.column, field.name) != field.name:
            yield ("fields", field.name), f"{field.column} is the column of {columns[field.column]}"
        if field.says_of_persons and (field.column is not None or field.may_be_shown):
            yield ("fields", field.name), f"{field.name} is {field.level}: it stays in Bronze, and no report shows it"
        if field.level == "pseudonymous" and field.may_be_shown:
            yield ("fields", field.name), f"{field.name} is {field.level}: no report shows it"
        if field.may_be_served and field.column is None:
            yield ("fields", field.name), f"{field.name} stays in Bronze: readers cannot be served it"
        if field.is_mix_watched and field.values is None:
            yield ("fields", field.name), f"{field.name} has no closed list in {_SCHEMA}: it has no mix"


def _faults_of_linking_fields(
    links: tuple[Link, ...], fields: tuple[Field, ...], envelope: tuple[str, ...]
) -> Iterator[_Fault]:
    by_name = {field.name: field for field in fields}
    seen: set[str] = set()
    for number, link in enumerate(links):
        place, field = ("linked_to", str(number), "field"), by_name.get(link.field)
        if field is None:
            yield place, f"{link.field}: no field of {_SCHEMA}"
        elif field.name in envelope:
            yield place, f"{field.name} is of the delivery, not of the record"
        elif field.column is None:
            yield place, f"{field.name} stays in Bronze: what a record names is looked up in Silver"
        elif field.name in seen:
            yield place, f"{field.name} names a record of one kind, and stands here for the second time"
        seen.add(link.field)


def _faults_of_links(kind: Kind, kinds: Mapping[str, Kind], folder: Path) -> Iterator[_Fault]:
    """What a kind's links say of others: each lands, is named as its key is typed, and waits for this one nowhere."""
    for number, link in enumerate(_links(kind)):
        place, linked = ("linked_to", str(number)), kinds.get(link.kind)
        if linked is None or linked.landing is None:
            landed = ", ".join(each.name for each in kinds.values() if each.is_landed)
            yield (*place, "kind"), f"got {link.kind}, expected a kind that lands: {landed}"
            continue
        key = linked.landing.roles.key
        wanted, got = _type_of(folder, linked.name, key), _type_of(folder, kind.name, link.field)
        if got != wanted:
            yield (*place, "field"), f"{link.field} is {got}; {key} of {link.kind}, which it holds, is {wanted}"
        # All records of one kind come in one ingest: it may wait for itself.
        if link.is_awaited and link.kind != kind.name and kind.name in _awaited(link.kind, kinds):
            what = f"{kind.name} waits for {link.kind}, which waits for {kind.name}"
            yield (*place, "missing"), f"{what}: no order of ingests would release both at once"


def _type_of(folder: Path, kind: str, field: str) -> str:
    _, schema = read_contract_file(folder / kind / _SCHEMA)
    return type_in_words(schema, field)


def type_in_words(schema: Mapping[str, Any], field: str) -> str:
    """What a field's values are, as people read it: `string`, or `string (date)`."""
    declared = schema["properties"][field]
    types = " or ".join(_json_types(declared)) or "of any type"
    return f"{types} ({declared['format']})" if declared.get("format") in _TYPE_OF_FORMAT else types


def _links(kind: Kind | None) -> tuple[Link, ...]:
    return () if kind is None or kind.landing is None else kind.landing.links


def _awaited(name: str, kinds: Mapping[str, Kind]) -> set[str]:
    """The kinds that records of a kind wait for, and that these wait for, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        here = {link.kind for link in _links(kinds.get(waiting.pop())) if link.is_awaited} - found
        found |= here
        waiting.extend(here)
    return found


def _linked_first(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """In their order, each after those that it is linked to, so that these are there when it is proved."""
    begun: set[str] = set()
    ordered: dict[str, Kind] = {}

    def add(name: str) -> None:
        if name not in begun:
            begun.add(name)
            for link in _links(kinds[name]):
                add(link.kind)
            ordered[name] = kinds[name]

    for name in kinds:
        add(name)
    return ordered


def _keys(json_path: str) -> tuple[str, ...]:
    """`$.linked_to[0].field` as keys, up to the first one that needs quotes."""
    plain = re.match(r"\$((?:\.[^.\[]+|\[\d+\])*)", json_path)
    return tuple(re.findall(r"[^.\[\]]+", plain[1])) if plain else ()


def _broken(path: Path, lines: Mapping[tuple[str, ...], int], place: tuple[str, ...], fault: str) -> CommandUsageError:
    """The place of a key; for one that is absent, the line of what should hold it."""
    where = f"{'.'.join(place)}: " if place else ""
    known = next((place[:depth] for depth in range(len(place), 0, -1) if place[:depth] in lines), ())
    return CommandUsageError(
        f"{path}:{lines.get(known, 1)}: {where}{fault}; nothing was read",
        next_command="git status contracts",
    )
