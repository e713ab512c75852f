"""What is drawn, at every width: nothing is cut, and nothing that could be broken is wider than the screen."""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.screen import (
    Column,
    Failure,
    Mark,
    Screen,
    Sign,
    amount,
    calendar,
    failures,
    listing,
    next_lines,
    paragraph,
    screen_of,
    shortened,
    spread,
    table,
)
from loader.screen.text import atoms, cells

EIGHTY = Screen(80)
RUN = "01a20487-27bf-7d6f-88b2-ba02718ad2c7"
_NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="`"), min_size=1, max_size=60
)


class Stream(io.StringIO):
    encoding = "utf-8"

    def __init__(self, is_terminal: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._is_terminal, self.encoding = is_terminal, encoding  # type: ignore[misc]

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("is_terminal", "environment", "expected"),
    [
        (False, {}, Screen(80)),
        (False, {"COLUMNS": "140"}, Screen(140)),
        (False, {"COLUMNS": "100", "TERM": "xterm"}, Screen(100)),
        (True, {"TERM": "xterm"}, Screen(80, has_colour=True, is_terminal=True)),
        (True, {"TERM": "xterm", "COLUMNS": "3"}, Screen(40, has_colour=True, is_terminal=True)),
        (True, {"TERM": "xterm", "COLUMNS": "wide"}, Screen(80, has_colour=True, is_terminal=True)),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, Screen(80, is_terminal=True)),
        (True, {"TERM": "dumb"}, Screen(80)),
    ],
)
def test_a_stream_is_drawn_on_as_it_can_show(is_terminal: bool, environment: dict[str, str], expected: Screen) -> None:
    assert screen_of(Stream(is_terminal), environment) == expected


def test_values_read_as_people_write_them() -> None:
    at = datetime(2026, 4, 17, 23, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    values = (None, True, False, 1_234_567, -1_000, 2.25, date(2026, 4, 17), at, "a\tb\nc\x1b[2J", Mark(9_999, "bad"))
    assert [EIGHTY.words(value) for value in values] == [
        "", "yes", "no", "1,234,567", "-1,000", "2.2", "2026-04-17", "2026-04-17 21:30:00",
        "a\\tb\\nc\\x1b[2J", "9,999",
    ]  # fmt: skip
    assert at.astimezone(UTC).hour == 21
    assert [amount(EIGHTY, count, "day") for count in (0, 1, 1305)] == ["0 days", "1 day", "1,305 days"]
    assert amount(EIGHTY, 2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "■ ✓ ✗ ◔ … · → é 東"),
        ("latin-1", "# + x ~ ... · -> é \\u6771"),
        ("ascii", "# + x ~ ... - -> \\xe9 \\u6771"),
        ("no-such-encoding", "# + x ~ ... - -> \\xe9 \\u6771"),
    ],
)
def test_what_the_encoding_lacks_is_said_otherwise(encoding: str, expected: str) -> None:
    """Prevents a command that ends at a sign which its terminal cannot write."""
    assert Screen(80, encoding=encoding).words("■ ✓ ✗ ◔ … · → é 東") == expected


def test_a_table_aligns_names_at_the_left_and_numbers_at_the_right() -> None:
    rows = [["needs you", date(2026, 4, 17), 4_180, "a row of Silver is missing"], ["released", None, 59, None]]
    assert table(EIGHTY, rows) == [
        "needs you   2026-04-17   4,180   a row of Silver is missing",
        "released                    59",
    ]
    assert table(EIGHTY, rows, ["state", "day", "tickets", "why"], indent="  ") == [
        "  state      day         tickets  why",
        "  needs you  2026-04-17    4,180  a row of Silver is missing",
        "  released                    59",
    ]
    assert table(EIGHTY, [], ["state", "day"]) == []


def test_a_table_counts_cells_and_not_characters() -> None:
    """Prevents columns that shift behind a wide name or an accent of its own."""
    assert table(EIGHTY, [["東京.jsonl", 1], ["e\u0301t.jsonl", 22], ["abc", 333]]) == [
        "東京.jsonl     1",
        "e\u0301t.jsonl      22",
        "abc          333",
    ]


