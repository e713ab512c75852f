"""The embedded PostgreSQL in odd places and under other users: long paths, blanks, 0700 homes, root and not root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psycopg2
import pytest
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from loader.config import Settings, load_settings
from loader.errors import InfrastructureError
from loader.warehouse import (
    embedded_status,
    open_warehouse,
    placement,
    remove_embedded,
    stop_embedded,
)
from tests.checkouts import ROOT
from tests.integration.embedded_servers import IS_ROOT, OPEN, checkout, kill_server, rows, write_row

pytestmark = pytest.mark.usefixtures("no_given_server")


def test_a_path_too_long_for_a_socket_gets_a_short_one_and_a_link(folder: Path) -> None:
    settings = checkout(folder / ("a-long-name-" * 10) / "project")
    said: list[str] = []
    warehouse = open_warehouse(settings, announce=said.append)
    assert len(os.fsencode(warehouse.host)) + len("/.s.PGSQL.5432") <= 103
    link = settings.state_folder / "run"
    assert link.is_symlink() and str(link.resolve()) == warehouse.host
    assert (settings.state_folder / "pgdata").is_dir() and not (settings.state_folder / "pgdata").is_symlink()
    assert any("too long for a socket" in line for line in said)
    write_row(warehouse)
    kill_server(settings)
    assert rows(open_warehouse(settings, announce=said.append)) == 1
    removed = remove_embedded(settings)
    assert Path(warehouse.host).parent in removed
    assert not Path(warehouse.host).parent.exists() and not link.is_symlink()


@pytest.mark.parametrize(
    "name", ['it\'s-"x"-$HOME-`id`-\\\\-über+a:b%20c', pytest.param("first, second words", marks=pytest.mark.long)]
)
def test_a_checkout_may_have_any_name(folder: Path, name: str) -> None:
    """Blanks and commas in a socket's path are lost on the way through dlt and libpq."""
    settings = checkout(folder / name)
    warehouse = open_warehouse(settings, announce=lambda line: None)
    write_row(warehouse)
    kill_server(settings)
    assert rows(open_warehouse(settings, announce=lambda line: None)) == 1
    assert warehouse.host == str((settings.state_folder / "run").resolve())
    # The two ways in which dlt connects, by the address as dlt writes it.
    credentials = PostgresCredentials()
    credentials.parse_native_representation(warehouse.dsn_url())
    for connect in (adbc_driver_postgresql.dbapi.connect, psycopg2.connect):
        with closing(connect(credentials.to_native_representation())) as connection, connection.cursor() as cursor:
            cursor.execute("select current_user::text, inet_server_addr()::text")
            assert cursor.fetchone() == ("omni_loader", None)


def test_no_postgresql_on_the_path_is_needed(shared: Settings) -> None:
    """The machine's own PostgreSQL, of another version, must play no part."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(shared.project_root)],
        env={"PATH": "/nowhere", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 ")


def test_a_link_to_another_checkouts_place_is_not_followed(folder: Path) -> None:
    """A link of a copied checkout leads to the original's server: the copy neither asks, stops nor uses it."""
    settings = checkout(folder / "copy")
    local, of_original = settings.state_folder, folder / "original" / ".local"
    local.mkdir(mode=0o711)
    for name in ("pgdata", "run"):
        (of_original / name).mkdir(parents=True)
        (local / name).symlink_to(of_original / name)
    outside = placement.outside_folder(local)
    assert placement.present_folders(local) == (outside / "pgdata", outside / "run")
    assert not embedded_status(settings).is_running and not stop_embedded(settings)
    with pytest.raises(InfrastructureError, match="moved or copied") as error:
        open_warehouse(settings, announce=lambda line: None)
    assert f"mv {of_original} {outside} && ln -sfn {outside}/pgdata {local}/pgdata" in error.value.message
    assert error.value.next_command.startswith(f"rm -f {local}/pgdata {local}/run && make up ")
    (local / "pgdata").unlink()
    assert placement.prepare(local).socket_folder == local / "run"
    assert not (local / "run").is_symlink()
    assert (of_original / "run").is_dir()


def test_a_copy_of_a_checkout_has_rows_and_a_server_of_its_own(folder: Path) -> None:
    """Prevents a copy that works on the original, and one whose files are of different instants."""
    original = checkout(folder / "original")
    write_row(open_warehouse(original, announce=lambda line: None))
    subprocess.run(["cp", "-a", original.project_root, folder / "copy"], check=True)
    copy = load_settings(project_root=folder / "copy")
    assert not embedded_status(copy).is_running and not stop_embedded(copy)
    with pytest.raises(InfrastructureError, match="made while its server ran") as error:
        open_warehouse(copy, announce=lambda line: None)
    assert error.value.next_command.startswith(f"rm -rf {copy.state_folder / 'pgdata'} && make up ")
    # A checkout that is moved takes its killed server's data along.
    lock_file = copy.state_folder / "pgdata" / "postmaster.pid"
    held = lock_file.read_text()
    lock_file.write_text(held.replace(str(original.project_root), str(folder / "where it was")))
    placement.prepare(copy.state_folder)
    shutil.rmtree(copy.project_root)
    stop_embedded(original)
    subprocess.run(["cp", "-a", original.project_root, folder / "copy"], check=True)
    warehouse = open_warehouse(copy, announce=lambda line: None)
    assert (rows(warehouse), warehouse.host) == (1, str(copy.state_folder / "run"))
    assert not embedded_status(original).is_running


