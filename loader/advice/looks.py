"""The triage: questions in one order, each answered from facts, and the one command that comes first.

Do the reports know more than the warehouse; which manifest and which run, where the state is, does coverage match, and
then which kind of trouble it is: duplicate, gap, drift, or no trace at all (docs/reliability_checklist.md). Which
command comes first is said by the order of AdviceKind, and by that of the questions among commands of one kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loader.advice.clock import look_at_clocks
from loader.advice.coverage import look_at_coverage, look_at_manifests, look_at_rules
from loader.advice.damage import look_at_damage
from loader.advice.lost import erase_again
from loader.advice.questions import Advice, AdviceKind, Asked, Look, first_of
from loader.advice.readers import look_at_readers
from loader.advice.reports_ahead import look_at_reports
from loader.advice.runs import look_at_last_run
from loader.config import Settings
from loader.kinds import load_ruleset
from loader.printable import counted, pasted
from loader.recovery import World
from loader.release import refuse_unknown_kind, view_faults
from loader.warehouse import Warehouse, are_built, built, fetch_rows, released_kinds

_STATE = """
select record_source, state_kind, to_char(value_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as value_at,
    run_id::text
from ops.ingest_state order by record_source, state_kind
"""

_ERASURES = """
select erasure_id::text, reason, finished_at is null as is_cut_off from ops.erasure order by event_number
"""


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """One question of the triage, its answer in a sentence or two, and whether that is in order. `is_noted`: it asks
    for nothing, and a reader should know it."""

    question: str
    answer: str
    is_in_order: bool
    is_noted: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every step, and the one command that comes first. `notices`: what makes a reader of everything else wary."""

    steps: tuple[AnsweredQuestion, ...]
    advice: Advice
    next_command: str
    notices: tuple[str, ...] = ()

    @property
    def is_in_order(self) -> bool:
        return all(step.is_in_order for step in self.steps)


def diagnose(asked: Asked) -> Diagnosis:
    """Walk the triage over one snapshot. Writes nothing."""
    steps, advised, notices = [], [], []
    for question, look, in_order in LOOKS:
        answer, advice = look(asked)
        is_notice = bool(in_order and answer)
        is_in_order = advice is None or advice.kind is AdviceKind.LOOK
        is_noted = is_in_order and (is_notice or advice is not None)
        steps.append(AnsweredQuestion(question, answer or in_order, is_in_order, is_noted))
        if advice is not None and not is_in_order:
            advised.append(advice)
        if is_notice:
            notices.append(answer)
    first = first_of(advised)
    return Diagnosis(tuple(steps), first, first.line, tuple(notices))


def _look_at_reports(asked: Asked) -> tuple[str, Advice | None]:
    words, advice = look_at_reports(asked.world)
    return words or "", advice


def _look_at_clocks(asked: Asked) -> tuple[str, Advice | None]:
    words, advice = look_at_clocks(asked.world.cursor)
    return words or "", advice


def _look_at_state(asked: Asked) -> tuple[str, Advice | None]:
    found = fetch_rows(asked.world.cursor, _STATE, None)
    if not found:
        return "no run has ended clean yet, so nothing is recorded", None
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        kinds.setdefault(row["state_kind"], []).append(row)
    # They classify, and no line is dropped by them: a day says enough.
    words = [
        f"{kind} {min(row['value_at'] for row in kinds[kind])[:10]}"
        for kind in ("cursor", "watermark")
        if kind in kinds
    ]
    sources = max(len(rows) for rows in kinds.values())
    return ", ".join(words) + (f" (of {sources} sources, the earliest)" if sources > 1 else ""), None


def _look_at_erasures(asked: Asked) -> tuple[str, Advice | None]:
    """One that was cut off has taken the rows away; what else holds the person is not searched yet."""
    found = fetch_rows(asked.world.cursor, _ERASURES, None)
    cut_off = [row for row in found if row["is_cut_off"]]
    if not cut_off:
        return f"{counted(len(found), 'erasure')}, searched to the end" if found else "nobody was erased", None
    answer = f"erasure {cut_off[0]['erasure_id']} was cut off before its search had ended"
    again = erase_again(pasted(cut_off[0]["reason"]))
    # Its proof closes over damage of days and of kinds, and not over any that names neither: that is mended before it.
    return answer, replace(again, kind=AdviceKind.PROVE) if _is_every_day_held(asked.world.cursor) else again


def _is_every_day_held(cursor: Any) -> bool:
    if not are_built(cursor, "reconcile.reconcile_finding"):
        return False
    everything = "select 1 from reconcile.reconcile_finding where record_kind is null and partition_key is null limit 1"
    return bool(fetch_rows(built(cursor), everything, None))


# A question, who answers it, and what is said where there is nothing to say: what is said otherwise is a notice.
LOOKS: tuple[tuple[str, Look, str], ...] = (
    ("records lost?", _look_at_reports, "none that the reports know of"),
    ("which manifest?", look_at_manifests, ""),
    ("which run?", look_at_last_run, ""),
    ("where is the state?", _look_at_state, ""),
    ("coverage?", look_at_coverage, ""),
    ("what is wrong?", look_at_damage, ""),
    ("which rules?", look_at_rules, ""),
    ("erasures?", _look_at_erasures, ""),
    ("what do readers see?", look_at_readers, ""),
    ("clocks?", _look_at_clocks, "they agree, and the server's has not gone back"),
)


def diagnose_now(
    settings: Settings, warehouse: Warehouse, partition: date | None = None, record_kind: str | None = None
) -> Diagnosis:
    """Every question, answered; those that are about days of `partition` and of `record_kind` alone, where they are
    given.

    Raises CommandUsageError for a kind that has nothing to release.
    """
    faults = view_faults(warehouse, settings.project_root)
    ruleset = load_ruleset(settings.project_root / "contracts")
    connection = warehouse.connect(application_name="omnisupport-diagnose")
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with closing(connection), connection, connection.cursor() as cursor:
        if record_kind is not None:
            refuse_unknown_kind([kind.record_kind for kind in released_kinds(cursor)], record_kind)
        return diagnose(Asked(World(settings, cursor, ruleset), partition, faults, record_kind=record_kind))


def advise(
    settings: Settings, warehouse: Warehouse, partition: date | None = None, record_kind: str | None = None
) -> Advice:
    """The command that comes first now."""
    return diagnose_now(settings, warehouse, partition, record_kind).advice
