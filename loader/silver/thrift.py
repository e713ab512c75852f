"""What dbt does and nobody needs, or does again and again with one outcome (what it cost: docs/decisions/0005).

Each is replaced where dbt looks it up, in this process alone. What dbt builds, writes and answers is as it was, and so
is what it logs.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

# Texts with Jinja in them that one process renders: nodes, hooks, tests and variables of a few projects.
_TEMPLATES = 2000


# Where the code of templates is kept, once somebody has said so (keep_templates_in).
_kept_code: list[Any] = []


def keep_templates_in(folder: Path) -> None:
    """From now on, the code of templates is kept in `folder`, which only its owner may write to: the next process
    compiles none again. Without the folder each process compiles its own."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _kept_code[:] = [import_module("jinja2").FileSystemBytecodeCache(os.fspath(folder))]


def be_thrifty() -> None:
    """From now on, in this process, dbt leaves these out."""
    _make_no_event_that_nobody_hears()
    _write_no_manifest()
    _read_no_source()
    _compile_each_template_once()
    _make_all_macros_at_once()
    _learn_the_words_for_dates_once()
    _keep_the_session_of_a_thread()


def _make_no_event_that_nobody_hears() -> None:
    """Each event is a message of Protocol Buffers, made field by field, with the SQL in it; for who listens, another
    one is made around it; for each log, a line, which is searched for secrets. All this is left out for debugging: no
    log keeps it. A callback has the names of the events that it needs (`hears`), or gets all."""
    base: Any = import_module("dbt_common.events.base_types")
    logger: Any = import_module("dbt_common.events.logger")
    manager: Any = import_module("dbt_common.events.event_manager").EventManager
    make, fire, write_line = base.BaseEvent.__init__, manager.fire_event, logger._Logger.write_line
    number_of = logging.getLevelNamesMapping()

    def keeps(log: Any, level: str, name: str) -> bool:
        number = number_of.get(level.upper(), logging.CRITICAL)
        # What a project prints is shown whatever its level.
        shown = logger.PRINT_EVENT_NAMES
        return log._python_logger is None or log._python_logger.isEnabledFor(number) or name in shown

    def write_line_that_is_kept(self: Any, message: Any) -> None:
        if keeps(self, message.info.level, message.info.name):
            write_line(self, message)

    def fire_if_heard(
        self: Any, e: Any, level: Any = None, node: Any = None, force_warn_or_error_handling: bool = False
    ) -> None:
        name = type(e).__name__
        if (
            force_warn_or_error_handling
            or (level or e.level_tag()) != base.EventLevel.DEBUG
            or any(keeps(log, "debug", name) for log in self.loggers)
            or any(name in getattr(callback, "hears", (name,)) for callback in self.callbacks)
        ):
            fire(self, e, level, node, force_warn_or_error_handling)

    def note(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__dict__["made_of"] = args, kwargs

    class MessageWhenAskedFor:
        """An attribute until the event has its own."""

        def __get__(self, event: Any, owner: type) -> Any:
            args, kwargs = event.made_of
            make(event, *args, **kwargs)
            return event.__dict__["pb_msg"]

    logger._Logger.write_line = write_line_that_is_kept
    manager.fire_event = fire_if_heard
    # Events of other levels are made at once, as before.
    base.DebugLevel.__init__ = note
    base.DebugLevel.pb_msg = MessageWhenAskedFor()
    # dbt's own callback.
    vars(import_module("dbt.tracking").track_behavior_change_warn)["hears"] = {"BehaviorChangeEvent"}


def _write_no_manifest() -> None:
    """Parsing has written it already."""
    runnable: Any = import_module("dbt.task.runnable")
    runnable.write_manifest = lambda manifest, target_path: None


def _read_no_source() -> None:
    """The source of every function on the stack was read, to name the one that asks for a flag."""
    flags: Any = import_module("dbt_common.behavior_flags")

    def asking_module() -> str:
        """Who makes a behaviour flag: of the frames, the first of another module."""
        frame = sys._getframe(1)
        while frame.f_globals["__name__"] == flags.__name__ and frame.f_back is not None:
            frame = frame.f_back
        return str(frame.f_globals["__name__"])

    flags.BehaviorFlagRendered._default_source = staticmethod(asking_module)


def _compile_each_template_once() -> None:
    """A text is the same code in each build and for each node; what its names mean is said when it is rendered. Where
    undefined names are noted for a node (parsing), the code is that node's, and made as before. The code is kept by the
    text and what compiles it; where that cannot be read, or written, it is made."""
    jinja: Any = import_module("dbt_common.clients.jinja")
    make, bucket_of = jinja.get_environment, import_module("jinja2.bccache").Bucket
    compilers = " ".join(f"{name} {version(name)}" for name in ("dbt-common", "dbt-core", "jinja2"))

    @cache
    def environment(native: bool) -> Any:
        made = make(native=native)
        compile_text = made.compile

        @lru_cache(_TEMPLATES)
        def code_of(text: str) -> Any:
            if not _kept_code:
                return compile_text(text)
            kept = _kept_code[0]
            bucket = bucket_of(
                made, kept.get_cache_key(text, f"{compilers} native={native}"), kept.get_source_checksum(text)
            )
            # A file that was cut short is none.
            with suppress(OSError, EOFError, ValueError, UnpicklingError):
                kept.load_bytecode(bucket)
            if bucket.code is None:
                bucket.code = compile_text(text)
                with suppress(OSError):
                    kept.dump_bytecode(bucket)
            return bucket.code

        made.compile = code_of
        return made

    def environment_for(node: Any = None, capture_macros: bool = False, native: bool = False) -> Any:
        return make(node, capture_macros, native) if capture_macros else environment(native)

    jinja.get_environment = environment_for


def _make_all_macros_at_once() -> None:
    """Twice for each node, every macro of every package was made callable by three constructors, and then looked up
    in one package after the other."""
    macros: Any = import_module("dbt.context.macros")
    manifest_context: Any = import_module("dbt.context.manifest").ManifestContext
    callable_macro: Any = import_module("dbt.clients.jinja").MacroGenerator
    base_to_dict = import_module("dbt.context.base").BaseContext.to_dict
    to_dict = manifest_context.to_dict

    def init(self: Any, macro: Any, context: Any = None, node: Any = None, stack: Any = None) -> None:
        self.macro, self.context, self.node, self.stack = macro, context, node, stack

    def build_namespace(self: Any, macros_by_package: Any, ctx: Any) -> Any:
        made: dict[str, Any] = {
            package: {name: callable_macro(macro, ctx, self.node, self.thread_ctx) for name, macro in found.items()}
            for package, found in macros_by_package.items()
        }
        of_dbt: dict[str, Any] = {}
        # The first of dbt's own packages counts.
        for package in reversed(self.internal_package_names_order):
            of_dbt.update(made.pop(package, {}))
        of_node = made.get(self.search_package, {})
        of_root = {} if self.search_package == self.root_package else made.get(self.root_package, {})
        return macros.MacroNamespace(dict(of_root), dict(of_node), of_dbt, made)

    def to_dict_at_once(self: Any) -> Any:
        if not isinstance(self.namespace, macros.MacroNamespace):
            return to_dict(self)
        names = base_to_dict(self)
        # What is found first counts, and is written last.
        for found in reversed([*self.namespace._search_order()]):
            names.update(found)
        return names

    callable_macro.__init__ = init
    macros.MacroNamespaceBuilder.build_namespace = build_namespace
    manifest_context.to_dict = to_dict_at_once


def _learn_the_words_for_dates_once() -> None:
    """For each result of a query, the words of a language for dates were put together, three times."""
    dates: Any = import_module("parsedatetime")
    dates.Constants = cache(dates.Constants)


def _keep_the_session_of_a_thread() -> None:
    """Each node had a session of its own: a process of the server that learns every table anew. A session goes on to
    the thread's next node as a new one begins: without temporary tables, settings and locks. One that the server has
    ended is not kept."""
    manager: Any = import_module("dbt.adapters.postgres.connections").PostgresConnectionManager
    close = manager.release

    def release(self: Any) -> None:
        connection = self.get_if_exists()
        if connection is None or connection.state != "open" or not _is_as_new(connection):
            close(self)

    manager.release = release


def _is_as_new(connection: Any) -> bool:
    """Whether the session could be made as it began."""
    handle = connection.handle
    try:
        handle.rollback()
        handle.autocommit = True
        with handle.cursor() as cursor:
            cursor.execute("discard all")
        handle.autocommit = False
    except import_module("psycopg2").Error:
        return False
    connection.transaction_open = False
    return True
