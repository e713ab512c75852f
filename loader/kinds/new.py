"""A kind of one's own, from a JSON Schema: everything that a declared kind consists of, written as files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.contract import PARSER_OF_FORMAT, fault_of_schema, read_contract_file
from loader.errors import CommandUsageError
from loader.kinds.cases import NoSampleError, first_cases, type_of
from loader.kinds.check import check_kinds
from loader.kinds.dbt_models import SERVING_FOLDER, SILVER_FOLDER, silver_model
from loader.kinds.declaration import Link, type_in_words
from loader.kinds.generate import generated_files
from loader.kinds.read import KINDS_FOLDER, load_kinds, schema_file
from loader.kinds.suggestion import first_declaration

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


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
        cases = first_cases(contract, wish)
    except NoSampleError as error:
        raise _refused(wish, str(error)) from error
    files = {
        folder / "schema.json": _json(contract),
        folder / "kind.yml": first_declaration(contract, wish),
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
        (name,) = link.kinds
        if name == wish.name:
            linked, key = schema, wish.key
        elif name in landed:
            _, linked = read_contract_file(schema_file(contracts, name))
            key = landed[name].roles.key
        else:
            yield f"--link: got the kind {name}, expected one that lands: {', '.join([*landed, wish.name])}"
            continue
        got, wanted = type_in_words(schema, link.field), type_in_words(linked, key)
        if got != wanted:
            yield f"--link: {link.field} is {got}; {key} of {name}, which it is to name, is {wanted}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _refused(wish: Wish, words: str) -> CommandUsageError:
    return CommandUsageError(
        f"{wish.schema}: {words}; nothing was written", next_command="loader kind new --help   # then once more"
    )
