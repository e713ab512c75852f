"""One pass over the bytes finds their fingerprint, size, encoding, content size and defects."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.bounds import MAX_CONTENT_BYTES
from loader.errors import InfrastructureError
from loader.gate import AssetRefusedError, ExpansionLimits, Inspection, inspect, inspect_file
from loader.reader import iter_lines, open_content, open_regular

NOISE = random.Random(3).randbytes(3 << 20)


def inspect_bytes(folder: Path, content: bytes, limits: ExpansionLimits | None = None) -> Inspection:
    path = folder / "delivered"
    path.write_bytes(content)
    return inspect(path, limits=limits)


@pytest.mark.parametrize("content", [b"", b"\x1f", b"a", b"{}\n", NOISE, b"\n" * 10])
def test_plain_bytes(tmp_path: Path, content: bytes) -> None:
    """Prevents a fingerprint or size that is not that of the whole file."""
    assert inspect_bytes(tmp_path, content) == Inspection(
        hashlib.sha256(content).hexdigest(), len(content), "identity", len(content)
    )


@pytest.mark.parametrize("contents", [[b""], [b"a\n"], [NOISE], [b"a\n", b"", b"b\n"], [b"x" * 5_000_000]])
def test_gzip_members_count_together(tmp_path: Path, contents: list[bytes]) -> None:
    """Prevents a content size of the first member only, which the reader's lines could then never tile."""
    delivered = b"".join(map(gzip.compress, contents))
    assert inspect_bytes(tmp_path, delivered) == Inspection(
        hashlib.sha256(delivered).hexdigest(), len(delivered), "gzip", sum(map(len, contents))
    )


@pytest.mark.parametrize(
    ("damage", "defect"),
    [
        (lambda stream: stream[:-1], "truncated_gzip"),
        (lambda stream: stream[: len(stream) // 2], "truncated_gzip"),
        (lambda stream: stream[:2], "truncated_gzip"),
        (lambda stream: stream + b"\0" * 1_000_000, "trailing_garbage"),
        (lambda stream: stream + b"{}\n" + NOISE, "trailing_garbage"),
        (lambda stream: stream[:-4] + b"abcd", "corrupt_gzip"),
        (lambda stream: stream[:10] + b"\xff" * 20 + NOISE, "corrupt_gzip"),
    ],
)
def test_a_defect_is_named_and_all_bytes_are_hashed_still(tmp_path: Path, damage: object, defect: str) -> None:
    """Prevents a damaged file whose fingerprint and size cover only the part before the damage."""
    assert callable(damage)
    delivered: bytes = damage(gzip.compress(NOISE[:200_000]))
    inspection = inspect_bytes(tmp_path, delivered)
    assert (inspection.defect, inspection.content_encoding) == (defect, "gzip")
    assert (inspection.fingerprint, inspection.size_bytes) == (
        hashlib.sha256(delivered).hexdigest(),
        len(delivered),
    )
    assert inspection.defect_message != ""


def test_a_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    """Prevents a small file from keeping the gate busy for hours."""
    delivered = gzip.compress(b"\0" * (64 << 20))
    limits = ExpansionLimits(free_bytes=4 << 20)
    inspection = inspect_bytes(tmp_path, delivered, limits)
    assert inspection.defect == "decompression_limit"
    assert inspection.content_bytes <= limits.content_bytes(len(delivered)) + (1 << 20)
    assert inspection.fingerprint == hashlib.sha256(delivered).hexdigest()
    assert inspect_bytes(tmp_path, delivered).defect is None


@pytest.mark.parametrize(
    ("size_bytes", "content_bytes"),
    [(0, 1 << 30), (1 << 20, 1 << 30), (8 << 20, 1600 << 20), (1 << 40, 256 << 30)],
)
def test_the_limit_depends_on_the_file_size_only(size_bytes: int, content_bytes: int) -> None:
    """Prevents a judgement that changes with chunk sizes or timing."""
    assert ExpansionLimits().content_bytes(size_bytes) == content_bytes


@pytest.mark.parametrize("is_gzip", [False, True])
@pytest.mark.parametrize(("line_ends", "defect"), [(100, None), (101, "too_many_lines")])
def test_a_file_of_line_ends_is_stopped_at_the_limit(
    tmp_path: Path, is_gzip: bool, line_ends: int, defect: str | None
) -> None:
    """Prevents an upload of a megabyte that becomes a billion rows of the line index."""
    content = b"\n" * line_ends
    delivered = gzip.compress(content) if is_gzip else content
    assert len(gzip.compress(content)) < 100
    inspection = inspect_bytes(tmp_path, delivered, ExpansionLimits(free_lines=100, max_lines=100))
    assert inspection.defect == defect
    assert inspection.fingerprint == hashlib.sha256(delivered).hexdigest()


@pytest.mark.parametrize(("size_bytes", "lines"), [(0, 10**6), (10**6 + 1, 10**6 + 1), (1 << 38, 2 * 10**9)])
def test_a_file_may_have_a_line_for_each_byte_as_delivered(size_bytes: int, lines: int) -> None:
    """Prevents a line number that Bronze's column cannot hold, and a limit that a file of many short lines meets."""
    assert ExpansionLimits().lines(size_bytes) == lines < 2**31


def test_a_file_larger_than_any_export_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a sparse file, which costs its author nothing, from keeping the gate busy for hours."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(MAX_CONTENT_BYTES + 1)

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("the file was read")

    monkeypatch.setattr("loader.gate.inspection.read_chunks", fail)
    with pytest.raises(AssetRefusedError) as caught:
        inspect(tmp_path / "sparse")
    assert caught.value.reason_code == "asset_too_large"


@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans())
def test_the_reader_tiles_exactly_what_the_gate_counted(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], is_gzip: bool
) -> None:
    """Prevents two ideas of the content: the proof of tiling compares reader and gate."""
    delivered = b"".join(map(gzip.compress, contents)) if is_gzip else b"".join(contents)
    folder = tmp_path_factory.mktemp("tiling")
    inspection = inspect_bytes(folder, delivered)
    if inspection.defect is None:
        chunks = open_content(folder / "delivered", inspection.content_encoding, fingerprint=inspection.fingerprint)
        assert sum(line.length for line in iter_lines(chunks)) == inspection.content_bytes


