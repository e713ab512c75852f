"""Bytes to lines: streaming, tiling, constant memory. Knows no kind of record."""

from loader.bounds import KEPT_LINE_BYTES, MAX_LINE_BYTES
from loader.reader.content import ContentChangedError, ContentEncoding, open_content
from loader.reader.framed import Framed
from loader.reader.gzip_members import COMPRESSED_CHUNK_BYTES, GZIP_MAGIC, GzipDefectError, iter_gzip
from loader.reader.lines import Line, is_blank, iter_lines, lines_at
from loader.reader.regular_file import (
    CHUNK_BYTES,
    DocumentTooLargeError,
    LinkInTheWayError,
    NotARegularFileError,
    open_beneath,
    open_regular,
    read_chunks,
    read_document,
)

__all__ = [
    "CHUNK_BYTES",
    "COMPRESSED_CHUNK_BYTES",
    "GZIP_MAGIC",
    "KEPT_LINE_BYTES",
    "MAX_LINE_BYTES",
    "ContentChangedError",
    "ContentEncoding",
    "DocumentTooLargeError",
    "Framed",
    "GzipDefectError",
    "Line",
    "LinkInTheWayError",
    "NotARegularFileError",
    "is_blank",
    "iter_gzip",
    "iter_lines",
    "lines_at",
    "open_beneath",
    "open_content",
    "open_regular",
    "read_chunks",
    "read_document",
]
