"""What dbt does and nobody needs (what it cost: docs/decisions/0005): lines of events that are below the level of its
logs, each searched for secrets; the manifest, which parsing has written already; and the source of every function on
the stack, read to name the one that asks."""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any


def be_thrifty() -> None:
    """From now on, in this process, dbt leaves these out. Log, console, results and events are as they were."""
    runnable: Any = import_module("dbt.task.runnable")
    logger: Any = import_module("dbt_common.events.logger")
    flags: Any = import_module("dbt_common.behavior_flags")
    write_line = logger._Logger.write_line

    def write_line_that_is_kept(self: Any, message: Any) -> None:
        level = logging.getLevelNamesMapping().get(message.info.level.upper(), logging.CRITICAL)
        # What a project prints is shown whatever its level.
        if self._python_logger is None or self._python_logger.isEnabledFor(level) or logger._is_print_event(message):
            write_line(self, message)

    def asking_module() -> str:
        """Who makes a behaviour flag: of the frames, the first of another module."""
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] == flags.__name__ and frame.f_back is not None:
            frame = frame.f_back
        return str(frame.f_globals["__name__"])

    logger._Logger.write_line = write_line_that_is_kept
    runnable.write_manifest = lambda manifest, target_path: None
    flags.BehaviorFlagRendered._default_source = staticmethod(asking_module)