def test_sentences_are_continued_below_themselves() -> None:
    sentence = "/data/.cache/exports is hidden below the allowed root /data; LOADER_ALLOWED_ROOTS allows it."
    assert listing(EIGHTY, [("path_outside_roots", sentence)]) == [
        "  path_outside_roots   /data/.cache/exports is hidden below the allowed root",
        "                       /data; LOADER_ALLOWED_ROOTS allows it.",
    ]
    assert paragraph(Screen(40), "error: one line, and\nanother that is longer than it may be", hanging="       ") == [
        "error: one line, and",
        "another that is longer than it may be",
    ]
    assert paragraph(Screen(40), "one thing or another, and a third that is longer", indent="  ", hanging="    ") == [
        "  one thing or another, and a third",
        "    that is longer",
    ]


def test_a_name_wider_than_its_column_has_the_next_lines() -> None:
    name = "tickets-" + "x" * 58 + ".jsonl.gz"
    assert table(EIGHTY, [["2026-04-17", f"the file {name} is missing"], ["2026-04-18", "ok"]]) == [
        "2026-04-17",
        "    the file",
        f"    {name}",
        "    is missing",
        "2026-04-18   ok",
    ]


def test_a_sentence_without_room_stands_below_its_row() -> None:
    """Prevents one long reason that takes all rows apart, and a tower of words at the right."""
    rows = [["needs you", "2026-04-17 of ticket_v1" + " " * 40, "a row of Silver is missing"], ["released", "x", "ok"]]
    assert table(EIGHTY, rows) == [
        "needs you   2026-04-17 of ticket_v1",
        "    a row of Silver is missing",
        f"released    x{' ' * 65}ok",
    ]


def test_a_table_that_does_not_fit_is_a_list() -> None:
    columns = ["run", "manifest", "lines", "status"]
    rows = [[RUN, "manifest-tickets-2026-03-a100d1c5383f", 8_244, "success"]]
    assert table(Screen(140), rows, columns) == [
        "run                                   manifest                               lines  status",
        f"{RUN}  manifest-tickets-2026-03-a100d1c5383f  8,244  success",
    ]
    assert table(EIGHTY, rows, columns) == [
        RUN,
        "    manifest manifest-tickets-2026-03-a100d1c5383f   lines 8,244",
        "    status success",
    ]


def test_only_prose_is_broken() -> None:
    rows = [["a", "one two three four five six seven eight nine ten"]]
    assert table(Screen(40), rows, ["name", Column("why", is_prose=True)]) == [
        "name  why",
        "a     one two three four five six seven",
        "      eight nine ten",
    ]
    assert table(Screen(40), rows, ["name", "path"]) == [
        "a",
        "    path one two three four five six",
        "    seven eight nine ten",
    ]


def test_failures_are_told_once_for_each_reason() -> None:
    """Prevents 20 equal lines and "and 1285 more"."""
    hidden = "/data/.cache is hidden below the allowed root /data."
    found = [Failure("checksum_mismatch", "The bytes are others than declared.", "b.jsonl")]
    found += [Failure("path_outside_roots", hidden, f"t-{day}.jsonl", "Allow it.") for day in range(1_305)]
    assert failures(EIGHTY, found) == [
        "  path_outside_roots   /data/.cache is hidden below the allowed root /data.",
        "                       Allow it.",
        "  1,305 files: t-0.jsonl, t-1.jsonl, t-2.jsonl, …",
        "  checksum_mismatch   The bytes are others than declared.",
        "  1 file: b.jsonl",
    ]
    assert failures(EIGHTY, [Failure("", "No line belongs to 2026-04-31.")]) == ["  No line belongs to 2026-04-31."]
    assert failures(EIGHTY, []) == []


def test_names_of_failures_are_not_broken() -> None:
    names = ["a" * 50 + ".jsonl", "with a space.jsonl", "c" * 90]
    assert failures(EIGHTY, [Failure("x", "Y.", name) for name in names], noun="object", indent="") == [
        "x   Y.",
        f"3 objects: {names[0]},",
        "  with a space.jsonl,",
        f"  {names[2]}",
    ]


_RELEASED, _NEEDS, _LATE = Sign("■", "released", "good"), Sign("✗", "needs you", "bad"), Sign("◔", "late", "look")


