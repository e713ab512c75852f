"""The exports that all routes read: generated once per size, kept below .local, with a manifest beside them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from data.generator import Options, generate
from loader.contract.record import AcceptedRecord
from loader.kinds import load_ruleset
from loader.manifest.build import BatchTerms, build_manifest
from loader.manifest.files import write_manifest
from loader.reader import ContentEncoding, is_blank, iter_lines, open_content

FIRST_DAY = date(2026, 3, 1)


@dataclass(frozen=True, slots=True)
class Exports:
    """`days`: the first and the last partition."""

    days: tuple[date, date]
    folder: Path
    manifest: Path
    line_count: int
    content_bytes: int
    event_count: int
    ticket_count: int

    @property
    def files(self) -> list[Path]:
        return sorted(self.folder.glob("tickets-*"))


def options_of(lines: int, partitions: int) -> Options:
    """1 % invalid, 1 % duplicate, 3 % updates; every third file is gzip."""
    return Options(
        FIRST_DAY,
        FIRST_DAY + timedelta(days=partitions - 1),
        seed=7,
        lines=lines,
        payload_bytes=850,
        update_rate=0.03,
        invalid_rate=0.01,
        duplicate_rate=0.01,
        gzip_every=3,
    )


def make_exports(root: Path, project_root: Path, *, lines: int, partitions: int) -> Exports:
    folder = root / f"{lines}-lines-{partitions}-days"
    manifest = root / f"{folder.name}.json"
    if not manifest.exists():
        shutil.rmtree(folder, ignore_errors=True)
        generate(options_of(lines, partitions), folder)
        (folder / "expected.json").rename(root / f"{folder.name}.expected")
        terms = BatchTerms(
            owner="bench", license="CC0-1.0", pii_scan_status="clean", is_canonized=True, name=folder.name
        )
        write_manifest(build_manifest(folder, manifest, project_root=project_root, terms=terms).manifest)
    totals = json.loads((root / f"{folder.name}.expected").read_text())["totals"]
    options = options_of(lines, partitions)
    days = (options.first_day, options.last_day)
    return Exports(
        days, folder, manifest, totals["lines"], totals["content_bytes"], totals["events"], totals["silver_rows"]
    )


def split_exports(exports: Exports, project_root: Path, *, lines_per_file: int) -> Exports:
    """The same lines in many small files, beside the exports."""
    folder = exports.folder.with_name(f"{exports.folder.name}-by-{lines_per_file}")
    manifest = folder.with_suffix(".json")
    if not manifest.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in exports.files:
            encoding: ContentEncoding = "gzip" if path.suffix == ".gz" else "identity"
            lines = [line.body + b"\n" for line in iter_lines(open_content(path, encoding))]
            day = path.name.split(".")[0]
            for number, first in enumerate(range(0, len(lines), lines_per_file)):
                piece = b"".join(lines[first : first + lines_per_file])
                (folder / f"{day}-{number:05d}.jsonl").write_bytes(piece)
        terms = BatchTerms(
            owner="bench", license="CC0-1.0", pii_scan_status="clean", is_canonized=True, name=folder.name
        )
        write_manifest(build_manifest(folder, manifest, project_root=project_root, terms=terms).manifest)
    return replace(exports, folder=folder, manifest=manifest)


def accepted_lines(exports: Exports, contracts: Path, out: Path, *, limit: int) -> int:
    """Write the first `limit` accepted lines of the exports as one plain file; returns how many there were."""
    ruleset = load_ruleset(contracts)
    count = 0
    with out.open("wb") as file:
        for path in exports.files:
            for line in iter_lines(open_content(path, "gzip" if path.suffix == ".gz" else "identity")):
                if count == limit:
                    return count
                if not is_blank(line.body) and isinstance(ruleset.judge(line.body), AcceptedRecord):
                    file.write(line.body + b"\n")
                    count += 1
    return count
