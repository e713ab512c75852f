"""Calls, videos, images and texts read from these: the same gate, fates, proof and release as for documents, and facts
of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.ingest import Verdict
from loader.ingest.sidecars import NOT_FOUND
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.silver import run_dbt
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.documents import deliver
from tests.ingests import evidence_faults, fates, rows, run_kinds, settings
from tests.media import ALL, CALLS, RECORDED, Media
from tests.proofs import proved_whole, reconciled
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

each_kind = pytest.mark.parametrize("media", ALL, ids=lambda media: media.kind)


@dataclass(frozen=True, slots=True)
class Scene:
    folder: Path
    kept: Kept
    verdicts: Mapping[str, Verdict]


@pytest.fixture(scope="module")
def scene(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A good file of each type, with what is declared of the first; bad ones, each beside a good one of its day."""
    root = tmp_path_factory.mktemp("media")
    with own_warehouse(server, _template, root) as database:
        verdicts = run_kinds(*(part(root, media) for media in ALL for part in (_good, _bad)))
        with kept(server, database) as before:
            yield Scene(root, before, verdicts)


def _good(root: Path, media: Media) -> Path:
    files = {f"a{place}-2026-04-17.{ending}": content for place, (ending, content) in enumerate(media.good.items())}
    return deliver(root / media.kind, "good", files, of=media.kind, every=media.every, a0=_said(media))


def _said(media: Media) -> dict[str, object]:
    ticket = {"ticket_id": "TKT-20260417-000001"} if media in RECORDED else media.every
    return {**media.said, **ticket, "pii_level": "low", "quality_gate": "pass"}


def _bad(root: Path, media: Media) -> Path:
    files = {name: content for name, (content, _) in media.bad.items()}
    ending, content = next(iter(media.good.items()))
    files |= {f"good-{day}.{ending}": content for day in media.bad_days}
    # Its bytes are sound; what is declared of them is not so.
    files[f"wrong-2026-05-03.{ending}"] = content
    return deliver(root / media.kind, "bad", files, of=media.kind, every=media.every, wrong=dict(media.wrong))


@pytest.fixture
def database(scene: Scene) -> Warehouse:
    return scene.kept.fresh()


@each_kind
def test_each_file_is_one_record_of_what_is_declared_and_what_it_is(scene: Scene, media: Media) -> None:
    """Prevents recordings that are archived and then nowhere, and facts that Silver holds otherwise than they are."""
    assert fates(scene.verdicts[media.kind]) == {
        "landed": len(media.good) + len(media.bad),
        "rejected": len(media.bad),
    }
    expected = [*zip(*media.facts.values(), strict=True)]
    shown = (
        f"select {media.columns} from {{layer}}.{media.silver} where partition_key = '2026-04-17' order by source_id"
    )
    for layer in ("silver", "serving"):
        assert rows(scene.kept.database, shown.format(layer=layer)) == expected
    said = _said(media)
    declared = [name for name in said if f"{name}::" not in media.columns and name != "duration_seconds"]
    (held,) = rows(
        scene.kept.database,
        f"select to_jsonb(shown) from serving.{media.silver} as shown where source_id like 'a0-%'",
    )
    assert {name: held[0][name] for name in declared} == {name: said[name] for name in declared}


@each_kind
def test_a_bad_file_has_its_reason_and_its_siblings_are_released(scene: Scene, media: Media) -> None:
    """Prevents one broken recording that keeps a day from readers, and a declared fact that nobody compares."""
    verdict = scene.verdicts[media.kind]
    (withheld,) = [asset for asset in verdict.facts.assets if asset.action == "withheld"]
    assert (withheld.source_id.split("-")[0], withheld.reason_codes) == ("wrong", ("contract_mismatch",))
    rejects = rows(
        scene.kept.database,
        "select entry.source_id, reject.reason_codes from bronze.rejected_record as reject"
        " inner join ops.manifest_asset as entry using (asset_id) inner join ops.manifest using (manifest_id)"
        f" where contract_ref = '{media.kind}' order by reject.partition_key",
    )
    assert rejects == [(name, [code]) for name, (_, code) in media.bad.items()]
    shown = rows(
        scene.kept.database,
        f"select partition_key::text from serving.{media.silver} where partition_key >= '2026-05-01' order by 1",
    )
    assert shown == [(day,) for day in media.bad_days]


