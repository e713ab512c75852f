"""The Makefile: its help, its early refusals, and that each line only calls the loader."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from loader.cli import cli
from tests.makefile import lists, targets

ROOT = Path(__file__).resolve().parents[2]


def _make(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_make_alone_lists_every_target_with_its_purpose() -> None:
    listed = re.findall(r"^make (\S+) +\S", _make().stdout, re.MULTILINE)
    rules = re.findall(r"^([a-z -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed == [target for rule in rules for target in rule.split()]
    assert {"ingest", "dry-run", "manifest", "status", "build", "env", "docs", "test", "lint"} < set(listed)
    assert {"up", "down", "psql", "clean", "retry", "rerun", "replay", "backfill", "restore"} < set(listed)


def test_each_target_says_something_else_and_names_only_what_ittargets() -> None:
    said = dict(re.findall(r"^make (\S+) +((?:.|\n )+)", _make().stdout, re.MULTILINE))
    assert len(set(said.values())) == len(said)
    assert "RUN=" not in said["restore"]
    assert "REASON='why'" in said["restore"]


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (["manifest"], "FROM"),
        (["manifest", "FROM=exports"], "OUT"),
        (["erase", "REASON=why"], "PERSON"),
        (["ready"], "PARTITION"),
        (["release", "REASON=why"], "PARTITION"),
        (["hold", "REASON=why"], "PARTITION"),
        (["hold", "PARTITION=2026-04-17"], "REASON"),
        (["ingest", "INPUT=f.jsonl"], "BATCH"),
        (["trace"], "KEY"),
        (["diff", "B=2"], "A"),
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


@pytest.mark.parametrize("key", ["-x", "--quick", "-", "it's -x"])
def test_a_key_that_begins_as_an_option_does_reaches_its_command(key: str) -> None:
    """Prevents a key that is read as an option, and options after it that are read as keys."""
    command = _make("-n", "trace", f"KEY={key}", "QUICK=1", "JSON=1").stdout.splitlines()[-1]
    trace = cli.get_command(click.Context(cli), "trace")
    assert trace is not None
    said = trace.make_context("trace", shlex.split(command)[2:]).params
    assert (said["key"], said["is_quick"], said["as_json"]) == (key, True, True)


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
    values = ("a$b$(HOME)  c", "it's")
    # A plan takes what its verb does.
    for target, names in targets().items():
        for name in names - lists()["FREE"] - lists()["FLAGS"] - {"ARGS"}:
            needed = [f"{each}=x" for each in _NEEDED.get(target, ()) if each != name]
            for value in values if target != "plan" else ():
                done = _make("-n", target, f"{name}={value}", *needed)
                assert "'" + value.replace("'", "'\\''") + "'" in done.stdout, (target, name)


def test_a_target_takes_what_its_command_takes_and_each_variable_is_an_option() -> None:
    """Prevents an option that make cannot give, and a variable that no option reads."""
    for target in lists()["COMMANDS"] - {"plan"}:
        command = cli.get_command(click.Context(cli), target)
        assert command is not None
        given = set().union(*map(_variables, command.params)) - {"JSON"}
        taken = lists().get(f"takes_{target}", set())
        assert taken <= given, target
        assert given - taken == _ONLY_OF_LOADER.get(target, set()), target
        flags = set().union(*(_variables(each) for each in command.params if getattr(each, "is_flag", False)))
        assert flags & taken == lists()["FLAGS"] & taken, target


def _variables(parameter: click.Parameter) -> set[str]:
    """The names of make's variables that would say the same."""
    if isinstance(parameter, click.Argument):
        return {(parameter.metavar or "").strip("[]")}
    return {name.removeprefix("--").upper().replace("-", "_") for name in parameter.opts}


# What a person types rarely enough to type it at the loader itself.
_ONLY_OF_LOADER = {
    "manifest": {
        "CONTRACT",
        "INCLUDE",
        "NAME",
        "WINDOW_START",
        "WINDOW_END",
        "WINDOW_FIELD",
        "OWNER",
        "LICENSE",
        "PII_SCAN",
        "CANONIZED",
    },
    "retry": {"LATEST"},
    "rerun": {"LATEST"},
    "state": {"CHANGES"},
}
_NEEDED = {
    "manifest": ("FROM", "OUT"),
    "erase": ("PERSON",),
    "ready": ("PARTITION",),
    "release": ("PARTITION",),
    "hold": ("PARTITION", "REASON"),
    "apply": ("PLAN",),
    "verify": ("RUN",),
    "trace": ("KEY",),
    "diff": ("A",),
    "ingest": ("BATCH",),
    "dry-run": ("BATCH",),
}


OUTSIDE = [
    {"MODE": "execute"},
    {"MAKEFLAGS": "MODE=execute"},
    {"MAKEFLAGS": " -- MODE=execute"},
    {"GNUMAKEFLAGS": "MODE=execute"},
    {"MAKEFLAGS": "e", "MODE": "execute"},
]


