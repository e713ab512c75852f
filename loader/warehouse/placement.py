"""Where the embedded PostgreSQL lives, as which user it runs, and what is moved when that user can't get in.

Normally everything is below .local of the checkout. Two things can forbid that, and then a private folder
per checkout outside it is used, with links in .local that point there:
  - root may not run PostgreSQL, and the user that runs it instead can't enter a 0700 home;
  - the path of a unix socket may have about 100 bytes; libpq splits it at commas, and dlt loses its blanks.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from loader.errors import InfrastructureError
from loader.warehouse.binaries import ServerUser, can_run, copy_binaries, find_binaries

# The limit is 107 bytes on Linux and 103 on macOS, the socket's own name included.
SOCKET_PATH_LIMIT_BYTES = 103
SOCKET_NAME = ".s.PGSQL.5432"
SERVER_ACCOUNTS = ("postgres", "nobody")


LOG_NAME = "postgres.log"


@dataclass(frozen=True, slots=True)
class Placement:
    """Real paths, no links. `run_as` is None when the server runs as the present user.

    `notes` say to the operator what is not at its usual place, and why.
    """

    data_folder: Path
    socket_folder: Path
    log_file: Path
    binaries: Path
    run_as: ServerUser | None
    notes: tuple[str, ...]


def require_named_user() -> None:
    """Raises InfrastructureError for a user without a name (a container's): PostgreSQL makes no data directory for one,
    and lets nobody in without."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise InfrastructureError(
            f"embedded PostgreSQL: got the user id {os.geteuid()}, which has no name here, expected one that the "
            "system knows (getent passwd): a server knows users by name; no server was started or asked",
            next_command="make up   # as a user with a name, or with PGHOST=<a PostgreSQL 15 or newer>",
        ) from None


def present_folders(state_folder: Path) -> tuple[Path, Path]:
    """The data directory and the socket folder as they are now, existing or not; changes nothing.

    A link to another place than this checkout's own is not followed: it came with a copy of another checkout, or with
    the checkout when it was moved, and leads to that one's server.
    """
    return _present(state_folder, "pgdata"), _present(state_folder, "run")


def _present(state_folder: Path, name: str) -> Path:
    link, own = state_folder / name, outside_folder(state_folder) / name
    if link.is_symlink() and link.readlink() != own:
        return own
    return link.resolve()


def present_log(state_folder: Path) -> Path:
    """The server's log as it is now, existing or not; changes nothing."""
    return present_folders(state_folder)[0].parent / LOG_NAME


def outside_folder(state_folder: Path) -> Path:
    """The private folder of this checkout outside it. For root /var/lib: many systems sweep /var/tmp."""
    identity = hashlib.sha256(os.fsencode(state_folder)).hexdigest()[:12]
    candidates = [Path("/var/lib")] if os.geteuid() == 0 else []
    candidates += [Path("/var/tmp"), Path(tempfile.gettempdir())]
    parent = next((folder for folder in candidates if os.access(folder, os.W_OK | os.X_OK)), candidates[-1])
    return parent / f"omnisupport-elt-{identity}"


def prepare(state_folder: Path) -> Placement:
    """Decide where the server lives and make its folders, links and readable binaries. Idempotent.

    The caller holds the start lock. Raises InfrastructureError; no database is touched by then.
    """
    data_link, run_link = state_folder / "pgdata", state_folder / "run"
    run_as = server_user(data_link)
    outside = outside_folder(state_folder)
    notes = [f"root may not run PostgreSQL: it runs as user {run_as.name}"] if run_as else []

    _require_no_torn_copy(data_link)
    base = state_folder
    if data_link.is_symlink() or (run_as and not can_run(["/bin/sh", "-c", 'cd "$0"', str(base)], run_as)):
        _require_own(data_link, outside)
        base = outside
        notes.append(f"the server's user can't enter {state_folder}: data is in {outside}")
    socket_base = base
    socket = os.fsencode(base / "run" / SOCKET_NAME)
    if len(socket) > SOCKET_PATH_LIMIT_BYTES or re.search(rb"[,\s]", socket):
        socket_base = outside
        notes.append(
            f"{base / 'run'} is too long for a socket, or has a blank or comma: it is in {outside / 'run'}. "
            'A client that is started by hand needs:  eval "$(make -s env)"'
        )
    binaries = find_binaries()
    is_usable = run_as is None or can_run([str(binaries / "initdb"), "--version"], run_as)
    if outside in (base, socket_base) or not is_usable:
        _make_private(outside, run_as)
    if run_as and not is_usable:
        binaries = copy_binaries(binaries, outside)
        notes.append(f"user {run_as.name} can't run the environment's PostgreSQL: a copy is in {outside}")
        if not can_run([str(binaries / "initdb"), "--version"], run_as):
            raise InfrastructureError(
                f"user {run_as.name} can't run {binaries / 'initdb'} either, expected a folder that allows "
                "programs; the server was not started",
                next_command="make up   # as a user other than root, or with PGHOST set",
            )
    if run_link.is_symlink() and run_link.readlink() != outside / "run":
        run_link.unlink()
    _make_private(socket_base / "run", run_as)
    _point(run_link, socket_base / "run")
    if base != state_folder:
        _point(data_link, base / "pgdata")
    return Placement(
        data_folder=base / "pgdata",
        socket_folder=socket_base / "run",
        log_file=base / LOG_NAME,
        binaries=binaries,
        run_as=run_as,
        notes=tuple(notes),
    )


