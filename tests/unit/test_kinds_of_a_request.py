"""Which kinds a request means, and what each of them is given."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from loader.config import load_settings
from loader.errors import CheckFailedError, CommandUsageError
from loader.ingest import DeclaredInput, IngestRequest, KindRun, declared_input, worst_exit_code
from loader.ingest.request import by_kind
from loader.kinds import landed_kind, load_kinds
from loader.manifest import Manifest, ManifestRefusedError, Violation
from loader.manifest.build import BatchTerms, build_manifest
from loader.manifest.implicit import implicit_manifest
from tests.checkouts import ROOT
from tests.ingests import ticket, write_export
from tests.numbered_kind import contracts_with
from tests.unlanded_kind import UNLANDED, add_unlanded

BATCH = "batch-20260417-001"


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    contracts = contracts_with(tmp_path, "meter_v1", "gauge_v1")
    add_unlanded(contracts)
    return contracts


def _manifest(tmp_path: Path, kind: str, contracts: Path) -> Manifest:
    export = write_export(tmp_path / f"{kind}.jsonl", [ticket()])
    return implicit_manifest(export, BATCH, contracts, kind)


def test_each_kind_is_given_its_own_manifests_and_the_first_what_is_of_none(tmp_path: Path, contracts: Path) -> None:
    """Prevents a manifest that two runs read, and one that no run tells of."""
    kinds = load_kinds(contracts)
    found = {kind: _manifest(tmp_path, kind, contracts) for kind in ("gauge_v1", "ticket_v1")}
    voicemail = replace(found["ticket_v1"], contract_ref=UNLANDED, kind=kinds[UNLANDED])
    refused = ManifestRefusedError(tmp_path / "broken.json", [Violation("manifest_not_json", "$", "no JSON")])
    declared = DeclaredInput((voicemail, *found.values()), (refused,))
    assert {kind.name: part for kind, part in by_kind(declared, kinds)} == {
        "ticket_v1": DeclaredInput((found["ticket_v1"], voicemail), (refused,), (found["gauge_v1"],)),
        "gauge_v1": DeclaredInput((found["gauge_v1"],), (), (voicemail, found["ticket_v1"])),
    }
    assert [kind.name for kind, _ in by_kind(declared, kinds)] == ["ticket_v1", "gauge_v1"]
    alone = by_kind(DeclaredInput((voicemail,), ()), kinds)
    assert [(kind.name, part.manifests) for kind, part in alone] == [("ticket_v1", (voicemail,))]


def test_the_default_kind_is_meant_where_none_is_named(contracts: Path) -> None:
    """Prevents commands of today that mean something else, or nothing, once a second kind is landed."""
    kinds = load_kinds(contracts)
    assert landed_kind(kinds, None).name == "ticket_v1"
    assert landed_kind(kinds, "meter_v1").name == "meter_v1"
    without = {name: replace(kind, is_default=False) for name, kind in kinds.items()}
    for name, got in ((None, "got none, expected one of"), ("memo", "got 'memo'"), (UNLANDED, "not landed yet")):
        with pytest.raises(CommandUsageError, match=got):
            landed_kind(without, name)
    only = {name: kind for name, kind in without.items() if name in ("meter_v1", UNLANDED)}
    assert landed_kind(only, None).name == "meter_v1"


def test_two_default_kinds_are_refused(contracts: Path) -> None:
    declaration = contracts / "kinds" / "meter_v1" / "kind.yml"
    declaration.write_text(declaration.read_text() + "default: true\n")
    with pytest.raises(CommandUsageError, match=r"ticket_v1/kind\.yml:\d+: default: the default is meter_v1"):
        load_kinds(contracts)


def test_the_same_file_under_another_kind_is_another_manifest(tmp_path: Path, contracts: Path) -> None:
    """Prevents a file, given once under the wrong kind, that is refused for ever as a changed manifest."""
    export = write_export(tmp_path / "x.jsonl", [ticket()])
    of_default = implicit_manifest(export, BATCH, contracts)
    assert implicit_manifest(export, BATCH, contracts, "ticket_v1") == of_default
    others = [implicit_manifest(export, BATCH, contracts, kind) for kind in ("meter_v1", "gauge_v1")]
    assert len({manifest.manifest_id for manifest in (of_default, *others)}) == 3
    assert [manifest.contract_ref for manifest in others] == ["meter_v1", "gauge_v1"]
    body = json.loads(others[0].content)
    assert (body["source_type"], body["modality"]) == ("meter_export", "structured")


def test_a_folder_is_declared_as_of_the_kind_that_is_named(tmp_path: Path, contracts: Path) -> None:
    """Prevents a manifest whose assets say another contract than it says itself."""
    write_export(tmp_path / "exports" / "meters-2026-04-17.jsonl", [ticket()])
    built = build_manifest(
        tmp_path / "exports", tmp_path / "m.json", project_root=contracts.parent, terms=BatchTerms("meter_v1")
    )
    body = json.loads(built.manifest.content)
    assert (body["contract_ref"], body["assets"][0]["metadata"]["schema_version"]) == ("meter_v1", "meter_v1")
    assert (
        build_manifest(tmp_path / "exports", tmp_path / "m.json", project_root=contracts.parent).manifest.contract_ref
        == "ticket_v1"
    )


def test_a_kind_of_which_there_is_no_manifest_is_told(tmp_path: Path) -> None:
    """Prevents a run of nothing that ends well."""
    settings = load_settings(project_root=ROOT, allowed_roots=(tmp_path,))
    with pytest.raises(CommandUsageError, match="KIND: got 'memo_v1', expected one of ticket_v1"):
        declared_input(settings, IngestRequest(record_kind="memo_v1"))
    call = ROOT / "data" / "seed_manifests" / "documents-2026.json"
    with pytest.raises(CommandUsageError, match="KIND=ticket_v1: got no manifest of it, only of document_v1"):
        declared_input(settings, IngestRequest(manifest_paths=(call,), record_kind="ticket_v1"))


def test_the_exit_code_is_the_worst() -> None:
    runs = [
        KindRun("a", CheckFailedError("x", next_command="y")),
        KindRun("b", CommandUsageError("x", next_command="y")),
    ]
    assert worst_exit_code(tuple(runs)) == 2


def test_a_kind_of_files_says_its_days_before_it_is_read(tmp_path: Path, contracts: Path) -> None:
    """Prevents a run of documents, with a proof and its seconds, for a day of which none is declared."""
    page = tmp_path / "limits-2026-04-17.md"
    page.write_text("# Limits")
    document = DeclaredInput((implicit_manifest(page, BATCH, contracts, "document_v1"),), ())
    assert (document.may_be_of(date(2026, 4, 17)), document.may_be_of(date(2026, 4, 18))) == (True, False)
    (undated,) = (replace(asset, partition_key=None) for asset in document.manifests[0].assets)
    assert DeclaredInput((replace(document.manifests[0], assets=(undated,)),), ()).may_be_of(date(2026, 4, 18))
    lines = DeclaredInput((_manifest(tmp_path, "ticket_v1", contracts),), ())
    assert lines.may_be_of(date(2020, 1, 1))
