"""What a plan rests on: runs, entries and partitions, read from the warehouse in one snapshot; nothing is scanned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.errors import CommandUsageError, NoLinesError, RefusedError
from loader.gate import AssetRefusedError
from loader.ingest import DeclaredInput, content_of_manifest
from loader.kinds import Ruleset, load_kinds, load_ruleset
from loader.manifest import Manifest, ManifestRefusedError, Violation, implicit_manifest, parse_manifest
from loader.partition import Partition, days_of
from loader.printable import counted
from loader.recovery.plan import GapReason, PartitionState, PlannedAsset
from loader.runs import RegisteredAsset, ruleset_in_effect
from loader.warehouse import Warehouse, are_built, built, fetch_rows

# Whether the session that began a run writes now.
IS_ALIVE = """(
    run.status = 'running' and exists (
        select from ops.lock_holder as holder
        where holder.token = run.writer_token and holder.work_pid <> pg_backend_pid()
    )
)"""

_RUN = f"""
select
    run.run_id::text, run.attempt, run.trace_id, coalesce(first.mode, run.mode) as mode,
    coalesce(first.plan, run.plan) as plan, run.status, run.batch_id, run.record_kind,
    -- The last that was done before the end.
    run.last_stage as stage,
    run.manifest_ids, run.declared_manifests, run.refused_manifests, run.window_start, run.window_end, run.line_limit,
    ruleset.ruleset_sha256, run.host, run.process_id, run.exit_code,
    run.failure, run.finished_at, run.event_number,
    {IS_ALIVE} as is_alive
from ops.ingest_run as run
-- Rows that are gone are damage, and told as such: the run is there all the same.
left join ops.ingest_run as first on first.run_id = run.run_id and first.attempt = 1
left join ops.ruleset as ruleset on ruleset.ruleset_id = run.ruleset_id
"""

# Lines that are in: of a day that was taken all; else as many as the last reconcile saw landed (under a ruleset that is
# new to an asset, no day of it has been taken yet, and most lines have landed long ago).
_PARTITIONS = """
with reading as (
    select part.partition_key, part.asset_id, part.record_line_count, part.rejected_line_count,
        case
            when part.taken_by_run_id is not null then part.record_line_count
            else least(part.record_line_count, coalesce(fate.line_count, 0))
        end as current_line_count
    from ops.asset_partition as part
    inner join ops.asset_reading as whole
        on whole.asset_id = part.asset_id and whole.ruleset_id = part.ruleset_id and whole.is_complete
            and whole.record_kind = %(kind)s
    left join {fates} as fate on fate.asset_id = part.asset_id and fate.partition_key = part.partition_key
    where (%(assets)s::int[] is null or part.asset_id = any(%(assets)s))
        and part.partition_key >= coalesce(%(start)s, '-infinity'::date)
        and part.partition_key < coalesce(%(end)s, 'infinity'::date)
)
select
    partition_key,
    sum(record_line_count)::bigint as expected_input_count,
    sum(rejected_line_count)::bigint as rejected_count,
    sum(current_line_count)::bigint as current_input_count,
    count(*) as asset_count,
    array_agg(asset_id) as asset_ids
from reading group by partition_key order by partition_key
"""

_FATES = """(
    select asset_id, partition_key, sum(line_count)::bigint as line_count from reconcile.reconcile_fate
    where fate in ('landed', 'duplicate') group by asset_id, partition_key
)"""
_NO_FATES = "(select null::integer as asset_id, null::date as partition_key, 0::bigint as line_count)"

_ENTRIES = """
select entry.manifest_id, entry.source_id, entry.action, entry.judgement, entry.reason_codes, entry.asset_id,
    asset.source_fingerprint, asset.raw_zone_key, asset.content_encoding
from ops.run_asset as entry
left join ops.source_asset as asset on asset.asset_id = entry.asset_id
where entry.run_id = %(run_id)s
    and entry.attempt = (select max(attempt) from ops.run_asset where run_id = %(run_id)s)
