"""Content of plain and gzip files: all of it, or an error that says what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loader.errors import InfrastructureError
from loader.reader import (
    ContentChangedError,
    GzipDefectError,
    LinkInTheWayError,
    NotARegularFileError,
    iter_gzip,
    iter_lines,
    open_beneath,
    open_content,
    open_regular,
    read_chunks,
)
from loader.reader.lines import count_lines

LINES = b"".join(b'{"n":%d}\n' % number for number in range(20_000))


def members(*contents: bytes) -> bytes:
    return b"".join(gzip.compress(content, mtime=0) for content in contents)


def defect_of(stream: bytes, chunk_bytes: int = 65_536) -> str | None:
    chunks = (stream[start : start + chunk_bytes] for start in range(0, len(stream), chunk_bytes))
    try:
        for _ in iter_gzip(chunks):
            pass
    except GzipDefectError as error:
        return error.reason_code
    return None


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    st.integers(1, 64),
    st.integers(1, 64),
)
def test_every_member_is_read_however_the_stream_is_cut(
    contents: list[bytes], chunk_bytes: int, output_bytes: int
) -> None:
    """Prevents the single-member reading of zlib, which stops after the first and reports nothing."""
    stream = members(*contents)
    chunks = (stream[start : start + chunk_bytes] for start in range(0, len(stream), chunk_bytes))
    pieces = list(iter_gzip(chunks, output_bytes=output_bytes))
    assert b"".join(pieces) == b"".join(contents)
    assert all(0 < len(piece) <= output_bytes for piece in pieces)


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=3), st.integers(1, 64), st.data())
def test_every_proper_prefix_is_truncated_or_whole_members(
    contents: list[bytes], chunk_bytes: int, data: st.DataObject
) -> None:
    """Prevents a cut download from being taken for a complete file, at any byte of it."""
    stream = members(*contents)
    ends = [len(members(*contents[:count])) for count in range(1, len(contents) + 1)]
    cut_at = data.draw(st.integers(0, len(stream)))
    expected = None if cut_at in ends else "truncated_gzip"
    if any(cut_at == end + 1 for end in ends):
        expected = "trailing_garbage"  # one byte of the next header is no member
    assert defect_of(stream[:cut_at], chunk_bytes) == expected


@pytest.mark.parametrize("chunk_bytes", [1, 7, 65_536])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda stream: stream[:-1], "truncated_gzip"),
        (lambda stream: stream[:-8], "truncated_gzip"),
        (lambda stream: stream[: len(stream) // 2], "truncated_gzip"),
        (lambda stream: stream[:2], "truncated_gzip"),
        (lambda stream: b"", "truncated_gzip"),
        (lambda stream: stream + b"\0", "trailing_garbage"),
        (lambda stream: stream + b"\0" * 512, "trailing_garbage"),
        (lambda stream: stream + b"garbage", "trailing_garbage"),
        (lambda stream: stream + b"\x1f", "trailing_garbage"),
        (lambda stream: stream + b"\x1f\x8b", "truncated_gzip"),
        (lambda stream: stream + b"\x1f\x8bgarbage", "corrupt_gzip"),
        (lambda stream: b"PK" + stream, "corrupt_gzip"),
        (lambda stream: stream[:-8] + b"\0\0\0\0" + stream[-4:], "corrupt_gzip"),
        (lambda stream: stream[:-4] + b"\0\0\0\0", "corrupt_gzip"),
        (lambda stream: stream[:50] + bytes([stream[50] ^ 0x10]) + stream[51:], "corrupt_gzip"),
    ],
)
def test_a_damaged_stream_is_named(damage: object, expected: str, chunk_bytes: int) -> None:
    """Prevents silence about a bad CRC, a bad length, a cut or anything after the end."""
    assert callable(damage)
    content = random.Random(7).randbytes(2_000)
    assert defect_of(damage(gzip.compress(content, mtime=0)), chunk_bytes) == expected


def test_output_kept_inside_zlib_is_not_lost() -> None:
    """Prevents the loss of the last bytes of a piece that is exactly full when all input is taken."""
    for size in range(990, 1_300, 7):
        content = b"a" * size
        for output_bytes in (1, 2, 3, 258, 259, size - 1, size):
            pieces = iter_gzip([gzip.compress(content)], output_bytes=output_bytes)
            assert b"".join(pieces) == content


def test_a_bomb_comes_in_small_pieces() -> None:
    """Prevents one compressed chunk from being blown up in memory at once."""
    bomb = gzip.compress(b"\0" * (64 << 20))
    sizes = [len(piece) for piece in iter_gzip([bomb])]
    assert sum(sizes) == 64 << 20
    assert max(sizes) == 1 << 20


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_content_is_the_same_plain_and_compressed(tmp_path: Path, encoding: str) -> None:
    """Prevents a line count or an offset that depends on how a file was delivered."""
    path = tmp_path / "export"
    delivered = LINES if encoding == "identity" else members(LINES[:1_000], b"", LINES[1_000:])
    path.write_bytes(delivered)
    fingerprint = hashlib.sha256(delivered).hexdigest()
    assert b"".join(open_content(path, encoding, fingerprint=fingerprint)) == LINES
    assert sum(1 for _ in iter_lines(open_content(path, encoding))) == 20_000
    assert count_lines(open_content(path, encoding)) == 20_000


def test_an_empty_file_has_no_content(tmp_path: Path) -> None:
    """Prevents a line that an empty file does not have."""
    path = tmp_path / "empty.jsonl"
    path.touch()
    assert list(open_content(path, "identity")) == []
    assert list(iter_lines(open_content(path, "identity"))) == []


def test_other_bytes_than_the_fingerprint_are_refused_at_the_end(tmp_path: Path) -> None:
    """Prevents lines of a file that changed since the gate from being completed."""
    path = tmp_path / "a file.jsonl"
    path.write_bytes(b"new\n")
    fingerprint = hashlib.sha256(b"old\n").hexdigest()
    read = []
    with pytest.raises(ContentChangedError) as caught:
        for chunk in open_content(path, "identity", fingerprint=fingerprint):
            read.append(chunk)
    assert read == [b"new\n"]
    assert caught.value.exit_code == 4
    assert caught.value.reason_code == "source_changed_while_reading"
    assert fingerprint in caught.value.message
    assert hashlib.sha256(b"new\n").hexdigest() in caught.value.message
    assert caught.value.next_command == f"sha256sum -- '{path}'"


@pytest.mark.parametrize("delivered", [members(LINES)[:-3], members(LINES) + b"x", b"\x1f\x8b\x08\xff" + b"x" * 20])
def test_a_gzip_file_damaged_since_the_gate_is_refused(tmp_path: Path, delivered: bytes) -> None:
    """Prevents a zlib error, or nothing at all, where the operator must hear that the file changed."""
    path = tmp_path / "export.gz"
    path.write_bytes(delivered)
    with pytest.raises(ContentChangedError, match="none of its lines is completed"):
        list(open_content(path, "gzip"))


def test_a_file_that_is_gone_is_refused_and_a_disk_fault_is_infrastructure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a broken disk from being told as a changed file, and the other way round."""
    with pytest.raises(ContentChangedError):
        list(open_content(tmp_path / "gone", "identity"))

    def fail(*arguments: object) -> int:
        raise OSError(5, "Input/output error")

    (tmp_path / "there").touch()
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(InfrastructureError) as caught:
        list(open_content(tmp_path / "there", "identity"))
    assert caught.value.exit_code == 3


