"""`loader manifest`."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option
from loader.cli.output import echo, print_json, print_table
from loader.errors import CommandUsageError
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.manifest.build import BuiltManifest

_NAMES_SHOWN = 3


@click.command()
@click.option("--from", "folder", type=click.Path(path_type=Path), required=True, help="Folder of exports.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Manifest file to write.")
@click.option("--include", metavar="PATTERN", help="Only paths below it that match, e.g. '*-2026-04-*'.")
@click.option("--name", help="Begins the manifest_id (default: the folder's name).")
@click.option("--order", metavar="mtime|name|FILE", help="Where names leave it open; FILE lists them, oldest first.")
@click.option(
    "--batch", "batch_id", metavar="batch-YYYYMMDD-NNN", help="When it was delivered (default: what names say)."
)
@click.option("--contract", "contract_ref", default="ticket_v1", show_default=True, help="Of the exports.")
@click.option("--window-start", metavar="INSTANT", help="The exporter selected records from here on …")
@click.option("--window-end", metavar="INSTANT", help="… until before this one. Without both: everything.")
@click.option("--window-field", type=click.Choice(["created_at", "updated_at"]), default="created_at")
@click.option("--owner", help="Who answers for the exports; without it their metadata is partial.")
@click.option("--license", "license_name", default="unknown", help="SPDX identifier; by default unknown.")
@click.option("--pii-scan", type=click.Choice(["clean", "suspected", "not_run"]), default="not_run")
@click.option("--canonized", "is_canonized", is_flag=True, help="The files are canonized, not candidates.")
@json_option
def command(
    folder: Path,
    out: Path,
    include: str | None,
    name: str | None,
    order: str | None,
    batch_id: str | None,
    contract_ref: str,
    window_start: str | None,
    window_end: str | None,
    window_field: str,
    owner: str | None,
    license_name: str,
    pii_scan: str,
    is_canonized: bool,
    as_json: bool,
) -> int:
    """Declare the exports of a folder: checksums, sizes, record counts, order.

    A manifest that exists is never changed: a changed folder needs a new one.
    """
    from loader.config import load_settings
    from loader.manifest.build import BatchTerms, build_manifest
    from loader.manifest.write import write_manifest

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
    )
    built = build_manifest(
        folder, out, project_root=settings.project_root, terms=terms, allowed_roots=settings.allowed_roots
    )
    is_written = write_manifest(built.manifest)
    record = _record(built, out, is_written)
    if as_json:
        print_json(record)
    else:
        _print(record)
    return 0


def _window(start: str | None, end: str | None) -> tuple[datetime, datetime] | None:
    from loader.contract.timestamps import TimestampError, parse_instant

    if start is None and end is None:
        return None
    example = "loader manifest … --window-start 2026-04-17T00:00:00Z --window-end 2026-04-18T00:00:00Z"
    if start is None or end is None:
        raise CommandUsageError(
            "--window-start and --window-end go together, got one of them; no manifest was written",
            next_command=example,
        )
    try:
        return parse_instant(start), parse_instant(end)
    except TimestampError as error:
        raise CommandUsageError(
            f"--window-start {start}, --window-end {end}: {error.message}; no manifest was written",
            next_command=example,
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
        "record_count": sum(asset.record_count or 0 for asset in manifest.assets),
        "notes": list(built.notes),
        "ignored": [{"name": file.name, "reason": file.reason} for file in built.ignored],
        "roots_to_allow": [str(root) for root in built.roots_to_allow],
        "next_command": dry_run,
    }


def _print(record: dict[str, Any]) -> None:
    columns = ("manifest_id", "batch_id", "asset_count", "size_bytes", "record_count")
    state = "written" if record["is_written"] else "unchanged"
    print_table(f"{record['manifest_path']}: {state}", columns, [[record[column] for column in columns]])
    for note in record["notes"]:
        echo(f"note: {note}")
    by_reason: dict[str, list[str]] = {}
    for file in record["ignored"]:
        by_reason.setdefault(file["reason"], []).append(file["name"])
    for reason, names in by_reason.items():
        more = f" and {len(names) - _NAMES_SHOWN} more (see --json)" if len(names) > _NAMES_SHOWN else ""
        echo(f"ignored, {reason}: {', '.join(map(ascii, names[:_NAMES_SHOWN]))}{more}")
    for root in record["roots_to_allow"]:
        echo(f"outside the project: {root} must be allowed by LOADER_ALLOWED_ROOTS")
    echo(f"next: {record['next_command']}")
