"""A kind of one's own, from a JSON Schema: everything that a declared kind consists of, written as files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.contract import CODE_OF_FORMAT, PARSER_OF_FORMAT, TimestampError, fault_of_schema, read_contract_file
from loader.errors import CommandUsageError
from loader.kinds.check import check_kinds
from loader.kinds.columns import OF_EVERY_KIND
from loader.kinds.declaration import Link
from loader.kinds.generate import generated_files
from loader.kinds.model import SERVING_FOLDER, SILVER_FOLDER, silver_model
from loader.kinds.read import KINDS_FOLDER, load_kinds, schema_file, type_in_words
from loader.kinds.sample import NoSampleError, sample, type_of

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# Texts of at most so many characters are taken for codes and names of things, longer ones for somebody's words.
_CODE_CHARACTERS = 64
# Columns of tables and of rows beside the model's own.
_OF_TABLES = ("ctid", "data_release_id", "end_release_id", "first_release_id", "record_kind", "row_digest", "tableoid")
# Words that PostgreSQL keeps for itself: those that its manual, appendix C, calls reserved.
_RESERVED_WORDS = Path(__file__).with_name("reserved_words.txt")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for. `key`, `partition`, `version`, `person`, `source`: names of fields of the schema, as are those
    of `links`."""

    name: str
    schema: Path
    silver: str
    key: str
    partition: str
    version: str | None = None
    person: str | None = None
    source: str | None = None
    links: tuple[Link, ...] = ()


def write_kind(root: Path, wish: Wish) -> list[Path]:
    """Write a kind's folder, its models of Silver and serving, and the generated files anew; the files, by their path
    from `root`.

    Raises CommandUsageError, with nothing left behind, where the name is taken or the schema cannot be served, with
    what to change in it.
    """
    _, schema = read_contract_file(wish.schema)
    if (broken := fault_of_schema(schema)) is not None:
        raise _refused(wish, f"{broken.json_path}: {broken.message}, by JSON Schema 2020-12")
    wrong = [*_faults_of_names(root, wish), *_faults_of_schema(schema, wish)]
    if wrong := wrong or [*_faults_of_links(root, schema, wish)]:
        raise _refused(wish, "; ".join(wrong[:5]))
    version = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    contract = {**version, "title": wish.name, **schema, **version}
    folder = Path("contracts") / KINDS_FOLDER / wish.name
    try:
        cases = _cases(contract, wish)
    except NoSampleError as error:
        raise _refused(wish, str(error)) from error
    files = {
        folder / "schema.json": _json(contract),
        folder / "kind.yml": _declaration(contract, wish),
        **{folder / "fixtures" / name: _json(case) for name, case in cases.items()},
    }
    before = {path: (root / path).read_text() for path in generated_files(load_kinds(root / "contracts"))}
    written: list[Path] = []
    try:
        _write(root, files, written)
        kinds = load_kinds(root / "contracts")
        landing = kinds[wish.name].landing
        assert landing is not None
        _write(root, {SILVER_FOLDER / f"{landing.silver}.sql": silver_model(wish.name, landing)}, written)
        generated = {path: text for path, text in generated_files(kinds).items() if before.get(path) != text}
        _write(root, {path: text for path, text in generated.items() if path not in before}, written)
        changed = [path for path in generated if path in before]
        for path in changed:
            (root / path).write_text(generated[path])
        _, faults = check_kinds(root, wish.name)
        if faults:
            raise _refused(wish, f"{faults[0].place}: {faults[0].words}")
    except BaseException:
        for path in written:
            (root / path).unlink()
        for made in sorted({parent for path in written for parent in path.parents}, reverse=True):
            if not any((root / made).iterdir()):
                (root / made).rmdir()
        for path, text in before.items():
            (root / path).write_text(text)
        raise
    return [*written, *changed]


