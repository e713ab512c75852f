"""The triage over the warehouse as it is now: one snapshot, no lock, nothing written."""

from __future__ import annotations

from contextlib import closing
from datetime import date

from loader.advice.asked import Asked
from loader.advice.kinds import Advice
from loader.advice.looks import Diagnosis, diagnose
from loader.config import Settings
from loader.kinds import load_ruleset
from loader.recovery import World
from loader.release import refuse_unknown_kind, view_faults
from loader.warehouse import Warehouse, released_kinds


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
