"""The Makefile: its help, its early refusals, and that each line only calls the loader."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_target_with_its_purpose() -> None:
    listed = re.findall(r"^make (\S+) +\S", _make().stdout, re.MULTILINE)
    rules = re.findall(r"^([a-z -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == [target for rule in rules for target in rule.split()]
    assert {"ingest", "dry-run", "manifest", "status", "build", "env", "docs", "test", "lint"} < set(listed)
    assert {"up", "down", "psql", "clean", "retry", "rerun", "replay", "backfill", "restore"} < set(listed)


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["manifest"], "FROM"),
        (["manifest", "FROM=exports"], "OUT"),
        (["erase", "REASON=why"], "CUSTOMER"),
        (["ingest", "INPUT=f.jsonl"], "BATCH"),
        (["dry-run", "INPUT=f.jsonl"], "BATCH"),
    ],
)
def test_a_missing_argument_fails_before_anything_starts_and_shows_an_example(words: list[str], missing: str) -> None:
    done = _make("-n", *words)
    assert done.returncode == 2
    assert f"{missing} is missing, nothing was started. Example: make " in done.stderr
    assert done.stdout == ""


def test_variables_become_options_and_blanks_stay_in_one_word() -> None:
    done = _make("-n", "manifest", "FROM=my exports", "OUT=m.json")
    assert done.stdout.splitlines()[-1].strip() == ".venv/bin/loader manifest --from 'my exports' --out 'm.json'"
    done = _make("-n", "ingest", "PARTITION=2026-04-17", "JSON=1")
    assert done.stdout.splitlines()[-1].split() == [
        ".venv/bin/loader",
        "ingest",
        "--partition",
        "'2026-04-17'",
        "--json",
    ]


def test_recipes_have_at_most_three_lines() -> None:
    blocks = re.findall(r"^[^\s#].*:.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert max(block.count("\n") for block in blocks) <= 3


def test_every_locked_package_has_hashes_and_no_address() -> None:
    """An address in the lock would be that of one machine's package index."""
    text = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^[a-z0-9].*==(?:.*\\\n)(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", text, re.MULTILINE)
    assert len(packages) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 100
    assert not re.search(r"://|--index|--find-links|--extra-index", text)


@pytest.mark.parametrize(
    "name",
    [
        "$(shell touch PWNED)x",
        "a'b",
        "';touch PWNED;'",
        "`touch PWNED`",
        "$(touch PWNED)",
        "${HOME}",
        "$$",
        "a#b",
        "x) y",
    ],
)
def test_a_name_that_is_pasted_is_never_a_command(tmp_path: Path, name: str) -> None:
    """Prevents a file name, told in the next command and pasted by an operator, from being run by make or the shell."""
    mark = tmp_path / "pwned"
    name = name.replace("PWNED", str(mark))
    done = _make("-n", "dry-run", f"MANIFEST={name}")
    command = done.stdout.splitlines()[-1]
    assert command.startswith(".venv/bin/loader dry-run")
    words = subprocess.run(
        ["sh", "-c", f"set -- {command.removeprefix('.venv/bin/loader')}; printf '%s\\n' \"$@\""],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words == ["dry-run", "--manifest", name]
    assert not mark.exists()


def test_no_value_that_is_given_is_expanded() -> None:
    """Prevents the erasure of customer a where customer a$b was meant, and a command of make's in an id."""
    makefile = (ROOT / "Makefile").read_text()
    given = re.search(r"^GIVEN := ((?:.*\\\n)*.*)", makefile, re.MULTILINE)
    assert given is not None
    assert set(re.findall(r"call option,-[-a-z]+,([A-Z_]+)", makefile)) <= set(given[1].split())
    done = _make("-n", "erase", "CUSTOMER=a$b$(HOME)", "REASON=why")
    words = done.stdout.splitlines()[-1].split()
    assert words == [".venv/bin/loader", "erase", "--customer", "'a$b$(HOME)'", "--reason", "'why'"]
