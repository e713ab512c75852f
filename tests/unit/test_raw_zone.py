"""The archive holds whole, final objects that are what their names say, whatever interrupts a put."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loader.errors import InfrastructureError
from loader.gate import Inspection, inspect
from loader.raw_zone import ArchiveDamagedError, RawZone, SourceChangedError
from loader.reader import iter_lines, open_content

PROJECT = Path(__file__).parents[2]
CONTENT = b'{"ticket_id":"TKT-20260417-000001"}\n' * 1_000
FINGERPRINT = hashlib.sha256(CONTENT).hexdigest()
KEY = f"sha256/{FINGERPRINT[:2]}/{FINGERPRINT[2:4]}/{FINGERPRINT}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "delivered.jsonl"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def zone(tmp_path: Path) -> RawZone:
    return RawZone(tmp_path / "raw" / "zone")


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def files_in(zone: RawZone) -> list[str]:
    return sorted(str(path.relative_to(zone.root)) for path in zone.root.rglob("*") if path.is_file())


def test_put_archives_the_bytes_under_their_fingerprint(zone: RawZone, source: Path) -> None:
    """Prevents an object that is writable, misplaced, or open to other users of the machine."""
    assert not zone.has(KEY)
    assert zone.put(source, inspect(source)) == KEY
    assert zone.has(KEY)
    assert zone.path_of(KEY).read_bytes() == CONTENT
    assert stat.S_IMODE(zone.path_of(KEY).stat().st_mode) == 0o400
    assert stat.S_IMODE(zone.root.stat().st_mode) == 0o700
    assert files_in(zone) == [KEY]
    assert zone.verify(KEY) == "sound"


def test_put_of_a_gzip_file_keeps_it_as_delivered(zone: RawZone, tmp_path: Path) -> None:
    """Prevents recompression: the fingerprint is that of the delivered bytes."""
    delivered = gzip.compress(CONTENT) + gzip.compress(b"last")
    path = tmp_path / "delivered.jsonl.gz"
    path.write_bytes(delivered)
    inspected = inspect(path)
    key = zone.put(path, inspected)
    assert key.endswith(f"/{hashlib.sha256(delivered).hexdigest()}.gz")
    assert zone.verify(key) == "sound"
    content = open_content(zone.path_of(key), inspected.content_encoding, fingerprint=inspected.fingerprint)
    assert b"".join(content) == CONTENT + b"last"
    assert sum(1 for _ in iter_lines(open_content(zone.path_of(key), "gzip"))) == 1_001


def test_put_again_changes_nothing_and_needs_no_source(zone: RawZone, source: Path) -> None:
    """Prevents a rewrite of history: an archived object is final."""
    inspected = inspect(source)
    zone.put(source, inspected)
    before = zone.path_of(KEY).stat()
    source.unlink()
    assert zone.put(source, inspected) == KEY
    after = zone.path_of(KEY).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_put_of_an_empty_file(zone: RawZone, source: Path) -> None:
    """Prevents an empty export from being the one asset without an archive."""
    source.write_bytes(b"")
    assert zone.path_of(zone.put(source, inspect(source))).read_bytes() == b""


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(CONTENT[:-1] + b" "),
        lambda path: path.write_bytes(CONTENT[:-1]),
        lambda path: path.write_bytes(CONTENT + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), path.mkdir()),
        become_a_pipe,
        lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    ],
)
def test_a_source_that_changed_since_the_gate_is_refused(zone: RawZone, source: Path, change: object) -> None:
    """Prevents unjudged bytes from landing under a judged name; an endless source would fill the disk."""
    inspected = inspect(source)
    assert callable(change)
    change(source)
    with pytest.raises(SourceChangedError) as caught:
        zone.put(source, inspected)
    assert caught.value.reason_code == "source_changed_while_reading"
    assert FINGERPRINT in caught.value.message
    assert "it was not archived" in caught.value.message
    assert files_in(zone) == []


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more_is_infrastructure_and_leaves_nothing(zone: RawZone, source: Path) -> None:
    """Prevents half an object, and a full disk told as a bad file."""
    with file_size_limit(1_000), pytest.raises(InfrastructureError) as caught:
        zone.put(source, inspect(source))
    assert caught.value.exit_code == 3
    assert caught.value.next_command == f"df -h {zone.root}"
    assert files_in(zone) == []
    assert zone.put(source, inspect(source)) == KEY


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod", "write"])
def test_a_fault_at_any_step_leaves_no_object(
    zone: RawZone, source: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Prevents an object whose bytes never reached the disk."""
    inspected = inspect(source)
    zone.put(source, inspected)
    zone.path_of(KEY).unlink()  # the folders stay, so that the fault strikes the file

    def fail(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(InfrastructureError, match="nothing of it was kept"):
        zone.put(source, inspected)
    assert files_in(zone) == []


def test_a_read_fault_of_the_source_leaves_no_object(
    zone: RawZone, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a dying source disk from being told as a changed file."""

    def fail(*arguments: object, **options: object) -> Iterator[bytes]:
        yield CONTENT[:100]
        raise OSError(errno.EIO, "Input/output error")

    inspected = inspect(source)
    monkeypatch.setattr("loader.raw_zone.durable.read_chunks", fail)
    with pytest.raises(InfrastructureError):
        zone.put(source, inspected)
    assert files_in(zone) == []


def test_the_file_is_on_disk_before_it_has_its_name_and_the_folders_after(
    zone: RawZone, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an empty object, or none, under a promised key after a power cut."""
    steps: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("sync folder" if is_folder else "sync file")
        real_fsync(descriptor)

    def rename(old: Path, new: Path) -> None:
        steps.append("rename")
        real_rename(old, new)

    inspected = inspect(source)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    zone.put(source, inspected)
    named = steps.index("rename")
    assert steps[named - 1] == "sync file"
    assert steps[named + 1 :] == ["sync folder"] * 4  # cd, ab, sha256, root
    steps.clear()
    zone.put(source, inspected)
    assert steps == ["sync folder"] * 4


def flip_a_byte(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(CONTENT[:-1] + b" ")
    path.chmod(0o400)


def cut_short(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(CONTENT[:-1])


def swap(path: Path) -> None:
    """As `cp` of another file over it, by whoever keeps times and modes."""
    other = path.with_suffix(".other")
    other.write_bytes(CONTENT[:-1] + b" ")
    other.chmod(0o400)
    os.replace(other, path)


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, swap, lambda path: path.unlink()])
def test_good_bytes_put_a_damaged_object_right(zone: RawZone, source: Path, damage: Callable[[Path], None]) -> None:
    """Prevents an object cut short, or with a flipped byte of the same size, from standing beside its good source."""
    inspected = inspect(source)
    path = zone.path_of(zone.put(source, inspected))
    damage(path)
    assert zone.verify(KEY) == zone.state(KEY) == ("damaged" if path.exists() else "missing")
    assert zone.put(source, inspected) == KEY
    assert zone.verify(KEY) == zone.state(KEY) == "sound"
    assert files_in(zone) == [KEY]
    assert stat.S_IMODE(path.stat().st_mode) == 0o400


def test_a_sealed_object_is_not_read_and_damage_that_verify_finds_breaks_the_seal(
    zone: RawZone, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an ingest that reads its whole archive again, and bits that rot behind the file's time for ever."""
    inspected = inspect(source)
    path = zone.path_of(zone.put(source, inspected))
    sealed = path.stat()
    flip_a_byte(path)
    os.utime(path, ns=(sealed.st_atime_ns, sealed.st_mtime_ns))
    assert zone.state(KEY) == "sound"  # nobody has looked yet
    assert zone.verify(KEY) == zone.state(KEY) == "damaged"
    zone.put(source, inspected)
    assert zone.verify(KEY) == "sound"
    with monkeypatch.context() as patch:
        patch.setattr("loader.raw_zone.archive.open_regular", lambda path: pytest.fail("it was read"))
        assert zone.put(source, inspected) == KEY
        assert zone.state(KEY) == "sound"
    os.utime(path)  # as an archive that was copied without its times: read once, and sealed
    assert zone.state(KEY) == "sound"
    assert path.stat().st_mtime == sealed.st_mtime


def test_what_is_no_file_in_an_objects_place_is_left_to_a_person(zone: RawZone, source: Path) -> None:
    """Prevents a link or a folder in the archive from being followed, or removed."""
    inspected = inspect(source)
    path = zone.path_of(zone.put(source, inspected))
    path.unlink()
    path.mkdir()
    with pytest.raises(ArchiveDamagedError) as caught:
        zone.put(source, inspected)
    assert caught.value.exit_code == 4
    assert caught.value.next_command == f"mv -- {path} {path}.damaged"
    subprocess.run(caught.value.next_command, shell=True, check=True)
    assert zone.put(source, inspected) == KEY


@pytest.mark.parametrize(
    "key",
    [
        "",
        "../../etc/passwd",
        f"sha256/{FINGERPRINT[:2]}/{FINGERPRINT[2:4]}/../{FINGERPRINT}",
        f"sha256/00/00/{FINGERPRINT}",
        f"{KEY}.zst",
        f"{KEY}\n",
        KEY.upper(),
    ],
)
def test_a_string_that_is_no_key_reaches_no_file(zone: RawZone, key: str) -> None:
    """Prevents a key read from a database from leading outside the archive."""
    with pytest.raises(ValueError, match="no raw zone key"):
        zone.path_of(key)
    with pytest.raises(ValueError, match="no raw zone key"):
        zone.verify(key)


@pytest.mark.parametrize(("fingerprint", "encoding"), [("ab", "identity"), (FINGERPRINT, "zstd"), ("G" * 64, "gzip")])
def test_no_key_for_what_is_no_fingerprint_or_encoding(zone: RawZone, fingerprint: str, encoding: str) -> None:
    """Prevents an archive path built from anything but a SHA-256."""
    with pytest.raises(ValueError, match="no raw zone key"):
        zone.key_of(fingerprint, encoding)  # type: ignore[arg-type]


def test_a_root_that_is_a_file_is_infrastructure(tmp_path: Path, source: Path) -> None:
    """Prevents a wrong LOADER_RAW_ZONE from being told as a bad asset."""
    with pytest.raises(InfrastructureError):
        RawZone(source).put(source, inspect(source))
    with pytest.raises(InfrastructureError):
        RawZone(source).has(KEY)


PUT_PROGRAM = """
import os, sys, time
from pathlib import Path
from loader.gate import inspect
from loader.raw_zone import RawZone
root, source, go = map(Path, sys.argv[1:4])
if sys.argv[4] == "hang":
    os.rename = lambda old, new: (print("writing", flush=True), time.sleep(600))
inspected = inspect(source)
while not go.exists():
    time.sleep(0.001)
print(RawZone(root).put(source, inspected), flush=True)
"""


def start_put(zone: RawZone, source: Path, go: Path, mode: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PUT_PROGRAM, str(zone.root), str(source), str(go), mode]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)


def test_processes_that_put_the_same_asset_at_once_all_succeed(zone: RawZone, source: Path, tmp_path: Path) -> None:
    """Prevents two ingests of one file from failing each other or leaving part files."""
    go = tmp_path / "go"
    processes = [start_put(zone, source, go, "run") for _ in range(3)]
    time.sleep(0.5)
    go.touch()
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == [KEY] * 3
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert files_in(zone) == [KEY]
    assert zone.verify(KEY) == "sound"


def test_sweep_removes_the_part_file_of_a_killed_put_and_no_living_one(
    zone: RawZone, source: Path, tmp_path: Path
) -> None:
    """Prevents a disk that fills with leftovers, and a sweep that pulls a file from under its writer."""
    assert zone.sweep() == 0
    go = tmp_path / "go"
    go.touch()
    process = start_put(zone, source, go, "hang")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "writing"
    assert zone.sweep() == 0
    (part,) = files_in(zone)
    assert part.startswith("incoming/")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    process.stdout.close()
    assert not zone.has(KEY)
    assert zone.sweep() == 1
    assert files_in(zone) == []
    assert zone.put(source, inspect(source)) == KEY


def test_a_sweep_between_creation_and_lock_costs_the_put_nothing(
    zone: RawZone, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a put that fails, or an object without a name, because a sweep came at the wrong instant."""
    real_flock = fcntl.flock
    swept: list[int] = []

    def flock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            swept.append(-1)
            swept[0] = zone.sweep()
        real_flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert zone.put(source, inspect(source)) == KEY
    assert swept == [1]
    assert files_in(zone) == [KEY]


def test_put_trusts_the_gate_only_for_what_it_can_check(zone: RawZone, source: Path) -> None:
    """Prevents a forged or mixed-up inspection from naming other bytes."""
    forged = Inspection("0" * 64, len(CONTENT), "identity", len(CONTENT))
    with pytest.raises(SourceChangedError):
        zone.put(source, forged)
    assert files_in(zone) == []
