"""How large files and functions of the loader may be: one sitting, one screen, few arguments; an exception is named."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tests.checkouts import ROOT

LONGEST_FILE, LONGEST_FUNCTION, MOST_ARGUMENTS = 250, 60, 6
# What is beyond a limit, as `beyond` names it, and why nobody can split it.
EXCEPTIONS: Mapping[str, str] = {}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(node: ast.AST, outer: str = "") -> Iterator[tuple[str, Function]]:
    """Each with its name, after that of the class or function that it is in."""
    for each in ast.iter_child_nodes(node):
        name = f"{outer}.{each.name}" if isinstance(each, Function | ast.ClassDef) else outer
        if isinstance(each, Function):
            yield name.lstrip("."), each
        yield from functions(each, name)


def argument_count(function: Function) -> int:
    """Without `self`; none for a command, whose arguments are its options."""
    if any(ast.unparse(each).split("(")[0].endswith(".command") for each in function.decorator_list):
        return 0
    given = function.args
    named = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in named if name not in ("self", "cls")])


def beyond(file: str, source: str) -> Iterator[str]:
    """What of a file is too large."""
    if source.count("\n") > LONGEST_FILE:
        yield f"{file}: lines"
    for name, function in functions(ast.parse(source)):
        assert function.end_lineno is not None
        if function.end_lineno - function.lineno + 1 > LONGEST_FUNCTION:
            yield f"{file}: lines of {name}"
        if argument_count(function) > MOST_ARGUMENTS:
            yield f"{file}: arguments of {name}"


def test_everything_is_within_the_limits_or_a_named_exception() -> None:
    """Prevents a file with two subjects, a function that no screen holds, a call of nine values; and an exception that
    nothing needs any more."""
    files = sorted((ROOT / "loader").rglob("*.py"))
    found = {each for file in files for each in beyond(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))}
    assert sorted(found ^ EXCEPTIONS.keys()) == []


def test_every_exception_has_a_reason() -> None:
    assert [name for name, reason in EXCEPTIONS.items() if len(reason.split()) < 4] == []


def test_what_is_too_large_is_seen() -> None:
    """Prevents limits that nothing meets."""
    assert list(beyond("a.py", "x = 1\n" * 250)) == []
    assert list(beyond("a.py", "x = 1\n" * 251)) == ["a.py: lines"]
    method = "class A:\n    def f(self):\n" + "        x = 1\n" * 59
    assert list(beyond("a.py", method)) == []
    assert list(beyond("a.py", method + "        x = 1\n")) == ["a.py: lines of A.f"]
    wide = "def f(a, b, c, *, d, e, f, g): ...\n"
    assert list(beyond("a.py", wide)) == ["a.py: arguments of f"]
    assert list(beyond("a.py", f"@click.command('x')\n{wide}@group.command()\n{wide}")) == []
