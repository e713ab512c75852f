"""How much an ingest proves: everything, or what has changed since the last proof that closed.

A proof closes for every partition but those of which reconcile has findings: these it leaves open. Changes are proved
alone only while nothing else can differ: the last proof closed under the same SQL, its tables and findings stand as it
left them, and the triggers that note every change of Bronze and Silver are at their posts. A proof of changes only
confirms: where it has a finding more or less than the proof before it, everything is proved at once, and that answer
counts (docs/decisions/0007, 0017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from loader.partition import Partition
from loader.printable import in_one_line
from loader.progress import Report
from loader.runs import IngestLock
from loader.silver.results import BuildResult
from loader.warehouse import built, released_kinds

# The kinds of node that prove. Unit tests belong to CI.
PROVING_BUILD = (
    "build",
    *("--resource-type", "model", "--resource-type", "test"),
    *("--exclude-resource-type", "unit_test"),
)

# Tables of reconcile that a proof of changes adds to, as it does to Silver's.
_KEPT = (
    "reconcile.load_measure",
    "reconcile.asset_measure",
    "reconcile.asset_reject",
    "reconcile.event_claim",
    "reconcile.event_total",
    "reconcile.newest_event",
    "reconcile.reconcile_event",
    "reconcile.reconcile_fate",
    "reconcile.reconcile_finding",
    "reconcile.reconcile_link",
    "reconcile.drift_profile",
    "reconcile.drift_reject",
)
# What says what a build proves, and what it found; each is signed by the build that made it.
_SIGNED = ("proof_scope", "scope_load", "scope_asset", "scope_record", "reconcile_finding")
# Triggers that note changes: of every table of Bronze, a partition of any kind included, and of Silver's.
_NOTES_OF_BRONZE = ("note_delete", "note_truncate", "note_update")
_NOTES_OF_SILVER = ("note_delete", "note_insert", "note_truncate", "note_update")


# Where something was found: a kind, None for any; a day, None for every day.
Open = tuple[str | None, date | None]
# A check, and of what it found something.
_Finding = tuple[str, str | None, date | None]


@dataclass(frozen=True, slots=True)
class ProofScope:
    """`name`: all or changes, the dbt variable `proof`; `reason`: a few words for the operator.

    `project_sha256`: the SQL that proves, as it was when dbt was about to start; `findings`: those that the last proof
    left open, where changes alone are proved.
    """

    name: str
    reason: str
    project_sha256: str
    findings: frozenset[_Finding] = frozenset()

    @property
    def variables(self) -> str:
        return f"{{proof: {self.name}}}"


@dataclass(frozen=True, slots=True)
class Proved:
    """A build closed, for every partition but `open_partitions`: of these reconcile has findings."""

    open_partitions: frozenset[Open] = frozenset()

    def leaves_open(self, partition: Partition) -> bool:
        return any(
            kind in (None, partition.record_kind) and day in (None, partition.day) for kind, day in self.open_partitions
        )

    def leaves_all_open(self, record_kind: str) -> bool:
        """Whether a finding of the kind names no day."""
        return (record_kind, None) in self.open_partitions


def choose_scope(cursor: Any, sha256: str, *, is_asked_for_all: bool) -> ProofScope:
    """What has to be proved, read under the ingest lock before dbt runs; writes nothing. `sha256`: of the project as
    dbt parsed it."""
    if is_asked_for_all:
        return ProofScope("all", "as asked (LOADER_PROOF=all)", sha256)
    cursor.execute(
        "select project_sha256, dbt_invocation_id, open_partitions, proved_at from ops.proof"
        " order by proof_id desc limit 1"
    )
    last = cursor.fetchone()
    if last is None:
        return ProofScope("all", "nothing has been proved yet", sha256)
    proved_by, invocation_id, left_open, proved_at = last
    if proved_by != sha256:
        return ProofScope("all", "dbt_project or infra/postgres changed since the last proof", sha256)
    reason = _missing_table(cursor)
    if reason:
        return ProofScope("all", reason, sha256)
    with built(cursor) as there:
        findings = _findings(there)
        # Findings of another build may be some of all only; where there are none, nothing hangs on who says so.
        is_left_open = not findings or _unsigned(there, ("reconcile_finding",), invocation_id) == 0
    if {(kind, day) for _, kind, day in findings} != _read_open(left_open) or not is_left_open:
        return ProofScope("all", "reconcile has findings that the last proof did not leave", sha256)
    reason = _unseen_change(cursor)
    if reason:
        return ProofScope("all", reason, sha256)
    assert isinstance(proved_at, datetime)
    return ProofScope("changes", f"since the proof of {proved_at:%Y-%m-%d %H:%M:%S %Z}", sha256, findings)


def judge_build(cursor: Any, scope: ProofScope, build: BuildResult) -> Proved | None:
    """What a build that is whole (require_whole) proves of what `scope` says; writes nothing.

    None, which holds every day: something else failed than tests that read findings, a finding names neither kind nor
    day, or another build made scope or findings anew meanwhile. A proof of changes is also refused when the findings
    are not those that the last proof left open, or a whole table, or a row of Bronze that counts, changed before the
    build looked.
    """
    if build.skipped or build.holding:
        return None
    with built(cursor) as there:
        if _unsigned(there, _SIGNED, build.invocation_id):
            return None
        findings = _findings(there)
        there.execute("select is_everything_changed::boolean from reconcile.proof_scope")
        (is_everything_changed,) = there.fetchone()
    open_partitions = frozenset((kind, day) for _, kind, day in findings)
    if (None, None) in open_partitions or (build.failed and not findings):
        return None
    if scope.name == "changes" and (is_everything_changed or findings != scope.findings):
        return None
    return Proved(open_partitions)


def prove(
    lock: IngestLock, scope: ProofScope, build: Callable[[ProofScope], BuildResult], report: Report
) -> tuple[BuildResult, ProofScope]:
    """`build` what has to be proved; where a proof of changes does not close, everything, and that answer counts: it is
    also what names a damage."""
    result = build(scope)
    if scope.name == "all":
        return result, scope
    with lock.transaction() as cursor:
        if judge_build(cursor, scope, result) is not None:
            return result, scope
    scope = ProofScope("all", "the proof of what changed did not close", scope.project_sha256)
    report(f"silver: {scope.reason}, so everything is proved")
    return build(scope), scope


def _findings(there: Any) -> frozenset[_Finding]:
    there.execute(
        "select distinct check_name::text, record_kind::text, partition_key::date from reconcile.reconcile_finding"
    )
    return frozenset(there.fetchall())


def _read_open(recorded: list[dict[str, str | None]]) -> set[Open]:
    return {
        (each["record_kind"], None if each["partition_key"] is None else date.fromisoformat(each["partition_key"]))
        for each in recorded
    }


def _unsigned(there: Any, names: tuple[str, ...], invocation_id: str) -> int:
    """How many of these tables of reconcile another build than this invocation made."""
    there.execute(
        "select count(*) from unnest(%s::regclass[]) as relation"
        " where obj_description(relation, 'pg_class') is distinct from %s",
        ([f"reconcile.{name}" for name in names], invocation_id),
    )
    (count,) = there.fetchone()
    return int(count)


def _missing_table(cursor: Any) -> str | None:
    kept = [*_silver(cursor), *_KEPT]
    with built(cursor) as there:
        there.execute("select name from unnest(%s) as name where to_regclass(name) is null limit 1", (kept,))
        missing = there.fetchone()
        return f"{missing[0]} is not there" if missing else None


def _unseen_change(cursor: Any) -> str | None:
    """A change beyond rows of Silver and new loads, or that no trigger would have noted."""
    cursor.execute(
        "select table_name from ops.unproved_change where row_key = '*' or starts_with(table_name, 'bronze.') limit 1"
    )
    changed = cursor.fetchone()
    if changed:
        # Whoever builds Silver may leave notes, and with any text.
        return f"{in_one_line(changed[0])} was changed or made anew"
    unwatched = unwatched_table(cursor)
    return f"changes of {unwatched} are not noted (its triggers are off or gone)" if unwatched else None


def _silver(cursor: Any) -> list[str]:
    """Every table of Silver, of all kinds."""
    return [table for kind in released_kinds(cursor) for table in kind.built]


# Triggers for each statement of their kind, after it and without a condition (tgtype: 4 insert, 8 delete, 16 update, 32
# truncate), that call our function with the name of their table.
_WATCHING = """
select nspname || '.' || relname, array_agg(tgname::text)
from pg_trigger
inner join pg_class on pg_class.oid = tgrelid
inner join pg_namespace on pg_namespace.oid = relnamespace
where tgenabled in ('O', 'A') and nspname || '.' || relname = any(%s)
    and (tgname, tgtype) in (('note_insert', 4), ('note_delete', 8), ('note_update', 16), ('note_truncate', 32))
    and tgfoid in (to_regprocedure('ops.note_change()'), to_regprocedure('bronze.note_change()'))
    and tgqual is null and tgattr = ''::int2vector
    and split_part(encode(tgargs, 'escape'), '\\000', 1) = nspname || '.' || relname
group by 1
"""


def unwatched_table(cursor: Any) -> str | None:
    """A table of which a trigger that notes changes is missing or disabled, or is another than its name says."""
    cursor.execute("select 'bronze.' || table_name from bronze.guarded_table order by table_name")
    wanted: dict[str, tuple[str, ...]] = {str(table): _NOTES_OF_BRONZE for (table,) in cursor.fetchall()}
    wanted |= dict.fromkeys(_silver(cursor), _NOTES_OF_SILVER)
    cursor.execute(_WATCHING, (list(wanted),))
    present = {str(table): set(names) for table, names in cursor.fetchall()}
    return next((table for table, names in wanted.items() if not present.get(table, set()).issuperset(names)), None)
