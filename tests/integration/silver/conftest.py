"""A database for all tests of this folder, a fresh scene in it for each, and dbt on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from loader.warehouse import Warehouse
from tests.integration.silver.dbt_runs import Dbt
from tests.integration.silver.scene import Scene
from tests.shared_warehouse import GRANT


@pytest.fixture(scope="session")
def one_database(server: Warehouse, _template: str) -> Iterator[Warehouse]:
    """One database for all of them: dbt's manifest holds its name. A scene empties it."""
    name = f"{_template}_silver"
    with closing(server.connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(f"create database {name} template {_template}")
        cursor.execute(GRANT.format(name))
        yield server.in_database(name)
        cursor.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def dbt(one_database: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    return Dbt(one_database, tmp_path_factory.mktemp("dbt"))


@pytest.fixture
def scene(one_database: Warehouse) -> Iterator[Scene]:
    made = Scene(one_database)
    with closing(made.connection), closing(made.lock):
        yield made
