"""restore: the release pointer of a partition moves back to a state that was released before; deletes nothing.

Nothing has been released by this version: there is no pointer to move. The plan says what it would be about, and
carrying it out is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NoReturn

from loader.errors import RefusedError
from loader.recovery.plan import Plan
from loader.recovery.verbs import Workplace
from loader.recovery.world import World
from loader.runs import Attempt, new_run_id, trace_id_of_caller


def plan(world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan:
    """Of the partitions `[window_start, window_end)`. Raises CheckFailedError when no line belongs to them."""
    window = (date.fromisoformat(request["window_start"]), date.fromisoformat(request["window_end"]))
    partitions = world.partitions(window)
    world.refuse_no_input(window, partitions)
    return Plan(
        mode="restore",
        request=dict(request),
        run=None,
        batch_id="",
        manifests=(),
        window=window,
        ruleset_sha256=world.ruleset.sha256,
        partitions=tuple(partitions),
        assets=(),
        proposed_action="move the release pointer back; refused until a release exists: none has been made",
        idempotency_guard="a pointer is set, no row is written or removed",
        downstream_impact="readers would see the older state, and the partition would be held",
        last_run=world.last_run(),
    )


def attempt(plan: Mapping[str, Any]) -> Attempt:
    return Attempt(new_run_id(), 1, trace_id_of_caller())


def carry_out(work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> NoReturn:
    raise RefusedError(
        f"restore of {plan['window_start']}: nothing has been released, so there is no state to go back to; nothing was"
        " changed",
        next_command=f"make status PARTITION={plan['window_start']}",
    )