def _days(count: int) -> dict[date, Sign]:
    days = {date(2026, 3, 1) + timedelta(days=place): _RELEASED for place in range(count)}
    days[date(2026, 4, 17)] = _NEEDS
    days[date(2026, 4, 30)] = _LATE
    return days


def test_a_calendar_is_a_strip_a_month_with_the_meaning_of_its_signs() -> None:
    months = [date(2026, 3, 1), date(2026, 4, 1)]
    assert calendar(Screen(100), _days(60), months) == [
        "2026-03   ■■■■■■■ ■■■■■■■ ■■■■■■■ ■■■■■■■ ■■■",
        "2026-04   ■■■■■■■ ■■■■■■■ ■■✗■■■■ ■■■■■■■ ■◔    ■ released  ✗ needs you  ◔ late",
    ]
    assert calendar(Screen(60, encoding="ascii"), _days(40), months) == [
        "2026-03   ####### ####### ####### ####### ###",
        "2026-04   ####### ##        x              ~",
        "          # released  x needs you  ~ late",
    ]
    assert calendar(EIGHTY, {}, []) == []


def test_colour_changes_no_width_and_stands_beside_words() -> None:
    bright = Screen(80, has_colour=True)
    assert table(bright, [[Mark("ok", "good"), "x"], ["needs you", "y"]]) == [
        "\x1b[32mok       \x1b[0m   x",
        "needs you   y",
    ]
    months = [date(2026, 3, 1), date(2026, 4, 1)]
    plain = [_bare(line) for line in calendar(Screen(100, has_colour=True), _days(60), months)]
    assert plain == calendar(Screen(100), _days(60), months)


def _bare(line: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", line)


def test_the_next_command_is_one_line_and_the_last() -> None:
    assert next_lines(EIGHTY, "make ready PARTITION=2026-04-17   # may readers go on?") == [
        "next: make ready PARTITION=2026-04-17   # may readers go on?"
    ]
    command = f"make retry RUN={RUN} MODE=execute"
    assert next_lines(EIGHTY, f"{command}   # the same run again, from what it recorded") == [
        "why:  the same run again, from what it recorded",
        f"next: {command}",
    ]
    long = f"make ingest MANIFEST={'x' * 200}"
    assert next_lines(Screen(60), long) == [f"next: {long}"]


def test_facts_beside_each_other_stay_whole() -> None:
    assert spread(
        Screen(60), ["cursor 2026-04-29 10:22:30", "", "watermark 3 days before", "last run 01a223dd ok"]
    ) == [
        "cursor 2026-04-29 10:22:30   watermark 3 days before",
        "last run 01a223dd ok",
    ]


def test_only_a_fact_wider_than_the_screen_is_broken() -> None:
    last = "last run 01a223dd ingest of ticket_comment_v1 2026-11-30 20:39 ok, with warnings"
    assert spread(Screen(60), ["cursor 2026-04-29 10:22:30", last, "and more"], indent=" ") == [
        " cursor 2026-04-29 10:22:30",
        " last run 01a223dd ingest of ticket_comment_v1 2026-11-30",
        "   20:39 ok, with warnings",
        " and more",
    ]


def test_an_id_is_as_short_as_it_may_be() -> None:
    twin = "01a20487-27bf-7d6f-9999-ba02718ad2c7"
    assert shortened(RUN) == shortened(RUN, [RUN]) == "01a20487-27bf"
    assert shortened(RUN, [twin]) == "01a20487-27bf-7d6f-8"
    assert shortened("short") == "short"


@given(
    st.lists(st.tuples(_NAMES, st.integers(), st.lists(_NAMES, max_size=8).map(" ".join)), max_size=5),
    st.sampled_from([60, 80, 100, 140]),
    st.booleans(),
)
def test_nothing_is_lost_and_only_a_name_alone_is_wider_than_the_screen(
    rows: list[tuple[str, int, str]], width: int, has_titles: bool
) -> None:
    screen = Screen(width)
    columns = ["name", "count", Column("why", is_prose=True)] if has_titles else []
    lines = table(screen, rows, columns)
    words = Counter(word for row in rows for cell in row for word in atoms(screen.words(cell)))
    assert words <= Counter(word for line in lines for word in atoms(line))
    for line in lines:
        assert cells(line) <= width or len(atoms(line)) == 1 or line.startswith("    ")
        assert line == line.rstrip()
