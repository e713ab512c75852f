"""A kind that has days and no instant: from its JSON Schema to readers, and damage to a day is found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import make_reachable_folder
from tests.dated_kind import LEASE, SCHEMA
from tests.e2e.commands import LOADER, Checkout, make_own_checkout
from tests.ingests import rows
from tests.shared_warehouse import execute, fresh_database

DAY = "2026-06-01"
RECORDS = [
    {"lease": 1, "signed_on": DAY, "ends_on": "2027-05-31", "viewings": ["2026-05-02"]},
    {"lease": 1, "signed_on": DAY, "changed_on": "2026-06-03", "ends_on": "2028-05-31"},
    # Late: of two changes the newer day wins, whatever order they arrive in.
    {"lease": 1, "signed_on": DAY, "changed_on": "2026-06-02", "ends_on": "2029-05-31"},
    *({"lease": number, "signed_on": DAY, "ends_on": "2027-05-31"} for number in (2, 3, 4)),
    {"lease": 5, "signed_on": "2026-06-02"},
    {"lease": 6, "signed_on": "2026-06-31"},
    {"lease": 7, "signed_on": DAY, "ends_on": "2026-02-29"},
    {"lease": 8, "signed_on": DAY, "visits": [{"on": "2026-05-0/"}]},
]


@pytest.fixture
def checkout(server: Warehouse, _template: str) -> Iterator[Checkout]:
    """In a database whose sessions, dbt's among them, are in another time zone."""
    folder = make_reachable_folder()
    make_own_checkout(folder / "project")
    with fresh_database(server, _template) as database:
        execute(database, f"alter database {database.dbname} set timezone to 'Asia/Kathmandu'")
        yield Checkout(folder / "project", database)
    shutil.rmtree(folder)


def test_days_are_landed_proved_released_and_served_as_days(checkout: Checkout) -> None:
    """Prevents a day that becomes the one before it in some time zone, and damage to one that nobody sees."""
    database = checkout.warehouse
    assert database is not None
    (checkout.root / "lease.json").write_text(json.dumps(SCHEMA))
    (checkout.root / "leases.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    roles = ["--key", "lease", "--partition-by", "signed_on", "--version-by", "changed_on", "--silver", "lease"]
    # A process of its own, since it parses: dbt's parser waits for ever in a fork of one that has parsed.
    written = checkout.run([*LOADER, "kind", "new", LEASE, "--schema", "lease.json", *roles])
    assert written.code == 0, written
    words = ("ingest", "--input", "leases.jsonl", "--kind", LEASE, "--batch", "batch-20260601-001")
    landed = checkout.loader(*words, LOADER_REJECT_LIMIT="0.5")
    assert landed.code == 0, landed
    assert rows(
        database,
        "select partition_key::text, json_path, reason_codes from bronze.rejected_record order by line_number",
    ) == [
        (None, "$.signed_on", ["invalid_date"]),
        (DAY, "$.ends_on", ["invalid_date"]),
        (DAY, "$.visits[0].on", ["invalid_date"]),
    ]
    assert rows(database, "select * from reconcile.reconcile_finding") == []
    assert rows(
        database,
        "select lease, to_char(signed_on, 'YYYY-MM-DD'), to_char(changed_on, 'YYYY-MM-DD'),"
        " to_char(ends_on, 'YYYY-MM-DD'), version_count, pg_typeof(ends_on)::text, partition_key = signed_on"
        f" from serving.lease where partition_key = date '{DAY}' order by lease",
    ) == [
        ("1", DAY, "2026-06-03", "2028-05-31", 3, "date", True),
        *((number, DAY, None, "2027-05-31", 1, "date", True) for number in ("2", "3", "4")),
    ]
    assert checkout.loader("ready", "--partition", DAY, "--kind", LEASE).code == 0
    assert [checkout.loader("trace", key, "--kind", LEASE).code for key in ("1", "2", "3", "4")] == [0] * 4

    events = dict(rows(database, "select record_key, event_id::text from bronze.raw_lease"))
    execute(
        database,
        "set session_replication_role = replica;"
        "update silver.lease set ends_on = ends_on + 1 where lease = '2';"
        "update bronze.raw_lease set created_at = created_at - interval '345 minutes' where record_key = '3';"
        # No day that PostgreSQL can make an instant of.
        "update bronze.raw_lease set raw_payload = replace(raw_payload, '2026-06-01', '300000-01-01')"
        " where record_key = '4'",
    )
    traced = {key: checkout.loader("trace", key, "--kind", LEASE) for key in ("1", "2", "3", "4")}
    assert {key: done.code for key, done in traced.items()} == {"1": 0, "2": 1, "3": 1, "4": 1}
    assert "it differs from the record in ends_on" in " ".join(traced["2"].out.split())
    assert "its day is not that of its instant" in " ".join(traced["3"].out.split())
    assert "its payload is not that of its fingerprint" in " ".join(traced["4"].out.split())
    assert checkout.loader("build", "--select", "reconcile").code == 1
    assert rows(
        database,
        "select table_name, check_name, detail from reconcile.reconcile_finding"
        " where check_name <> 'content_differs_from_completed_load' order by 1, 2",
    ) == [
        ("bronze.record_event", "columns_differ_from_payload", f"event {events['3']} of 3: created_at"),
        (
            "bronze.record_event",
            "partition_differs_from_created_at",
            f"event {events['3']} of 3: got {DAY}, expected the UTC day of created_at",
        ),
        (
            "bronze.record_event",
            "payload_differs_from_fingerprint",
            f"event {events['4']} of 4: sha256(raw_payload) is not its record_fingerprint",
        ),
        (
            "silver.lease",
            "record_differs_from_bronze",
            "record 2: ends_on differ between Silver and its winner in Bronze",
        ),
    ]
