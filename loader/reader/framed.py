"""A file as its kind frames it: lines, or one record that covers all its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from loader.reader.content import ContentEncoding, open_content
from loader.reader.lines import Line, count_lines, iter_lines


@dataclass(frozen=True, slots=True)
class Framed:
    """A file to read. `fingerprint`: SHA-256 (hex) of its bytes; `record`: the record that it is, as JSON, None where
    each of its lines is one; `defect`: a reason code and a sentence, where it is to be one and cannot be read so;
    `erased_bytes`: of a record that was erased, how many it had: its line is blank, and nothing is left to read.
    `compose`: makes a line's record, of the line and of what is declared of all of them; `day`: theirs, where it is
    declared."""

    path: Path
    content_encoding: ContentEncoding
    fingerprint: str
    record: bytes | None = None
    defect: tuple[str, str] | None = None
    erased_bytes: int = 0
    compose: Callable[[Line], bytes] | None = None
    day: date | None = None

    def lines(self) -> Iterator[Line]:
        """The lines that tile the content. A file that is a record has one, of all its bytes, and its body is the
        record. Raises as open_content; at the end also where the bytes are not those of the fingerprint."""
        chunks = open_content(self.path, self.content_encoding, fingerprint=self.fingerprint)
        if self.record is None:
            yield from iter_lines(chunks)
        else:
            yield Line(1, 0, sum(map(len, chunks)) + self.erased_bytes, self.record, None, False)

    def record_on(self, line: Line) -> bytes:
        """The record of a line that is not blank, as JSON if it is one."""
        return line.body if self.compose is None else self.compose(line)

    def count_lines(self) -> int:
        """How many there are, read without a look at what they hold."""
        return 1 if self.record is not None else count_lines(open_content(self.path, self.content_encoding))
