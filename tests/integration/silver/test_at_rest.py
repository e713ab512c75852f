"""A kind's model of Silver that would find nothing to do is left alone, and anything that it would do wakes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.documents import HTML, MARKDOWN, deliver
from tests.ingests import rows, run
from tests.shared_warehouse import Kept, kept, own_warehouse

LOST, OTHER = "limits-2026-04-17.html", "queues-2026-04-17.md"
# Made anew by each build of the model.
MADE = "select relfilenode from pg_class where oid = 'silver.knowledge_doc_ranked'::regclass"
AS_REPAIR = "set omni.maintenance = 'repair'; set session_replication_role = replica; "


@pytest.fixture(scope="module")
def ingested(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Two documents, of which Silver has lost one: a build that does anything with it brings it back."""
    root = tmp_path_factory.mktemp("rest")
    with own_warehouse(server, _template, root) as database:
        assert run(deliver(root, "first", {LOST: HTML, OTHER: MARKDOWN})).exit_code == 0
        rows(database, f"{AS_REPAIR} delete from silver.knowledge_doc where source_id = '{LOST}'")
        with kept(server, database) as before:
            yield before


def _build(database: Warehouse, *words: str, proof: str = "proof: changes") -> tuple[list[str], str]:
    """The documents that Silver holds after a build of their model, and what the build said of it."""
    build = run_dbt(database, ROOT, ["run", "--select", "knowledge_doc", "--vars", f"{{{proof}}}", *words])
    (node,) = [node for node in build.nodes if node.unique_id == "model.omnisupport.knowledge_doc"]
    held = [key for (key,) in rows(database, "select source_id from silver.knowledge_doc order by 1")]
    return held, node.message or ""


def test_a_model_with_nothing_to_do_is_left_alone(ingested: Kept) -> None:
    """Prevents a build that pays for each kind that is declared, whether anything of it came or not."""
    database = ingested.fresh()
    before = rows(database, MADE)
    assert _build(database) == ([OTHER], "SELECT 1")
    after = rows(database, MADE)
    assert after == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (f"insert into silver.stale_record (record_kind, record_key) values ('document_v1', '{LOST}')", ()),
        (f"insert into ops.unbuilt_erasure (record_kind, record_key) values ('document_v1', '{LOST}')", ()),
        ("delete from silver.built_load", ()),
        ("update silver.built_asset set sequence = sequence + 1", ()),
        ("delete from silver.built_asset", ()),
        ("select", ("--full-refresh",)),
    ],
    ids=["queued", "erased", "landed", "moved", "read", "everything"],
)
def test_what_it_would_do_wakes_it(ingested: Kept, statement: str, words: tuple[str, ...]) -> None:
    """Prevents a record that landed, was read anew or was asked for, and that Silver never hears of."""
    database = ingested.fresh()
    rows(database, AS_REPAIR + statement)
    assert _build(database, *words)[0] == [LOST, OTHER]


@pytest.mark.parametrize("proof", ["proof: changes, partition: 2026-04-17", "proof: all"])
def test_what_is_asked_for_wakes_it(ingested: Kept, proof: str) -> None:
    """Prevents a build of a day, or of everything, that looks at nothing."""
    database = ingested.fresh()
    before = rows(database, MADE)
    _build(database, proof=proof)
    assert rows(database, MADE) != before


def test_a_table_with_other_columns_is_not_at_rest(ingested: Kept) -> None:
    """Prevents a table that was altered, and that no build says anything of until a record comes."""
    database = ingested.fresh()
    rows(database, "alter table silver.knowledge_doc add note text")
    build = run_dbt(database, ROOT, ["run", "--select", "knowledge_doc", "--vars", "{proof: changes}"])
    assert [(node.name, node.status) for node in build.failed] == [("knowledge_doc", "error")]


def test_what_was_taken_back_wakes_it(ingested: Kept) -> None:
    """Prevents a load that is gone from Bronze and stands in the ledger of what is built."""
    database = ingested.fresh()
    rows(database, "insert into silver.built_load (load_id, record_kind) values ('gone', 'document_v1')")
    _build(database)
    assert rows(database, "select count(*) from silver.built_load where load_id = 'gone'") == [(0,)]
