"""Everything that dbt, dlt, Python and libpq take from an environment, as they say themselves: a variable that a later
version knows is in these lists, without anybody's doing."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click


def dbt_variables() -> set[str]:
    """The variables of every option of every command, and those that dbt knows beside its options."""
    from dbt.cli.main import cli
    from dbt.env_vars import KNOWN_ENGINE_ENV_VARS

    known = {name for variable in KNOWN_ENGINE_ENV_VARS for name in (variable.name, variable.old_name) if name}
    return known | {name for command in commands(cli) for option in command.params for name in variables_of(option)}


def commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner)


def variables_of(option: click.Parameter) -> list[str]:
    named = option.envvar or []
    return [named] if isinstance(named, str) else list(named)


def dlt_specs() -> list[type[Any]]:
    """Every class of dlt that is filled from its configuration, but for those whose package is not here."""
    from dlt.common.configuration.specs.base_configuration import BaseConfiguration, ContainerInjectableContext
    from dlt.common.exceptions import MissingDependencyException

    for name in ("common", "extract", "normalize", "load", "pipeline", "destinations"):
        package = importlib.import_module(f"dlt.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if re.search(r"\.(configuration|writers|incremental)$|\.configuration\.specs\.", module.name):
                with suppress(MissingDependencyException), warnings.catch_warnings(action="ignore"):
                    importlib.import_module(module.name)

    def below(spec: type[Any]) -> Iterator[type[Any]]:
        for inner in spec.__subclasses__():
            yield inner
            yield from below(inner)

    found = {spec for spec in below(BaseConfiguration) if not issubclass(spec, ContainerInjectableContext)}
    return sorted(found, key=lambda spec: f"{spec.__module__}.{spec.__qualname__}")


def dlt_variables() -> set[str]:
    """Names of each field of each spec: by itself, under its own section, and under those in which dlt looks for it."""
    from dlt.common import known_env
    from dlt.common.configuration.specs import known_sections

    sections = {value.upper() for name, value in vars(known_sections).items() if name.isupper()}
    sections |= {f"{outer}__DATA_WRITER" for outer in ("SOURCES", "NORMALIZE", "SOURCES__BRONZE")}
    sections |= {"DESTINATION__POSTGRES", "DESTINATION__BRONZE", "NORMALIZE__PARQUET_NORMALIZER"}
    found = {name for name in vars(known_env) if name.startswith("DLT_")}
    for spec in dlt_specs():
        own = {spec.__section__.upper()} if spec.__section__ else set()
        for field in spec.get_resolvable_fields():
            found |= {field.upper(), *(f"{section}__{field.upper()}" for section in sections | own)}
    return found


def python_variables() -> set[str]:
    said = subprocess.run([sys.executable, "--help-env"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^(PYTHON[A-Z0-9_]+)", said, re.MULTILINE))


# psycopg2 does not list them: those of the manual of PostgreSQL 18 that change what a session does or where it goes.
LIBPQ_VARIABLES = {
    *("PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGLOCALEDIR", "PGOPTIONS", "PGAPPNAME"),
    *("PGTZ", "PGDATESTYLE", "PGGEQO", "PGCLIENTENCODING", "PGCONNECT_TIMEOUT", "PGLOADBALANCEHOSTS"),
}
