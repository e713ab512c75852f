"""What comes after a command that has ended: where nothing is wrong with what it did, its own next step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

from loader.advice.damage import Damaged, land_again, mend
from loader.advice.looks import advise
from loader.advice.questions import NOTHING_TO_DO, Advice, AdviceKind
from loader.advice.readers import decide
from loader.config import Settings
from loader.errors import LoaderError
from loader.obstacles import Code
from loader.partition import variables_of
from loader.raw_zone import ArchiveDamagedError, require_objects
from loader.recovery import runs_of_assets
from loader.release import view_faults
from loader.trace import LinkName
from loader.warehouse import Warehouse, open_warehouse, released_kinds

if TYPE_CHECKING:
    from loader.ingest import Verdict
    from loader.release import KeptBackError
    from loader.trace import Trace
    from loader.verify import Verification

STATUS = Advice(AdviceKind.LOOK, "make status")
# After a day was asked for that has no lines: the same command says the same for ever.
KNOWN_DAYS = Advice(AdviceKind.LOOK, "make status", "the days that there are lines of")
_EVIDENCE_IS_DAMAGED = Advice(AdviceKind.RESTORE, "make verify EVIDENCE=1")


def after_hold(settings: Settings, day: date, record_kind: str | None = None) -> Advice:
    """After a day was held: what else is to be done; that it moves again, a person decides. `record_kind`: as the
    command had it."""
    return _or_its_own(settings, Advice(AdviceKind.FREE, f"make release {_variables(day, record_kind)}"))


def after_release(settings: Settings, day: date, record_kind: str | None = None) -> Advice:
    """After readers see a day as proved: what else is to be done; of nothing else, whether they may go on."""
    return _or_its_own(settings, Advice(AdviceKind.LOOK, f"make ready {_variables(day, record_kind)}"))


def _variables(day: date, record_kind: str | None) -> str:
    return f"PARTITION={day}" + (f" KIND={record_kind}" if record_kind else "")


def after_kept_back(error: KeptBackError) -> Advice:
    """After a release that was refused: drift and rejects a person lets pass, anything else is mended or overridden."""
    partitions, published = error.decision.partitions, error.published
    if published.to_review.issuperset(partitions):
        return decide(Code.DRIFT, partitions, published.kinds)
    if published.rejecting.issuperset(partitions):
        return decide(Code.TOO_MANY_REJECTS, partitions, published.kinds)
    override = f"make release {variables_of(partitions, published.kinds)} OVERRIDE=1 REASON='<why>'"
    return Advice(AdviceKind.LOOK, "make diagnose", f"or, against the checks: {override}")


def _or_its_own(settings: Settings, its_own: Advice) -> Advice:
    advice = _advised(settings, None)
    return its_own if advice.kind is AdviceKind.LOOK else advice


def after_run(settings: Settings, verdict: Verdict) -> Advice:
    """After an ingest or a recovery verb: one that failed asks for what comes first of everything, one that is kept
    back for what lets its day move. A clean one asks nothing more of the warehouse."""
    start, end = verdict.facts.run["window_start"], verdict.facts.run["window_end"]
    day = start if start is not None and end - start == timedelta(days=1) else None
    if verdict.exit_code:
        failed = [problem.name for problem in verdict.problems if problem.reason_code == "dbt_check_failed"]
        advice = after_build(settings, None, failed, holds_all=bool(failed))
        is_mistyped = verdict.problem_codes == {"no_lines_for_partition"} and advice == STATUS
        return KNOWN_DAYS if is_mistyped else advice
    if verdict.downstream_decision == "proceed":
        return Advice(AdviceKind.LOOK, f"make ready PARTITION={day}", "may readers go on?") if day else STATUS
    advice = _advised(settings, None, day)
    drifts = [drift.partition_key for drift in verdict.facts.drifts]
    if advice.kind is AdviceKind.LOOK and drifts:
        of_day = f" PARTITION={drifts[0]}" if drifts[0] else ""
        return Advice(AdviceKind.LOOK, f"make status{of_day}", "what drifted, and how to let it pass: docs/drift.md")
    return STATUS if advice.kind is AdviceKind.LOOK else advice


def after_build(settings: Settings, warehouse: Warehouse | None, failed: Sequence[str], *, holds_all: bool) -> Advice:
    """After dbt; `failed`: the names of nodes that did; `holds_all`: they hold every day, as tests that read findings
    do not. What proves again would fail as it did, and so would an erasure that is held."""
    advice = _advised(settings, warehouse)
    proves = (AdviceKind.PROVE, AdviceKind.LOOK, *([AdviceKind.ERASE] if holds_all else []))
    if failed and advice.kind in proves:
        return Advice(AdviceKind.CHECK, f"make build SELECT={failed[0]}")
    return STATUS if advice.kind is AdviceKind.LOOK else advice


def after_verification(warehouse: Warehouse, found: Verification) -> Advice:
    """After a run's rows were compared with the archive: whose rows differ lands them again."""
    if found.is_proved:
        return STATUS
    runs = runs_of_assets(warehouse, [each.asset_id for each in found.shown])
    return land_again(runs[0]) if runs else Advice(AdviceKind.PROVE, "make build", "names what SQL can name")


