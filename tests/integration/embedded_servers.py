"""What tests of the embedded PostgreSQL share: checkouts, a row that must survive, a kill of one's own server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from loader.config import Settings, load_settings
from loader.warehouse import Warehouse, embedded_status
from tests.checkouts import make_checkout

IS_ROOT = os.geteuid() == 0
# Programs for child processes. Open the warehouse of the checkout argv[1] and say how many runs it knows.
OPEN = (
    "import sys; from loader.config import load_settings; from loader.warehouse import open_warehouse;"
    "warehouse = open_warehouse(load_settings(project_root=sys.argv[1]));"
    "cursor = warehouse.connect().cursor();"
    "cursor.execute('select count(*) from ops.ingest_run'); print(cursor.fetchone()[0], warehouse.host)"
)
# Connect to argv[1], write a row without a commit, then keep the session busy for about a second.
WORK = (
    "import psycopg2, sys; cursor = psycopg2.connect(sys.argv[1]).cursor();"
    "cursor.execute('insert into ops.kept values (2)');"
    "cursor.execute('select sum(sqrt(n)) from generate_series(1, 10000000) as n')"
)


def checkout(root: Path) -> Settings:
    make_checkout(root)
    return load_settings(project_root=root)


def write_row(warehouse: Warehouse) -> None:
    with closing(warehouse.connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute("create table if not exists ops.kept (number integer)")
        cursor.execute("insert into ops.kept values (1)")


def rows(warehouse: Warehouse) -> int:
    with closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from ops.kept")
        return int(cursor.fetchone()[0])


def kill_server(settings: Settings) -> int:
    """kill -9 of this checkout's own postmaster, by its id."""
    pid = embedded_status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def wait_for(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