@pytest.mark.parametrize("change", ["append", "truncate", "rewrite"])
def test_a_file_written_to_during_the_pass_is_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """Prevents a half-written upload from being judged as if it were whole."""
    path = tmp_path / "growing"
    path.write_bytes(NOISE)
    os.utime(path, (1, 1))
    real_pread = os.pread

    def pread(descriptor: int, count: int, offset: int) -> bytes:
        with path.open("r+b") as writer:
            if change == "truncate":
                writer.truncate(100)
            else:
                writer.seek(0, os.SEEK_END if change == "append" else os.SEEK_SET)
                writer.write(b"more")
        return real_pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", pread)
    inspection = inspect(path)
    assert inspection.defect == "source_changed_while_reading"
    assert f"{len(NOISE)} bytes before" in inspection.defect_message


@pytest.mark.parametrize(
    ("kind", "reason_code"),
    [
        ("absent", "asset_missing"),
        ("under a file", "asset_missing"),
        ("folder", "not_a_file"),
        ("pipe", "not_a_file"),
    ],
)
def test_what_cannot_be_opened_has_a_reason(tmp_path: Path, kind: str, reason_code: str) -> None:
    """Prevents a traceback, or a wait without end, where an asset should be judged."""
    path = tmp_path / "thing"
    if kind == "under a file":
        path.touch()
        path = path / "below"
    if kind == "folder":
        path.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(AssetRefusedError) as caught:
        inspect(path)
    assert caught.value.reason_code == reason_code


def test_a_fault_of_the_disk_is_no_judgement(tmp_path: Path) -> None:
    """Prevents a lost disk from withholding sound assets."""
    path = tmp_path / "delivered"
    path.touch()
    file = open_regular(path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.dup2(descriptor, file.fileno())  # reading a folder fails with EISDIR
    with pytest.raises(InfrastructureError) as caught:
        inspect_file(file, path)
    assert caught.value.exit_code == 3
    file.close()
    os.close(descriptor)


MEMORY_PROBE = """
import resource, sys
from pathlib import Path
from loader.gate import inspect
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in sys.argv[1:]:
    assert inspect(Path(name)).content_bytes == 96 << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Prevents a large export from exhausting the machine at the gate."""
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    block = NOISE[: 1 << 20]
    with plain.open("wb") as plain_file, gzip.open(packed, "wb", compresslevel=1) as packed_file:
        for _ in range(96):
            plain_file.write(block)
            packed_file.write(block)
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, str(plain), str(packed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(answer.stdout) * 1024 < 32 * 2**20
