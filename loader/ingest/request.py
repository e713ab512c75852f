"""What a command asks for, and the manifests that it means."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.config import Settings
from loader.errors import CommandUsageError
from loader.gate import AssetRefusedError, allowed_roots, read_manifest
from loader.kinds import Kind, landed_kind, load_kinds
from loader.manifest import (
    MANIFEST_TOO_LARGE,
    Manifest,
    ManifestRefusedError,
    Violation,
    implicit_manifest,
    manifests_folder,
    parse_manifests,
    require_file_of_kind,
    seed_manifests,
)
from loader.printable import pasted
from loader.reader import DocumentTooLargeError

if TYPE_CHECKING:
    from loader.kinds import Ruleset
    from loader.progress import Report
    from loader.runs import IngestLock
    from loader.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class IngestRequest:
    """`partition` None means every partition, `record_kind` None every kind, of an ad-hoc file the default one.
    `line_limit` counts lines and needs `input_path`."""

    partition: date | None = None
    manifest_paths: tuple[Path, ...] = ()
    input_path: Path | None = None
    batch_id: str | None = None
    line_limit: int | None = None
    record_kind: str | None = None

    @property
    def window(self) -> tuple[date, date] | None:
        return None if self.partition is None else (self.partition, self.partition + timedelta(days=1))


def refuse_limit_without_input(request: IngestRequest) -> None:
    """A limited ingest of declared assets would leave half-read days behind; raises CommandUsageError."""
    if request.line_limit is not None and request.input_path is None:
        raise CommandUsageError(
            "LIMIT counts lines of one ad-hoc file, got no INPUT; nothing was started",
            next_command="make ingest INPUT=<file.jsonl> BATCH=batch-20260417-001 LIMIT=20",
        )


@dataclass(frozen=True, slots=True)
class DeclaredInput:
    """Manifests that can be read, and those refused as a whole (they declare nothing that can be trusted); `others`:
    that came with these, and that the runs of other kinds are given."""

    manifests: tuple[Manifest, ...]
    refused: tuple[ManifestRefusedError, ...]
    others: tuple[Manifest, ...] = ()

    @property
    def batch_id(self) -> str:
        batches = sorted({manifest.batch_id for manifest in self.manifests})
        return ",".join(batches)

    def may_be_of(self, day: date) -> bool:
        """Whether a record of the day may be in it. Only files that are records say their day before they are read."""
        days = {asset.partition_key for manifest in self.manifests for asset in manifest.assets}
        return bool(self.refused) or not self.manifests or not days.isdisjoint((None, day))


def by_kind(declared: DeclaredInput, kinds: Mapping[str, Kind]) -> list[tuple[Kind, DeclaredInput]]:
    """What each run is given: one for each kind that lands and has a manifest, in the order of the kinds.

    What belongs to no such kind goes with the first: manifests that cannot be read, and those of kinds that do not land
    yet; alone, with the default kind.
    """
    landed = [kind for kind in kinds.values() if kind.is_landed]
    parts = {kind.name: [each for each in declared.manifests if each.contract_ref == kind.name] for kind in landed}
    found = [kind for kind in landed if parts[kind.name]] or [landed_kind(kinds, None)]
    unlanded = [each for each in declared.manifests if each.contract_ref not in parts]
    every = (*declared.manifests, *declared.others)
    given = []
    for kind in found:
        own = (*parts[kind.name], *(unlanded if kind is found[0] else ()))
        refused = declared.refused if kind is found[0] else ()
        given.append((kind, DeclaredInput(own, refused, tuple(each for each in every if each not in own))))
    return given


@dataclass(frozen=True, slots=True)
class Task:
    """What an attempt is for. The window is half-open, in partitions; None means every partition.

    `plan`: the recovery plan that is applied, as JSON-ready values. `takes_back`: what earlier attempts of the run have
    landed is removed first, and landed again.
    """

    mode: str
    declared: DeclaredInput
    window: tuple[date, date] | None = None
    line_limit: int | None = None
    plan: Mapping[str, Any] | None = None
    takes_back: bool = False

    @property
    def partition(self) -> date | None:
        """The only partition of the window, if it has one only."""
        if self.window is None or self.window[1] - self.window[0] != timedelta(days=1):
            return None
        return self.window[0]


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where an attempt works, and under which contract. Who made it took the lock, and closes it."""

    settings: Settings
    warehouse: Warehouse
    lock: IngestLock
    ruleset: Ruleset
    report: Report


