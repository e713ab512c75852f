"""The `loader` command's first step: it makes sure that Python finds this checkout's code under its names.

A module of its own, named as nothing else is: `loader`, and what it imports, may be hidden by a file of a folder that
PYTHONPATH names. Until that is known, nothing is imported but what Python itself has loaded.
"""

from __future__ import annotations

import os
import sys

# Where code is looked for, how text is written, what is kept beside code. Others of PYTHON* change what code does
# (asserts, warnings as errors, an interactive end).
_KEPT = {
    "PYTHONCOERCECLOCALE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONFAULTHANDLER",
    "PYTHONHASHSEED",
    "PYTHONIOENCODING",
    "PYTHONNOUSERSITE",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
}
_OWN = "loader"
# In environments for Python's own sake; the loader imports none of them.
_UNUSED = {"pip", "setuptools", "test", "tests", "wheel"}
_SUFFIXES = (".py", ".pyc", ".so", ".pyd")


def main() -> None:
    """Run the command; exit 2 when another file stands in the place of code that it needs."""
    _leave_variables()
    own = os.path.dirname(os.path.realpath(__file__))
    shadow = hidden_by(os.environ.get("PYTHONPATH", ""), own) or _other_loader(own)
    if shadow is not None:
        name, file = shadow
        _refuse(
            f"{name}: got {file}, expected the module of this environment: the file hides it; nothing was started",
            "unset PYTHONPATH" if os.environ.get("PYTHONPATH") else f"ls -l {file}   # move it away",
        )
    from loader.cli import main as run

    run()


def hidden_by(python_path: str, own: str) -> tuple[str, str] | None:
    """The first module of the loader, of its environment or of Python that a folder of PYTHONPATH holds too, and the
    file; None when there is none. `own`: the folder of the loader's package."""
    if not python_path:
        return None
    environment = [folder for folder in sys.path if os.path.basename(folder) in ("site-packages", "dist-packages")]
    needed = {_OWN, *sys.stdlib_module_names}
    needed.update(name for folder in environment for name in _modules(folder))
    for folder in python_path.split(os.pathsep):
        # An empty one means the current folder.
        place = os.path.realpath(folder or os.curdir)
        if place == own or place in map(os.path.realpath, environment):
            continue
        for name, file in sorted(_modules(place).items()):
            if name in needed - _UNUSED:
                return name, file
    return None


def _modules(folder: str) -> dict[str, str]:
    """What a folder lets Python import, by name: files, and folders that are packages. A folder without __init__.py
    hides nothing."""
    found = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(_SUFFIXES):
            found[name.split(".", 1)[0]] = path
        elif "." not in name and os.path.isfile(first := os.path.join(path, "__init__.py")):
            found[name] = first
    return found


def _other_loader(own: str) -> tuple[str, str] | None:
    """The package as Python would find it, when it is not the one beside this file."""
    from importlib.util import find_spec

    spec = find_spec(_OWN)
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    # A folder without __init__.py has no origin, and hides what an editable install adds at the end.
    origin = next((os.path.realpath(place) for place in places if place), "nothing")
    return None if origin == os.path.join(own, _OWN, "__init__.py") else (_OWN, origin)


def harmless(environment: dict[str, str]) -> dict[str, str]:
    """The environment without those of Python's variables that change what code does."""
    return {name: value for name, value in environment.items() if not name.startswith("PYTHON") or name in _KEPT}


def _leave_variables() -> None:
    """Begin again without the variables that Python has read before any code could leave them aside."""
    kept = harmless(dict(os.environ))
    if len(kept) < len(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)


def _refuse(message: str, next_command: str) -> None:
    """Speak as every command does, by the loader's own code: what hides it is left aside."""
    folders = [os.path.realpath(folder or os.curdir) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    own = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [own, *(folder for folder in sys.path if os.path.realpath(folder) not in folders)]
    from loader.cli.output import print_error

    print_error(message, next_command, 2, as_json="--json" in sys.argv)
    sys.exit(2)
