"""The command's first step: whose code Python finds, and under which of Python's own variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from omnisupport_elt import harmless, hidden_by
from tests.checkouts import ROOT

MAIN = "import sys; sys.path.append(sys.argv.pop(1)); import omnisupport_elt; omnisupport_elt.main()"


def _loader(*words: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command as its console script starts it."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, str(ROOT), *words],
        cwd=cwd,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("loader.py", "loader"),
        ("loader/__init__.py", "loader"),
        ("click.pyc", "click"),
        ("psycopg2/__init__.py", "psycopg2"),
        ("orjson.cpython-311-x86_64-linux-gnu.so", "orjson"),
        ("gettext.py", "gettext"),
    ],
)
def test_a_file_of_python_path_hides_code_of_that_name(file: str, name: str, tmp_path: Path) -> None:
    """Prevents another program's code in the loader's own process."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / file).parent.mkdir(exist_ok=True)
    (tmp_path / "ours" / file).touch()
    path = os.pathsep.join([str(tmp_path / "none"), str(ROOT), str(tmp_path / "ours")])
    assert hidden_by(path, str(ROOT)) == (name, str(tmp_path / "ours" / file))


def test_a_folder_of_ones_own_modules_hides_nothing(tmp_path: Path) -> None:
    """Prevents a refusal for everybody who keeps code of their own on the path."""
    (tmp_path / "our_helpers.py").touch()
    (tmp_path / "json").mkdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "__init__.py").touch()
    assert hidden_by(f"{tmp_path}{os.pathsep}{ROOT}", str(ROOT)) is None
    assert hidden_by("", str(ROOT)) is None


def test_the_command_says_which_file_hides_it(tmp_path: Path) -> None:
    """Prevents a traceback."""
    found = tmp_path / "loader.py"
    found.write_text("raise SystemExit('the wrong code')\n")
    # An empty entry is the current folder.
    done = _loader("ready", "--json", cwd=tmp_path, PYTHONPATH=os.pathsep)
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout) == {
        "error": f"loader: got {found}, expected the module of this environment: the file hides it; "
        "nothing was started",
        "exit_code": 2,
        "next_command": "unset PYTHONPATH",
    }


def test_no_variable_of_pythons_changes_what_a_command_does() -> None:
    """Prevents asserts that are skipped, warnings that end a command, an exit code that is lost."""
    kept = {"PATH": "/bin", "PYTHONPATH": "/ours", "PYTHONUNBUFFERED": "1"}
    bending = ("PYTHONOPTIMIZE", "PYTHONINTMAXSTRDIGITS", "PYTHONSAFEPATH", "PYTHONDEVMODE", "PYTHON_OF_TOMORROW")
    assert harmless(kept | dict.fromkeys(bending, "1")) == kept
    done = _loader("ready", PYTHONINSPECT="1", PYTHONWARNINGS="error", PYTHONOPTIMIZE="2")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "next: make ready PARTITION=2026-04-17")
