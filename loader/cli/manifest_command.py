"""`loader manifest`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, show, surface
from loader.errors import CommandUsageError
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.manifest import BuiltManifest, Manifest
    from loader.screen import Screen


@click.command()
@click.option("--from", "folder", type=click.Path(path_type=Path), required=True, help="Folder of exports.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Manifest file to write.")
@click.option("--include", metavar="PATTERN", help="Only paths below it that match, e.g. '*-2026-04-*'.")
@click.option("--name", help="Begins the manifest_id (default: the folder's name).")
@click.option("--order", metavar="mtime|name|FILE", help="Where names leave it open; FILE lists them, oldest first.")
@click.option(
    "--batch", "batch_id", metavar="batch-YYYYMMDD-NNN", help="When it was delivered (default: what names say)."
)
@click.option(
    "--kind", "--contract", "contract_ref", metavar="KIND", help="What they hold (default: the default kind)."
)
@click.option("--window-start", metavar="INSTANT", help="The exporter selected records from here on …")
@click.option("--window-end", metavar="INSTANT", help="… until before this one. Without both: everything.")
@click.option(
    "--window-field",
    type=click.Choice(["created_at", "updated_at"]),
    default="created_at",
    help="The field that the exporter selected by.",
)
@click.option(
    "--captured-at",
    metavar="INSTANT",
    help="When files that are records were taken from their source, or recorded; else names say.",
)
@click.option(
    "--metadata",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='JSON of what is said of single files: {"<file>": {"<field>": <value>}}.',
)
@click.option("--owner", help="Who answers for the exports; without it their metadata is partial.")
@click.option("--license", "license_name", default="unknown", help="SPDX identifier; by default unknown.")
@click.option(
    "--pii-scan",
    type=click.Choice(["clean", "suspected", "not_run"]),
    default="not_run",
    help="What a scan for personal data said of the files.",
)
@click.option("--canonized", "is_canonized", is_flag=True, help="The files are canonized, not candidates.")
@json_option
def command(
    folder: Path,
    out: Path,
    include: str | None,
    name: str | None,
    order: str | None,
    batch_id: str | None,
    contract_ref: str | None,
    window_start: str | None,
    window_end: str | None,
    window_field: str,
    captured_at: str | None,
    metadata: Path | None,
    owner: str | None,
    license_name: str,
    pii_scan: str,
    is_canonized: bool,
    as_json: bool,
) -> int:
    """Write the manifest of a folder of exports: checksums, sizes, record counts, order.

    A manifest that exists is never changed: a changed folder needs a new one.
    """
    from loader.config import load_settings
    from loader.manifest import BatchTerms, build_manifest, write_manifest
    from loader.screen import next_lines

    settings = load_settings()
    terms = BatchTerms(
        contract_ref=contract_ref,
        name=name,
        include=include,
        window=_window(window_start, window_end),
        window_field=window_field,
        owner=owner,
        license=license_name,
        pii_scan_status=pii_scan,
        is_canonized=is_canonized,
        order=order,
        batch_id=batch_id,
        captured_at=None if captured_at is None else _instant("--captured-at", captured_at),
        metadata=metadata,
    )
    built = build_manifest(
        folder, out, project_root=settings.project_root, terms=terms, allowed_roots=settings.allowed_roots
    )
    is_written = write_manifest(built.manifest)
    record = _record(built, out, is_written)
    if as_json:
        print_json(record)
    else:
        screen = surface()
        show([*manifest_lines(screen, built, record), *next_lines(screen, record["next_command"])])
    return 0


def _window(start: str | None, end: str | None) -> tuple[datetime, datetime] | None:
    if start is None and end is None:
        return None
    example = "loader manifest … --window-start 2026-04-17T00:00:00Z --window-end 2026-04-18T00:00:00Z"
    if start is None or end is None:
        raise CommandUsageError(
            "--window-start and --window-end go together, got one of them; no manifest was written",
            next_command=example,
        )
    return _instant("--window-start", start), _instant("--window-end", end)


def _instant(option: str, text: str) -> datetime:
    from loader.contract import TimestampError, parse_instant

    try:
        return parse_instant(text)
    except TimestampError as error:
        raise CommandUsageError(
            f"{option} {text}: {error.message}; no manifest was written",
            next_command="make manifest FROM=<folder> OUT=<manifest.json> CAPTURED_AT=2026-04-17T08:30:00Z"
            if option == "--captured-at"
            else "loader manifest … --window-start 2026-04-17T00:00:00Z --window-end 2026-04-18T00:00:00Z",
        ) from error


def _record(built: BuiltManifest, out: Path, is_written: bool) -> dict[str, Any]:
    manifest = built.manifest
    dry_run = f"make dry-run MANIFEST={pasted(out)}"
    if built.roots_to_allow:
        roots = pasted(os.pathsep.join(map(str, built.roots_to_allow)))
        dry_run = f"LOADER_ALLOWED_ROOTS={roots} {dry_run}"
    return {
        "manifest_path": os.fspath(out),
        "manifest_id": manifest.manifest_id,
        "batch_id": manifest.batch_id,
        "is_written": is_written,
        "asset_count": len(manifest.assets),
        "size_bytes": sum(asset.size_bytes or 0 for asset in manifest.assets),
        "record_count": _records(manifest),
        "notes": list(built.notes),
        "ignored": [{"name": file.name, "reason": file.reason} for file in built.ignored],
        "roots_to_allow": [str(root) for root in built.roots_to_allow],
        "next_command": dry_run,
    }


def _records(manifest: Manifest) -> int:
    """Those that were counted; a file that is a record is one."""
    if manifest.kind.framing == "file":
        return len(manifest.assets)
    return sum(asset.record_count or 0 for asset in manifest.assets)


def manifest_lines(screen: Screen, built: BuiltManifest, record: Mapping[str, Any]) -> list[str]:
    """What is declared, in which order, what was left out, and what has to be allowed."""
    from loader.screen import Failure, amount, failures, listing, paragraph

    names = [asset.source_id for asset in sorted(built.manifest.assets, key=lambda asset: asset.sequence)]
    counted = [amount(screen, record["asset_count"], "file")]
    if built.manifest.kind.framing == "lines":
        counted.append(amount(screen, record["record_count"], "record"))
    is_new = "written" if record["is_written"] else "there already, unchanged"
    facts = [
        ("manifest", record["manifest_id"]),
        ("batch", record["batch_id"]),
        ("order", names[0] if len(names) == 1 else f"oldest first: {names[0]} … {names[-1]}"),
    ]
    told = ", ".join([*counted, _size(record["size_bytes"])])
    lines = paragraph(screen, f"{record['manifest_path']} is {is_new}: {told}.")
    lines += listing(screen, facts)
    for note in record["notes"]:
        lines += paragraph(screen, f"note: {note}", hanging="      ")
    lines += failures(
        screen, [Failure("left out", f"{file.reason}:", ascii(file.name)) for file in built.ignored], indent=""
    )
    for root in built.roots_to_allow:
        lines += paragraph(screen, f"{root} lies outside the project: LOADER_ALLOWED_ROOTS must allow it.")
    return lines


def _size(size_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= size:
            return f"{size_bytes / size:,.1f} {unit}"
    return f"{size_bytes} bytes"
