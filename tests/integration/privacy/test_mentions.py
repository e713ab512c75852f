"""An erasure ends, whatever the lines of others say."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from loader.errors import CommandUsageError
from loader.privacy.erase import plan_erasure
from loader.warehouse import Warehouse
from tests.ingests import rows, settings, ticket
from tests.integration.privacy.people import NEIGHBOUR, PERSON, deliver, erase_person, ingest


@pytest.mark.usefixtures("loader_environment")
def test_a_rejected_line_of_another_that_mentions_the_id_stays_and_is_counted(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an erasure that no command can end: what it calls left is a neighbour's, and is not its to remove."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.9")
    words = f"my neighbour {PERSON} has it too"
    lines = [
        ticket(1, customer_id=PERSON),
        ticket(2, customer_id=NEIGHBOUR, status="lost", description=words),
        # Cut after 64 KiB where Bronze keeps it.
        ticket(3, customer_id=NEIGHBOUR, status="lost", subject=words, description="long " * 20_000),
        # Somebody else by the letter, and for whoever looks at it the same.
        ticket(4, customer_id=f"{PERSON.upper()} "),
    ]
    verdict = ingest(deliver(tmp_path, "first", lines))
    assert verdict.facts.warnings == {"unclear_identity": 1}
    plan = plan_erasure(settings(), PERSON, "request 4711")
    ((alike, keyed, event_count),) = plan.look_alikes
    assert (alike, event_count) == (f"{PERSON.upper()} ", 1)
    assert plan.as_record(settings())["look_alikes"] == [{"customer_hash": keyed.hex(), "event_count": 1}]
    erased = erase_person()
    assert erased.mention_count == 4, "two lines, in the archive and in Bronze"
    assert rows(database, "select line_number from bronze.rejected_record order by 1") == [(2,), (3,)]


@pytest.mark.long
@pytest.mark.usefixtures("loader_environment")
def test_a_number_is_somebodys_id_only_where_texts_stand(database: Warehouse, tmp_path: Path) -> None:
    """Prevents that a customer whose id is digits is found in every count and offset, and never erased."""
    first = ticket(1, customer_id="?")
    # Where the second line begins.
    customer = str(len(orjson.dumps(first)) + 3)
    ingest(deliver(tmp_path, "first", [{**first, "customer_id": customer}, ticket(2)]))
    assert rows(database, "select count(*) from bronze.asset_line where byte_offset = %s", int(customer)) == [(1,)]
    erase_person(customer=customer)
    assert rows(database, "select count(*) from ops.erasure where finished_at is not null") == [(1,)]


@pytest.mark.long
@pytest.mark.usefixtures("loader_environment")
def test_of_a_log_only_lines_go_that_quote_the_person(tmp_path: Path) -> None:
    """Prevents that a subject of one letter empties every log that names the person once."""
    ingest(deliver(tmp_path, "first", [ticket(1, customer_id=PERSON, subject="e")]))
    log = settings().report_dir / "service.log"
    log.write_text(f"three lines\nof {PERSON}\nstay there\n")
    erase_person()
    assert log.read_text() == f"three lines\n{' ' * len('of ' + PERSON)}\nstay there\n"


@pytest.mark.usefixtures("loader_environment")
def test_an_id_that_is_no_text_is_a_wrong_argument() -> None:
    """A terminal in another encoding sends bytes that Python keeps as surrogates."""
    with pytest.raises(CommandUsageError, match="expected a customer id"):
        plan_erasure(settings(), "cust-\udcff", "request 4711")
