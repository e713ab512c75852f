"""An erasure ends, whatever the lines of others say."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.warehouse import Warehouse
from tests.ingests import rows, ticket
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
    ]
    ingest(deliver(tmp_path, "first", lines))
    erased = erase_person()
    assert erased.mention_count == 4, "two lines, in the archive and in Bronze"
    assert rows(database, "select line_number from bronze.rejected_record order by 1") == [(2,), (3,)]