@pytest.mark.parametrize("outside", OUTSIDE, ids=map(repr, OUTSIDE))
def test_what_removes_is_told_by_makes_own_command_line_alone(outside: dict[str, str]) -> None:
    """Prevents an erasure that was to be planned from being carried out, by what a shell still holds."""
    # The words stand on the line, and are another variable's value.
    done = _make("-n", "erase", "CUSTOMER=a", "REASON=not in MODE=execute", **outside)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was started. Next: " in done.stderr
    told = _make("-n", "erase", "CUSTOMER=a", "MODE=execute", "REASON=why")
    assert told.stdout.split()[-2:] == ["--mode", "'execute'"]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("clean", "YES"),
        ("psql", "ARGS"),
        ("restore", "ALL"),
        ("apply", "PLAN"),
        ("release", "OVERRIDE"),
        ("release", "ACCEPT_DRIFT"),
        ("release", "ACCEPT_REJECTS"),
        ("hold", "REASON"),
        ("expire", "OLDER_THAN"),
        ("retry", "MODE"),
        ("erase", "PERSON"),
        ("ingest", "PARTITION"),
    ],
)
def test_a_variable_of_the_shell_is_refused_where_a_target_would_take_it(target: str, name: str) -> None:
    """Prevents what nobody asked for, and, where it is not looked at, all instead of one day."""
    done = _make("-n", target, **{name: "1"})
    assert (done.returncode, done.stdout) == (2, "")
    assert f"*** {name} stands in the environment and only make's own command line counts" in done.stderr
    assert f"Next: unset {name}." in done.stderr


@pytest.mark.parametrize("variable", ["MODE", "MAKEFLAGS", "GNUMAKEFLAGS", "MAKEFILES"])
def test_the_command_that_is_told_takes_away_what_was_refused(variable: str, tmp_path: Path) -> None:
    """Prevents `unset MODE` where no variable MODE is set."""
    (tmp_path / "held.mk").write_text("MODE := execute\n")
    values = {"MODE": "execute", "MAKEFILES": str(tmp_path / "held.mk")}
    outside = {variable: values.get(variable, "MODE=execute")}
    done = _make("-n", "retry", **outside)
    told = re.search(r"Next: (unset [A-Z ]+)\.", done.stderr)
    assert done.returncode == 2 and told is not None
    words = ["sh", "-c", f"{told[1]}; make -n retry"]
    again = subprocess.run(words, cwd=ROOT, env={**os.environ, **outside}, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr


def test_a_variable_of_the_shell_stops_no_target_that_does_not_take_it() -> None:
    done = _make("-n", "status", INPUT="x", MODE="execute", YES="1", PARTITON="x", WORKERS="9")
    assert (done.returncode, done.stdout.split()[-2:]) == (0, [".venv/bin/loader", "status"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ingest", "PARTITON=2026-04-17"], "PARTITON: got a variable that no target takes; nothing was started. "),
        (["ingest", "PARTITON=2026-04-17"], "Next: make ingest PARTITION=…."),
        (["release", "ACEPT_DRIFT=1"], "Next: make release ACCEPT_DRIFT=…."),
        (["erase", "customer=a", "REASON=b"], "Next: make erase CUSTOMER=…."),
        # No variable of another target is meant.
        (["status", "PLN=x"], "PLN: got a variable that no target takes; nothing was started. Next: leave PLN out;"),
        (["up", "PARTITON=2026-04-17"], "Next: leave PARTITON out; make alone lists what each target takes."),
        (
            ["status", "PARTITION=2026-04-17", "PARTITION=2026-04-18"],
            "PARTITION is given twice and one of them is meant; nothing was started. Next: give PARTITION once.",
        ),
        (["clean", "BIN=/nowhere"], "BIN: got a variable that no target takes"),
        # Where it is not looked at, all days would expire.
        (["expire", "PARTITION=2026-04-17", "OLDER_THAN=30"], "PARTITION is not for make expire; nothing was started."),
        (["plan", "MODE=retry", "PARTITION=2026-04-17"], "PARTITION is not for make plan; nothing was started."),
        (["-e", "status"], "make -e: the environment would take the place"),
    ],
)
def test_a_variable_that_nobody_reads_is_refused(words: list[str], said: str) -> None:
    """Prevents one day, misspelt, from meaning all."""
    done = _make("-n", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_an_environment_that_was_moved_or_copied_with_its_checkout_is_told(tmp_path: Path) -> None:
    """Prevents `No such file`, and commands of a copy that work on the original."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock", ".venv/.stamp"):
        (tmp_path / name).touch()

    def status() -> subprocess.CompletedProcess[str]:
        words = ["make", "-n", "status"]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    (scripts / "loader").write_text("#!/where/it/was/.venv/bin/python\n")
    told = status()
    assert (told.returncode, told.stdout) == (2, "")
    assert "was moved or copied; nothing was started. Next: rm -rf .venv && make status." in told.stderr
    # As pip writes it where the path is long.
    (scripts / "loader").write_text(f'#!/bin/sh\n\'\'\'exec\' "{tmp_path}/.venv/bin/python" "$0" "$@"\n')
    assert status().returncode == 0
    (scripts / "loader").unlink()
    assert status().returncode == 2


def test_every_command_that_is_told_gives_its_target_what_that_takes() -> None:
    """Prevents a next command that make refuses."""
    told = set()
    for place in ("loader", "docs", "README.md", "README.zh-CN.md", "Makefile", "infra"):
        root = ROOT / place
        for file in [root] if root.is_file() else root.rglob("*"):
            if file.suffix in (".py", ".md", "", ".example") and file.is_file():
                text = file.read_text(encoding="utf-8", errors="replace")
                for target, rest in re.findall(r"\bmake (?:-s )?([a-z-]+)((?: \[?[A-Z_]+=[^\s`\"|]*)+)", text):
                    told.update((target, name, rest) for name in re.findall(r"\b([A-Z_]+)=", rest))
    assert len(told) > 50
    assert sorted(each for each in told if each[1] not in targets().get(each[0], set())) == []
