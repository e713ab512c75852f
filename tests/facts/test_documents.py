"""Documents: their facts by the stated rules, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loader.bounds import MAX_TEXT_FILE_BYTES, FactsLimits
from loader.facts import Facts, FactsDefect, FactsReader, read_facts_here
from tests.documents import encrypted_of
from tests.facts import pdf_making as making


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def facts(folder: Path, content: bytes, asset_type: str) -> dict[str, object]:
    answer = read_facts_here(written(folder, content), "document", asset_type)
    assert isinstance(answer, Facts), answer
    return dict(answer.values)


def defect(folder: Path, content: bytes, asset_type: str) -> FactsDefect:
    answer = read_facts_here(written(folder, content), "document", asset_type)
    assert isinstance(answer, FactsDefect), answer
    return answer


def test_a_pdf_has_pages_words_and_a_title(tmp_path: Path) -> None:
    content = making.pages_of(["two words\nand three more", "a page"], b"(Sync  limits)")
    answer = read_facts_here(written(tmp_path, content), "document", "pdf")
    assert isinstance(answer, Facts)
    assert answer.values == {
        "media_type": "application/pdf",
        "page_count": 2,
        "word_count": 7,
        "title": "Sync limits",
    }
    # A PDF holds glyphs at places: another reader may find other words.
    assert answer.estimated == {"word_count"}
    assert sorted(answer.libraries) == ["markdown-it-py", "pypdf", "pypdfium2", "selectolax"]


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_pdf_that_was_cut_off_is_unreadable(tmp_path: Path, kept: float) -> None:
    """Prevents the pages that are still there from passing for the document."""
    whole = making.pages_of(["one", "two", "three"])
    assert defect(tmp_path, whole[: int(len(whole) * kept)], "pdf").reason_code == "unreadable_file"


@pytest.mark.parametrize("password", ["sesame", ""])
def test_an_encrypted_pdf_is_told_as_that(tmp_path: Path, password: str) -> None:
    """Prevents a search for damage, and a fact that one of the two judges cannot confirm."""
    assert defect(tmp_path, encrypted_of(password), "pdf").reason_code == "encrypted_file"


@pytest.mark.parametrize("count", [1, 3, 1_000_000])
def test_a_pdf_that_lies_about_its_pages_is_unreadable(tmp_path: Path, count: int) -> None:
    """Prevents a count of pages that only one of two readers believes."""
    assert defect(tmp_path, making.pages_of(["one", "two"], count=count), "pdf").reason_code == "unreadable_file"


@pytest.mark.parametrize("count", [0, -1, 2**31])
def test_a_count_of_pages_that_no_reader_believes_is_passed_over(tmp_path: Path, count: int) -> None:
    """Both count the pages themselves, and agree."""
    assert facts(tmp_path, making.pages_of(["one", "two"], count=count), "pdf")["page_count"] == 2


def test_a_pdf_without_a_page_is_unreadable(tmp_path: Path) -> None:
    assert defect(tmp_path, making.pages_of([]), "pdf").reason_code == "unreadable_file"


def test_a_tree_of_pages_that_never_ends_is_refused(tmp_path: Path) -> None:
    """Prevents an endless walk: a tree that is its own branch, and one that is deeper than any."""
    loop = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"]
    assert defect(tmp_path, making.pdf_of(loop), "pdf").reason_code == "unreadable_file"
    deep = [b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (number + 3) for number in range(2_000)]
    leaf = b"<< /Type /Page /MediaBox [0 0 9 9] >>"
    assert defect(tmp_path, making.pdf_of([loop[0], *deep, leaf]), "pdf").reason_code == "facts_limit"


@pytest.mark.parametrize("before", [-1, 1])
def test_a_pdf_that_sends_its_reader_before_its_beginning_is_unreadable(tmp_path: Path, before: int) -> None:
    """Prevents a seek that the system refuses from passing for a failing disk, and from stopping the command."""
    content = making.pages_of(["x"]).replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % before)
    assert defect(tmp_path, content, "pdf").reason_code == "unreadable_file"


def test_a_bomb_of_1_kb_ends_at_the_bound_of_memory(tmp_path: Path) -> None:
    """Prevents a page of 200 MB, packed twice into a thousandth of a thousandth, from taking the machine's memory."""
    path = written(tmp_path, making.bomb_of(megabytes=200))
    assert path.stat().st_size < 2_000
    with FactsReader(FactsLimits(cpu_seconds=20, wall_seconds=120, memory_bytes=2**28)) as reader:
        answer = reader.read(path, "document", "pdf")
    assert isinstance(answer, FactsDefect)
    assert answer.reason_code == "facts_limit"


def test_a_page_of_200_000_nested_elements_ends_at_the_bound_of_time(tmp_path: Path) -> None:
    """Prevents a page of 1 MB, for which the parser needs more than 30 s, from holding up what follows it."""
    path = written(tmp_path, b"<!doctype html>" + b"<div>" * 200_000)
    with FactsReader(FactsLimits(cpu_seconds=1)) as reader:
        answer = reader.read(path, "document", "html")
    assert answer == FactsDefect("facts_limit", "reading its facts took more than 1 seconds of processor")