def remove_folders(state_folder: Path) -> tuple[Path, ...]:
    """Delete the data, the socket folder and what lies outside the checkout; returns what was there.

    The caller has stopped the server. Links are removed, never followed.
    """
    removed = []
    for path in (state_folder / "pgdata", state_folder / "run", outside_folder(state_folder)):
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
            removed.append(path)
    return tuple(removed)


def server_user(data_link: Path) -> ServerUser | None:
    """Whom the server runs as: only root needs somebody. A data directory that exists stays with its owner."""
    if os.geteuid() != 0:
        return None
    if data_link.exists() and (uid := data_link.stat().st_uid) != 0:
        return ServerUser(name=_account_name(uid), uid=uid, gid=data_link.stat().st_gid)
    for name in SERVER_ACCOUNTS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name=name, uid=account.pw_uid, gid=account.pw_gid)
    raise InfrastructureError(
        f"root may not run PostgreSQL: got no user {' or '.join(SERVER_ACCOUNTS)}, expected one to run "
        "it as; the server was not started",
        next_command="make up   # as a user other than root, or with PGHOST set",
    )


def _account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _require_own(data_link: Path, outside: Path) -> None:
    expected = outside / "pgdata"
    if data_link.is_symlink() and data_link.readlink() != expected:
        raise InfrastructureError(
            f"{data_link}: got a link to {data_link.readlink()}, expected {expected}: this checkout was "
            "moved or copied, and that data is of its former place; the server was not started. To keep what a moved "
            f"checkout had: mv {data_link.readlink().parent} {outside} && ln -sfn {expected} {data_link}",
            next_command=f"rm -f {data_link} {data_link.parent / 'run'} && make up   # starts empty",
        )
    if data_link.is_dir() and not data_link.is_symlink():
        raise InfrastructureError(
            f"{data_link}: its owner can't enter that folder any more; the server was not started",
            next_command=f"chmod o+x {data_link.parents[1]}   # and the folders above it, then make up",
        )


def _require_no_torn_copy(data_folder: Path) -> None:
    """Refuse the copy of a data directory that was made while its server ran: files of different instants. Its lock
    file names the directory that the server worked on."""
    try:
        lines = (data_folder / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return
    served = Path(lines[1]) if len(lines) > 1 else data_folder
    # A checkout that was moved takes it along, and leaves nothing there.
    if os.path.isfile(served / "PG_VERSION") and not served.samefile(data_folder):
        raise InfrastructureError(
            f"{data_folder}: got a copy of {served} that was made while its server ran, expected one of a stopped "
            "server: such a copy is not whole; no server was started, and the original is as it was",
            next_command=f"rm -rf {data_folder} && make up   # starts empty; or stop the original and copy it again",
        )


def _make_private(folder: Path, run_as: ServerUser | None) -> None:
    """A folder that only the server's user may enter; refuses one that somebody else made there."""
    uid = run_as.uid if run_as else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if run_as:
            os.chown(folder, run_as.uid, run_as.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or stat.S_IMODE(found.st_mode) & 0o077:
        raise InfrastructureError(
            f"{folder}: got {stat.filemode(found.st_mode)} of user {_account_name(found.st_uid)}, expected a "
            f"folder that only {_account_name(uid)} may enter; the server was not started",
            next_command=f"ls -ld {folder}   # remove it if it is not needed, then make up",
        )


def _point(link: Path, target: Path) -> None:
    """Make `link` lead to `target`; nothing to do when it is the target itself."""
    if link == target or (link.is_symlink() and link.readlink() == target):
        return
    if link.is_dir() and not link.is_symlink():
        # Sockets and lock files of a server that is not running.
        shutil.rmtree(link)
    temporary = link.with_name(f"{link.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
