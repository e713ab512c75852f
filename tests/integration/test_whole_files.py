"""Files that are records: the same gate, fates, proof and release as for lines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from loader.bounds import FactsLimits
from loader.facts import FACTS_VERSIONS, Facts, FactsDefect, FactsReader
from loader.ingest import IngestRequest, Verdict
from loader.ingest.dry_run import dry_run
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.release.ready import readiness
from loader.silver import run_dbt
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.documents import DOCUMENT as KIND
from tests.documents import HTML, MARKDOWN, PDF, deliver, encrypted_of
from tests.facts.serving import serve_misbehaving
from tests.ingests import DAY, evidence_faults, fates, rows, run, settings
from tests.proofs import proved_whole, reconciled
from tests.recoveries import recover
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

SHOWN = """
select source_id, asset_type, title, language, page_count::int, word_count::int, version_count::int, partition_key::text
from {table}.knowledge_doc order by source_id
"""
FINDINGS = "select distinct table_name, check_name, record_kind, partition_key::text from reconcile.reconcile_finding"


@dataclass(frozen=True, slots=True)
class Scene:
    folder: Path
    kept: Kept
    first: Verdict


@pytest.fixture(scope="module")
def scene(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Three documents of a day, one of the next; the same page under two names."""
    root = tmp_path_factory.mktemp("documents")
    with own_warehouse(server, _template, root) as database:
        files = {
            "manual-2026-04-17.pdf": PDF,
            "limits-2026-04-17.html": HTML,
            "queues-2026-04-17.md": MARKDOWN,
            "copy-2026-04-18.html": HTML,
        }
        first = run(deliver(root, "first", files, manual={"language": "en", "tags": ["gateway"], "page_count": 2}))
        with kept(server, database) as before:
            yield Scene(root, before, first)


@pytest.fixture
def database(scene: Scene) -> Warehouse:
    return scene.kept.fresh()


def test_each_file_is_one_record_of_what_is_declared_and_what_it_is(scene: Scene, database: Warehouse) -> None:
    """Prevents documents that are archived and then nowhere, or known by what nobody declared."""
    verdict = scene.first
    assert (verdict.exit_code, verdict.status, verdict.downstream_decision) == (0, "success", "proceed")
    assert fates(verdict) == {"landed": 4}
    expected = [
        ("copy-2026-04-18.html", "html", "Limits", None, None, 5, 1, "2026-04-18"),
        ("limits-2026-04-17.html", "html", "Limits", None, None, 5, 1, "2026-04-17"),
        ("manual-2026-04-17.pdf", "pdf", None, "en", 2, 5, 1, "2026-04-17"),
        ("queues-2026-04-17.md", "markdown", "Queues", None, None, 5, 1, "2026-04-17"),
    ]
    assert rows(database, SHOWN.format(table="silver")) == expected
    assert rows(database, SHOWN.format(table="serving")) == expected
    assert [(row["record_kind"], row["is_ready"]) for row in readiness(settings(), [DAY]).partitions] == [(KIND, True)]
    (tiled,) = rows(
        database, "select count(*), sum(byte_length), min(line_number), max(line_number) from bronze.asset_line"
    )
    assert tiled == (4, len(PDF) + 2 * len(HTML) + len(MARKDOWN), 1, 1)
    (kept,) = rows(database, "select count(*), count(distinct raw_zone_key) from ops.source_asset")
    assert kept == (4, 3)
    (found,) = rows(
        database,
        "select count(*) from silver.knowledge_doc inner join ops.source_asset using (asset_id, raw_zone_key)",
    )
    assert found == (4,)
    assert evidence_faults(database) == []


def test_what_was_landed_is_what_the_archive_and_the_manifest_say(scene: Scene, database: Warehouse) -> None:
    """Prevents a verify that believes the facts that were kept."""
    rows(database, "update ops.asset_facts set facts = '{}'")
    ruleset = load_ruleset(ROOT / "contracts", KIND)
    found = verify_run(database, RawZone(settings().raw_zone), ruleset, scene.first.facts.run["run_id"])
    assert (found.is_proved, found.asset_count, found.line_count) == (True, 4, 4)


@pytest.mark.parametrize("damage", ["gone", "other bytes"])
def test_an_object_of_the_archive_that_is_not_what_it_was_is_named(
    scene: Scene, database: Warehouse, damage: str
) -> None:
    """Prevents a verify that ends in an error of the machine, and proves nothing of all other files."""
    fingerprint = hashlib.sha256(MARKDOWN).hexdigest()
    archive = RawZone(settings().raw_zone)
    kept_at = archive.root / "sha256" / fingerprint[:2] / fingerprint[2:4] / fingerprint
    aside = kept_at.rename(kept_at.with_suffix(".aside"))
    try:
        if damage != "gone":
            kept_at.write_bytes(MARKDOWN.replace(b"Drain", b"Drown"))
        ruleset = load_ruleset(ROOT / "contracts", KIND)
        found = verify_run(database, archive, ruleset, scene.first.facts.run["run_id"])
        assert (found.is_proved, found.line_count) == (False, 3)
    finally:
        aside.replace(kept_at)


