"""Archived objects and files that quote a person: searched, and cleaned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from loader.bronze import is_claimed
from loader.config import Settings
from loader.erasure.search import Remains, searched
from loader.erasure.traces import has_words
from loader.kinds import Field, Landing
from loader.privacy import find_lines, is_named_in, may_name, owners_of_whatever_kind
from loader.raw_zone import RawZone
from loader.reader import open_content


def search_objects(
    raw_zone: RawZone, read_under: Mapping[str, Sequence[Landing]], kinds: Sequence[Landing], person_id: str
) -> Remains:
    """Every archived object that has words, decompressed: under each kind that `read_under` says of its key; one that
    no asset needs under whichever of `kinds`."""
    remains = Remains()
    for key in raw_zone.objects():
        if key in read_under and not any(map(has_words, read_under[key])):
            continue
        # Under one kind after the other, or under all at once.
        readings = [[landing.person] for landing in read_under.get(key, ())] or [[each.person for each in kinds]]

        def whose(body: bytes, readings: Sequence[Sequence[Field | None]] = readings) -> str | None:
            if not may_name(body, person_id):
                return None
            if any(person_id in owners_of_whatever_kind(body, persons) for persons in readings):
                return "found"
            remains.mention_count += is_named_in(body.decode(errors="replace"), person_id)
            return None

        content = open_content(raw_zone.path_of(key), "gzip" if key.endswith(".gz") else "identity")
        found = find_lines(content, whose)
        if found:
            remains.found[f"raw zone {key}"] += len(found)
    return remains


def files_of(settings: Settings) -> Iterator[Path]:
    """Files of the project that may quote a record: reports, logs, and what dbt and dlt leave; not those of a load that
    is at work, which is another warehouse's."""
    local, dbt_project = settings.state_folder, settings.project_root / "dbt_project"
    folders = (settings.report_dir, local / "dbt", local / "dlt", dbt_project / "target", dbt_project / "logs")
    apart = {settings.raw_zone, *(folder for folder in (local / "dlt").glob("*/*") if is_claimed(folder))}
    for folder in folders:
        yield from _files_below(folder, apart)
    if local.is_dir():
        yield from sorted(local.glob("*.log"))


def _files_below(folder: Path, apart: set[Path]) -> Iterator[Path]:
    if folder in apart or not folder.is_dir() or folder.is_symlink():
        return
    with suppress(PermissionError):
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                yield from _files_below(path, apart)
            elif path.is_file() and not path.is_symlink():
                yield path


def holds(path: Path, person_id: str, texts: Iterable[str]) -> bool:
    """Whether a file quotes the person."""
    with suppress(FileNotFoundError, PermissionError):
        content = path.read_bytes()
        if person_id.encode() in content and is_named_in(content.decode(errors="replace"), person_id):
            return True
        return any(text.encode() in content for text in searched(texts))
    return False


def clean_files(settings: Settings, person_id: str, texts: Collection[str]) -> tuple[list[str], list[str]]:
    """Files that quote the person: logs are blanked where they do, what can be made again is removed, and evidence,
    which may not change, is only named. Returns the names of both kinds."""
    cleaned, left = [], []
    evidence = tuple(settings.report_dir / name for name in ("run_evidence", "release", "erase", "chain"))
    for path in files_of(settings):
        if not holds(path, person_id, texts):
            continue
        name = settings.named(path)
        if any(path.is_relative_to(folder) for folder in evidence):
            left.append(name)
            continue
        cleaned.append(name)
        if path.suffix == ".log":
            _blank_lines(path, person_id, texts)
        else:
            with suppress(FileNotFoundError):
                path.unlink()
    return cleaned, left


def _blank_lines(path: Path, person_id: str, texts: Iterable[str]) -> None:
    """In place and to the byte: whoever writes the log goes on at its end."""
    needles = [text.encode() for text in (person_id, *searched(texts))]
    with path.open("r+b") as file:
        offset = 0
        for line in file.read().splitlines(keepends=True):
            if any(needle in line for needle in needles):
                file.seek(offset)
                file.write(b" " * len(line.rstrip(b"\r\n")))
            offset += len(line)
