"""Sidecars go with their files: a text beside a picture that was not admitted is withheld with it, and one that a file
names and that is not there is named.

A sidecar is a file whose entry names the file that it goes with: by `beside`, or by a link of its kind that says
`erased_with_it`, to a kind of files (docs/decisions/0030). Metadata of a file may name one by its path alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.gate import (
    AssetFinding,
    AssetJudgement,
    AssetRefusedError,
    GateReport,
    allowed_roots,
    located,
    unfound_files,
    warned,
    withheld,
)
from loader.kinds import Kind
from loader.manifest import Asset, BatchId, Manifest, SidecarOf

NOT_ADMITTED = "media_not_admitted"
NOT_FOUND = "sidecar_missing"


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """An entry that a gate has judged."""

    place: SidecarOf
    kind: str
    batch_id: str
    is_admitted: bool


@dataclass(frozen=True, slots=True)
class _Named:
    """The file that a sidecar of a batch names: by its source_id, of some kinds; `place`: where its entry stands."""

    source_id: str
    kinds: frozenset[str]
    batch_id: str
    place: SidecarOf | None

    def is_meant(self, entry: JudgedFile) -> bool:
        return entry.place.source_id == self.source_id and (entry.place == self.place or entry.kind in self.kinds)

    def is_delivered_by(self, entry: JudgedFile) -> bool:
        """Whether the entry came with the sidecar."""
        return entry.batch_id == self.batch_id if self.place is None else entry.place == self.place


class JudgedFiles:
    """Files that sidecars may go with, as far as gates have judged them. `knows_all`: one that is not among them was
    judged by no gate."""

    def __init__(self, entries: Iterable[JudgedFile], *, knows_all: bool = True) -> None:
        self._knows_all = knows_all
        self._by_name: dict[str, list[JudgedFile]] = {}
        self.add(entries)

    def add(self, entries: Iterable[JudgedFile]) -> None:
        for each in entries:
            self._by_name.setdefault(each.place.source_id, []).append(each)

    def lets_in(self, named: _Named) -> bool:
        """Whether what goes with the file may go on. A file that came with it counts, and one of a later batch, which
        mends it; one of an earlier batch only where none came with it. Nobody may have declared the file yet: the link
        tells that."""
        known = [each for each in self._by_name.get(named.source_id, ()) if named.is_meant(each)]
        delivered = [each for each in known if named.is_delivered_by(each)]
        if not delivered and named.place is not None:
            return not self._knows_all
        if delivered:
            known = [*delivered, *(each for each in known if _is_later(each.batch_id, named.batch_id))]
        return not known or any(each.is_admitted for each in known)


def _is_later(one: str, other: str) -> bool:
    read, other_read = BatchId.read(one), BatchId.read(other)
    return read is not None and other_read is not None and read > other_read


def sidecars_last(manifests: Sequence[Manifest], kinds: Mapping[str, Kind]) -> list[Manifest]:
    """In their order, and sidecars after the files that they go with, as kinds are ingested."""
    place = {name: number for number, name in enumerate(kinds, start=1)}

    def has_sidecars(manifest: Manifest) -> bool:
        return any(True for asset in manifest.assets for _ in _named(manifest, asset, kinds))

    return sorted(manifests, key=lambda each: place[each.contract_ref] if has_sidecars(each) else 0)


def _named(manifest: Manifest, asset: Asset, kinds: Mapping[str, Kind]) -> Iterator[_Named]:
    """The files that an entry goes with: none unless it is a sidecar."""
    landing, batch_id = manifest.kind.landing, manifest.batch_id
    links = () if landing is None or not landing.is_composed else landing.links
    for link in links:
        files = frozenset(name for name in link.kinds if name in kinds and kinds[name].framing == "file")
        source_id = (asset.metadata or {}).get(link.field)
        if not files or not link.is_erased_with or not isinstance(source_id, str):
            continue
        if asset.beside is None or asset.beside.source_id != source_id:
            yield _Named(source_id, files, batch_id, None)
        else:
            yield _Named(source_id, files, batch_id, asset.beside)
            return
    if asset.beside is not None:
        yield _Named(asset.beside.source_id, frozenset(), batch_id, asset.beside)


def judged_by(report: GateReport) -> Iterator[JudgedFile]:
    """What the gate has just judged."""
    manifest = report.manifest
    for each in report.assets:
        place = SidecarOf(manifest.manifest_id, each.asset.source_id)
        yield JudgedFile(place, manifest.contract_ref, manifest.batch_id, each.judgement.disposition == "admitted")


def judged_files(cursor: Any, manifests: Sequence[Manifest], kinds: Mapping[str, Kind]) -> list[JudgedFile]:
    """The files that sidecars of these manifests go with, as they are registered. Kinds are ingested after those that
    they are linked to, so they are judged."""
    names = {one.source_id for each in manifests for asset in each.assets for one in _named(each, asset, kinds)}
    if not names:
        return []
    cursor.execute(
        "select entry.manifest_id, entry.source_id, manifest.contract_ref, manifest.batch_id,"
        " entry.disposition = 'admitted'"
        " from ops.manifest_asset as entry inner join ops.manifest as manifest using (manifest_id)"
        " where entry.source_id = any(%s)",
        (sorted(names),),
    )
    return [JudgedFile(SidecarOf(*row[:2]), *row[2:]) for row in cursor.fetchall()]


def withheld_with_their_files(report: GateReport, judged: JudgedFiles, kinds: Mapping[str, Kind]) -> GateReport:
    """The report in which the sidecars of files that were not admitted are withheld."""
    assets = []
    for each in report.assets:
        if each.judgement.disposition == "admitted":
            for named in _named(report.manifest, each.asset, kinds):
                if not judged.lets_in(named):
                    what = f"{named.source_id!r}, which it belongs to, was not admitted"
                    each = withheld(each, NOT_ADMITTED, what)
                    break
        assets.append(each)
    return replace(report, assets=tuple(assets))


Transaction = Callable[[], AbstractContextManager[Any]]


class NamedSidecars:
    """Sidecars that entries name by their path alone. Each is looked for; one that an entry declares, of `manifests` or
    of those that are registered, is judged as that entry's file, and needs no word here.

    `transaction`: gives a cursor that knows what is registered; None where nobody does.
    """

    def __init__(self, manifests: Sequence[Manifest], settings: Settings, transaction: Transaction | None) -> None:
        self._manifests = manifests
        self._settings = settings
        self._transaction = transaction

    def told(self, gate_report: GateReport, report: Callable[[str], None]) -> GateReport:
        """The judgements in which an admitted file warns where one that it names is not there; `report` hears which."""
        manifest = gate_report.manifest
        roots = self._roots(manifest)
        assets = []
        for each in gate_report.assets:
            findings = self._findings(manifest, each, roots)
            for finding in findings:
                report(f"gate: {each.asset.source_id}: {finding.message}")
            assets.append(warned(each, findings) if findings else each)
        return replace(gate_report, assets=tuple(assets))

    def _findings(self, manifest: Manifest, judged: AssetJudgement, roots: tuple[Path, ...]) -> list[AssetFinding]:
        """One for each field that names such a file."""
        if judged.judgement.disposition != "admitted":
            return []
        unfound = [each for each in unfound_files(manifest, judged.asset, roots) if each[2] not in self._declared]
        known = self._registered([str(path) for _, _, path, _ in unfound if path is not None])
        sentences: dict[str, list[str]] = {}
        for field, named, path, error in unfound:
            if str(path) not in known:
                what = f"{field} names {named!r}, which no manifest declares: {error.message}"
                sentences.setdefault(field, []).append(what)
        return [
            AssetFinding(NOT_FOUND, "warn", first + (f"; and {len(others):,} more" if others else ""))
            for first, *others in sentences.values()
        ]

    @cached_property
    def _declared(self) -> frozenset[Path]:
        """Where the declared files lie, or would lie."""
        found = set()
        for manifest in self._manifests:
            roots = self._roots(manifest)
            for asset in manifest.assets:
                with suppress(AssetRefusedError):
                    found.add(located(manifest, asset.source_url_or_path, roots))
        return frozenset(found)

    def _registered(self, paths: Sequence[str]) -> frozenset[str]:
        """Those from which a registered file was read. It may be gone: it is in the raw zone."""
        if not paths or self._transaction is None:
            return frozenset()
        with self._transaction() as cursor:
            cursor.execute(
                "select distinct found_path from ops.manifest_asset where found_path = any(%s)", (list(paths),)
            )
            return frozenset(path for (path,) in cursor.fetchall())

    def _roots(self, manifest: Manifest) -> tuple[Path, ...]:
        return allowed_roots(self._settings.project_root, manifest.path, self._settings.allowed_roots)
