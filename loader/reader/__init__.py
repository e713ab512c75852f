"""Bytes to lines: streaming, tiling, constant memory. Knows nothing of tickets."""

from loader.reader.content import ContentChangedError, ContentEncoding, open_content
from loader.reader.gzip_members import GzipDefectError, iter_gzip
from loader.reader.lines import KEPT_LINE_BYTES, MAX_LINE_BYTES, Line, count_lines, is_blank, iter_lines
from loader.reader.regular_file import NotARegularFileError, open_regular, read_chunks

__all__ = [
    "KEPT_LINE_BYTES",
    "MAX_LINE_BYTES",
    "ContentChangedError",
    "ContentEncoding",
    "GzipDefectError",
    "Line",
    "NotARegularFileError",
    "count_lines",
    "is_blank",
    "iter_gzip",
    "iter_lines",
    "open_content",
    "open_regular",
    "read_chunks",
]
