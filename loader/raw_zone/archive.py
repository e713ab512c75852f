"""Objects named by the SHA-256 of their bytes, in a local folder: each whole and final, or not there.

An object carries a seal: the time of its file is the second after 1970 began, whoever writes it breaks that. A sealed
object of the expected size is believed; any other is read and compared before good bytes are let go past it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from loader.errors import InfrastructureError, RefusedError
from loader.gate import Inspection
from loader.printable import pasted
from loader.raw_zone.durable import PartFile, copy_inspected, gzipped, make_folders, sweep_parts, sync_folders
from loader.reader import ContentEncoding, NotARegularFileError, open_regular, read_chunks

ObjectState = Literal["sound", "missing", "damaged"]
# What the object without a byte is named by.
NO_BYTES = hashlib.sha256().hexdigest()

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"sha256/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})(?:\.gz)?")
_SUFFIXES: dict[str, str] = {"identity": "", "gzip": ".gz"}
_READ_ONLY = 0o400
# The archive's own time for a file that it has written and that nobody has since; OSTree and Nix mark theirs so, too.
_SEALED_AT = 1


class ArchiveDamagedError(RefusedError):
    """An archived object is gone, or is not what its name says; nothing was read."""


class RawZone:
    """Archive under `root`: `sha256/<2 hex>/<2 hex>/<64 hex>[.gz]`, files read-only, never rewritten.

    Copies in progress are `incoming/*.part`. Any number of processes may put at once. The folder is created
    at the first put, closed to other users, because raw records hold personal data.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / "incoming"

    def key_of(self, fingerprint: str, content_encoding: ContentEncoding) -> str:
        """Return the key of an object; it depends on nothing else. Raises ValueError for no such thing."""
        if not _FINGERPRINT.fullmatch(fingerprint) or content_encoding not in _SUFFIXES:
            raise ValueError(f"no raw zone key for fingerprint {fingerprint!r}, encoding {content_encoding!r}")
        suffix = _SUFFIXES[content_encoding]
        return f"sha256/{fingerprint[:2]}/{fingerprint[2:4]}/{fingerprint}{suffix}"

    def path_of(self, key: str) -> Path:
        """Return where the object lies or would lie. Raises ValueError for a string that is no key."""
        self.fingerprint_of(key)
        return self.root / key

    def has(self, key: str) -> bool:
        """True when an object of this key is there; says nothing about its bytes (see state)."""
        return self._size_of(key) is not None

    def put(self, source: Path, inspected: Inspection) -> str:
        """Archive the bytes that the gate inspected and return their key. Idempotent.

        On return the object is complete, read-only and on disk with its folder entries. A damaged object is replaced:
        the good bytes are in hand. Raises SourceChangedError, ArchiveDamagedError (something else than a file lies
        there), or InfrastructureError (no space, read or write fault); then nothing was changed, and no part file is
        left.
        """
        key = self.key_of(inspected.fingerprint, inspected.content_encoding)
        target = self.root / key
        archived_bytes = self._size_of(key)
        is_sound = archived_bytes == inspected.size_bytes and self.state(key) == "sound"
        try:
            if not is_sound:
                self._copy(source, inspected, target)
            sync_folders(target.parent, self.root)
        except OSError as error:
            raise self._trouble(source, error) from error
        return key

    def state(self, key: str) -> ObjectState:
        """What the object is: as verify, but a sealed one is not read. Seals what it has found sound.

        Raises ArchiveDamagedError where something else than a file lies there, InfrastructureError for a read fault.
        """
        if self._size_of(key) is None:
            return "missing"
        if self._is_sealed(key):
            return "sound"
        state = self.verify(key)
        if state == "sound":
            self._set_time(key, _SEALED_AT)
        return state

    def verify(self, key: str) -> ObjectState:
        """Compare the SHA-256 of the object with its name, and break the seal of a damaged one: the next put of its
        bytes puts it right. Raises InfrastructureError for a read fault."""
        state = self._compare(key)
        if state == "damaged" and self._is_sealed(key):
            self._set_time(key, int(time.time()))
        return state

    def _is_sealed(self, key: str) -> bool:
        return self.path_of(key).stat(follow_symlinks=False).st_mtime_ns == _SEALED_AT * 1_000_000_000

    def _set_time(self, key: str, seconds: int) -> None:
        # An archive that cannot be written, or is another user's, is read and compared each time.
        with suppress(OSError):
            os.utime(self.path_of(key), (seconds, seconds), follow_symlinks=False)

    def _compare(self, key: str) -> ObjectState:
        path = self.path_of(key)
        digest = hashlib.sha256()
        try:
            with open_regular(path) as file:
                for chunk in read_chunks(file):
                    digest.update(chunk)
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except NotARegularFileError:
            return "damaged"
        except OSError as error:
            raise InfrastructureError(
                f"cannot read the archived object {os.fspath(path)!r}: {error}; it was not verified",
                next_command=f"ls -l {pasted(path)}",
            ) from error
        return "sound" if digest.hexdigest() == self.fingerprint_of(key) else "damaged"

    def fingerprint_of(self, key: str) -> str:
        """SHA-256 of the object's own bytes. It is its asset's source fingerprint, unless the object was redacted.

        Raises ValueError for a string that is no key.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"{key!r} is no raw zone key")
        return match[3]

    def objects(self) -> Iterator[str]:
        """Every object that is there, in the order of keys; other files are left out."""
        for path in sorted((self.root / "sha256").glob("??/??/*")):
            key = path.relative_to(self.root).as_posix()
            if _KEY.fullmatch(key):
                yield key

    def put_content(self, content: Iterable[bytes], content_encoding: ContentEncoding) -> str:
        """Archive decompressed content, compressed again where the encoding says so, and return its key. Idempotent:
        the same content gives the same object.

        What iterating `content` raises passes through; a fault of the disk is an InfrastructureError. No part is left.
        """
        digest = hashlib.sha256()
        try:
            make_folders(self._incoming)
            with PartFile(self._incoming) as part:
                for chunk in content if content_encoding == "identity" else gzipped(content):
                    digest.update(chunk)
                    part.write(chunk)
                key = self.key_of(digest.hexdigest(), content_encoding)
                target = self.root / key
                make_folders(target.parent)
                part.publish(target, _READ_ONLY, _SEALED_AT)
            sync_folders(target.parent, self.root)
        except OSError as error:
            raise self._trouble(self._incoming, error) from error
        return key

    def remove(self, key: str) -> bool:
        """Remove an object for good; false when it was not there. Raises InfrastructureError."""
        path = self.path_of(key)
        try:
            path.unlink()
            sync_folders(path.parent, self.root)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InfrastructureError(
                f"cannot remove the archived object {os.fspath(path)!r}: {error}; it is still there",
                next_command=f"ls -ld {pasted(os.fspath(path.parent))}",
            ) from error
        return True

    def sweep(self) -> int:
        """Remove part files whose put is dead and return how many; those of living puts stay."""
        try:
            return sweep_parts(self._incoming)
        except OSError as error:
            raise InfrastructureError(
                f"cannot clear {os.fspath(self._incoming)!r}: {error}; archived objects are untouched",
                next_command=f"ls -la {pasted(self._incoming)}",
            ) from error

    def _copy(self, source: Path, inspected: Inspection, target: Path) -> None:
        make_folders(self._incoming)
        make_folders(target.parent)
        with PartFile(self._incoming) as part:
            copy_inspected(source, inspected, part)
            part.publish(target, _READ_ONLY, _SEALED_AT)

    def _size_of(self, key: str) -> int | None:
        path = self.path_of(key)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise InfrastructureError(
                f"cannot look for the archived object {os.fspath(path)!r}: {error}; nothing was archived",
                next_command=f"ls -ld {pasted(self.root)}",
            ) from error
        if not stat.S_ISREG(status.st_mode):
            raise self._damaged(key, "it is not a regular file")
        return status.st_size

    def _damaged(self, key: str, got: str) -> ArchiveDamagedError:
        path = pasted(self.root / key)
        return ArchiveDamagedError(
            f"archived object {key}: {got}; nothing was archived. Put it aside and ingest again",
            next_command=f"mv -- {path} {path}.damaged",
        )

    def _trouble(self, source: Path, error: OSError) -> InfrastructureError:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        return InfrastructureError(
            f"cannot archive {os.fspath(source)!r} under {os.fspath(self.root)!r}: {error}; nothing of it was kept",
            next_command=f"{'df -h' if is_full else 'ls -ld'} {pasted(self.root)}",
        )