def _write(root: Path, files: Mapping[Path, str], written: list[Path]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        with (root / path).open("x", encoding="utf-8") as file:
            file.write(text)
        written.append(path)


def _faults_of_names(root: Path, wish: Wish) -> Iterator[str]:
    for what, name in (("NAME", wish.name), ("--silver", wish.silver)):
        if _NAME.fullmatch(name) is None:
            yield f"{what}: got {name}, expected small letters, digits and _, beginning with a letter"
    if (root / "contracts" / KINDS_FOLDER / wish.name).exists():
        yield f"{wish.name}: is declared already (contracts/kinds/{wish.name})"
    for kind in load_kinds(root / "contracts").values():
        if kind.landing is not None and wish.silver in (kind.landing.silver, *kind.landing.dimensions):
            yield f"--silver: {wish.silver} is {kind.name}'s"
    models = (SILVER_FOLDER / f"{wish.silver}.sql", SERVING_FOLDER / f"serving_{wish.silver}.sql")
    if any((root / model).exists() for model in models):
        yield f"--silver: there is a model {wish.silver} already"


def _faults_of_schema(schema: Any, wish: Wish) -> Iterator[str]:
    """What keeps the schema from being served, with what to change."""
    if not isinstance(schema, dict) or type_of(schema) != "object" or not schema.get("properties"):
        yield 'expected "type": "object" with "properties": a record is an object'
        return
    properties, required = schema["properties"], set(schema.get("required", ()))
    for name in properties:
        if _FIELD.fullmatch(name) is None:
            yield f"{name}: expected letters, digits and _ in the name of a field"
        elif not isinstance(properties[name], dict):
            yield f"{name}: expected an object that says its type"
    asked = {"--key": wish.key, "--partition-by": wish.partition, "--version-by": wish.version}
    asked |= {"--person": wish.person, "--source": wish.source}
    for option, name in asked.items():
        if name is None:
            continue
        if name not in properties:
            yield f"{option}: the schema has no field {name}; it has {', '.join(list(properties)[:8])}"
            continue
        field = properties[name]
        types = ("string", "integer") if option in ("--key", "--source") else ("string",)
        if type_of(field) not in types:
            wanted = " or ".join(f'"{each}"' for each in types)
            yield f'{option}: {name} is {type_of(field) or "of no one type"}: declare it as "type": {wanted}'
        elif option in ("--partition-by", "--version-by") and field.get("format") not in PARSER_OF_FORMAT:
            yield f'{option}: {name} is no instant and no date: declare it with "format": "date-time" or "date"'
        if option in ("--key", "--partition-by", "--source"):
            if name not in required:
                yield f'{option}: {name} may be absent: add it to "required"'
            if "null" in field.get("type", ()) and not isinstance(field.get("type"), str):
                yield f"{option}: {name} may be null: take null out of its type"


def _faults_of_links(root: Path, schema: Mapping[str, Any], wish: Wish) -> Iterator[str]:
    """What keeps a field from naming a record of another kind, with what to change. The schema is one of records."""
    contracts = root / "contracts"
    landed = {kind.name: kind.landing for kind in load_kinds(contracts).values() if kind.landing is not None}
    for number, link in enumerate(wish.links):
        if link.field not in schema["properties"]:
            yield f"--link: the schema has no field {link.field}; it has {', '.join(list(schema['properties'])[:8])}"
            continue
        if link.field in [before.field for before in wish.links[:number]]:
            yield f"--link: {link.field} stands there for the second time; it names a record of one kind"
        if link.kind == wish.name:
            linked, key = schema, wish.key
        elif link.kind in landed:
            _, linked = read_contract_file(schema_file(contracts, link.kind))
            key = landed[link.kind].roles.key
        else:
            yield f"--link: got the kind {link.kind}, expected one that lands: {', '.join([*landed, wish.name])}"
            continue
        got, wanted = type_in_words(schema, link.field), type_in_words(linked, key)
        if got != wanted:
            yield f"--link: {link.field} is {got}; {key} of {link.kind}, which it is to name, is {wanted}"


def _declaration(schema: Mapping[str, Any], wish: Wish) -> str:
    version = [wish.version, wish.partition] if wish.version not in (None, wish.partition) else [wish.partition]
    roles = {"key": wish.key, "source": wish.source, "person": wish.person, "partition": wish.partition}
    told = [f"  {role}: {name}" for role, name in roles.items() if name is not None]
    fields = [f"  {name}: {_entry(name, field, wish)}" for name, field in schema["properties"].items()]
    title = json.dumps(str(schema["title"])[:80], ensure_ascii=False)
    return "\n".join(
        (
            "# What the warehouse has to know of these records besides their schema. Look at the level of each field:",
            "# free_text stays in Bronze. After a change: loader kind generate, then loader kind check.",
            f"kind: {wish.name}",
            f"title: {title}",
            "modality: structured",
            "framing: lines",
            f"source_types: [{wish.silver[:56]}_export]",
            "asset_types: [jsonl, jsonl_gz]",
            f"bronze: raw_{wish.silver[:58]}",
            f"silver: {wish.silver}",
            "roles:",
            *told,
            f"  version: [{', '.join(name for name in version if name)}]",
            *(["linked_to:"] if wish.links else []),
            *(
                f"  - {{field: {link.field}, kind: {link.kind}, missing: {'wait' if link.is_awaited else 'warn'}}}"
                for link in wish.links
            ),
            "# In the order in which Silver's digest of a row takes them: a new field goes to the end.",
            "fields:",
            *fields,
            "",
        )
    )


def _entry(name: str, field: Mapping[str, Any], wish: Wish) -> str:
    named = (wish.key, wish.source, wish.partition, wish.version, *(link.field for link in wish.links))
    if name == wish.person:
        return _line("pseudonymous", _column(name, wish), "Stands for a person.")
    if name in named or not _is_words(field):
        return _line("internal", _column(name, wish), _reason(field))
    return '{level: free_text, reason: "Somebody\'s words, as far as the schema says."}'


def _line(level: str, column: str, reason: str) -> str:
    return f"{{level: {level}, silver: {column}, serve: true, reason: {json.dumps(reason)}}}"


def _column(name: str, wish: Wish) -> str:
    """A field's column in Silver: small letters, no word that PostgreSQL or every model needs."""
    column = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_") or "field"
    column = column if column[0].isalpha() else f"field_{column}"
    taken = OF_EVERY_KIND.union(_OF_TABLES, _RESERVED_WORDS.read_text("utf-8").split())
    return (f"{wish.silver}_{column}" if column in taken else column)[:63]


def _is_words(field: Mapping[str, Any]) -> bool:
    """Whether a value may hold what somebody wrote: a text without a list, a form or a short bound, also inside."""
    match type_of(field):
        case "boolean" | "integer" | "number":
            return False
        case "array":
            return _is_words(field.get("items", {}))
        case "object":
            is_open = field.get("additionalProperties", True) is not False
            return is_open or any(_is_words(inner) for inner in field.get("properties", {}).values())
        case "string":
            bounded = field.get("maxLength", _CODE_CHARACTERS + 1) <= _CODE_CHARACTERS
            return not (bounded or field.keys() & {"enum", "const", "pattern", "format"})
    return not field.keys() & {"enum", "const"}


def _reason(field: Mapping[str, Any]) -> str:
    if field.get("description"):
        return str(field["description"])[:200]
    if "enum" in field or "const" in field:
        return "Closed list."
    return {"boolean": "Yes or no.", "integer": "A number.", "number": "A number."}.get(
        type_of(field) or "", "Its schema bounds its form."
    )


def _cases(schema: Mapping[str, Any], wish: Wish) -> dict[str, dict[str, Any]]:
    """A valid record, and what is wrong of it in a few ways; each by the code that it gets."""
    record = sample(schema)
    properties = schema["properties"]
    day = _day(record[wish.partition], properties[wish.partition], f"$.{wish.partition}")
    without = {name: value for name, value in record.items() if name != wish.key}
    cases = {
        "valid/whole.json": {"about": "Every field.", "partition_key": day, "instance": record},
        f"invalid/missing_required_field.{wish.key}.json": {
            "about": "Without its key.",
            "json_path": f"$.{wish.key}",
            "partition_key": day,
            "instance": without,
        },
        f"invalid/wrong_type.{wish.key}.json": {
            "about": "A key of another type.",
            "json_path": f"$.{wish.key}",
            "instance": {**record, wish.key: 7 if isinstance(record[wish.key], str) else "seven"},
        },
        f"invalid/{CODE_OF_FORMAT[properties[wish.partition]['format']]}.{wish.partition}.json": {
            "about": "No day can be read.",
            "json_path": f"$.{wish.partition}",
            "partition_key": None,
            "instance": {**record, wish.partition: "yesterday"},
        },
        "invalid/malformed_json.cut_off.json": {"about": "Cut off.", "line": json.dumps(record)[:-1]},
    }
    if schema.get("additionalProperties") is False:
        cases["invalid/unknown_field.extra.json"] = {
            "about": "A field more than the schema has.",
            "instance": {**record, "field_that_is_none": 1},
        }
    dated = next((name for name, field in properties.items() if field.get("format") == "date"), None)
    if dated is not None:
        cases[f"invalid/invalid_date.{dated}.no_such_day.json"] = {
            "about": "February has no such day.",
            "json_path": f"$.{dated}",
            "instance": {**record, dated: "2026-02-30"},
        }
    closed = next((name for name, field in properties.items() if "enum" in field), None)
    if closed is not None:
        cases[f"invalid/invalid_enum_value.{closed}.json"] = {
            "about": "Not in the list.",
            "json_path": f"$.{closed}",
            "instance": {**record, closed: "a value that is not in the list"},
        }
    return cases


def _day(value: Any, field: Mapping[str, Any], place: str) -> str:
    """The partition of a record by that value, which a schema's example may be."""
    try:
        return PARSER_OF_FORMAT[field["format"]](str(value)).date().isoformat()
    except TimestampError as error:
        raise NoSampleError(f"{place}: its example is no value of it: {error.message}") from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _refused(wish: Wish, words: str) -> CommandUsageError:
    return CommandUsageError(
        f"{wish.schema}: {words}; nothing was written", next_command="loader kind new --help   # then once more"
    )