order by entry.manifest_id, entry.source_id
"""


# Day -> (records, rejects, assets), of what no run has indexed.
Unread = Mapping[date, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class World:
    """The warehouse at one moment, and today's contract of one kind: partitions are of it."""

    settings: Settings
    cursor: Any
    ruleset: Ruleset

    def of_kind(self, record_kind: str) -> World:
        """The same moment, and today's contract of that kind."""
        if record_kind == self.ruleset.contract_ref:
            return self
        return replace(self, ruleset=load_ruleset(self.contracts, record_kind))

    def read_kinds(self) -> list[str]:
        """The landed kinds of which a run has indexed a line, in the order of their declarations."""
        self.cursor.execute("select distinct record_kind from ops.asset_reading where is_complete")
        read = {kind for (kind,) in self.cursor.fetchall()}
        return [kind.name for kind in load_kinds(self.contracts).values() if kind.is_landed and kind.name in read]

    def run(self, run_id: str | None) -> dict[str, Any]:
        """The last attempt of a run (its `mode` and `plan` are the first attempt's), or the attempt started last.

        Raises CommandUsageError when there is no such run.
        """
        condition = "run.run_id::text = %(run_id)s" if run_id else "true"
        rows = fetch_rows(
            self.cursor,
            f"{_RUN} where {condition} order by run.event_number desc limit 1",
            {"run_id": run_id},
        )
        if not rows:
            what = f"no run {run_id!r} in this warehouse" if run_id else "no run in this warehouse yet"
            raise CommandUsageError(f"{what}; nothing was started", next_command="make status")
        return rows[0]

    def is_todays(self, run: Mapping[str, Any]) -> bool:
        """Whether today's ruleset of its kind is the one under which a run judged."""
        kind = run["record_kind"]
        if kind == self.ruleset.contract_ref:
            return bool(run["ruleset_sha256"] == self.ruleset.sha256)
        try:
            return bool(run["ruleset_sha256"] == load_ruleset(self.contracts, kind).sha256)
        except CommandUsageError:
            return False  # a kind that lands no more

    def rulesets_in_effect(self) -> list[int]:
        """The number of today's ruleset of every kind that lands; left out where no run has used it yet."""
        kinds = [kind.name for kind in load_kinds(self.contracts).values() if kind.is_landed]
        found = [ruleset_in_effect(self.cursor, load_ruleset(self.contracts, kind)) for kind in kinds]
        return [number for number in found if number is not None]

    @property
    def contracts(self) -> Path:
        return self.settings.project_root / "contracts"

    def last_run(self) -> dict[str, Any] | None:
        """Which attempt was started last, of whatever kind."""
        return self._last_run(None)

    def last_run_of_kind(self) -> dict[str, Any] | None:
        """Which attempt of the kind was started last: anything newer makes a plan of its records stale."""
        return self._last_run(self.ruleset.contract_ref)

    def _last_run(self, record_kind: str | None) -> dict[str, Any] | None:
        rows = fetch_rows(
            self.cursor,
            "select run_id::text, attempt from ops.ingest_run where %(kind)s is null or record_kind = %(kind)s"
            " order by event_number desc limit 1",
            {"kind": record_kind},
        )
        return rows[0] if rows else None

    def entries_of_run(self, run_id: str) -> list[RegisteredAsset]:
        """The entries that a run recorded; empty when it ended before its sources were archived."""
        return [_entry(row) for row in fetch_rows(self.cursor, _ENTRIES, {"run_id": run_id})]

    def manifests_of_run(self, run: Mapping[str, Any]) -> tuple[Manifest, ...]:
        """The manifests that a run was asked to read: as registered, or from their files while they are the same.

        Raises RefusedError for a file that changed or is gone, and that no run has registered.
        """
        return tuple(self._manifest(declared, run["batch_id"]) for declared in run["declared_manifests"])

    def _manifest(self, declared: Mapping[str, Any], batch_id: str) -> Manifest:
        contracts = self.settings.project_root / "contracts"
        path = Path(declared["manifest_path"])
        self.cursor.execute(
            "select manifest_bytes from ops.manifest where manifest_id = %s and manifest_sha256 = %s",
            (declared["manifest_id"], declared["manifest_sha256"]),
        )
        known = self.cursor.fetchone()
        if known:
            return parse_manifest(bytes(known[0]), path, contracts, is_implicit=declared["is_implicit"])
        manifest = None
        if path.is_file() and declared["is_implicit"]:
            manifest = implicit_manifest(path, batch_id, contracts, self.ruleset.contract_ref)
        elif path.is_file():
            with suppress(OSError, AssetRefusedError):
                manifest = parse_manifest(content_of_manifest(self.settings, path), path, contracts)
        if manifest is None or manifest.sha256 != declared["manifest_sha256"]:
            raise RefusedError(
                f"manifest {declared['manifest_id']} ({path}) was not registered by the run, which ended too early, and"
                " its file is gone or has other bytes now; nothing was started",
                next_command="make ingest   # the declared manifests, as they are now",
            )
        return manifest

    def input_of_run(self, run: Mapping[str, Any]) -> DeclaredInput:
        """What a run was asked to read, the manifests that were refused to it included: they stay its problem."""
        refused = [
            ManifestRefusedError(
                Path(each["path"]), [Violation("manifest_invalid_value", "$", text) for text in each["violations"]]
            )
            for each in run["refused_manifests"]
        ]
        return DeclaredInput(self.manifests_of_run(run), tuple(refused))

    def registered_manifests(self, manifest_ids: Sequence[str]) -> tuple[Manifest, ...]:
        """Manifests as registered, in the order of their ids."""
        contracts = self.settings.project_root / "contracts"
        self.cursor.execute(
            "select manifest_bytes, manifest_path, is_implicit from ops.manifest where manifest_id = any(%s)"
            " order by manifest_id",
            (list(manifest_ids),),
        )
        return tuple(
            parse_manifest(bytes(content), Path(path), contracts, is_implicit=is_implicit)
            for content, path, is_implicit in self.cursor.fetchall()
        )

    def partitions(
        self,
        window: tuple[date, date] | None,
        changed_assets: frozenset[int] = frozenset(),
        unread: Unread | None = None,
        only: Sequence[int] | None = None,
    ) -> list[PartitionState]:
        """Every partition of the window of which the index knows a line; `changed_assets`: whose source differs.

        `unread`: records, rejects and assets by day that no run has indexed yet; `only`: of these assets.
        """
        start, end = window or (None, None)
        parameter = None if only is None else list(only)
        found = _with_unread(
            fetch_rows(
                built(self.cursor),
                _PARTITIONS.format(fates=_FATES if self._has("reconcile.reconcile_fate") else _NO_FATES),
                {"start": start, "end": end, "assets": parameter, "kind": self.ruleset.contract_ref},
            ),
            unread or {},
            window,
        )
        proved = self._reconciled()
        held = self._silver_rows(window)
        lagging = self._lagging_assets()
        states = []
        for row in found:
            asset_ids = frozenset(row.pop("asset_ids"))
            day = row["partition_key"]
            output = held.get(day, 0)
            has_lag = bool(lagging & asset_ids) or proved.get(day) != output
            reason = _gap_reason(row, is_changed=bool(asset_ids & changed_assets), has_lag=has_lag)
            states.append(
                PartitionState(
                    record_kind=self.ruleset.contract_ref,
                    **{**row, "partition_key": day.isoformat()},
                    current_output_count=output,
                    gap_reason=reason,
                )
            )
        return states

    def partitions_among(self, partitions: Collection[Partition]) -> tuple[PartitionState, ...]:
        """Those of these, of whatever kind, of which the index knows a line."""
        found: list[PartitionState] = []
        for kind in dict.fromkeys(each.record_kind for each in sorted(partitions)):
            days = days_of(partitions, kind)
            named = {day.isoformat() for day in days}
            states = self.of_kind(kind).partitions((days[0], days[-1] + timedelta(days=1)))
            found += [state for state in states if state.partition_key in named]
        return tuple(found)

    def _has(self, table: str) -> bool:
        return are_built(self.cursor, table)

    def _reconciled(self) -> dict[date, int]:
        """Rows of the kind's model of Silver by partition, as the last reconcile counted them."""
        if not self._has("reconcile.reconcile_partition"):
            return {}
        there = built(self.cursor)
        there.execute(
            "select partition_key, silver_row_count from reconcile.reconcile_partition where record_kind = %s",
            (self.ruleset.contract_ref,),
        )
        return {day: int(count) for day, count in there.fetchall()}

    def _silver_rows(self, window: tuple[date, date] | None) -> dict[date, int]:
        """Rows of the kind's model of Silver by partition, counted now."""
        assert self.ruleset.kind.landing is not None
        model = f"silver.{self.ruleset.kind.landing.silver}"
        if not self._has(model):
            return {}
        there = built(self.cursor)
        there.execute(
            f"select partition_key, count(*) from {model}"
            " where partition_key >= coalesce(%s, '-infinity'::date) and partition_key < coalesce(%s, 'infinity'::date)"
            " group by partition_key",
            window or (None, None),
        )
        return dict(there.fetchall())

    def _lagging_assets(self) -> frozenset[int]:
        """Assets with a load that is completed and not in Silver yet."""
        if not self._has("silver.built_load"):
            return frozenset()
        there = built(self.cursor)
        there.execute(
            "select distinct mine.asset_id from ops.completed_load as load"
            " inner join ops.run_asset as mine on mine.run_id = load.run_id and mine.attempt = load.attempt"
            " where mine.action = 'parsed' and load.load_id not in (select load_id from silver.built_load)"
        )
        return frozenset(int(asset_id) for (asset_id,) in there.fetchall())

    def archived_bytes(self, run_id: str) -> int:
        """Decompressed bytes of the assets that a run read."""
        self.cursor.execute(
            "select coalesce(sum(content_bytes), 0)::bigint from ops.source_asset where asset_id in ("
            " select asset_id from ops.run_asset where run_id = %s and action in ('parsed', 'unchanged'))",
            (run_id,),
        )
        return int(self.cursor.fetchone()[0])

    def read_under_older_rules(self, asset_ids: Sequence[int]) -> list[int]:
        """Those of the assets whose last whole reading was made before today's ruleset took effect."""
        self.cursor.execute(
            "select asset_id from ops.asset_reading"
            " where is_complete and asset_id = any(%s) and ruleset_id is distinct from %s order by asset_id",
            (list(asset_ids), ruleset_in_effect(self.cursor, self.ruleset)),
        )
        return [asset_id for (asset_id,) in self.cursor.fetchall()]

    def refuse_older_rules(self, asset_ids: Sequence[int]) -> None:
        """Raise RefusedError where assets were read under another ruleset than today's: what is taken was counted under
        that one, and reading them again would change days that nobody asked for."""
        older = self.read_under_older_rules(asset_ids)
        if not older:
            return
        self.cursor.execute(
            "select min(manifest.batch_id) from ops.manifest_asset as entry"
            " inner join ops.manifest as manifest using (manifest_id) where entry.asset_id = any(%s)",
            (older,),
        )
        (batch_id,) = self.cursor.fetchone()
        raise RefusedError(
            f"{counted(len(older), 'asset was', 'assets were')} last read before today's ruleset"
            f" ({self.ruleset.sha256[:12]}…) took effect; nothing was started",
            next_command=f"make replay BATCH={batch_id}   # validates under today's ruleset, all days",
        )

    def judged_beside(self, asset_ids: Sequence[int], window: tuple[date, date] | None) -> str:
        """What else a run over `window` changes when today's ruleset is new to its assets: a sentence, or nothing.

        An asset is judged whole. On its other days, newly rejected lines leave Silver at once, and newly valid lines
        wait for their own day.
        """
        older = self.read_under_older_rules(asset_ids)
        if window is None or not older:
            return ""
        self.cursor.execute(
            "select distinct partition_key from ops.asset_partition where asset_id = any(%s)"
            " and not (partition_key >= %s and partition_key < %s) order by partition_key",
            (older, *window),
        )
        days = [str(day) for (day,) in self.cursor.fetchall()]
        if not days:
            return ""
        shown = ", ".join(days[:5]) + (f" and {len(days) - 5} more" if len(days) > 5 else "")
        return (
            f"; the same files are judged anew for {shown} too: lines newly rejected leave Silver, lines newly valid"
            " wait for a backfill of their day"
        )

    def nearest(self, window: tuple[date, date], unread: Iterable[date] = ()) -> list[date]:
        """The closest partitions with lines before and after a window; `unread`: days that no run has indexed."""
        self.cursor.execute(
            "select max(day) filter (where day < %(start)s), min(day) filter (where day >= %(end)s)"
            " from (select partition_key from ops.asset_partition inner join ops.source_asset using (asset_id)"
            "   where record_kind = %(kind)s"
            "  union select unnest(%(unread)s::date[])) as known (day)",
            {"start": window[0], "end": window[1], "unread": list(unread), "kind": self.ruleset.contract_ref},
        )
        return [day for day in self.cursor.fetchone() if day is not None]

    def refuse_no_input(
        self, window: tuple[date, date], partitions: Sequence[PartitionState], unread: Iterable[date] = ()
    ) -> None:
        """Raise NoLinesError, naming the nearest data, when no line belongs to the window."""
        if any(partition.expected_input_count or partition.rejected_count for partition in partitions):
            return
        nearest = " and ".join(map(str, self.nearest(window, unread))) or "none"
        raise NoLinesError(
            f"no line belongs to {_in_words(window)}; nearest data: {nearest}; nothing was started",
            next_command="make status   # or make ingest, for assets that were never read",
        )


