"""Which manifests declare what is not in, and the options that name them: the default folder's are taken without."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.errors import InfrastructureError
from loader.gate import AssetRefusedError
from loader.ingest import content_of_manifest
from loader.kinds import kind_option
from loader.manifest import is_hidden, manifests_folder
from loader.printable import pasted
from loader.recovery import World

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Declared:
    """Rows of ops.manifest, one manifest per asset: those that lie as they were registered, ad-hoc files, and those
    whose file is gone or has other bytes."""

    written: tuple[Row, ...]
    implicit: tuple[Row, ...]
    gone: tuple[Row, ...]


def sorted_out(world: World, found: Sequence[Row]) -> Declared:
    """The manifest to read each asset from, given rows (asset_id, manifest columns): one of the default folder before
    others, before ad-hoc files, before those that are gone."""
    best: dict[int, tuple[int, Row]] = {}
    ranks = {row["manifest_id"]: _rank(world, row) for row in {row["manifest_id"]: row for row in found}.values()}
    for row in found:
        rank = ranks[row["manifest_id"]]
        if row["asset_id"] not in best or rank < best[row["asset_id"]][0]:
            best[row["asset_id"]] = (rank, row)
    ranked = {row["manifest_id"]: (rank, row) for rank, row in best.values()}.values()
    return Declared(
        tuple(row for rank, row in ranked if rank < 2),
        tuple(row for rank, row in ranked if rank == 2),
        tuple(row for rank, row in ranked if rank == 3),
    )


def _rank(world: World, row: Row) -> int:
    path = Path(row["manifest_path"])
    if not path.is_file():
        return 3
    if row["is_implicit"]:
        return 2
    try:
        content = content_of_manifest(world.settings, path)
    except (OSError, AssetRefusedError, InfrastructureError):
        return 3
    if hashlib.sha256(content).hexdigest() != row["file_sha256"]:
        return 3
    return 0 if _is_default(world, path) else 1


def _is_default(world: World, path: Path) -> bool:
    folder = manifests_folder(world.settings.project_root)
    return path.parent.resolve() == folder.resolve() and not is_hidden(path)


def named(world: World, paths: Iterable[str]) -> str:
    """The variable that names these manifests; nothing where all of them are taken without it."""
    told = sorted(set(paths))
    return "" if all(_is_default(world, Path(path)) for path in told) else " MANIFEST=" + pasted(",".join(told))


def paths_of(manifests: Iterable[Row]) -> list[str]:
    return [row["manifest_path"] for row in manifests]


def ad_hoc(world: World, row: Row) -> str:
    """An ad-hoc file, ingested again and whole."""
    of_kind = kind_option(world.contracts, row["contract_ref"])
    return f"make ingest INPUT={pasted(row['manifest_path'])} BATCH={row['batch_id']}{of_kind}"
