"""The environment and the settings in which dbt and dlt run, whatever stands outside."""

from __future__ import annotations

import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import pytest

from loader.companion import Companion
from loader.environment import in_own_environment, own_environment
from loader.silver import PROVING_BUILD
from loader.silver.dbt import command_line
from tests import outside
from tests.checkouts import ROOT

PLAIN = {"PATH": "/usr/bin:/bin", "HOME": "/home/somebody", "LANG": "C.UTF-8"}
# Our own variables: how freed memory goes back, and what dbt and dlt may send home.
OURS = {"MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "ARROW_DEFAULT_MEMORY_POOL", "TZ", "DO_NOT_TRACK"}


def hostile() -> dict[str, str]:
    """Every variable that the four know, and a few that none of them knows yet."""
    names = outside.dbt_variables() | outside.dlt_variables() | outside.python_variables() | outside.LIBPQ_VARIABLES
    names |= {"DBT_ENGINE_OF_TOMORROW", "DBT_ENV_CUSTOM_ENV_RUN_ID", "DLT_OF_TOMORROW", "SOME__SECTION__OF_TOMORROW"}
    return dict.fromkeys(names - PLAIN.keys(), "hostile")


def test_nothing_that_dbt_dlt_python_or_libpq_know_reaches_a_process_of_ours() -> None:
    """Prevents `DBT_RESOURCE_TYPES=model`, which built Silver without its tests, and `NORMALIZE__…`, which added a
    column to Bronze; a variable that a later version knows is in the list by itself."""
    variables = hostile()
    assert variables.keys() >= {
        *("DBT_RESOURCE_TYPES", "DBT_ENGINE_EMPTY", "NORMALIZE__WORKERS", "DATA_WRITER__FILE_MAX_ITEMS", "WORKERS"),
        *("RUNTIME__LOG_LEVEL", "LOG_LEVEL", "DLT_PROJECT_DIR", "PIPELINE_NAME", "PYTHONOPTIMIZE", "PYTHONWARNINGS"),
    }
    assert own_environment({**variables, **PLAIN}).keys() == {*PLAIN, *OURS}


def test_a_given_server_is_reached_as_the_operator_said_and_the_embedded_one_by_nothing_left_over() -> None:
    trust = {"PGPASSWORD": "s3cret", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system"}
    session = {"PGOPTIONS": "-c search_path=evil", "PGTZ": "Pacific/Kiritimati", "PGDATESTYLE": "SQL, DMY"}
    given = own_environment({"PGHOST": "db.example.org", **trust, **session})
    assert given.keys() == {"PGHOST", *trust, *OURS}
    assert own_environment({**trust, **session}).keys() == OURS


def test_a_block_in_our_environment_leaves_the_command_s_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NORMALIZE__WORKERS", "7")
    before = dict(os.environ)
    with pytest.raises(KeyboardInterrupt), in_own_environment():
        assert "NORMALIZE__WORKERS" not in os.environ
        raise KeyboardInterrupt
    assert dict(os.environ) == before


def tell(connection: Connection) -> None:
    """In a companion: what it is."""
    flags = {name: getattr(sys.flags, name) for name in ("optimize", "dev_mode", "verbose", "no_user_site")}
    connection.send((dict(os.environ), flags, sys.warnoptions, sys.path, "stranger" in sys.modules))


def test_a_companion_is_the_same_python_whatever_the_shell_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prevents a stranger's module, from PYTHONPATH or the current folder, and asserts that are off."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['stranger'] = sys\n")
    (tmp_path / "orjson.py").write_text("raise SystemExit('not ours')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    for name in ("PYTHONOPTIMIZE", "PYTHONDEVMODE", "PYTHONVERBOSE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    companion = Companion(tell)
    environment, flags, warnings, path, is_stranger_there = companion.connection.recv()
    assert companion.exit_code() == 0
    # What CPython itself puts there in the C locale.
    environment.pop("LC_CTYPE", None)
    assert environment == {
        **{name: value for name, value in own_environment(os.environ).items() if name != "LC_CTYPE"},
        "PYTHONPATH": str(ROOT),
    }
    assert flags == {"optimize": 0, "dev_mode": False, "verbose": 0, "no_user_site": 1}
    assert warnings == ["ignore:resource_tracker"]
    assert (path[0], is_stranger_there) == (str(ROOT), False)
    assert not {"", str(tmp_path)}.intersection(path)


# Flags without a form that says "no"; dbt takes them from variables only, and there are none.
WITHOUT_NO = {
    *("full_refresh", "store_failures", "warn_error", "sample", "event_time_start", "event_time_end"),
    *("export_saved_queries", "include_saved_query", "deprecated_include_saved_query"),
    # Names of other places, of which none is given.
    *("state", "defer_state", "partial_parse_file_path"),
    *("deprecated_defer", "deprecated_favor_state", "deprecated_print", "deprecated_state"),
    # How much dbt writes, and how: nothing of what it does.
    *("printer_width", "log_file_max_bytes", "sqlparse"),
    # All of the loader's own commands but the proving build take every kind of node.
    *("resource_types", "exclude_resource_types"),
}


@pytest.mark.parametrize("words", [PROVING_BUILD, ("run",), ("test",), ("compile",), ("parse",)], ids=lambda w: w[0])
def test_every_flag_that_a_variable_could_set_is_on_dbt_s_command_line(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a new flag of dbt, or a default that changes, from deciding what the loader's dbt does."""
    from dbt.cli.flags import args_to_context

    for name in outside.dbt_variables():
        monkeypatch.delenv(name, raising=False)
    context: click.Context | None = args_to_context(list(command_line(ROOT, words, is_quiet=True)))
    said, silent = set(), set()
    while context is not None:
        for option in context.command.params:
            if outside.variables_of(option) and option.name is not None:
                is_said = context.get_parameter_source(option.name) is click.core.ParameterSource.COMMANDLINE
                (said if is_said else silent).add(option.name)
        context = context.parent
    allowed = WITHOUT_NO - ({"resource_types", "exclude_resource_types"} if words == PROVING_BUILD else set())
    assert silent - said <= allowed


def test_dlt_is_told_by_us_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Prevents every way in that dlt has: variables, `.dlt` of the current folder and of the home, Airflow's secrets.
    The files hold what no parser takes: whoever reads one fails."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.resolve import resolve_configuration
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
    from dlt.common.data_writers.buffered import BufferedDataWriter
    from dlt.load.configuration import LoaderConfiguration
    from dlt.normalize.configuration import NormalizeConfiguration

    from loader.bronze.dlt_settings import take_own_settings

    for folder in (tmp_path / "here" / ".dlt", tmp_path / "home" / ".dlt"):
        folder.mkdir(parents=True)
        for name in ("config.toml", "secrets.toml"):
            (folder / name).write_text("[[[ no TOML")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    take_own_settings(tmp_path / "ours")
    before = _resolved()
    for name in outside.dlt_variables():
        monkeypatch.setenv(name, "7")
    take_own_settings(tmp_path / "ours")
    assert _resolved() == before
    assert len(before) > 50
    # Where dlt's own steps look.
    assert before["RuntimeConfiguration"]["log_level"] == "CRITICAL"
    loading = resolve_configuration(LoaderConfiguration(), sections=("load",), accept_partial=True)
    assert (loading.workers, loading.raise_on_max_retries) == (2, 1)
    normalizing = resolve_configuration(NormalizeConfiguration(), sections=("normalize",), accept_partial=True)
    assert normalizing.workers == 1
    for sections in (("sources", "bronze"), ("normalize",)):
        writing = resolve_configuration(BufferedDataWriter.BufferedDataWriterConfiguration(), sections=sections)
        assert writing.file_max_items == 250_000
    context = Container()[PluggableRunContext].context
    places = {context.global_dir, context.run_dir, context.local_dir, context.settings_dir, context.data_dir}
    assert places == {str(tmp_path / "ours")}


def _resolved() -> dict[str, dict[str, Any]]:
    """Each spec as dlt fills it in, by name; what needs a value that nobody gives has none."""
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.configuration.resolve import resolve_configuration

    found = {}
    for spec in outside.dlt_specs():
        try:
            found[spec.__name__] = _plain(resolve_configuration(spec(), accept_partial=True))
        except (ConfigurationException, ImportError, TypeError, ValueError) as error:
            found[spec.__name__] = {"error": type(error).__name__}
    return found


def _plain(value: Any) -> Any:
    """A value that can be compared; of an object that is no spec, its type."""
    from dlt.common.configuration.specs.base_configuration import BaseConfiguration

    if isinstance(value, BaseConfiguration):
        return {name: _plain(inner) for name, inner in dict(value).items()}
    return value if isinstance(value, (str, int, float, list, dict, type(None))) else type(value).__name__
