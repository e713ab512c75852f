"""Where the loader says what to type next: read from its source, so that no site is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.checkouts import ROOT

# In a text that is put together: what stands there is known when it is said.
FILLED = "\0"
_SAYS = re.compile(r"(?:^|&& |\s)(?:make|loader) [a-z]")


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A place that raises an error for an operator: `module:function`, the error's class (or what makes it), line."""

    place: str
    error: str
    line: int

    def __str__(self) -> str:
        return f"{self.place} (line {self.line}): {self.error}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text that names a command of ours; FILLED where a value is put in."""

    place: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.place} (line {self.line}): {self.text.replace(FILLED, '{}')}"


@cache
def error_classes() -> dict[str, str]:
    """Every LoaderError by name, and the module that defines it."""
    bases = {"LoaderError": "loader.errors"}
    found = dict(bases)
    while True:
        for module, tree in _modules():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef) and {_last(base) for base in node.bases} & found.keys():
                    found.setdefault(node.name, module)
        if len(found) == len(bases):
            return found
        bases = dict(found)


@cache
def error_sites() -> tuple[Site, ...]:
    """Each place where a LoaderError is made, and each that gives `next_command=` to anything else."""
    found = []
    for module, tree in _modules():
        for function, node in _calls(tree):
            name = _last(node.func)
            if name in error_classes() or any(keyword.arg == "next_command" for keyword in node.keywords):
                found.append(Site(f"{module}:{function}", name, node.lineno))
    return tuple(sorted(found))


@cache
def texts() -> tuple[Text, ...]:
    """Each text in the source that names a command of `make` or `loader`; docstrings are none."""
    found = []
    for module, tree in _modules():
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
            id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        }
        for node in ast.walk(tree):
            if id(node) in docs or id(node) in inner:
                continue
            text = _text(node)
            if text is not None and _SAYS.search(text):
                found.append(Text(module, node.lineno, text))
    return tuple(found)


def _text(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else FILLED for part in node.values)
    return None


@cache
def _modules() -> tuple[tuple[str, ast.Module], ...]:
    files = sorted((ROOT / "loader").rglob("*.py"))
    return tuple(
        (".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), ast.parse(file.read_text()))
        for file in files
    )


def _calls(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Each call, and the function around it by its name, classes before it: `Class.method`."""
    for node in ast.iter_child_nodes(tree):
        inside = function
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inside = f"{function}.{node.name}" if function else node.name
        elif isinstance(node, ast.Call):
            yield function, node
        yield from _calls(node, inside)


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
