"""Damages to transcripts: a segment of an older one, or of another recording, is never shown without a finding."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows, run
from tests.shared_warehouse import Kept, kept, own_warehouse
from tests.transcripts import deliver, segment, transcript

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

SILVER = "silver.transcript_line"
FOUND = "select distinct table_name, check_name from reconcile.reconcile_finding order by 1, 2"
_OF_CALL = "where record_key = 'call:2' and raw_payload like '%%newer%%'"
_REHASHED = (
    "update bronze.raw_transcript_line set record_fingerprint ="
    f" sha256(convert_to('transcript_line_v1' || raw_payload, 'UTF8')) {_OF_CALL}"
)
_OLDER = """
insert into silver.transcript_line
select (jsonb_populate_record(shown, jsonb_build_object(
    'segment_id', event.record_key, 'segment_number', 3, 'event_id', event.event_id,
    'record_fingerprint', encode(event.record_fingerprint, 'hex'), 'asset_id', event.asset_id, 'line_number', 3,
    'start_seconds', 4, 'end_seconds', 5.5, 'content_sha256', asset.source_fingerprint,
    'source_fingerprint', asset.source_fingerprint, 'run_id', event.run_id, 'dlt_load_id', event._dlt_load_id))).*
from silver.transcript_line as shown
cross join bronze.raw_transcript_line as event
inner join ops.source_asset as asset on asset.asset_id = event.asset_id
where shown.segment_id = 'call:2' and event.record_key = 'call:3'
"""


@pytest.fixture(scope="module")
def proved(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A transcript of a call, a shorter newer one of it, and one of another call; proved."""
    folder = tmp_path_factory.mktemp("transcripts")
    with own_warehouse(server, _template, folder) as database:
        newer = [segment(1, text="newer"), segment(2, text="newer")]
        for place, (of, said) in enumerate((("call", transcript(3)), ("call", newer), ("other", transcript(2)))):
            manifest = deliver(folder, f"part-{place}", {f"{of}-2026-04-17.jsonl": said}, **{of: _entry(of, place)})
            assert run(manifest).exit_code == 0
        with kept(server, database) as before:
            yield before


def _entry(of: str, place: int) -> dict[str, object]:
    return {"entry": {"sequence": place, "source_id": f"{of}-{place}.jsonl"}}


@pytest.mark.parametrize(
    ("statements", "table", "check"),
    [
        ((_OLDER,), SILVER, "record_unfounded"),
        (("delete from silver.transcript_line where segment_id = 'call:2'",), SILVER, "record_missing"),
        (
            ("update silver.transcript_line set end_seconds = 9 where segment_id = 'call:1'",),
            SILVER,
            "record_differs_from_bronze",
        ),
        (
            (
                (
                    "update bronze.raw_transcript_line set raw_payload = replace(raw_payload, '\"segment_number\":2',"
                    f" '\"segment_number\":3') {_OF_CALL}"
                ),
                _REHASHED,
            ),
            "ops.source_asset",
            "record_differs_from_bytes",
        ),
        (
            (
                (
                    "update bronze.raw_transcript_line set raw_payload = replace(raw_payload,"
                    f' \'"linked_source_id":"call"\', \'"linked_source_id":"other"\') {_OF_CALL}'
                ),
                _REHASHED,
            ),
            "ops.source_asset",
            "record_differs_from_declaration",
        ),
        (
            (
                (
                    "update ops.source_asset set declaration = replace(declaration, '\"call\"', '\"other\"')"
                    " where record_kind = 'transcript_line_v1'"
                ),
            ),
            "ops.source_asset",
            "declaration_differs_from_manifest",
        ),
    ],
)
def test_a_damage_is_named(proved: Kept, statements: tuple[str, ...], table: str, check: str) -> None:
    """Prevents a proof that takes the end of an older transcript, or a segment of another call, for what landed."""
    database = proved.fresh()
    assert rows(database, FOUND) == []
    for statement in statements:
        rows(database, f"set session_replication_role = replica; {statement}")
    run_dbt(database, ROOT, ["build", "--select", "reconcile", "--exclude-resource-type", "unit_test"])
    assert (table, check) in rows(database, FOUND)
