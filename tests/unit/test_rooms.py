"""The rooms of the loader: docs/architecture.md says which is above which, and the imports agree.

A room is a package or a module of `loader`. Imports for types and imports inside functions count, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.checkouts import ROOT

PAGE = ROOT / "docs" / "architecture.md"
# Doors beside a package's `__init__`, and what keeps each out of it.
DOORS = {
    "loader.ingest.execution": "imports Arrow and dlt: a tenth of a second, for which `loader status` does not wait",
    "loader.ingest.dry_run": "the same",
}


class Import(NamedTuple):
    """A name that a file takes from a module of another room."""

    place: str
    room: str
    module: str
    name: str

    @property
    def of_room(self) -> str:
        return self.module.split(".")[1]


def imports_of(place: str, source: str) -> Iterator[Import]:
    """What a file of the loader takes from other rooms; `place`: its path in the checkout."""
    package = ".".join(Path(place).parent.parts)
    room = Path(place).with_suffix("").parts[1]
    for node in ast.walk(ast.parse(source)):
        taken: list[tuple[str, str]] = []
        if isinstance(node, ast.Import):
            taken = [(each.name, "") for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            taken = [(module, each.name) for each in node.names]
            if module == "loader":
                taken = [(f"loader.{each.name}", "") for each in node.names]
        for module, name in taken:
            if module.startswith("loader.") and module.split(".")[1] in rooms() - {room}:
                yield Import(f"{place}:{node.lineno}", room, module, name)


@cache
def imports() -> tuple[Import, ...]:
    found: list[Import] = []
    for path in sorted((ROOT / "loader").rglob("*.py")):
        if path != ROOT / "loader" / "__init__.py":
            found += imports_of(path.relative_to(ROOT).as_posix(), path.read_text())
    return tuple(found)


@cache
def rooms() -> frozenset[str]:
    modules = {path.stem for path in (ROOT / "loader").glob("*.py")} - {"__init__"}
    return frozenset(modules | {path.parent.name for path in (ROOT / "loader").glob("*/__init__.py")})


def layers() -> dict[str, int]:
    """The layer of each room as the page lists them, the lowest first."""
    section = PAGE.read_text().split("\n## Layers\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\d+\. (.+)$", section, re.MULTILINE)
    return {room: layer for layer, line in enumerate(lines, 1) for room in re.findall(r"`(\w+)`", line)}


def upward(found: Iterator[Import] | tuple[Import, ...]) -> list[str]:
    """Imports of a room that is not below, in words."""
    of = layers()
    return [
        f"{each.place}: {each.room} (layer {of[each.room]}) imports {each.of_room} (layer {of[each.of_room]})"
        for each in found
        if of[each.of_room] >= of[each.room]
    ]


@cache
def names_at_door(room: str) -> frozenset[str]:
    """`__all__` of a package's `__init__`."""
    for node in ast.parse((ROOT / "loader" / room / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def past_a_door(found: Iterator[Import] | tuple[Import, ...]) -> list[str]:
    """Imports from a package that do not come by its door, in words."""
    return [
        f"{each.place}: {each.module} import {each.name}"
        for each in found
        if (ROOT / "loader" / each.of_room).is_dir()
        and each.module not in DOORS
        and (each.module.count(".") > 1 or each.name not in names_at_door(each.of_room))
    ]


def test_a_room_imports_rooms_of_lower_layers_only() -> None:
    """Prevents a circle between rooms, and a picture of them that is not the code's."""
    assert upward(imports()) == []


def test_what_another_package_needs_is_taken_from_its_door() -> None:
    """A name that a package gives away stands in the `__all__` of its `__init__`, or in a door of DOORS: prevents that
    the inside of a room cannot change without the others."""
    assert past_a_door(imports()) == []


def test_what_stands_at_a_door_is_taken_by_somebody() -> None:
    """Prevents a name that nobody needs any more, and that nobody dares to change."""
    taken = {(each.of_room, each.name) for each in imports()}
    for folder in ("bench", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("loader."):
                    taken |= {(node.module.split(".")[1], each.name) for each in node.names}
    packages = {room for room in rooms() if (ROOT / "loader" / room).is_dir()} - {"cli"}
    left = {f"{room}: {name}" for room in packages for name in names_at_door(room) if (room, name) not in taken}
    assert sorted(left) == []


def test_every_room_has_one_layer_and_stands_in_the_table() -> None:
    """Prevents a room that nobody finds."""
    page = PAGE.read_text()
    section = page.split("\n## Layers\n")[1].split("\n## ")[0]
    listed = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\d+\. .+$", section, re.MULTILINE)))
    assert sorted(listed) == sorted(rooms())
    described = re.findall(r"`loader/(\w+)(?:\.py)?`", "\n".join(re.findall(r"^\|([^|]+)\|", page, re.MULTILINE)))
    assert sorted(described) == sorted(rooms())


def test_every_further_door_is_used() -> None:
    """Prevents an exception that nothing needs any more."""
    assert DOORS.keys() <= {each.module for each in imports()}


@pytest.mark.parametrize(
    "source",
    [
        "from loader.recovery import World",
        "import loader.recovery.world",
        "from loader import recovery",
        "from ..recovery import World",
        "if TYPE_CHECKING:\n    from loader.recovery import World",
        "def late() -> None:\n    from loader.recovery import World",
    ],
)
def test_an_import_of_a_higher_room_is_seen_wherever_it_stands(source: str) -> None:
    """Prevents a circle that is hidden from Python, by types or by functions."""
    (fault,) = upward(imports_of("loader/evidence/run_facts.py", source))
    line = source.count("\n") + 1
    assert re.sub(r"\d+\)", ")", fault) == (
        f"loader/evidence/run_facts.py:{line}: evidence (layer ) imports recovery (layer )"
    )


@pytest.mark.parametrize(
    "source",
    ["from loader.release.by_hand import hold", "from loader.release import changes", "import loader.release.acts"],
)
def test_an_import_past_a_door_is_seen(source: str) -> None:
    """Prevents a rule that no import breaks."""
    assert len(past_a_door(imports_of("loader/ingest/run.py", source))) == 1
