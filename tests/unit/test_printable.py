"""What comes from outside is shown without effect, and pasted as one word."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.cli import output
from loader.printable import in_one_line, pasted, visible, visible_in_colour, visible_without_colour
from loader.report_files import markdown_table
from loader.screen import paragraph
from loader.screen import table as drawn

HOSTILE = "a\x1b[2J\x1b]0;title\x07\x9b2J\u202e\u2028\r\b\x7f\x00[/red][link=http://x]y[/link]\tb\n# c"


def test_what_commands_a_terminal_is_shown_and_not_done() -> None:
    """Prevents a file's or record's name that clears the screen, sets a title, or reads backwards."""
    shown = "a\\x1b[2J\\x1b]0;title\\x07\\x9b2J\\u202e\\u2028\\r\\x08\\x7f\\x00[/red][link=http://x]y[/link]\\tb"
    assert visible(HOSTILE) == f"{shown}\n# c"
    assert in_one_line(HOSTILE) == f"{shown}\\n# c"
    assert visible("Zürich 東京 🚧 'x' \\n") == "Zürich 東京 🚧 'x' \\n"


def test_another_programs_colours_stay_and_nothing_else_does() -> None:
    """Prevents a finding that names a hostile record source, in dbt's own output."""
    assert visible_in_colour("\x1b[31m1 of 2\x1b[0m\n\x1b[2Jx\x1b[0;1m") == "\x1b[31m1 of 2\x1b[0m\n\\x1b[2Jx\x1b[0;1m"
    assert visible_without_colour("\x1b[31m1 of 2\x1b[0m\n\x1b[2Jx\x1b[0;1m") == "1 of 2\n\\x1b[2Jx"


def test_a_cell_of_a_report_is_text() -> None:
    """Prevents a file's name that is a heading, a script or a link in a report that is passed on."""
    hostile = "a|b`c`\n# d <script>x</script> [e](http://f) ![g](h) **i** &lt; www.j.k l@m \u202e"
    assert markdown_table([{"name": hostile}]).splitlines()[2] == (
        r"| a\|b\`c\` # d \<script\>x\</script\> \[e\](http\://f) !\[g\](h) \*\*i\*\* \&lt; www\.j.k l\@m   |"
    )


@given(st.text())
def test_whatever_is_shown_prints(text: str) -> None:
    assert in_one_line(text).isprintable()
    assert visible(text).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "plain.json", "a b", "$(id)", "`id`", "'", "\"", "\\", "a\nb", "-rf", "~", "#x", "!!", "*",
        "\x1b[2J", "\x9b", "é\u202e", os.fsdecode(b"\xff\xfe"), "$'\\x41'", "",
    ],
)  # fmt: skip
def test_a_pasted_word_is_the_text_again(name: str) -> None:
    """Prevents a path in the next command that the shell runs, splits, or cannot find."""
    assert pasted(name).isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {pasted(name)}"], capture_output=True, check=True)
    assert os.fsdecode(done.stdout) == name
    assert pasted(Path("a b")) == "'a b'"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_tables_lines_and_errors_show_values_as_they_are(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    """Prevents rich's markup in a name (an unknown tag even ends the command), and a row that a value adds."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", "300")
    output.show(drawn(output.surface(), [[HOSTILE, 1], [None, 2]], ["name", "count"]))
    output.print_error(HOSTILE, f"ls {HOSTILE}", 1, as_json=False)
    output.show(paragraph(output.surface(), HOSTILE))
    with output.progress() as report:
        report(HOSTILE)
        report(f"gate: {HOSTILE}")
    for text in capfd.readouterr():
        assert "[link=http://x]y[/link]" in text
        # Colours are rich's own.
        unwanted = set(re.sub("\x1b\\[[0-9;]*m", "", text)) & set("\x1b\x07\x9b\u202e\u2028\r\b\x7f\x00")
        assert unwanted == set()


def test_json_keeps_the_value_and_holds_no_command(capfd: pytest.CaptureFixture[str]) -> None:
    """Prevents --json, typed at a terminal, from doing what the plain form does not."""
    output.print_json({"name": HOSTILE, "path": Path("/x")})
    text = capfd.readouterr().out
    assert json.loads(text) == {"name": HOSTILE, "path": "/x"}
    assert text.replace("\n", "").isprintable()
