"""Commands in a fork of this process, which knows what dbt sends in each of their builds: side by side, or killed."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

_HOOK = Path(__file__).parent / "hook" / "sitecustomize.py"


def forked(command: Callable[[], int], *, dies_at: str | None = None) -> int:
    """Begin it; returns the process. It ends with the exit code that the command returns, unless it kills itself at a
    point (points.py)."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        if dies_at is not None:
            module, name, when, nth = dies_at.split(":")
            runpy.run_path(str(_HOOK))["_arm"](import_module(module), name, when, int(nth))
        code = command()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(process: int) -> int:
    """Wait for it; returns its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed(command: Callable[[], int], point: str) -> None:
    """Run a command that kills itself at a point."""
    code = ended(forked(command, dies_at=point))
    assert code == -signal.SIGKILL, (point, code)