@pytest.mark.parametrize("media", RECORDED, ids=lambda media: media.kind)
def test_a_recording_whose_sidecars_are_not_there_warns_and_lands(scene: Scene, media: Media) -> None:
    """Prevents a transcript that is promised and never comes from being told nowhere, and from taking its recording
    with it."""
    verdict = scene.verdicts[media.kind]
    told = {
        asset.source_id.split("-")[0]: asset.action for asset in verdict.facts.assets if NOT_FOUND in asset.reason_codes
    }
    names_some = any(field.endswith(("_path", "_paths")) for field in media.said)
    assert told == ({"a0": "parsed"} if names_some else {})
    assert (NOT_FOUND in verdict.reason_codes) == names_some


def test_what_landed_is_what_archive_and_manifest_say(scene: Scene, database: Warehouse) -> None:
    """Prevents facts that a second look at the same bytes does not confirm."""
    assert reconciled(database) == proved_whole(database)
    assert evidence_faults(database) == []
    for media in ALL:
        ruleset = load_ruleset(ROOT / "contracts", media.kind)
        run_id = scene.verdicts[media.kind].facts.run["run_id"]
        assert verify_run(database, RawZone(settings().raw_zone), ruleset, run_id).is_proved


def test_what_is_recorded_is_seen_in_one_place(scene: Scene, database: Warehouse) -> None:
    """Prevents a union that lacks a kind, or that gives an image a duration."""
    seen = rows(
        database,
        "select record_kind, count(*), count(duration_seconds), count(ticket_id), count(data_release_id)"
        " from serving.media_asset group by record_kind order by 1",
    )
    assert seen == [("call_v1", 5, 5, 1, 5), ("image_v1", 5, 0, 1, 5), ("video_v1", 6, 6, 1, 6)]
    assert rows(
        database, "select count(*) from serving.media_asset inner join ops.source_asset using (raw_zone_key)"
    ) >= [(14,)]


def test_the_union_needs_no_other_view(scene: Scene, database: Warehouse) -> None:
    """Prevents a build of one kind that fails for the lack of another's view, and readers who then see less."""
    before = rows(database, "select * from serving.media_asset order by record_kind, source_id")
    rows(database, "drop view serving.video_asset, serving.media_asset")
    assert run_dbt(database, ROOT, ["build", "--select", "media_asset"]).failed == ()
    assert rows(database, "select * from serving.media_asset order by record_kind, source_id") == before


def test_what_is_declared_anew_is_a_version_and_the_later_one_counts(scene: Scene, database: Warehouse) -> None:
    """Prevents a corrected declaration that is lost, and one of an earlier instant that wins."""
    folder = scene.folder / CALLS.kind
    content = {"a1-2026-04-17.ogg": CALLS.good["ogg"]}
    later = deliver(folder, "later", content, of=CALLS.kind, a1={"ticket_id": "TKT-20260417-000002"})
    earlier = deliver(
        folder, "earlier", content, of=CALLS.kind, a1={"ticket_id": "x", "recorded_at": "2026-04-17T08:00:00Z"}
    )
    (verdict,) = run_kinds(later, earlier).values()
    assert (verdict.exit_code, fates(verdict)) == (0, {"landed": 2}), verdict.problems
    shown = "select ticket_id, version_count::int from serving.call_asset where source_id like 'a1-%'"
    assert rows(database, shown) == [("TKT-20260417-000002", 3)]
