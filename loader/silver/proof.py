"""How much an ingest proves: everything, or what has changed since the last proof that closed.

Changes are proved alone only while nothing else can differ: the last proof closed under the same SQL, its tables and
findings stand as it left them, and the triggers that note every change of Bronze and Silver are at their posts. What
is found then is not believed: everything is proved at once, and that answer counts (docs/decisions/0007).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from loader.line_ends import read_committed
from loader.printable import in_one_line
from loader.runs.anchors import Attempt
from loader.runs.lock import IngestLock
from loader.silver.checks import CHECKS_FILE
from loader.silver.results import BuildResult
from loader.warehouse.built import built

# The kinds of node that prove. Unit tests belong to CI.
PROVING_BUILD = (
    "build",
    *("--resource-type", "model", "--resource-type", "test"),
    *("--exclude-resource-type", "unit_test"),
)

# Tables that a proof of changes adds to.
_KEPT = (
    "silver.ticket_fact",
    "silver.customer_dim",
    "reconcile.load_measure",
    "reconcile.asset_measure",
    "reconcile.asset_reject",
    "reconcile.event_claim",
    "reconcile.event_total",
    "reconcile.newest_event",
    "reconcile.reconcile_event",
    "reconcile.reconcile_fate",
    "reconcile.reconcile_finding",
    "reconcile.drift_profile",
    "reconcile.drift_reject",
)
# What says what a build proves; each is signed by the build that made it.
_SCOPE = ("proof_scope", "scope_load", "scope_asset", "scope_ticket")
# Triggers that note changes, by table.
_NOTES = {
    **{
        f"bronze.{table}": ("note_delete", "note_truncate", "note_update")
        for table in ("raw_ticket_event", "asset_line", "rejected_record")
    },
    **{
        f"silver.{table}": ("note_delete", "note_insert", "note_truncate", "note_update")
        for table in ("ticket_fact", "customer_dim")
    },
}


@dataclass(frozen=True, slots=True)
class ProofScope:
    """`name`: all or changes, the dbt variable `proof`; `reason`: a few words for the operator.

    `project_sha256`: the SQL that proves, as it was when dbt was about to start.
    """

    name: str
    reason: str
    project_sha256: str

    @property
    def variables(self) -> str:
        return f"{{proof: {self.name}}}"


def choose_scope(cursor: Any, sha256: str, *, is_asked_for_all: bool) -> ProofScope:
    """What has to be proved, read under the ingest lock before dbt runs; writes nothing. `sha256`: of the project as
    dbt parsed it."""
    reason = "as asked (LOADER_PROOF=all)" if is_asked_for_all else _reason_for_all(cursor, sha256)
    if reason:
        return ProofScope("all", reason, sha256)
    cursor.execute("select proved_at from ops.proof order by proof_id desc limit 1")
    (proved_at,) = cursor.fetchone()
    assert isinstance(proved_at, datetime)
    return ProofScope("changes", f"since the proof of {proved_at:%Y-%m-%d %H:%M:%S %Z}", sha256)


def is_closed(cursor: Any, scope: ProofScope, build: BuildResult) -> bool:
    """Whether a build that is whole (require_whole) proves what `scope` says: nothing failed, no other build has made
    its scope anew meanwhile, and no whole table, or row of Bronze that counts, changed before it looked (unless it
    proved everything)."""
    if not build.is_ok:
        return False
    with built(cursor) as there:
        there.execute(
            "select count(*) from unnest(%s::regclass[]) as relation"
            " where obj_description(relation, 'pg_class') is distinct from %s",
            ([f"reconcile.{name}" for name in _SCOPE], build.invocation_id),
        )
        if there.fetchone()[0]:
            return False
        there.execute("select is_everything_changed::boolean from reconcile.proof_scope")
        (is_everything_changed,) = there.fetchone()
    return scope.name == "all" or not is_everything_changed


def record_proof(cursor: Any, scope: ProofScope, build: BuildResult, attempt: Attempt | None) -> None:
    """Note a build that closed (is_closed) as the last proof, with the loads and assets that it covers.

    Under the ingest lock: no load can have completed, and no asset been read, since dbt looked.
    """
    with built(cursor) as there:
        there.execute("select seen::text from reconcile.proof_scope")
        (seen,) = there.fetchone()
    # What was changed is proved, and waits for its release.
    cursor.execute(
        "with proved as ("
        "  delete from ops.unproved_change where pg_visible_in_snapshot(changed_in, %s::pg_snapshot)"
        "  returning table_name, row_key)"
        " insert into release.pending_ticket (ticket_id)"
        " select distinct row_key from proved where table_name = 'silver.ticket_fact'"
        " on conflict (ticket_id) do update set is_assessed = false",
        (seen,),
    )
    cursor.execute(
        "insert into ops.proved_load (load_id) select load_id from ops.completed_load on conflict do nothing"
    )
    cursor.execute(
        "delete from ops.proved_asset as proved where not exists ("
        "  select from ops.asset_reading as reading where to_jsonb(reading) = to_jsonb(proved))"
    )
    cursor.execute(
        "insert into ops.proved_asset (asset_id, ruleset_id, sequence, taken_partition_count)"
        " select asset_id, ruleset_id, sequence, taken_partition_count from ops.asset_reading on conflict do nothing"
    )
    cursor.execute(
        "insert into ops.proof (scope, run_id, attempt, dbt_invocation_id, project_sha256, load_count)"
        " values (%s, %s, %s, %s, %s, (select count(*) from ops.proved_load))",
        (
            scope.name,
            *((str(attempt.run_id), attempt.number) if attempt else (None, None)),
            build.invocation_id,
            scope.project_sha256,
        ),
    )


def record_whole_build(lock: IngestLock, build: BuildResult, sha256: str) -> None:
    """Note a build of everything outside a run (require_whole) as a proof, if it closed; the lock was held since before
    dbt started. `sha256`: of the project as it was then."""
    scope = ProofScope("all", "a build of everything", sha256)
    with lock.transaction() as cursor:
        if is_closed(cursor, scope, build):
            record_proof(cursor, scope, build, None)


def project_sha256(project_root: Path) -> str:
    """One hash over what proves: dbt's models, macros and tests, which of them must run, and the tables they read."""
    digest = hashlib.sha256()
    project = project_root / "dbt_project"
    files = [
        project / "dbt_project.yml",
        project_root / CHECKS_FILE,
        *(project_root / "infra" / "postgres").glob("*.sql"),
    ]
    files += [
        file
        for folder in ("models", "macros", "tests")
        for file in (project / folder).rglob("*")
        if file.suffix in (".sql", ".yml", ".md")
    ]
    for file in sorted(files):
        content = read_committed(file)
        digest.update(f"{file.relative_to(project_root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _reason_for_all(cursor: Any, sha256: str) -> str | None:
    cursor.execute("select project_sha256 from ops.proof order by proof_id desc limit 1")
    last = cursor.fetchone()
    if last is None:
        return "nothing has been proved yet"
    if last[0] != sha256:
        return "dbt_project or infra/postgres changed since the last proof"
    with built(cursor) as there:
        there.execute("select name from unnest(%s) as name where to_regclass(name) is null limit 1", (list(_KEPT),))
        missing = there.fetchone()
        if missing:
            return f"{missing[0]} is not there"
        there.execute("select exists (select from reconcile.reconcile_finding)")
        if there.fetchone()[0]:
            return "the last reconcile has findings"
    cursor.execute(
        "select table_name from ops.unproved_change where row_key = '*' or starts_with(table_name, 'bronze.') limit 1"
    )
    changed = cursor.fetchone()
    if changed:
        # Whoever builds Silver may leave notes, and with any text.
        return f"{in_one_line(changed[0])} was changed or made anew"
    unwatched = unwatched_table(cursor)
    return f"changes of {unwatched} are not noted (its triggers are off or gone)" if unwatched else None


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
    cursor.execute(_WATCHING, (list(_NOTES),))
    present = {str(table): set(names) for table, names in cursor.fetchall()}
    return next((table for table, names in _NOTES.items() if not present.get(table, set()).issuperset(names)), None)
