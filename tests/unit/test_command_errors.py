"""How the `loader` command ends when something goes wrong: exit code, the next command, and no broken JSON."""

from __future__ import annotations

import json

import click
import psycopg2
import pytest

from loader import cli
from loader.cli.options import request_of
from loader.cli.output import print_json
from loader.errors import CommandUsageError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(5, "Input/output error"), "error: OSError: [Errno 5] Input/output error; the command"),
        (psycopg2.DataError("value out of range\nDETAIL: Failing row contains (secret)."), "value out of range; the"),
        (AssertionError("surprise"), "error: a defect of the loader itself, AssertionError: surprise; the command"),
    ],
)
def test_what_nobody_foresaw_is_exit_3_and_ends_with_the_next_command(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1 is a statement about the data, and a traceback is no next command."""

    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli._LazyGroup, "get_command", lambda *_: fails)
    # This process makes folders that other users enter.
    monkeypatch.setattr("os.umask", lambda mask: 0)
    with pytest.raises(SystemExit) as ended:
        cli.main(["status"])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (3, "")
    assert told in " ".join(printed.err.split())
    assert "secret" not in printed.err.rpartition("error: ")[2]
    assert printed.err.splitlines()[-1].startswith("next: make status")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("-x", ["A KEY that begins so comes after -- alone.", "next: make trace KEY=-x"]),
        ("-x y", ["No such option", "next: make trace KEY='-x y'"]),
        ("--quik", ["Did you mean '--quick'", "next: loader trace --help"]),
    ],
)
def test_a_key_that_begins_as_an_option_does_is_told_how_it_is_said(
    word: str, told: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a record that no command can follow because of the first character of its key."""
    monkeypatch.setattr("os.umask", lambda mask: 0)
    with pytest.raises(SystemExit) as ended:
        cli.main(["trace", word])
    printed = " ".join(capsys.readouterr().err.split())
    assert ended.value.code == 2
    assert all(each in printed for each in told), printed


def test_json_is_json_also_of_a_path_that_is_no_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"error": "cannot read /tmp/\udcff"})
    assert json.loads(capsys.readouterr().out) == {"error": "cannot read /tmp/\udcff"}


@pytest.mark.parametrize(
    ("option", "value"), [("partition", ""), ("manifest", ""), ("manifest", ","), ("input_file", ""), ("batch", " ")]
)
def test_an_option_that_is_given_but_empty_is_refused(option: str, value: str) -> None:
    """`--partition "$DAY"` with DAY unset would otherwise ingest everything."""
    given = dict.fromkeys(("partition", "manifest", "input_file", "batch", "limit"))
    with pytest.raises(CommandUsageError, match="nothing was started"):
        request_of(**{**given, option: value})  # type: ignore[arg-type]
