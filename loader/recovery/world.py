"""The warehouse as a plan finds it, in one snapshot; nothing is scanned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.errors import CommandUsageError, RefusedError
from loader.kinds import Ruleset, load_kinds, load_ruleset
from loader.printable import counted
from loader.runs import ruleset_in_effect
from loader.warehouse import Warehouse


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
