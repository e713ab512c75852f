"""The one door to the declarations: read, compared with their schemas, and refused with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from loader.contract import load_schema, schema_faults
from loader.errors import CommandUsageError
from loader.kinds.contradictions import (
    SCHEMA_FILE,
    Contradiction,
    faults_of_links,
    links_of,
)
from loader.kinds.declaration import (
    Kind,
)
from loader.kinds.landing import landing_of

KINDS_FOLDER = "kinds"
_DECLARATION = "kind.yml"
_SCHEMA_OF_KINDS = "kind_v1.schema.json"
# By libyaml where PyYAML has it: every command reads every declaration.
_YamlLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def schema_file(contracts: Path, kind: str) -> Path:
    """The schema of a kind's records."""
    return contracts / KINDS_FOLDER / kind / SCHEMA_FILE


def load_kinds(contracts: Path) -> Mapping[str, Kind]:
    """Every kind of a contracts folder, by name: landed ones first, of these the default one, then by name; but a kind
    that another one is linked to comes before it, unless they are linked to each other.

    Raises CommandUsageError, with the file and line, where a declaration breaks its schema, contradicts the schema of
    its records or another declaration, or says what another one says.

    A command asks more than ten times: what this process has understood is read again, and understood again only where
    a byte of it has changed.
    """
    folder = contracts / KINDS_FOLDER
    files = (
        folder / _SCHEMA_OF_KINDS,
        *sorted(folder.glob(f"*/{_DECLARATION}")),
        *sorted(folder.glob(f"*/{SCHEMA_FILE}")),
    )
    return _understood(folder, tuple((path, path.read_bytes() if path.is_file() else None) for path in files))


@lru_cache(maxsize=4)
def _understood(folder: Path, _content: tuple[tuple[Path, bytes | None], ...]) -> Mapping[str, Kind]:
    """The kinds of a folder whose files have that content."""
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
        for place, fault in faults_of_links(kinds[name], kinds, folder):
            raise _broken(path, keys, place, fault)
    if not kinds:
        raise CommandUsageError(
            f"{folder}: holds no declaration; nothing was read", next_command="git status contracts"
        )
    ordered = sorted(kinds.items(), key=lambda each: (not each[1].is_landed, not each[1].is_default))
    return MappingProxyType(_linked_first(dict(ordered)))


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
        loader = _YamlLoader(text)
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


def _kind(declared: Mapping[str, Any], folder: Path) -> tuple[Kind, list[Contradiction]]:
    landing, faults = landing_of(declared, folder) if "bronze" in declared else (None, [])
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


def _linked_first(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """In their order, each after those that it is linked to, so that these are there when it is proved."""
    begun: set[str] = set()
    ordered: dict[str, Kind] = {}

    def add(name: str) -> None:
        if name not in begun:
            begun.add(name)
            for link in links_of(kinds[name]):
                for linked in link.kinds:
                    add(linked)
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