def after_trace(settings: Settings, warehouse: Warehouse, found: Trace) -> Advice:
    """After a record was followed: what mends the first link that does not hold, from the archive on."""
    broken = {link.name: link for link in reversed(found.broken)}
    for name in LinkName:
        if name in broken:
            return _mend_of_link(settings, warehouse, found, name, broken[name].asset_id)
    return STATUS


def _mend_of_link(
    settings: Settings, warehouse: Warehouse, found: Trace, name: LinkName, asset_id: int | None
) -> Advice:
    if name is LinkName.OBJECT:
        lost = _lost_object(settings, warehouse, asset_id)
        if lost is not None:
            return lost
    if name in (LinkName.LINE, LinkName.RECORD):
        runs = runs_of_assets(warehouse, [] if asset_id is None else [asset_id])
        return land_again(runs[0]) if runs else _EVIDENCE_IS_DAMAGED
    if name is LinkName.SILVER:
        with closing(warehouse.connect(application_name="omnisupport-trace")) as session, session.cursor() as cursor:
            tables = {kind.record_kind: kind.silver for kind in released_kinds(cursor)}
        days = tuple(version.partition_key for version in found.versions[:1])
        rebuilt = mend([Damaged(tables[found.record_kind], str(name), days)], None)
        assert rebuilt is not None
        return rebuilt
    faults = view_faults(warehouse, settings.project_root) if name is LinkName.SERVED else []
    if faults:
        return Advice(AdviceKind.SHOW, faults[0].next_command, "puts what readers look through right")
    return _EVIDENCE_IS_DAMAGED


def _lost_object(settings: Settings, warehouse: Warehouse, asset_id: int | None) -> Advice | None:
    """What puts the object of a file right, where the archive does not give it."""
    with closing(warehouse.connect(application_name="omnisupport-trace")) as session, session.cursor() as cursor:
        cursor.execute("select raw_zone_key from ops.source_asset where asset_id = %s", (asset_id,))
        try:
            require_objects(cursor, settings, [key for (key,) in cursor.fetchall()])
        except ArchiveDamagedError as lost:
            command, _, why = lost.next_command.partition("   # ")
            return Advice(AdviceKind.TAKE, command, why)
    return None


def after_audit(settings: Settings, warehouse: Warehouse, *, has_faults: bool) -> Advice:
    """After the evidence was compared with itself and with the warehouse."""
    advice = _advised(settings, warehouse)
    if advice.kind is AdviceKind.LOOK:
        return _EVIDENCE_IS_DAMAGED if has_faults else STATUS
    return advice


def after_question(settings: Settings, warehouse: Warehouse, day: date | None) -> Advice:
    """The advice after a day that is not ready or not complete; None: after all that is known."""
    advice = _advised(settings, warehouse, day)
    return Advice(AdviceKind.LOOK, f"make status PARTITION={day}") if advice == NOTHING_TO_DO and day else advice


def _advised(settings: Settings, warehouse: Warehouse | None, day: date | None = None) -> Advice:
    """What comes first now. A warehouse that cannot be asked any more takes nothing from what a command has to say."""
    try:
        return advise(settings, warehouse or open_warehouse(settings), day)
    except LoaderError as error:
        command, _, why = error.next_command.partition("   # ")
        return Advice(AdviceKind.WAIT, command, why)