@pytest.mark.parametrize("has_data", [False, True])
def test_a_user_without_a_name_is_told(has_data: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a KeyError in a container whose user is a number."""
    settings = checkout(folder / "project")
    if has_data:
        (settings.state_folder / "pgdata").mkdir(parents=True)
        (settings.state_folder / "pgdata" / "PG_VERSION").write_text("18\n")
    monkeypatch.setattr("os.geteuid", lambda: 54321)
    with pytest.raises(InfrastructureError, match="the user id 54321, which has no name here") as error:
        open_warehouse(settings, announce=lambda line: None)
    assert "PGHOST" in error.value.next_command


def test_a_folder_that_somebody_else_prepared_is_refused(folder: Path) -> None:
    """The outside folder has a name that others can guess, in a place where others can write."""
    settings = checkout(folder / ("a-long-name-" * 10) / "project")
    outside = placement.outside_folder(settings.state_folder)
    outside.mkdir(mode=0o700)
    try:
        if IS_ROOT:
            with pytest.raises(InfrastructureError, match="of user root, expected a folder that only"):
                open_warehouse(settings, announce=lambda line: None)
            owner = placement.server_user(settings.state_folder / "pgdata")
            assert owner is not None
            os.chown(outside, owner.uid, owner.gid)
        outside.chmod(0o770)
        with pytest.raises(InfrastructureError, match=r"got drwxrwx--- of user .*; the server was not started"):
            open_warehouse(settings, announce=lambda line: None)
    finally:
        outside.rmdir()


@pytest.mark.skipif(not IS_ROOT, reason="only root runs the server as somebody else")
def test_in_a_home_that_the_servers_user_can_not_enter_data_and_programs_go_outside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root with a 0700 home: initdb and the server would end in 'permission denied'."""
    home = folder / "home"
    settings = checkout(home / "project")
    package = placement.find_binaries().parents[1]
    shutil.copytree(placement.find_binaries().parent, home / "site" / package.name / "pginstall18", symlinks=True)
    shutil.copytree(f"{package}.libs", home / "site" / f"{package.name}.libs")
    monkeypatch.setattr(placement, "find_binaries", lambda: home / "site" / package.name / "pginstall18" / "bin")
    home.chmod(0o700)
    said: list[str] = []
    warehouse = open_warehouse(settings, announce=said.append)
    outside = placement.outside_folder(settings.state_folder)
    assert any("can't enter" in line and str(outside) in line for line in said)
    assert any("a copy is in" in line for line in said)
    assert embedded_status(settings).data_folder == outside / "pgdata"
    assert outside.stat().st_mode & 0o077 == 0
    write_row(warehouse)
    kill_server(settings)
    assert rows(open_warehouse(settings, announce=said.append)) == 1
    remove_embedded(settings)
    assert not outside.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_a_user_other_than_root_runs_a_server_of_their_own(folder: Path) -> None:
    """The common case, tested also where the tests run as root."""
    root = folder / "project"
    shutil.copytree(ROOT / "loader", root / "loader", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "infra", root / "infra")
    shutil.copy(ROOT / "pyproject.toml", root)
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    packages = Path(placement.find_binaries()).parents[2]
    python = _python_for_nobody(packages)
    if python is None:
        pytest.skip(f"user 65534 can run no Python {sys.version_info[0]}.{sys.version_info[1]} with {packages}")
    for _ in range(2):
        done = subprocess.run(
            [python, "-c", OPEN, str(root)],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd=root,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{root}{os.pathsep}{packages}",
                "HOME": "/nonexistent",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"0 {root / '.local' / 'run'}\n"
        assert "root may not" not in done.stderr
    assert (root / ".local" / "pgdata").stat().st_uid == 65534
    # Root takes over what that user made, without changing the owner.
    settings = load_settings(project_root=root)
    stop_embedded(settings)
    open_warehouse(settings, announce=lambda line: None)
    assert (root / ".local" / "pgdata").stat().st_uid == 65534


def _python_for_nobody(packages: Path) -> str | None:
    """An interpreter like this one that user 65534 can start and that can import `packages`."""
    version = sys.version_info[:2]
    check = f"import sys; assert sys.version_info[:2] == {version}; import psycopg2, pydantic_settings"
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run(
                [candidate, "-c", check],
                user=65534,
                group=65534,
                extra_groups=[],
                cwd="/",
                env={"PYTHONPATH": str(packages)},
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return None
