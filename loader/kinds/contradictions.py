"""What keeps a declaration from being one: it contradicts the schema of its records, itself, or another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from loader.contract import read_contract_file
from loader.facts import FACT_FIELDS, MEDIA_TYPES, FactValue
from loader.kinds.composed import BYTES, BYTES_FIELDS, DECLARED, FACTS, LINE, METADATA, PLACE
from loader.kinds.declaration import Field, FieldType, Kind, Landing, Link, Roles, type_in_words

SCHEMA_FILE = "schema.json"
# What a schema may call what is read, the plainest first.
_TYPES_OF_FACTS: Mapping[type[FactValue], Sequence[str]] = {
    str: ("string",),
    int: ("integer", "number"),
    Decimal: ("number", "integer or number"),
}
# A fault: where in the declaration, as keys from the top, and what is wrong there.
Contradiction = tuple[tuple[str, ...], str]


def contradictions(fields: tuple[Field, ...], roles: Roles, envelope: tuple[str, ...]) -> Iterator[Contradiction]:
    by_name = {field.name: field for field in fields}

    def expected(role: str, name: str | None, *wanted: FieldType, is_required: bool) -> Iterator[Contradiction]:
        field = by_name.get(name or "")
        if name is not None and (field is None or field.type not in wanted or (is_required and not field.is_required)):
            what = f"{'a required' if is_required else 'a'} field of type {' or '.join(wanted)}"
            yield ("roles", role), f"got {name}, expected {what} of {SCHEMA_FILE}"

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
            yield ("envelope",), f"{name}: no field of {SCHEMA_FILE}"
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
            yield ("fields", field.name), f"{field.name} has no closed list in {SCHEMA_FILE}: it has no mix"


def faults_of_framing(framing: str, asset_types: Sequence[str], landing: Landing) -> Iterator[Contradiction]:
    """A kind of files names what reads their facts, a kind of lines does not. A file belongs to the persons of the
    records that it names: its manifest, which is kept for good, says nothing of persons, and there is no envelope."""
    if (framing == "file") != (landing.facts is not None):
        expected = f"one of {', '.join(FACT_FIELDS)}: an asset is the record" if framing == "file" else "none"
        yield ("framing",), f"{framing}: got facts {landing.facts}, expected {expected}"
        return
    if framing == "lines":
        whole = {each for known in MEDIA_TYPES.values() for each in known}
        if records := [each for each in asset_types if each in whole]:
            yield ("asset_types",), f"got {', '.join(records)}: such a file is one record, and holds no lines"
        for number, link in enumerate(landing.links):
            if link.is_erased_with and (landing.whole is None or link.field != landing.whole.field):
                place = ("linked_to", str(number), "erased_with_it")
                yield place, "of whole files only: a line is its own person's, and its file has lines of others"
        yield from _faults_of_whole(landing)
        return
    if landing.facts is None or landing.facts not in FACT_FIELDS:
        yield ("facts",), f"got {landing.facts}, expected one of {', '.join(FACT_FIELDS)}"
    elif unread := [each for each in asset_types if each not in MEDIA_TYPES[landing.facts]]:
        known = ", ".join(MEDIA_TYPES[landing.facts])
        yield ("asset_types",), f"got {', '.join(unread)}: {landing.facts} reads facts of {known}"
    of_lines = "of kinds of lines only: the record of a file is what is declared of it, and its facts"
    if landing.roles.person is not None:
        yield ("roles", "person"), of_lines
    if landing.envelope:
        yield ("envelope",), of_lines
    said_by = {each.name: each.origin for each in landing.fields}
    for each in landing.fields:
        if each.origin not in (FACTS, BYTES) and each.level not in ("public", "internal"):
            yield ("fields", each.name), f"{each.name} is {each.level}: a manifest says it, which is kept for good"
    for number, link in enumerate(landing.links):
        if said_by.get(link.field, METADATA) != METADATA:
            yield ("linked_to", str(number), "field"), f"{link.field} is not what the metadata of an entry say"


def faults_of_facts(reader: str | None, schema: Mapping[str, Any]) -> Iterator[Contradiction]:
    """A field that is read from the bytes lets in what is read: else no record of the kind would ever land."""
    read = {} if reader is None else {**FACT_FIELDS.get(reader, {}), **BYTES_FIELDS}
    for name in read.keys() & schema.get("properties", {}).keys():
        got, expected = type_in_words(schema, name), _TYPES_OF_FACTS[read[name]]
        if got not in expected:
            yield ("fields", name), f"{name} is {got}; what is read of it is {expected[0]}"


def _faults_of_whole(landing: Landing) -> Iterator[Contradiction]:
    """Where an asset is whole, all of its records have what it is whole for, one source, one day and its bytes: so an
    event is of one asset. A line says nothing of that."""
    if landing.whole is None:
        return
    fields = {each.name: each for each in landing.fields}

    def expected(name: str, *origins: str) -> bool:
        return name in fields and fields[name].is_required and fields[name].origin in origins

    of_all = {landing.whole.field, landing.roles.partition, *landing.roles.version}
    if landing.roles.source is not None:
        of_all.add(landing.roles.source)
    for name in sorted(of_all):
        if not expected(name, *DECLARED):
            yield ("whole", "from_entry"), f"lacks {name}, a required field that is the same in a whole file"
    if "size_bytes" in fields and fields["size_bytes"].origin == BYTES:
        yield ("whole", "from_entry"), "size_bytes is of the file, and no line's"
    for name in ("asset_type", "content_sha256"):
        if not expected(name, *DECLARED, BYTES):
            yield ("whole", "from_entry"), f"lacks {name}, without which an event may be of several files"
    if not expected(landing.whole.number, PLACE) or fields[landing.whole.number].type != "number":
        yield ("whole", "number"), f"got {landing.whole.number}, expected a required number of {SCHEMA_FILE}"
    for name in landing.whole.span:
        if not expected(name, LINE) or fields[name].type != "number" or fields[name].column is None:
            yield ("whole", "span"), f"got {name}, expected a required number of {SCHEMA_FILE} that a line says"
    for other, name in landing.whole.also_named:
        if other in fields:
            yield ("whole", "also_named"), f"{other} is a field of {SCHEMA_FILE}, and no other name of {name}"
        elif name not in fields or fields[name].origin != LINE:
            yield ("whole", "also_named"), f"{other}: got {name}, expected a field of {SCHEMA_FILE} that a line says"
    for each in landing.fields:
        if each.origin in DECLARED and each.level not in ("public", "internal"):
            yield ("fields", each.name), f"{each.name} is {each.level}: a manifest says it, which is kept for good"
    if landing.roles.person is not None and fields[landing.roles.person].origin != LINE:
        yield ("roles", "person"), f"{landing.roles.person}: a manifest says it, which is kept for good"
    if landing.envelope:
        yield ("envelope",), "of other kinds of lines only: what is declared of a whole file is of its records"


def faults_of_linking_fields(
    links: tuple[Link, ...], fields: tuple[Field, ...], envelope: tuple[str, ...]
) -> Iterator[Contradiction]:
    by_name = {field.name: field for field in fields}
    seen: set[str] = set()
    for number, link in enumerate(links):
        place, field = ("linked_to", str(number), "field"), by_name.get(link.field)
        if field is None:
            yield place, f"{link.field}: no field of {SCHEMA_FILE}"
        elif field.name in envelope:
            yield place, f"{field.name} is of the delivery, not of the record"
        elif field.column is None:
            yield place, f"{field.name} stays in Bronze: what a record names is looked up in Silver"
        elif field.name in seen:
            yield place, f"{field.name} names a record of one kind, and stands here for the second time"
        seen.add(link.field)


def faults_of_links(kind: Kind, kinds: Mapping[str, Kind], folder: Path) -> Iterator[Contradiction]:
    """What a kind's links say of others: each lands, is named as its key is typed, and waits for this one nowhere."""
    for number, link in enumerate(links_of(kind)):
        place, got = ("linked_to", str(number)), _type_of(folder, kind.name, link.field)
        for name in link.kinds:
            linked = kinds.get(name)
            if linked is None or linked.landing is None:
                landed = ", ".join(each.name for each in kinds.values() if each.is_landed)
                yield (*place, "kind"), f"got {name}, expected a kind that lands: {landed}"
                continue
            key = linked.landing.roles.key
            if got != (wanted := _type_of(folder, name, key)):
                yield (*place, "field"), f"{link.field} is {got}; {key} of {name}, which it holds, is {wanted}"
            # All records of one kind come in one ingest: it may wait for itself.
            if link.is_awaited and name != kind.name and kind.name in _awaited(name, kinds):
                what = f"{kind.name} waits for {name}, which waits for {kind.name}"
                yield (*place, "missing"), f"{what}: no order of ingests would release both at once"
        if link.is_erased_with and not any(_may_be_erased(name, kinds) for name in link.kinds):
            yield (*place, "erased_with_it"), f"no erasure takes records of {link.named}: they are nobody's"


def _may_be_erased(name: str, kinds: Mapping[str, Kind], *after: str) -> bool:
    """Whether records of a kind are somebody's, or are erased with others that are."""
    kind = kinds.get(name)
    if kind is None or kind.landing is None or name in after:
        return False
    return kind.landing.person is not None or any(
        link.is_erased_with and _may_be_erased(linked, kinds, *after, name)
        for link in kind.landing.links
        for linked in link.kinds
    )


def _type_of(folder: Path, kind: str, field: str) -> str:
    _, schema = read_contract_file(folder / kind / SCHEMA_FILE)
    return type_in_words(schema, field)


def links_of(kind: Kind | None) -> tuple[Link, ...]:
    return () if kind is None or kind.landing is None else kind.landing.links


def _awaited(name: str, kinds: Mapping[str, Kind]) -> set[str]:
    """The kinds that records of a kind wait for, and that these wait for, and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        here = {name for link in links_of(kinds.get(waiting.pop())) if link.is_awaited for name in link.kinds} - found
        found |= here
        waiting.extend(here)
    return found
