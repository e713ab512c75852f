"""Plans of recovery verbs and what came of them, as a person or a program is shown them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.cli.diff_command import before_pointers
from loader.cli.output import print_json, show, surface
from loader.partition import variables_of
from loader.printable import pasted, some

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.recovery import Expired, PartitionState, Plan, PlannedAsset, Restored
    from loader.screen import Screen

_ROWS_SHOWN = 20
_NAMES_SHOWN = 3
# Where a plan's bytes come from, in words.
_PLACES = {
    "source": "as delivered",
    "raw_zone": "from the raw zone",
    "nowhere": "gone, from nowhere",
}


def print_restored(restored: Restored, settings: Settings, as_json: bool) -> None:
    from loader.advice import Advice, AdviceKind
    from loader.screen import listing, next_lines, paragraph

    partitions = sorted(restored.targets)
    days = [partition.named(restored.kinds) for partition in partitions]
    next_command = Advice(AdviceKind.FREE, f"make release {variables_of(partitions[:1], restored.kinds)}").line
    report_path = settings.named(restored.report_path)
    if as_json:
        print_json(
            {
                "data_release_id": restored.data_release_id,
                "partitions": [
                    {**partition.as_record(), "data_release_id": version}
                    for partition, version in sorted(restored.targets.items())
                ],
                "report_path": report_path,
                "next_command": next_command,
            }
        )
        return
    screen, held = surface(), some(days, _NAMES_SHOWN, ", ", "more days")
    show(
        [
            *paragraph(screen, f"Restored by release {restored.data_release_id}, and held: {held}."),
            *listing(screen, [("evidence", report_path)], indent=""),
            *next_lines(screen, next_command),
        ]
    )


def print_expired(expired: Expired, settings: Settings, as_json: bool) -> None:
    from loader.screen import amount, listing, next_lines

    next_command = "make verify EVIDENCE=1"
    report_path = None if expired.report_path is None else settings.named(expired.report_path)
    if as_json:
        print_json(
            {
                "expiry_id": expired.expiry_id,
                "versions": [
                    {**partition.as_record(), "data_release_id": version} for partition, version in expired.versions
                ],
                "removed_row_count": expired.row_count,
                "report_path": report_path,
                "next_command": next_command,
            }
        )
        return
    screen = surface()
    lines = ["Nothing was removed: every version is needed, or was seen since."]
    if expired.expiry_id is not None:
        versions, removed = amount(screen, len(expired.versions), "version"), amount(screen, expired.row_count, "row")
        lines = [f"{versions} removed by expiry {expired.expiry_id}: {removed}."]
        lines += listing(screen, [("evidence", str(report_path))], indent="")
    show([*lines, *next_lines(screen, next_command)])


def print_plan(made: Plan, record: Mapping[str, Any], path: Path, settings: Settings) -> None:
    from loader.screen import next_lines

    screen = surface()
    sees = before_pointers(settings, record["pointers"]) if record["pointers"] else None
    show([*plan_lines(screen, made, record, sees), *next_lines(screen, apply_command(path, settings))])


def plan_lines(screen: Screen, made: Plan, record: Mapping[str, Any], sees: str | None = None) -> list[str]:
    """What would be done and to what, why that is safe, and what readers notice; `sees`: what they will see. Nothing
    has been done yet."""
    from loader.screen import Failure, amount, failures, listing, paragraph, shortened, table

    lines = paragraph(screen, f"Plan: {made.mode}{_of_what(made)}, by {made.operator}. Nothing has been done yet.")
    does = [("does", record["proposed_action"])]
    if made.pointers:
        columns: Sequence[str] = ("partition", "kind", "shown", "then", "records", "because")
        rows: list[Sequence[object]] = [
            (
                each.partition_key,
                each.record_kind,
                each.shown_release_id,
                each.target_release_id or "none",
                each.record_count,
                "shares a moved record" if each.is_linked else "asked for",
            )
            for each in made.pointers
        ]
    elif made.mode == "expire":
        columns = ("partition", "kind", "release", "records", "readers saw it until")
        rows = [
            (v.partition_key, v.record_kind, v.data_release_id, v.record_count, _instant(v.left_at))
            for v in made.versions
        ]
    else:
        columns = ("partition", "lines", "are in", "rejected", "in Silver", "files", "gap")
        rows = [_partition(each) for each in sorted(made.partitions, key=lambda each: not each.is_due)]
    if rows:
        lines += listing(screen, does)
        does = []
        lines += ["", *table(screen, rows[:_ROWS_SHOWN], columns, indent="  ")]
        if len(rows) > _ROWS_SHOWN:
            lines.append(f"  and {amount(screen, len(rows) - _ROWS_SHOWN, 'more partition')}: the plan has all")
        lines.append("")
    reaching = [asset for asset in made.assets if _reaches(asset, made)]
    told = [("reads", _reads(screen, reaching, len(made.assets)))] if made.assets else []
    told += [("is safe", record["idempotency_guard"]), ("readers", record["downstream_impact"])]
    told += [] if sees is None else [("will see", sees)]
    if not made.pointers and made.mode != "expire":
        told.append(("writes", ", ".join(record["target_assets"])))
    lines += listing(screen, [*does, *told, ("plan", shortened(made.plan_id))])
    return lines + failures(
        screen, [Failure("", _difference(each), each.source_id) for each in reaching if _is_other(each)]
    )


def _of_what(made: Plan) -> str:
    if made.window is None:
        return " of everything" if made.run is None else ""
    first, last = made.window[0], made.window[1].fromordinal(made.window[1].toordinal() - 1)
    return f" of {first}" if first == last else f" of {first} to {last}"


def _partition(state: PartitionState) -> Sequence[object]:
    return (
        state.partition_key,
        state.expected_input_count,
        state.current_input_count,
        state.rejected_count,
        state.current_output_count,
        state.asset_count,
        "none" if state.gap_reason == "no_gap_detected" else state.gap_reason,
    )


def _reads(screen: Screen, reaching: Sequence[PlannedAsset], count: int) -> str:
    """How many files would be read, and from where."""
    from loader.screen import amount

    places = Counter(asset.reads_from for asset in reaching)
    if len(places) == 1:
        return f"{screen.words(len(reaching))} of {amount(screen, count, 'file')}, {_PLACES[next(iter(places))]}"
    words = [f"{screen.words(number)} {_PLACES[place]}" for place, number in places.items()]
    of_all = f"{screen.words(len(reaching))} of {amount(screen, count, 'file')}"
    return f"{of_all}: {', '.join(words)}" if words else of_all


def _is_other(asset: PlannedAsset) -> bool:
    """Whether what would be read, or is not there to be read, is not what was registered."""
    return asset.reads_from != "raw_zone" and asset.found != asset.source_fingerprint


def _difference(asset: PlannedAsset) -> str:
    if asset.source_fingerprint is None:
        return "never registered before:"
    if asset.found is None or len(asset.found) != 64:
        return f"not to be read now ({asset.found or 'gone'}):"
    return "other bytes than those that were registered:"


def _instant(text: str) -> object:
    from datetime import datetime

    return datetime.fromisoformat(text)


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