def _in_words(window: tuple[date, date]) -> str:
    last = date.fromordinal(window[1].toordinal() - 1)
    return str(last) if window[0] == last else f"{window[0]} to {last}"


@contextmanager
def looking_at(
    settings: Settings, warehouse: Warehouse, kind_of: Callable[[Any], str | None] = lambda cursor: None
) -> Iterator[World]:
    """The world in one snapshot (repeatable read); writes nothing, takes no lock. `kind_of`: from whose records' side,
    asked of that snapshot; None: of the default kind."""
    contracts = settings.project_root / "contracts"
    with closing(warehouse.connect(application_name="omnisupport-plan")) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection, connection.cursor() as cursor:
            yield World(settings, cursor, load_ruleset(contracts, kind_of(cursor)))


def planned_archived(entries: Sequence[RegisteredAsset]) -> tuple[PlannedAsset, ...]:
    """Entries whose bytes come from the raw zone, where they have any."""
    return tuple(
        PlannedAsset(
            entry.manifest_id,
            entry.source_id,
            entry.asset_id,
            entry.source_fingerprint,
            entry.source_fingerprint,
            None,
            "raw_zone" if entry.asset_id is not None else "nowhere",
        )
        for entry in entries
    )


def as_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan says of the run that it is about."""
    return {
        "run_id": run["run_id"],
        "attempt": run["attempt"],
        "trace_id": run["trace_id"],
        "mode": run["mode"],
        "stage": run["stage"],
    }


def as_manifests(manifests: Sequence[Manifest]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "manifest_id": manifest.manifest_id,
            "manifest_sha256": manifest.sha256,
            "manifest_path": str(manifest.path),
        }
        for manifest in manifests
    )


def window_of(run: Mapping[str, Any]) -> tuple[date, date] | None:
    return None if run["window_start"] is None else (run["window_start"], run["window_end"])


def _with_unread(rows: list[dict[str, Any]], unread: Unread, window: tuple[date, date] | None) -> list[dict[str, Any]]:
    by_day = {row["partition_key"]: row for row in rows}
    for day, (records, rejects, assets) in unread.items():
        if window is not None and not window[0] <= day < window[1]:
            continue
        nothing = {
            "partition_key": day,
            "expected_input_count": 0,
            "rejected_count": 0,
            "current_input_count": 0,
            "asset_count": 0,
            "asset_ids": [],
        }
        row = by_day.setdefault(day, nothing)
        row["expected_input_count"] += records
        row["rejected_count"] += rejects
        row["asset_count"] += assets
    return [by_day[day] for day in sorted(by_day)]


def _entry(row: Mapping[str, Any]) -> RegisteredAsset:
    """An entry as it was recorded, to be judged anew for what is due of it."""
    action = "parsed" if row["action"] == "unchanged" else row["action"]
    return RegisteredAsset(**{**row, "action": action, "reason_codes": tuple(row["reason_codes"])})


def _gap_reason(row: Mapping[str, Any], *, is_changed: bool, has_lag: bool) -> GapReason:
    expected, current = row["expected_input_count"], row["current_input_count"]
    if is_changed:
        return "source_changed"
    if expected == 0:
        return "rejected_only" if row["rejected_count"] else "no_gap_detected"
    if current == 0:
        return "missing_partition"
    if current < expected:
        return "partial_partition"
    return "output_lag" if has_lag else "no_gap_detected"
