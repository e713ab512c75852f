"""Kills this process, and the command that it belongs to, at one named place; on PYTHONPATH in crash tests only.

CRASH_AT is `module:qualified.name:before|after:n`: SIGKILL, as the n-th call of that function begins or has returned.
CRASH_WORKERS: files of any size are read by workers.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

# Read once: dbt and dlt run in an environment of their own, in which these names are not.
_CRASH = {name: value for name, value in os.environ.items() if name.startswith("CRASH_")}
_COMMAND = int(_CRASH.setdefault("CRASH_COMMAND", str(os.getpid())))


def _die() -> None:
    os.kill(_COMMAND, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(module: ModuleType, name: str, when: str, nth: int) -> None:
    *owners, last = name.split(".")
    owner: Any = functools.reduce(getattr, owners, module)
    function = getattr(owner, last)
    calls = 0

    @functools.wraps(function)
    def armed(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        # Jobs run side by side: the count may go on before this call returns.
        is_it = calls == nth
        if is_it and when == "before":
            _die()
        answer = function(*arguments, **options)
        if is_it:
            _die()
        return answer

    setattr(owner, last, armed)


class _Finder(importlib.abc.MetaPathFinder):
    """Arms the function as soon as its module is there."""

    def __init__(self, module: str, armed: Callable[[ModuleType], None]) -> None:
        self._module = module
        self._armed = armed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert spec is not None and spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_arm(module: ModuleType) -> None:
            execute(module)
            self._armed(module)

        spec.loader.exec_module = execute_and_arm  # type: ignore[method-assign]
        return spec


def _prepare(module: ModuleType) -> None:
    """What is to happen to a module of the loader once it is there."""
    place, name, when, nth = _CRASH["CRASH_AT"].split(":")
    if module.__name__ == "loader.ingest.execution" and "CRASH_WORKERS" in _CRASH:
        module._WORTH_A_PROCESS = 0  # type: ignore[attr-defined]
    if module.__name__ == "loader.companion":
        _follow(module)
    if module.__name__ == place:
        _arm(module, name, when, int(nth))


def _follow(companion: ModuleType) -> None:
    """Have companions load this hook, too: by themselves they take nothing over."""
    theirs = companion._environment

    def with_hook() -> dict[str, str]:
        environment = theirs()
        path = os.pathsep.join((os.path.dirname(__file__), environment["PYTHONPATH"]))
        return {**environment, **_CRASH, "PYTHONPATH": path}

    companion._environment = with_hook  # type: ignore[attr-defined]


if "CRASH_AT" in _CRASH:
    _modules = {_CRASH["CRASH_AT"].split(":")[0], "loader.companion", "loader.ingest.execution"}
    sys.meta_path[:0] = [_Finder(_module, _prepare) for _module in sorted(_modules)]
