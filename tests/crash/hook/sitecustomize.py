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

_COMMAND = int(os.environ.setdefault("CRASH_COMMAND", str(os.getpid())))


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
        if calls == nth and when == "before":
            _die()
        answer = function(*arguments, **options)
        if calls == nth:
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


if "CRASH_AT" in os.environ:
    _module, _name, _when, _nth = os.environ["CRASH_AT"].split(":")
    sys.meta_path.insert(0, _Finder(_module, functools.partial(_arm, name=_name, when=_when, nth=int(_nth))))
if "CRASH_WORKERS" in os.environ:
    sys.meta_path.insert(0, _Finder("loader.ingest.execution", lambda module: setattr(module, "_WORTH_A_PROCESS", 0)))