def test_an_unknown_encoding_is_a_programming_error(tmp_path: Path) -> None:
    """Prevents a new encoding in the database from being read as plain bytes."""
    with pytest.raises(ValueError, match="zstd"):
        list(open_content(tmp_path, "zstd"))


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to a folder"])
def test_only_regular_files_are_opened(tmp_path: Path, kind: str) -> None:
    """Prevents a command that hangs for ever on a pipe without a writer."""
    path = tmp_path / "thing"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to(tmp_path)
    with pytest.raises(NotARegularFileError, match="expected a regular file"):
        open_regular(path)


def test_a_pipe_swapped_in_after_the_first_look_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents the race between looking at a path and opening it."""
    regular, pipe = tmp_path / "regular", tmp_path / "pipe"
    regular.touch()
    os.mkfifo(pipe)
    real_open = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real_open(pipe, flags))
    with pytest.raises(NotARegularFileError, match="a named pipe"):
        open_regular(regular)


def test_zlib_refuses_a_bad_header_checksum() -> None:
    """Prevents a damaged header from passing: flag FHCRC, wrong 16 bits."""
    sound = zlib.compressobj(wbits=31)
    stream = bytearray(sound.compress(b"x") + sound.flush())
    stream[3] |= 2
    stream[10:10] = b"\0\0"
    assert defect_of(bytes(stream)) == "corrupt_gzip"


def test_a_file_that_grows_as_fast_as_it_is_read_has_an_end(tmp_path: Path) -> None:
    """Prevents a writer who appends for ever from keeping a reader for ever."""
    path = tmp_path / "growing"
    path.write_bytes(b"a" * 100)
    with open_regular(path) as file, path.open("ab") as writer:
        read = b""
        for chunk in read_chunks(file, chunk_bytes=10):
            read += chunk
            assert len(read) < 1000
            writer.write(b"b" * 10)
            writer.flush()
    assert read == b"a" * 100 + b"b"


def test_a_link_below_the_root_is_not_followed(tmp_path: Path) -> None:
    """Prevents what no check of a path can: a link put there after the check."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "link").symlink_to("file")
    os.mkfifo(tmp_path / "real" / "pipe")
    with open_beneath(tmp_path, ("real", "file")) as file:
        assert file.read() == b"content"
    for parts in (("link", "file"), ("real", "link"), ("link",)):
        with pytest.raises(LinkInTheWayError):
            open_beneath(tmp_path, parts)
    for parts in (("real", "pipe"), ("real",), ()):
        with pytest.raises(NotARegularFileError):
            open_beneath(tmp_path, parts)
    with pytest.raises(NotADirectoryError):
        open_beneath(tmp_path, ("real", "file", "below"))
    with pytest.raises(FileNotFoundError):
        open_beneath(tmp_path, ("nowhere", "file"))


def test_a_file_that_is_gone_is_missing_and_not_changed(tmp_path: Path) -> None:
    """Prevents `changed since the gate: [Errno 2]`."""
    path = tmp_path / "gone.jsonl"
    with pytest.raises(ContentChangedError) as caught:
        list(open_content(path, "identity", fingerprint="00"))
    expected = f"'{path}' is missing; expected the bytes with SHA-256 00; none of its lines is completed"
    assert caught.value.message == expected
