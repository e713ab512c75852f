"""The hooks of .pre-commit-config.yaml against `make lint`, which is the only list of what is checked."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def hooks() -> list[dict[str, Any]]:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    return list(local["hooks"])


def test_the_hooks_run_the_commands_of_make_lint() -> None:
    """Prevents: a commit that passes here and fails there, as soon as one of the two lists changes."""
    # -o: as if the environment stood.
    recipe = subprocess.run(
        ["make", "-n", "-o", ".venv/.stamp", "lint"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    entries = [shlex.split(hook["entry"]) for hook in hooks()]
    commands = [words[2] if words[:2] == ["sh", "-c"] else shlex.join(words) for words in entries]
    assert " && ".join(commands) == " && ".join(recipe.splitlines())


def test_the_hooks_fetch_nothing_and_check_the_whole_checkout() -> None:
    """Prevents: tools of other versions than the lock's, or a check of the changed files only."""
    assert {(hook["language"], hook["pass_filenames"]) for hook in hooks()} == {("system", False)}
