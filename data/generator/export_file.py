"""Writes one export file, plain or gzip, a block of lines at a time."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

BLOCK_LINES = 2_000
# Bodies of blank lines.
BLANKS = (b"", b"", b" ", b"\t", b"  \t ")


@dataclass(frozen=True, slots=True)
class Form:
    """How an export is written: what differs between files of one data set."""

    is_gzip: bool
    gzip_member_lines: int
    line_end: bytes
    is_terminated: bool

    @classmethod
    def of(cls, number: int, gzip_every: int, member_lines: int, crlf_every: int, unterminated_every: int) -> Form:
        """The form of the `number`-th file, from 1; `*_every`: every n-th file, 0 is never."""

        def is_nth(every: int) -> bool:
            return every > 0 and number % every == 0

        return cls(
            is_gzip=is_nth(gzip_every),
            gzip_member_lines=member_lines,
            line_end=b"\r\n" if is_nth(crlf_every) else b"\n",
            is_terminated=not is_nth(unterminated_every),
        )

    @property
    def ending(self) -> str:
        """The end of the file's name."""
        return ".jsonl.gz" if self.is_gzip else ".jsonl"


class ExportFile:
    """Lines in the order of `add`. `content_bytes` (uncompressed) is right once the file is closed.

    A gzip file has no name and no time in its header; with `gzip_member_lines` it is a row of members, as
    exporters make that append. An unterminated file has no line end after its last line, unless that line is
    empty (it would not be a line any more) or ends a member.
    """

    def __init__(self, path: Path, form: Form) -> None:
        self.content_bytes = 0
        self.line_count = 0
        self._form = form
        self._block: list[bytes] = []
        self._file: BinaryIO = path.open("wb")
        self._member: gzip.GzipFile | None = self._new_member() if form.is_gzip else None

    def __enter__(self) -> ExportFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._block:
            content = self._form.line_end.join(self._block)
            if self._form.is_terminated or not self._block[-1]:
                content += self._form.line_end
            self._write(content)
        if self._member is not None:
            self._member.close()
        self._file.close()

    def add(self, body: bytes) -> None:
        """`body` has no line end."""
        self._block.append(body)
        self.line_count += 1
        if self._member is not None and self._form.gzip_member_lines:
            if self.line_count % self._form.gzip_member_lines == 0:
                self._flush(keep=0)
                self._member.close()
                self._member = self._new_member()
        elif len(self._block) > BLOCK_LINES:
            self._flush(keep=1)

    def _flush(self, keep: int) -> None:
        """Writes the block but for its last `keep` lines: the very last line may lose its line end."""
        kept = self._block[len(self._block) - keep :]
        self._block[len(self._block) - keep :] = [b""]
        self._write(self._form.line_end.join(self._block))
        self._block = kept

    def _write(self, content: bytes) -> None:
        self.content_bytes += len(content)
        (self._file if self._member is None else self._member).write(content)

    def _new_member(self) -> gzip.GzipFile:
        return gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._file, mtime=0)
