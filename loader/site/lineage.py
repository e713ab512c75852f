"""From source to serving: each kind with its tables, how many rows each has, and what of a record goes how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loader.kinds import Kind
from loader.site.pages import Model, Page

# How sensitive a field is: the least first.
_LEVELS = ("public", "internal", "pseudonymous", "personal", "free_text")
_DOCS, _PROJECT = "dbt_docs/index.html", "omnisupport"


def lineage_page(model: Model, kinds: Sequence[str]) -> Page:
    declared = [model.kinds[kind] for kind in kinds if kind in model.kinds]
    drawn = [_kind(model, kind) for kind in declared if kind.landing is not None]
    links = [
        {"from": kind.name, "field": link.field, "to": link.named, "is_awaited": link.is_awaited}
        for kind in declared
        if kind.landing is not None
        for link in kind.landing.links
    ]
    return Page(
        path="lineage.html",
        template="lineage.html",
        told={"kinds": drawn, "links": links, "levels": list(_LEVELS), "docs": f"../{_DOCS}"},
    )


def _kind(model: Model, kind: Kind) -> dict[str, Any]:
    """Counts are those of the last reconcile; served: what the pointers show."""
    landing = kind.landing
    assert landing is not None
    rows = [row for row in model.status.partitions if row["record_kind"] == kind.name]
    shown = {
        (row["partition_key"], row["data_release_id"])
        for row in model.ledger.pointers
        if row["record_kind"] == kind.name
    }
    served = sum(
        row["record_count"]
        for row in model.ledger.versions
        if row["record_kind"] == kind.name and (row["partition_key"], row["data_release_id"]) in shown
    )
    manifests = [row for row in model.ledger.manifests if row["contract_ref"] == kind.name]
    return {
        "kind": kind.name,
        "title": kind.title,
        "stations": [
            _station("declared", "manifests", (sum(row["declared_asset_count"] for row in manifests), "files")),
            _station("in the raw zone", "archive", (sum(row["admitted_count"] for row in manifests), "files")),
            _station("in Bronze", landing.bronze, (sum(row["event_count"] for row in rows), "events"), "source"),
            _station("in Silver", landing.silver, (sum(row["silver_row_count"] for row in rows), "records"), "model"),
            _station("served", f"serving.{landing.silver}", (served, "records"), "model"),
        ],
        "dimensions": list(landing.dimensions),
        "policy": [
            {
                "level": level,
                "count": len(fields := [each for each in landing.fields if each.level == level]),
                "bronze": [each.name for each in fields if each.column is None],
                "silver": [each.name for each in fields if each.column is not None and not each.may_be_served],
                "serving": [each.name for each in fields if each.column is not None and each.may_be_served],
            }
            for level in _LEVELS
            if any(each.level == level for each in landing.fields)
        ],
    }


def _station(words: str, name: str, count: tuple[int, str], docs: str | None = None) -> dict[str, Any]:
    """`count`: how many of what; `docs`: how dbt's documentation calls it, None where it has no page."""
    anchors = {
        "source": f"#!/source/source.{_PROJECT}.bronze.{name}",
        "model": f"#!/model/model.{_PROJECT}.{name.replace('serving.', 'serving_')}",
    }
    return {"words": words, "name": name, "count": count[0], "noun": count[1], "anchor": anchors.get(docs or "")}
