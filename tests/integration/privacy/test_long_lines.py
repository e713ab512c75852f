"""What an erasure leaves of a line that is kept in part only."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest

from loader.bounds import KEPT_LINE_BYTES, MAX_LINE_BYTES
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import fates, rows, settings, ticket
from tests.integration.privacy.people import (
    PERSON,
    SECRETS,
    archived,
    deliver,
    dumped,
    erase_person,
    ingest,
    reported,
    traces,
)

FATES = "select fate, count(*) from reconcile.line_fate group by fate order by fate"


@pytest.mark.long
@pytest.mark.usefixtures("loader_environment")
def test_a_line_that_is_too_long_keeps_its_reject_with_blanks(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is rejected for its length whatever it holds, so the reject stays; what is kept of it says nothing."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.9")
    body = orjson.dumps(ticket(2, customer_id=PERSON, description=SECRETS[1] * (MAX_LINE_BYTES // 16)))
    assert len(body) > MAX_LINE_BYTES
    manifest = deliver(tmp_path, "long", [ticket(1), body, ticket(3)])
    run_id = str(ingest(manifest).facts.run["run_id"])
    rejects = "select reason_codes, raw_line, raw_line_sha256 from bronze.rejected_record"
    ((_, before, _),) = rows(database, rejects)
    assert PERSON.encode() in bytes(before)
    erase_person()
    ((reason, kept, digest),) = rows(database, rejects)
    assert (reason, bytes(kept)) == (["line_too_long"], b" " * KEPT_LINE_BYTES)
    assert bytes(digest) == hashlib.sha256(b" " * len(body)).digest()
    assert dict(rows(database, FATES)) == {"erased": 1, "landed": 2}
    assert (traces(dumped(database)), traces(archived()), traces(reported())) == ([], [], [])
    found = verify_run(database, RawZone(settings().raw_zone), load_ruleset(ROOT / "contracts"), run_id)
    assert (dict(found.differences), found.is_proved) == ({}, True)
    assert fates(ingest(manifest)) == {"erased": 1, "landed": 2}
