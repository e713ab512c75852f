"""Report files appear whole or not at all; those for people are Markdown, with JSON of the same content beside.

Below the report folder lie two kinds:

- what was once: evidence (run_evidence, release, erase/<erasure>, and the journal of them in chain), and what a replay
  compared. `write_once`: a file with other bytes is never replaced, since it may be all that is left of what a restored
  database has forgotten.
- what is so now, or is proposed: completeness, smoke, verify, dry_run, dbt_docs, site, and plans.
  `write_file` replaces them.
"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from loader.errors import CommandUsageError, InfrastructureError
from loader.printable import pasted


class _TakenError(Exception):
    """Another file got the name a moment ago."""


def require_writable(report_dir: Path) -> None:
    """Prove that reports can be written before any work starts; the folder is made.

    Raises InfrastructureError, or CommandUsageError for a path that no report could name.
    """
    try:
        os.fspath(report_dir).encode()
    except UnicodeEncodeError as error:
        raise CommandUsageError(
            f"LOADER_REPORT_DIR: got {os.fspath(report_dir)!a}, expected UTF-8; nothing was started",
            next_command="unset LOADER_REPORT_DIR",
        ) from error
    try:
        report_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=report_dir):
            pass
    except OSError as error:
        raise _unwritable(report_dir, error, "nothing was started: a run without evidence proves nothing") from error


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write `record` at `path` as write_file does."""
    write_file(path, orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_file(path: Path, content: bytes) -> None:
    """Write `content` at `path`, replacing what is there in one step; folders are made.

    Raises InfrastructureError for a fault of the disk: what stood at `path` stays, no part is left.
    """
    _write(path, content, os.replace)


def write_once(path: Path, content: bytes) -> bool:
    """Write `content` at `path`, where no file with other bytes stands; folders are made. Returns whether it stands
    there now; False: the other file stays as it is.

    What a power cut left of the same bytes is completed (see is_unfinished). Raises InfrastructureError as write_file.
    """
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        try:
            _write(path, content, _link)
            return True
        except _TakenError:
            # Somebody was faster by a moment; what they wrote decides.
            return path.read_bytes() == content
    except OSError as error:
        raise _unwritable(path, error, "this report was not written; rows that were completed stay") from error
    if held != content and is_unfinished(held, content):
        write_file(path, content)
        return True
    return held == content


def is_unfinished(held: bytes, content: bytes) -> bool:
    """Whether `held` is what a power cut may leave of `content`: nothing, its beginning, or that and zeros for blocks
    that never reached the disk. We sync before a file gets its name, but not every disk keeps its word. A whole record
    is the beginning of no other: it ends with the brace that closes it.
    """
    return len(held) <= len(content) and held != content and content.startswith(held.rstrip(b"\0"))


def unused(path: Path, is_taken: Callable[[Path], bool] = lambda candidate: False) -> Path:
    """`path`, or, where a file or `is_taken` has that name, the first of `<stem>.2<suffix>`, `<stem>.3<suffix>`, … that
    is free."""
    for number in count(1):
        candidate = path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")
        if not os.path.lexists(candidate) and not is_taken(candidate):
            return candidate
    raise AssertionError("numbers do not end")


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file that only grows; folders are made. What a power cut left of the last one stays by itself.

    Raises InfrastructureError for a fault of the disk: a part of the line may be there then, and is no line.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        with path.open("a+b") as file:
            is_torn = file.tell() > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            file.write((b"\n" if is_torn else b"") + line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _sync(path.parent)
    except OSError as error:
        raise _unwritable(path, error, "the journal of records was not written; the records stand") from error


def _link(temporary: str, path: Path) -> None:
    """Give a file its name, where nothing has it. Raises _TakenError."""
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise _TakenError from error
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        # A disk without links: nothing had the name a moment ago.
        os.replace(temporary, path)
    else:
        os.unlink(temporary)


def _write(path: Path, content: bytes, put: Callable[[str, Path], None]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            put(temporary, path)
            _sync(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error, "this report was not written; rows that were completed stay") from error


def _sync(folder: Path) -> None:
    """So that the name survives a power cut: nobody writes a file again that counts as written."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError, consequence: str) -> InfrastructureError:
    folder = pasted(path if path.is_dir() else path.parent)
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return InfrastructureError(
        f"cannot write {os.fspath(path)!r}: {error.strerror}; {consequence}",
        next_command=f"{'df -h' if is_full else 'ls -ld'} {folder}   # or set LOADER_REPORT_DIR",
    )


def write_report(path: Path, markdown: str, record: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write `path` with `.md` and with `.json`; returns both. Raises InfrastructureError for a fault of the disk."""
    text, data = path.with_name(path.name + ".md"), path.with_name(path.name + ".json")
    write_file(text, markdown.encode())
    write_json(data, record)
    return text, data


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one shape as a Markdown table; "none" for no rows. Names of files and reasons come from outside."""
    if not rows:
        return "none\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(_cell(value) for value in line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    text = "" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
    for character in "\\`*[]<>|&":
        text = text.replace(character, "\\" + character)
    for link in ("://", "www.", "@"):
        # Many viewers make a link of a bare address.
        text = text.replace(link, link[:-1] + "\\" + link[-1] if link == "www." else "\\" + link)
    return "".join(character if character.isprintable() else " " for character in text)
