"""The warehouse as a plan finds it, in one snapshot; nothing is scanned. And what the verbs that plan on it have in
common: how each is planned and carried out, and what it gives. What they do is in their modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from loader.config import Settings
from loader.errors import CommandUsageError, RefusedError
from loader.kinds import Ruleset, load_kinds, load_ruleset
from loader.partition import Partition
from loader.printable import counted
from loader.recovery.plan import Plan
from loader.runs import Attempt, ruleset_in_effect
from loader.warehouse import Warehouse

if TYPE_CHECKING:
    from loader.ingest import DeclaredInput, Verdict, Workplace
    from loader.runs import RegisteredAsset


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


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an earlier attempt was asked to read, and the entries that it had recorded: what a retry works on.
    `takes_back`: what the run had landed is not what it landed any more, and is landed again."""

    declared: DeclaredInput
    entries: Sequence[RegisteredAsset]
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: its release, the version that each partition shows now, its evidence, and the kinds that
    the warehouse knows."""

    data_release_id: int
    targets: Mapping[Partition, int]
    report_path: Path
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expired:
    """What an expiry removed: versions of partitions, and rows that no other version shows; `expiry_id` and
    `report_path` None: there was nothing to remove."""

    expiry_id: int | None
    versions: tuple[tuple[Partition, int], ...]
    row_count: int
    report_path: Path | None


class RecoveryVerb(Protocol):
    """A verb. `plan` reads only, and gives the same for the same world and request; raises what refuses the request. It
    may trust `earlier`, the record of a plan of the same request, in what follows from bytes that are still the same.

    `carry_out` is called under the lock, with a plan that was just compared with the world, and returns the verdict of
    that attempt.
    """

    def plan(self, world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan: ...

    def carry_out(self, work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Verdict | Restored | Expired: ...
