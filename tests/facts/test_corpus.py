"""The committed files: their facts are those of the table, and those of another tool."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from loader.facts import FACT_FIELDS, FACTS_VERSIONS, Facts, FactsReader, FactValue, read_facts_here
from tests.facts import corpus_making
from tests.facts.other_tools import TOOLS, is_here
from tests.facts.table import CORPUS, PAGE, Listed, in_page, listed, versions

TABLE = listed()
WITH_OTHER = [each for each in TABLE if each.other]
# A tool may count what a decoder leaves out at the edges of a recording: a fortieth of a second.
NEAR = Decimal("0.03")


@pytest.fixture(scope="module")
def reader() -> Iterator[FactsReader]:
    with FactsReader() as reading:
        yield reading


def name(each: Listed) -> str:
    return each.name


@pytest.mark.parametrize("each", TABLE, ids=name)
def test_the_facts_of_a_file_are_those_of_the_table(each: Listed, reader: FactsReader) -> None:
    """Prevents a library's new version from changing a fact that stands in a warehouse already, without a word.

    Where it fails: if the new value is right, write it into the table and raise the reader's version in both places.
    """
    answer = reader.read(each.path, each.reader, each.asset_type)
    assert isinstance(answer, Facts)
    assert dict(answer.values) == each.values
    assert answer.estimated == each.estimated
    assert all(answer.libraries.values())


@pytest.mark.parametrize("each", TABLE, ids=name)
def test_each_fact_has_its_type_and_is_exact(each: Listed) -> None:
    """Prevents a float, and a decimal of more or fewer than three places."""
    answer = read_facts_here(each.path, each.reader, each.asset_type)
    assert isinstance(answer, Facts)
    fields = FACT_FIELDS[each.reader]
    assert {key: type(value) for key, value in answer.values.items()} == {key: fields[key] for key in answer.values}
    assert list(answer.values) == [key for key in fields if key in answer.values]
    assert answer.estimated <= answer.values.keys()
    for value in answer.values.values():
        assert not isinstance(value, Decimal) or value.as_tuple().exponent == -3


@pytest.mark.parametrize("each", WITH_OTHER, ids=name)
def test_another_tool_has_read_the_same(each: Listed) -> None:
    """Prevents facts that only our libraries see; compared with what the tool said when the corpus was made."""
    assert compared(each, each.other) == []


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_another_tool_reads_the_same_today(tool: str) -> None:
    """The same with the tool itself, where it is installed."""
    if not is_here(tool):
        pytest.skip(f"{TOOLS[tool][0]} is not installed: only what it said once was compared")
    for each in WITH_OTHER:
        if each.tool == tool:
            assert (each.name, TOOLS[tool][1](each.path)) == (each.name, each.other)


def compared(each: Listed, other: dict[str, FactValue]) -> list[str]:
    """Where the two differ."""
    found = []
    for key, value in other.items():
        ours = each.values.get(key)
        is_near = isinstance(value, Decimal) and isinstance(ours, Decimal) and abs(value - ours) <= NEAR
        if ours != value and not is_near and key not in each.estimated:
            found.append(f"{key}: {ours} and {value}")
    return found


def test_the_table_is_of_these_versions_and_of_all_files() -> None:
    """Prevents a changed fact under an old version, and a file that nobody reads."""
    assert versions() == FACTS_VERSIONS
    assert sorted(each.name for each in TABLE) == sorted(
        path.name for path in CORPUS.iterdir() if path.name not in ("facts.json", "README.md")
    )
    assert all(each.path.stat().st_size < 20_000 for each in TABLE)


def test_every_fact_stands_in_the_table_and_in_another_tool() -> None:
    """Prevents a fact that no file has, or that nobody has read twice."""
    for reader, fields in FACT_FIELDS.items():
        if reader in {each.reader for each in TABLE}:
            assert {key for each in TABLE if each.reader == reader for key in each.values} == fields.keys()


@pytest.mark.parametrize("made", corpus_making.documents())
def test_what_is_made_by_hand_is_what_is_committed(made: str) -> None:
    """Prevents a file of the corpus that nobody can make again."""
    assert (CORPUS / made).read_bytes() == corpus_making.documents()[made]


def test_every_type_of_a_reader_has_a_file(tmp_path: Path) -> None:
    from loader.facts.media_types import MEDIA_TYPES
    from loader.facts.readers import READERS

    expected = {(reader, asset_type) for reader in READERS for asset_type in MEDIA_TYPES[reader]}
    assert {(each.reader, each.asset_type) for each in TABLE} == expected


def test_the_page_shows_the_table() -> None:
    """Where it fails: python -m tests.facts.table."""
    assert PAGE.read_text("utf-8") == in_page(PAGE.read_text("utf-8"))