def declared_input(settings: Settings, request: IngestRequest) -> DeclaredInput:
    """Read the manifests of a request: the given ones, the implicit one of an ad-hoc file, or all seed manifests.

    Raises CommandUsageError for a combination that means nothing, a file that is not there, or no manifest at all;
    ManifestRefusedError when not one manifest can be read. Nothing is written.
    """
    contracts = settings.project_root / "contracts"
    if request.partition == date.max:
        raise CommandUsageError(
            f"PARTITION={request.partition}: the day has no next one that could end it; nothing was started",
            next_command="make ingest   # without PARTITION it is taken with all others",
        )
    if request.batch_id is not None and request.input_path is None:
        raise CommandUsageError(
            f"BATCH={request.batch_id} names the batch of one ad-hoc file, got no INPUT; nothing was started",
            next_command=f"make ingest INPUT=<file.jsonl> BATCH={pasted(request.batch_id)}",
        )
    of_kind = "" if request.record_kind is None else f" KIND={request.record_kind}"
    if request.input_path is not None:
        if request.manifest_paths:
            raise CommandUsageError(
                "INPUT and MANIFEST exclude each other; nothing was started",
                next_command="make ingest INPUT=<file.jsonl> BATCH=batch-20260417-001",
            )
        if request.batch_id is None:
            raise CommandUsageError(
                f"INPUT={request.input_path} needs a BATCH to belong to; nothing was started",
                next_command=f"make ingest INPUT={pasted(request.input_path)} BATCH=batch-20260417-001{of_kind}",
            )
        _require_storable(request.input_path)
        require_file_of_kind(request.input_path, request.batch_id, load_kinds(contracts), request.record_kind)
        manifest = implicit_manifest(request.input_path, request.batch_id, contracts, request.record_kind)
        return DeclaredInput((manifest,), ())
    if request.record_kind is not None:
        landed_kind(load_kinds(contracts), request.record_kind)
    paths = request.manifest_paths or _seed_manifests(settings)
    return _of_kind(_read(settings, paths, contracts), request.record_kind)


def _of_kind(declared: DeclaredInput, record_kind: str | None) -> DeclaredInput:
    """Those of the kind. Nobody knows the kind of a manifest that cannot be read: it stays."""
    manifests = tuple(each for each in declared.manifests if record_kind in (None, each.contract_ref))
    if not manifests and not declared.refused:
        found = ", ".join(sorted({each.contract_ref for each in declared.manifests}))
        raise CommandUsageError(
            f"KIND={record_kind}: got no manifest of it, only of {found}; nothing was started",
            next_command="make ingest   # all kinds",
        )
    others = tuple(each for each in declared.manifests if each not in manifests)
    return DeclaredInput(manifests, declared.refused, others)


def _seed_manifests(settings: Settings) -> Sequence[Path]:
    paths = seed_manifests(settings.project_root)
    if not paths:
        folder = manifests_folder(settings.project_root)
        raise CommandUsageError(
            f"no manifest in {folder}; nothing was started",
            next_command=f"make manifest FROM=<folder of exports> OUT={pasted(folder)}/<name>.json",
        )
    return paths


def _require_storable(path: Path) -> None:
    """The warehouse keeps where a manifest lay; raises CommandUsageError for a path that is no UTF-8."""
    try:
        os.path.realpath(path).encode()
    except UnicodeEncodeError as error:
        raise CommandUsageError(
            f"{os.fspath(path)!a}: no text can hold this path, expected UTF-8; nothing was started",
            next_command="mv <the file> <a plain name>   # then the same command again",
        ) from error


def content_of_manifest(settings: Settings, path: Path) -> bytes:
    """The bytes of a manifest file, at most MAX_DOCUMENT_BYTES; errors as read_manifest."""
    return read_manifest(path, allowed_roots(settings.project_root, path, settings.allowed_roots))


def _read(settings: Settings, paths: Sequence[Path], contracts: Path) -> DeclaredInput:
    manifests: dict[str, Manifest] = {}
    refused = []
    for path in paths:
        _require_storable(path)
        try:
            declared = parse_manifests(content_of_manifest(settings, path), path, contracts)
        except DocumentTooLargeError as error:
            refused.append(ManifestRefusedError(path, [Violation(MANIFEST_TOO_LARGE, "$", str(error))]))
            continue
        except AssetRefusedError as error:
            raise CommandUsageError(
                f"manifest {os.fspath(path)!r} cannot be read: {error.message}; nothing was started",
                next_command="make ingest MANIFEST=<path>[,<path>]",
            ) from error
        except ManifestRefusedError as error:
            refused.append(error)
            continue
        for manifest in declared:
            other = manifests.setdefault(manifest.manifest_id, manifest)
            if other.sha256 != manifest.sha256:
                raise CommandUsageError(
                    f"manifest_id {manifest.manifest_id} stands in {other.path} and, with other bytes, in {path};"
                    " nothing was started. A new batch needs a new manifest_id.",
                    next_command="make ingest MANIFEST=<one of them>",
                )
    if refused and not manifests:
        raise refused[0]
    return DeclaredInput(tuple(manifests.values()), tuple(refused))
