"""Sidecars go with their files: a text beside a picture that was not admitted is withheld with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from loader.gate import GateReport, withhold
from loader.manifest import Manifest, SidecarOf

NOT_ADMITTED = "media_not_admitted"


def files_beside(manifest: Manifest) -> frozenset[SidecarOf]:
    """The files that sidecars of the manifest belong to."""
    return frozenset(asset.beside for asset in manifest.assets if asset.beside is not None)


def admitted_by(report: GateReport) -> frozenset[SidecarOf]:
    """The files that the gate has just admitted, as sidecars name them."""
    manifest_id = report.manifest.manifest_id
    found = (judged for judged in report.assets if judged.judgement.disposition == "admitted")
    return frozenset(SidecarOf(manifest_id, judged.asset.source_id) for judged in found)


def admitted_files(cursor: Any, manifests: Iterable[Manifest]) -> frozenset[SidecarOf]:
    """The files of these sidecars that were admitted. Kinds are ingested after those that they are linked to, so they
    are judged."""
    beside = {each for manifest in manifests for each in files_beside(manifest)}
    cursor.execute(
        "select manifest_id, source_id from ops.manifest_asset"
        " where disposition = 'admitted' and manifest_id = any(%s)",
        (sorted({each.manifest_id for each in beside}),),
    )
    return frozenset(SidecarOf(*row) for row in cursor.fetchall()) & beside


def withheld_with_their_files(report: GateReport, admitted: Collection[SidecarOf]) -> GateReport:
    """The report in which the sidecars of other files are withheld."""
    for judged in report.assets:
        beside = judged.asset.beside
        if beside is not None and beside not in admitted and judged.judgement.disposition == "admitted":
            what = f"{beside.source_id!r}, which it belongs to, was not admitted"
            report = withhold(report, judged.asset.source_id, NOT_ADMITTED, what)
    return report