def test_a_sparse_pdf_of_5_gb_is_not_looked_through(tmp_path: Path) -> None:
    path = written(tmp_path, b"%PDF-1.7\n")
    os.truncate(path, 5 * 2**30)
    with FactsReader(FactsLimits(cpu_seconds=2)) as reader:
        answer = reader.read(path, "document", "pdf")
    assert isinstance(answer, FactsDefect)
    assert answer.reason_code == "unreadable_file"


@pytest.mark.parametrize("asset_type", ["pdf", "html", "markdown"])
def test_a_file_without_bytes_is_unreadable(tmp_path: Path, asset_type: str) -> None:
    assert defect(tmp_path, b"", asset_type) == FactsDefect("unreadable_file", "the file has no bytes")


@pytest.mark.parametrize("asset_type", ["html", "markdown"])
@pytest.mark.parametrize("content", ["Größe".encode("latin-1"), "Größe".encode("utf-16"), "size".encode("utf-16-le")])
def test_text_that_is_no_utf8_is_refused(tmp_path: Path, asset_type: str, content: bytes) -> None:
    """Prevents a guess at the encoding, and words that nobody wrote."""
    assert defect(tmp_path, content, asset_type).reason_code == "not_utf8"


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert facts(tmp_path, "\ufeff# One two".encode(), "markdown")["title"] == "One two"


@pytest.mark.parametrize("asset_type", ["html", "markdown"])
def test_a_page_that_is_too_large_is_not_held(tmp_path: Path, asset_type: str) -> None:
    path = written(tmp_path, b"words ")
    os.truncate(path, MAX_TEXT_FILE_BYTES + 1)
    answer = read_facts_here(path, "document", asset_type)
    assert answer == FactsDefect("facts_limit", "the text has more than 16,777,216 bytes")


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ("<p>one<b>and</b> two</p>", 2),
        ("one<br>two<p>three</p>four", 4),
        ("<table><tr><td>a<td>b</table>", 2),
        ("a<wbr>b&nbsp;c&#8203;d", 2),
        ("a<script>b c</script> <style>d</style><template>e</template><!-- f -->", 1),
        ("<title>not on the page</title>one", 1),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", 3),
        ("Zürich 日本 語", 3),
        ("", 0),
    ],
)
def test_words_of_html_are_those_that_a_reader_sees(tmp_path: Path, html: str, count: int) -> None:
    """Prevents scripts that count as words, and words that are joined or parted by markup."""
    assert facts(tmp_path, f"<!doctype html><body>{html}".encode(), "html")["word_count"] == count


@pytest.mark.parametrize(
    ("markdown", "count", "title"),
    [
        ("# The *first* heading\n\nand `code` here.\n", 6, "The first heading"),
        ("no heading\n\n## a second level\n", 5, None),
        ("Under\nlined\n=====\n", 2, "Under lined"),
        ("| a | b |\n|---|---|\n| c | d |\n", 4, None),
        ("```\nx = 1\n```\n", 3, None),
        ("[text of a link](https://example.org/never/counted)\n", 4, None),
    ],
)
def test_words_of_markdown_are_those_of_its_page(tmp_path: Path, markdown: str, count: int, title: str | None) -> None:
    found = facts(tmp_path, markdown.encode(), "markdown")
    assert (found["word_count"], found.get("title")) == (count, title)


@pytest.mark.parametrize(
    "title",
    [
        "reversed \u202e txt.exe",
        "\x1b[2Jcleared",
        "\x9b31mred",
        "zero\u200bwidth",
        "line\u2028end\u2066",
        "x" * 501,
        "",
        " \t ",
    ],
)
def test_a_title_that_cannot_be_shown_is_no_fact(tmp_path: Path, title: str) -> None:
    """Prevents a file from writing on an operator's terminal, or into a cell more than fits."""
    assert "title" not in facts(tmp_path, f"<!doctype html><title>{title}</title>x".encode(), "html")
    as_text = b"<" + ("\ufeff" + title).encode("utf-16-be").hex().encode() + b">"
    assert "title" not in facts(tmp_path, making.pages_of(["x"], as_text), "pdf")


def test_a_title_of_500_characters_is_a_fact(tmp_path: Path) -> None:
    assert facts(tmp_path, b"<!doctype html><title>" + b"x" * 500, "html")["title"] == "x" * 500


def test_a_title_of_a_drawing_is_not_the_page_s(tmp_path: Path) -> None:
    page = b"<!doctype html><body><svg><title>arrow</title></svg>x"
    assert "title" not in facts(tmp_path, page, "html")


def test_a_page_nests_deeper_than_python_calls(tmp_path: Path) -> None:
    assert facts(tmp_path, b"<!doctype html>" + b"<i>" * 5_000 + b"deep", "html")["word_count"] == 1
