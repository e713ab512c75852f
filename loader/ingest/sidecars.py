"""Sidecars go with their files: a text beside a picture that was not admitted is withheld with it.

A sidecar is a file whose entry names the file that it goes with: by `beside`, or by a link of its kind that says
`erased_with_it`, to a kind of files (docs/decisions/0030).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loader.gate import GateReport, withheld
from loader.kinds import Kind
from loader.manifest import Asset, BatchId, Manifest, SidecarOf

NOT_ADMITTED = "media_not_admitted"


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


def has_sidecars(manifest: Manifest, kinds: Mapping[str, Kind]) -> bool:
    return any(True for asset in manifest.assets for _ in _named(manifest, asset, kinds))


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
