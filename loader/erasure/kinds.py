"""Under which kind a line is read: that of the asset in which it lies, as it is declared today."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loader.config import Settings
from loader.errors import RefusedError
from loader.kinds import Landing, load_kinds


def landed_kinds(settings: Settings) -> Mapping[str, Landing]:
    """What each kind that lands declares, by its name."""
    kinds = load_kinds(settings.project_root / "contracts")
    return {name: kind.landing for name, kind in kinds.items() if kind.landing is not None}


def kinds_of_objects(cursor: Any, kinds: Mapping[str, Landing]) -> dict[str, list[Landing]]:
    """Under which kinds the assets of each registered object are read, by its key. Raises as landing_of does."""
    cursor.execute("select raw_zone_key, array_agg(distinct record_kind) from ops.source_asset group by raw_zone_key")
    return {key: [landing_of(kinds, name) for name in names] for key, names in cursor.fetchall()}


def landing_of(kinds: Mapping[str, Landing], record_kind: str) -> Landing:
    """What the kind of an asset declares. Raises RefusedError where it is not declared here any more: whose its lines
    are cannot be told, so nobody can be erased from them."""
    if record_kind not in kinds:
        folder = f"contracts/kinds/{record_kind}"
        raise RefusedError(
            f"the archive has files of {record_kind}, which {folder} does not declare here: whose their lines are"
            " cannot be told. Nothing was changed",
            next_command=f"git log --oneline -- {folder}   # says which commit to take it back from",
        )
    return kinds[record_kind]
