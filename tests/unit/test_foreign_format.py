"""What is told of a file that is no UTF-8 JSON: advice that, taken, gives the text."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile

import pytest

from loader.contract.foreign_format import begins_document, foreign_bytes

TEXT = '{"ticket_id":"TKT-20260417-000001","subject":"Ярлык"}\n{"ticket_id":"TKT-20260417-000002"}\n'


@pytest.mark.skipif(shutil.which("iconv") is None, reason="this system has no iconv")
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-16-le", True),
        ("utf-16-be", True),
        ("utf-32-le", True),
        ("utf-32-be", True),
        ("utf-16-le", False),
        ("utf-16-be", False),
        ("utf-32-le", False),
        ("utf-32-be", False),
    ],
)
def test_the_command_that_the_first_line_names_gives_the_text(encoding: str, mark: bool) -> None:
    """Prevents garbage in UTF-8, which the next delivery then is."""
    content = (("\ufeff" if mark else "") + TEXT).encode(encoding)
    first, second = content.split(b"\n")[:2]
    found = foreign_bytes(first)
    assert found is not None and found[0] == "utf16_text"
    command = re.search(r"iconv .* UTF-8$", found[1])
    assert command is not None
    done = subprocess.run(command[0].split(), input=content, capture_output=True, check=True)
    assert done.stdout.decode() == TEXT
    # A later line begins with what is left of the line feed: it is sure of nothing, and says so.
    of_second = foreign_bytes(second)
    assert of_second is not None and "if this is the file's first line, else what that one is" in of_second[1]


def test_a_tar_archive_is_no_text_in_another_encoding() -> None:
    """Prevents iconv over an archive, whose zero bytes pad it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("tickets.jsonl")
        member.size = len(TEXT.encode())
        tar.addfile(member, io.BytesIO(TEXT.encode()))
    assert foreign_bytes(archive.getvalue().split(b"\n")[0]) == (
        "compressed_content",
        "the line begins as tar does, expected text: unpack the file",
    )


def test_an_array_in_one_line_is_not_told_as_a_document_of_several() -> None:
    one = begins_document("", [{"a": 1}, {"a": 2}])
    several = begins_document('[{"a": 1},')
    assert one is not None and one.startswith("one JSON array, expected one object a line")
    assert several is not None and several.startswith("a JSON document of several lines, expected one object a line")
