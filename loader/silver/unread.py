"""What dbt writes and nobody reads, a sixth of its own time in a build: the lines of events that are below the level of
its logs, each searched for secrets, and the manifest, which parsing has written already."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any


def write_what_is_read() -> None:
    """From now on, in this process, dbt leaves these out. Log, console and run_results.json are as they were."""
    runnable: Any = import_module("dbt.task.runnable")
    logger: Any = import_module("dbt_common.events.logger")
    write_line = logger._Logger.write_line

    def write_line_that_is_kept(self: Any, message: Any) -> None:
        level = logging.getLevelNamesMapping().get(message.info.level.upper(), logging.CRITICAL)
        # What a project prints is shown whatever its level.
        if self._python_logger is None or self._python_logger.isEnabledFor(level) or logger._is_print_event(message):
            write_line(self, message)

    logger._Logger.write_line = write_line_that_is_kept
    runnable.write_manifest = lambda manifest, target_path: None
