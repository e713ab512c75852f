"""What was delivered is not what was declared, or is not in: rejected, withheld, refused, never asked for, changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.advice import AdviceKind
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.ingests import declare, ticket, write_export
from tests.source_manifests import manifest

# Days of the place: 2026-04-16 to 19; what scenes deliver is of the day after.
DAY = "2026-04-20"


def ticket_of(number: int, day: str = DAY, **changes: Any) -> dict[str, Any]:
    return ticket(
        number, **{"ticket_id": f"TKT-{day.replace('-', '')}-{number:06d}", "created_at": f"{day}T08:00:00Z", **changes}
    )


def deliver(place: Place, items: list[dict[str, Any] | bytes] | None = None, name: str = "new") -> Path:
    """A manifest in the default folder, of one export of ten tickets of the day (or of `items`)."""
    lines = [ticket_of(number) for number in range(10)] if items is None else items
    write_export(place.seeds / name / f"tickets-{DAY}.jsonl", lines)
    return declare(place.seeds / name, name)


def _edited(manifest: Path, **changes: Any) -> None:
    """Other words for the one asset that a manifest declares."""
    body = json.loads(manifest.read_bytes())
    body["assets"][0] |= changes
    manifest.write_text(json.dumps(body))


def rejects_over_the_limit(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [*(ticket_of(number) for number in range(10)), *[b"{broken"] * 12])
    return "make ingest"


def all_rejected(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [b"{broken"] * 5)
    return "make ingest"


def a_missing_file(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    next((manifest.parent / "new").iterdir()).unlink()
    return "make ingest"


def other_bytes(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    next((manifest.parent / "new").iterdir()).write_bytes(b"{}\n")
    return "make ingest"


def another_count(place: Place, patch: pytest.MonkeyPatch) -> str:
    _edited(deliver(place), record_count=12)
    return "make ingest"


def outside_the_roots(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    outside = place.root.parent / "outside.jsonl"
    outside.write_bytes(next((manifest.parent / "new").iterdir()).read_bytes())
    _edited(manifest, source_url_or_path=str(outside))
    return "make ingest"


def a_broken_gzip(place: Place, patch: pytest.MonkeyPatch) -> str:
    folder = place.seeds / "new"
    folder.mkdir()
    (folder / f"tickets-{DAY}.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00cut off")
    declare(folder, "new")
    return "make ingest"


def a_kind_that_is_not_landed(place: Place, patch: pytest.MonkeyPatch) -> str:
    _edited(deliver(place), asset_type="pdf")
    return "make ingest"


def quarantined(place: Place, patch: pytest.MonkeyPatch) -> str:
    manifest = deliver(place)
    _edited(manifest, metadata=None)
    body = json.loads(manifest.read_bytes())
    body["gate_policy"]["metadata_missing"] = "quarantine"
    manifest.write_text(json.dumps(body))
    return "make ingest"


def a_refused_manifest(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.seeds / "new.json").write_text("{")
    return "make ingest"


def a_refused_manifest_alone(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.seeds / "new.json").write_text("{")
    return "make ingest MANIFEST=data/seed_manifests/new.json"


def _of_the_dialect(**changes: Any) -> Callable[[Place, pytest.MonkeyPatch], str]:
    """A manifest of the course's dialect that breaks something, alone."""

    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        (place.seeds / "new.json").write_text(json.dumps(manifest(**changes)))
        return "make ingest MANIFEST=data/seed_manifests/new.json"

    return bring


_DIALECT = "loader.manifest.dialect"


def a_changed_manifest(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.manifest.write_bytes(place.manifest.read_bytes() + b" ")
    return "make ingest"


def days_that_were_never_asked_for(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [ticket_of(1), ticket_of(2, "2026-04-21"), ticket_of(3, "2026-04-22")])
    return f"make ingest PARTITION={DAY}"


def a_lost_source(place: Place, patch: pytest.MonkeyPatch) -> str:
    """The archive has it: nothing is lost."""
    sorted(place.exports.glob("tickets-*"))[0].unlink()
    return "make ingest"


def a_source_that_changed(place: Place, patch: pytest.MonkeyPatch) -> str:
    source = sorted(place.exports.glob("*.jsonl"))[0]
    source.write_bytes(source.read_bytes() + b"{}\n")
    return "make ingest"


SCENES: tuple[Scene, ...] = (
    Scene("rejects over the limit", rejects_over_the_limit, "person"),
    Scene("all rejected", all_rejected, "person"),
    Scene("a missing file", a_missing_file, "person"),
    Scene("other bytes", other_bytes, "person"),
    Scene("another count", another_count, "person", advises=(AdviceKind.DELIVER,)),
    Scene("outside the roots", outside_the_roots, "person"),
    Scene("a broken gzip", a_broken_gzip, "person"),
    Scene("a kind that is not landed", a_kind_that_is_not_landed, "person"),
    Scene("quarantined", quarantined, "person"),
    Scene("a refused manifest", a_refused_manifest, "person"),
    Scene("a refused manifest alone", a_refused_manifest_alone, "person", ("loader.manifest.parse:parse_manifest",)),
    Scene("a broken dialect", _of_the_dialect(load_mode="full"), "person", (f"{_DIALECT}:parse_manifests",)),
    Scene(
        "a rule of ours that a dialect breaks",
        _of_the_dialect(license_tag="unknown", canonization_status="canonized"),
        "person",
        (f"{_DIALECT}:_manifest",),
    ),
    Scene("a changed manifest", a_changed_manifest, "person", ("loader.runs.registry:refuse_changed_manifests",)),
    Scene("days that were never asked for", days_that_were_never_asked_for, "closed"),
    Scene("a lost source", a_lost_source, "closed"),
    Scene("a source that changed", a_source_that_changed, "person"),
)
