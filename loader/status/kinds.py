"""Which of the four kinds of trouble a finding of reconcile is (docs/reliability_checklist.md)."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["duplicate", "gap", "drift", "no trace"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_DUPLICATE = (
    "asset_index_doubled",
    "completed_load_doubled",
    "entry_doubled",
    "event_doubled",
    "load_built_twice",
    "load_listed_twice",
    "manifest_doubled",
    "partition_doubled",
    "reject_doubled",
    "run_asset_doubled",
    "source_asset_doubled",
    "ticket_doubled",
    "ticket_id_collision",
)
# A line, an event or a row that must be there is not.
_GAP = (
    "asset_index_missing",
    "asset_unexplained",
    "content_bytes_differ_from_lines",
    "entry_missing",
    "event_missing",
    "first_delivery_missing",
    "index_incomplete_at_the_end",
    "index_incomplete_without_limit",
    "line_count_differs",
    "lines_do_not_end_with_content",
    "lines_do_not_tile",
    "load_not_built",
    "manifest_unexplained",
    "partition_not_taken",
    "partition_unexplained",
    "reject_missing",
    "run_unexplained",
    "source_asset_missing",
    "ticket_count_differs",
    "ticket_missing",
)
# Something is there, and who brought it, or what it belongs to, is not.
_NO_TRACE = (
    "attempts_not_contiguous",
    "built_load_never_completed",
    "completed_load_missing",
    "entry_not_declared",
    "load_not_listed",
    "manifest_missing",
    "reject_without_rejected_line",
    "rows_never_completed",
    "ruleset_missing",
    "run_asset_missing",
    "run_asset_not_declared",
    "run_contradicts_itself",
    "run_missing",
    "run_unknown",
    "source_asset_not_declared",
    "ticket_unfounded",
    "ticket_without_customer",
)
KIND_OF_CHECK: dict[str, Kind] = {
    **dict.fromkeys(_DUPLICATE, "duplicate"),
    **dict.fromkeys(_GAP, "gap"),
    **dict.fromkeys(_NO_TRACE, "no trace"),
}


def kind_of(check_name: str) -> Kind:
    """Of a check that is not named here: drift, both sides are there and their contents differ."""
    return KIND_OF_CHECK.get(check_name, "drift")
