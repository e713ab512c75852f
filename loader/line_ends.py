"""Text of a checkout as it was committed: git, an editor or an archive may have given it the line ends of a machine."""

from __future__ import annotations

from pathlib import Path


def committed(content: bytes) -> bytes:
    """`content` with `\\n` at the end of each line: what every digest of a checkout's own text is taken of."""
    return content.replace(b"\r\n", b"\n")


def read_committed(path: Path) -> bytes:
    return committed(path.read_bytes())
