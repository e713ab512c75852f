"""A kind whose records wait for those that they name: kept back until these are there, and released by itself then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import make_reachable_folder
from tests.e2e.commands import LOADER, Checkout, make_own_checkout
from tests.ingests import comment, rows, ticket, write_export
from tests.shared_warehouse import fresh_database

DAY, NEXT = "2026-04-17", "2026-04-18"
KIND = "ticket_comment_v1"


@pytest.fixture
def checkout(server: Warehouse, _template: str) -> Iterator[Checkout]:
    """The comment waits for its ticket."""
    folder = make_reachable_folder()
    root = folder / "project"
    make_own_checkout(root)
    declared = root / "contracts" / "kinds" / KIND / "kind.yml"
    text = declared.read_text()
    assert "missing: warn" in text
    declared.write_text(text.replace("missing: warn", "missing: wait"))
    with fresh_database(server, _template) as database:
        own = Checkout(root, database)
        # A process of its own, since it parses.
        assert own.run([*LOADER, "kind", "generate"]).code == 0
        yield own
    shutil.rmtree(folder)


def deliver(checkout: Checkout, kind: str, name: str, *items: dict[str, Any]) -> dict[str, Any]:
    write_export(checkout.root / f"{name}.jsonl", items)
    words = ("--input", f"{name}.jsonl", "--kind", kind, "--batch", f"batch-20260417-00{len(name)}", "--json")
    done = checkout.loader("ingest", *words)
    assert done.code == 0, done
    return done.record


def test_a_day_waits_for_what_its_records_name_and_moves_by_itself(checkout: Checkout) -> None:
    """Prevents comments that readers see before the ticket that they are on, and a day that a person has to let go
    after it came."""
    database = checkout.warehouse
    assert database is not None
    seen = "select partition_key::text, count(*) from serving.ticket_comment_fact group by 1 order by 1"
    later = {"created_at": f"{NEXT}T08:00:00Z", "ticket_id": "TKT-20260417-000001"}
    deliver(checkout, "ticket_v1", "a", ticket(1))
    first = deliver(checkout, KIND, "bb", comment(1), comment(2), comment(3, **later))
    assert (first["status"], first["downstream_decision"]) == ("warning", "hold_downstream")
    # The day whose tickets are all there waits for no other.
    assert rows(database, seen) == [(NEXT, 1)]
    assert rows(
        database,
        "select partition_key::text, is_complete, obstacles from reconcile.reconcile_partition where record_kind = %s"
        " order by 1",
        KIND,
    ) == [(DAY, False, [{"code": "link_missing", "count": 1}]), (NEXT, True, [])]
    ready = checkout.loader("ready", "--partition", DAY, "--kind", KIND, "--json")
    assert ready.code == 1
    told = {each["code"]: each["message"] for each in ready.record["partitions"][0]["obstacles"]}
    assert told["link_missing"] == "1 record waits for one that it names", ready.record
    status = checkout.loader("status", "--partition", DAY, "--kind", KIND)
    assert "(TKT-20260417-000002)" in " ".join(status.out.split()), status.out

    deliver(checkout, "ticket_v1", "ccc", ticket(2))
    assert rows(database, "select scope from ops.proof order by proof_id desc limit 1") == [("changes",)]
    assert rows(database, seen) == [(DAY, 2), (NEXT, 1)]
    assert checkout.loader("ready", "--partition", DAY, "--kind", KIND).code == 0