def test_the_same_again_is_nothing_and_declared_anew_is_a_version(scene: Scene, database: Warehouse) -> None:
    """Prevents a record twice for a file that comes twice, and a correction of what was declared that is lost."""
    again = run(deliver(scene.folder, "again", {"limits-2026-04-17.html": HTML}))
    assert (again.exit_code, again.facts.inserted, again.facts.skipped) == (0, 0, 1)
    anew = {"language": "en", "captured_at": "2026-04-17T23:59:59.5Z"}
    verdict = run(deliver(scene.folder, "anew", {"limits-2026-04-17.html": HTML}, limits=anew))
    assert (verdict.exit_code, verdict.proof.name, fates(verdict)) == (0, "changes", {"landed": 1})
    shown = [row for row in rows(database, SHOWN.format(table="serving")) if row[0].startswith("limits")]
    assert shown == [("limits-2026-04-17.html", "html", "Limits", "en", None, 5, 2, "2026-04-17")]
    assert rows(database, "select count(distinct raw_zone_key), count(*) from ops.source_asset") == [(3, 5)]
    assert reconciled(database) == proved_whole(database)


def test_facts_that_are_read_otherwise_take_the_place_of_those_before(
    scene: Scene, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents two records of one file, a record of facts that nobody would read today, and an older run that cannot be
    verified any more."""
    read = FactsReader.read

    def read_otherwise(self: FactsReader, path: Path, reader: str, asset_type: str) -> Facts | FactsDefect:
        found = read(self, path, reader, asset_type)
        assert isinstance(found, Facts)
        return replace(found, values={**found.values, "word_count": int(found.values["word_count"]) + 100})

    monkeypatch.setattr(FactsReader, "read", read_otherwise)
    monkeypatch.setitem(cast(Any, FACTS_VERSIONS), "document", "2")
    verdict = run(scene.folder / "first.json")
    assert (verdict.exit_code, fates(verdict)) == (0, {"landed": 4})
    shown = rows(database, "select distinct word_count::int, version_count::int from serving.knowledge_doc")
    assert shown == [(105, 1)]
    assert rows(database, "select count(*) from bronze.raw_doc_asset") == [(8,)]
    assert reconciled(database) == proved_whole(database)
    ruleset = load_ruleset(ROOT / "contracts", KIND)
    # A replay reads no source: what it reads in the archive is kept, or the next proof would miss it.
    monkeypatch.setitem(cast(Any, FACTS_VERSIONS), "document", "3")
    replayed = recover("replay", run_id=verdict.facts.run["run_id"])
    assert (replayed.exit_code, replayed.facts.findings) == (0, ()), replayed.problems
    assert rows(database, "select count(*) from ops.asset_facts where facts_version = '3'") == [(3,)]
    monkeypatch.setitem(cast(Any, FACTS_VERSIONS), "document", "2")
    for each in (scene.first, verdict):
        assert verify_run(database, RawZone(settings().raw_zone), ruleset, each.facts.run["run_id"]).is_proved
    rows(
        database,
        """update ops.asset_facts set facts = replace(facts, '"word_count":5', '"word_count":7')
        where facts_version = '1'""",
    )
    found = verify_run(database, RawZone(settings().raw_zone), ruleset, scene.first.facts.run["run_id"])
    assert not found.is_proved


BAD = {
    "html-2026-05-01.pdf": (HTML, "media_type_mismatch"),
    "cut-2026-05-02.pdf": (PDF[: len(PDF) // 2], "unreadable_file"),
    "latin-2026-05-03.html": ("<p>caf\u00e9</p>".encode("latin-1"), "not_utf8"),
    "locked-2026-05-04.pdf": (encrypted_of("secret"), "encrypted_file"),
}


def test_a_bad_file_has_its_reason_and_its_siblings_are_released(scene: Scene, database: Warehouse) -> None:
    """Prevents one broken file that keeps a collection from readers, and one that is let in."""
    files = {name: content for name, (content, _) in BAD.items()}
    files |= {f"good-2026-05-0{day}.md": MARKDOWN for day in (1, 2, 3, 4)}
    manifest = deliver(scene.folder, "bad", files)
    verdict = run(manifest)
    assert (verdict.exit_code, verdict.status, fates(verdict)) == (0, "warning", {"landed": 4, "rejected": 4})
    rejects = rows(
        database,
        "select entry.source_id, reject.reason_codes, reject.partition_key::text from bronze.rejected_record as reject"
        " inner join ops.manifest_asset as entry using (asset_id) order by reject.partition_key",
    )
    assert rejects == [(name, [code], name.partition("-")[2].partition(".")[0]) for name, (_, code) in BAD.items()]
    shown = rows(database, "select source_id from serving.knowledge_doc where partition_key >= '2026-05-01' order by 1")
    assert shown == [(f"good-2026-05-0{day}.md",) for day in (1, 2, 3, 4)]
    ruleset = load_ruleset(ROOT / "contracts", KIND)
    assert verify_run(database, RawZone(settings().raw_zone), ruleset, verdict.facts.run["run_id"]).is_proved
    again = run(manifest)
    assert (again.exit_code, again.facts.inserted) == (0, 0)
    assert reconciled(database) == proved_whole(database)


def test_a_library_that_crashes_or_never_ends_costs_one_file(
    scene: Scene, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a file that ends the ingest of its siblings, and one that is damage as soon as it can be read."""
    files = {f"{word}-2026-05-0{day}.md": f"{word} it".encode() for day, word in enumerate(("abort", "spin"), 1)}
    manifest = deliver(scene.folder, "limits", files | {f"good-2026-05-0{day}.md": MARKDOWN for day in (1, 2)})
    shown = "select source_id from serving.knowledge_doc where partition_key >= '2026-05-01' order by 1"
    with monkeypatch.context() as patch:
        for place in ("loader.gate", "loader.ingest.to_read"):
            patch.setattr(f"{place}.FactsReader", partial(FactsReader, FactsLimits(1), serve=serve_misbehaving))
        verdict = run(manifest)
    assert (verdict.exit_code, verdict.status, fates(verdict)) == (0, "warning", {"landed": 2, "rejected": 2})
    assert rows(database, "select distinct reason_codes from bronze.rejected_record") == [(["facts_limit"],)]
    good = [(f"good-2026-05-0{day}.md",) for day in (1, 2)]
    assert rows(database, shown) == good
    # What was rejected stays so under its rules, though the library can read it today; declared anew, it is a record.
    looked_at: list[str] = []

    def counted(reader: FactsReader, path: Path, *wanted: str) -> Facts | FactsDefect:
        looked_at.append(path.name)
        return read(reader, path, *wanted)

    read = FactsReader.read
    monkeypatch.setattr(FactsReader, "read", counted)
    again = run(manifest)
    assert (again.exit_code, again.facts.inserted, fates(again)) == (0, 0, {"landed": 2, "rejected": 2}), again.problems
    # Its bounds were paid once: nothing would follow from what is read now.
    assert looked_at == []
    ruleset = load_ruleset(ROOT / "contracts", KIND)
    assert verify_run(database, RawZone(settings().raw_zone), ruleset, verdict.facts.run["run_id"]).is_proved
    looked_at.clear()
    anew = run(deliver(scene.folder, "mended", files, abort={"language": "en"}, spin={"language": "en"}))
    assert sorted(name for name in looked_at if name in files) == [*files]
    assert (anew.exit_code, fates(anew)) == (0, {"landed": 2}), anew.problems
    assert rows(database, shown) == sorted([*good, *((name,) for name in files)])
    assert reconciled(database) == proved_whole(database)


def test_a_file_that_the_gate_withholds_keeps_its_own_day_and_no_other(scene: Scene, database: Warehouse) -> None:
    """Prevents a file of no bytes that keeps every day of a collection back, and one whose day seems whole."""
    files = {"empty-2026-05-01.md": b"", "good-2026-05-01.md": MARKDOWN, "good-2026-05-02.md": MARKDOWN}
    verdict = run(deliver(scene.folder, "withheld", files))
    (withheld,) = [asset for asset in verdict.facts.assets if asset.action == "withheld"]
    assert (withheld.source_id, withheld.reason_codes) == ("empty-2026-05-01.md", ("empty_asset",))
    assert (verdict.exit_code, fates(verdict)) == (1, {"landed": 2})
    shown = rows(database, "select source_id from serving.knowledge_doc where partition_key >= '2026-05-01'")
    assert shown == [("good-2026-05-02.md",)]
    assert readiness(settings(), [DAY]).partitions[0]["is_ready"]


@pytest.mark.parametrize(("bad", "exit_code", "status"), [(1, 0, "warning"), (2, 1, "failed")])
def test_one_reject_of_a_day_is_a_warning_and_two_are_too_many(
    scene: Scene, database: Warehouse, bad: int, exit_code: int, status: str
) -> None:
    """Prevents a collection that a single misdeclared file keeps from readers, and one that is let through broken."""
    names = [f"d{number}" for number in range(4)]
    files = {f"{name}-2026-04-20.md": MARKDOWN + name.encode() for name in names}
    wrong = {name: {"language": "no language!"} for name in names[:bad]}
    verdict = run(deliver(scene.folder, f"rejects{bad}", files, **wrong))
    assert fates(verdict) == {"landed": 4 - bad, "rejected": bad}
    assert (verdict.exit_code, verdict.status) == (exit_code, status), verdict.problems
    shown = rows(database, "select count(*) from serving.knowledge_doc where partition_key = '2026-04-20'")
    assert shown == [(4 - bad if exit_code == 0 else 0,)]


def test_a_dry_run_says_what_an_ingest_would(scene: Scene, database: Warehouse) -> None:
    """Prevents a look ahead that takes a file for its lines."""
    files = {"new-2026-04-21.md": b"# New\n", "html-2026-04-21.pdf": HTML, "limits-2026-04-17.html": HTML}
    manifest = deliver(scene.folder, "ahead", files)
    forecast = dry_run(settings(), IngestRequest(manifest_paths=(manifest,)), lambda line: None)
    found = {asset.source_id: (asset.reason_codes, dict(asset.fates)) for asset in forecast.assets}
    assert found == {
        "html-2026-04-21.pdf": ((), {"rejected": 1}),
        "limits-2026-04-17.html": ((), {"would_duplicate": 1}),
        "new-2026-04-21.md": ((), {"would_land": 1}),
    }


def test_what_is_declared_and_is_not_so_is_a_matter_of_policy(scene: Scene, database: Warehouse) -> None:
    """Prevents a declared fact that nobody compares with the file."""
    verdict = run(deliver(scene.folder, "pages", {"pages-2026-04-22.pdf": PDF + b"\n"}, pages={"page_count": 3}))
    (asset,) = verdict.facts.assets
    assert (asset.action, asset.reason_codes) == ("withheld", ("contract_mismatch",))


_ASSET = "(select asset_id from ops.manifest_asset where source_id = 'manual-2026-04-17.pdf')"
_EVENT = f"(select event_id from bronze.asset_line where asset_id = {_ASSET})"
DAMAGES = {
    "what is declared": (
        f"update ops.source_asset set declaration = replace(declaration, '\"en\"', '\"de\"') where asset_id = {_ASSET}",
        {
            ("ops.source_asset", "record_differs_from_declaration"),
            ("ops.source_asset", "declaration_differs_from_manifest"),
        },
    ),
    "no declaration any more": (
        f"update ops.source_asset set declaration = 'no JSON' where asset_id = {_ASSET}",
        {
            ("ops.source_asset", "record_differs_from_declaration"),
            ("ops.source_asset", "declaration_differs_from_manifest"),
        },
    ),
    "a fact": (
        """update ops.asset_facts set facts = replace(facts, '"page_count":2', '"page_count":3')
        where asset_type = 'pdf'""",
        {("ops.asset_facts", "record_differs_from_facts")},
    ),
    "the bytes' own name": (
        f"""update ops.source_asset set source_fingerprint = repeat('a', 64),
            raw_zone_key = 'sha256/aa/aa/' || repeat('a', 64) where asset_id = {_ASSET}""",
        {("ops.source_asset", "record_differs_from_bytes"), ("ops.manifest_asset", "checksum_differs_from_declared")},
    ),
    "a record with its hash": (
        f"""update bronze.raw_doc_asset set raw_payload = replace(raw_payload, '"word_count":5', '"word_count":6')
            where event_id = {_EVENT};
        update bronze.raw_doc_asset set record_fingerprint =
            sha256(convert_to('document_v1' || raw_payload, 'UTF8')) where event_id = {_EVENT}""",
        {
            ("ops.asset_facts", "record_differs_from_facts"),
            ("bronze.record_event", "event_id_differs_from_fingerprint"),
        },
    ),
    "a released column": (
        "update silver.knowledge_doc set page_count = 3 where page_count = 2",
        {("silver.knowledge_doc", "record_differs_from_bronze")},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(database: Warehouse, name: str) -> None:
    """Prevents a check that passes whatever it finds."""
    statement, expected = DAMAGES[name]
    rows(database, f"set omni.maintenance = 'repair'; set session_replication_role = replica; {statement}")
    run_dbt(database, ROOT, ["build", "--select", "reconcile", "--exclude-resource-type", "unit_test"])
    found = rows(database, FINDINGS)
    assert {(table, check) for table, check, _, _ in found} >= expected
    assert {(kind, day) for _, _, kind, day in found} == {(KIND, "2026-04-17")}
