"""Plans of recovery verbs and what came of them, as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.cli.output import echo, print_json, print_table
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.recovery import Plan
    from loader.recovery.plan import PlannedAsset
    from loader.recovery.verbs import Expired, Restored

_PARTITION_COLUMNS = (
    ("partition", "partition_key"),
    ("expected", "expected_input_count"),
    ("current", "current_input_count"),
    ("rejected", "rejected_count"),
    ("silver", "current_output_count"),
    ("assets", "asset_count"),
    ("gap", "gap_reason"),
)
_ASSETS_SHOWN = 20


def print_restored(restored: Restored, settings: Settings, as_json: bool) -> None:
    days = [day.isoformat() for day in sorted(restored.targets)]
    next_command = f"loader release --partition {days[0]}"
    if as_json:
        print_json(
            {
                "data_release_id": restored.data_release_id,
                "partitions": {day.isoformat(): version for day, version in sorted(restored.targets.items())},
                "report_path": settings.named(restored.report_path),
                "next_command": next_command,
            }
        )
        return
    echo(f"restored by release {restored.data_release_id}, and held: {', '.join(days)}")
    echo(f"evidence: {settings.named(restored.report_path)}")
    echo(f"next: {next_command}   # when readers may see the newest rows again")


def print_expired(expired: Expired, settings: Settings, as_json: bool) -> None:
    next_command = "loader verify --evidence"
    report_path = None if expired.report_path is None else settings.named(expired.report_path)
    if as_json:
        print_json(
            {
                "expiry_id": expired.expiry_id,
                "versions": [[day.isoformat(), version] for day, version in expired.versions],
                "removed_row_count": expired.row_count,
                "report_path": report_path,
                "next_command": next_command,
            }
        )
        return
    if expired.expiry_id is None:
        echo("expired: nothing; every version is needed, or was seen since")
    else:
        echo(f"expired by expiry {expired.expiry_id}: {len(expired.versions)} version(s), {expired.row_count} row(s)")
        echo(f"evidence: {report_path}")
    echo(f"next: {next_command}")


def print_plan(made: Plan, record: Mapping[str, Any], path: Path, settings: Settings) -> None:
    window = "every partition" if made.window is None else f"[{made.window[0]}, {made.window[1]})"
    if made.pointers:
        _print_pointers(made, path, settings)
        return
    if made.mode == "expire":
        _print_versions(made, path, settings)
        return
    echo(f"plan {made.plan_id}: {made.mode}, {window}, by {made.operator}")
    rows = [[getattr(partition, name) for _, name in _PARTITION_COLUMNS] for partition in made.partitions]
    print_table("partitions", [title for title, _ in _PARTITION_COLUMNS], rows)
    reaching = [asset for asset in made.assets if _reaches(asset, made)]
    shown = reaching[:_ASSETS_SHOWN]
    print_table(
        f"reads ({len(reaching)} of {len(made.assets)} asset(s) may hold lines of it"
        + (f", the first {_ASSETS_SHOWN})" if len(reaching) > len(shown) else ")"),
        ["manifest", "source", "from", "registered", "found"],
        [
            [
                asset.manifest_id,
                asset.source_id,
                asset.reads_from,
                (asset.source_fingerprint or "")[:12],
                (asset.found or "")[:12] if len(asset.found or "") == 64 else asset.found,
            ]
            for asset in shown
        ],
    )
    for name in ("expected_input_count", "current_output_count", "gap_reason"):
        echo(f"{name.replace('_', ' ')}: {record[name]}")
    for name in ("proposed_action", "idempotency_guard", "downstream_impact"):
        echo(f"{name.replace('_', ' ')}: {record[name]}")
    echo(f"writes: {', '.join(record['target_assets'])}")
    echo(f"next: {apply_command(path, settings)}")


def _print_pointers(made: Plan, path: Path, settings: Settings) -> None:
    echo(f"plan {made.plan_id}: {made.mode}, by {made.operator}")
    print_table(
        "readers would see",
        ["partition", "release now", "release then", "tickets", "because"],
        [
            [
                pointer.partition_key,
                pointer.shown_release_id,
                pointer.target_release_id,
                pointer.ticket_count,
                "shares a moved ticket" if pointer.is_linked else "asked for",
            ]
            for pointer in made.pointers
        ],
    )
    for name in ("proposed_action", "idempotency_guard", "downstream_impact"):
        echo(f"{name.replace('_', ' ')}: {getattr(made, name)}")
    echo(f"next: {apply_command(path, settings)}")


def _print_versions(made: Plan, path: Path, settings: Settings) -> None:
    echo(f"plan {made.plan_id}: {made.mode}, by {made.operator}")
    print_table(
        "would be removed",
        ["partition", "release", "tickets", "readers saw it until"],
        [
            [version.partition_key, version.data_release_id, version.ticket_count, version.left_at]
            for version in made.versions
        ],
    )
    for name in ("proposed_action", "idempotency_guard", "downstream_impact"):
        echo(f"{name.replace('_', ' ')}: {getattr(made, name)}")
    echo(f"next: {apply_command(path, settings)}")


def _reaches(asset: PlannedAsset, made: Plan) -> bool:
    """Whether some line of an asset may lie in the plan's window; unknown days may."""
    if made.window is None:
        return True
    if asset.first_partition is None or asset.last_partition is None:
        return asset.asset_id is not None or asset.reads_from == "nowhere"
    start, end = (day.isoformat() for day in made.window)
    return asset.first_partition < end and asset.last_partition >= start


def apply_command(path: Path, settings: Settings) -> str:
    """The command that carries out the plan at `path`."""
    return f"make apply PLAN={pasted(settings.named(path))}"
