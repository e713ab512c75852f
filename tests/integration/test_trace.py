"""A record followed from its byte to its readers, a line to what became of it; and every damage on the way named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.cli import main
from loader.errors import CommandUsageError
from loader.raw_zone import RawZone
from loader.recovery import apply_plan
from loader.trace import Asked, LinkName, Trace, trace
from loader.warehouse import Warehouse
from tests.documents import deliver as deliver_files
from tests.ingests import declare, rows, run, settings, ticket, write_export
from tests.integration.privacy.people import erase_person
from tests.recoveries import of_day, planned
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

FIRST, SECOND, GONE = (f"TKT-20260417-{number:06d}" for number in (1, 2, 3))
RESTORED = "TKT-20260416-000001"
FILE, LATER, ODD = (f"tickets-2026-04-{day}.jsonl" for day in (17, 18, 19))
PERSON = "customer_gone"
DOCUMENT = "2026-04-17-queues.md"
UPDATED = {"updated_at": "2026-04-17T10:00:00Z"}
LINES: list[Any] = [
    ticket(1),
    ticket(1, status="in_progress", **UPDATED),
    ticket(2, priority="urgent"),
    b"  ",
    ticket(1),
    ticket(2),
    ticket(3, customer_id=PERSON),
    of_day("2026-04-16", 1),
]


@pytest.fixture(scope="module")
def followed(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """Two deliveries of tickets, a document, a day that was restored to its first release, a person who was erased."""
    folder = tmp_path_factory.mktemp("trace")
    with own_warehouse(server, _template, folder, LOADER_REJECT_LIMIT="0.5") as database:
        write_export(folder / "first" / FILE, LINES)
        assert run(declare(folder / "first", "first")).exit_code == 0
        later = [
            ticket(1, status="closed", updated_at="2026-04-18T09:00:00Z"),
            # One instant: the later file says it last.
            ticket(2, status="in_progress", created_at="2026-04-17T08:00:00Z"),
            of_day("2026-04-16", 1, status="closed", updated_at="2026-04-18T09:00:00Z"),
        ]
        write_export(folder / "second" / LATER, later)
        assert run(declare(folder / "second", "second")).exit_code == 0
        assert run(deliver_files(folder, "files", {DOCUMENT: b"# Queues\n\nDrain them.\n"})).exit_code == 0
        window = {"window_start": "2026-04-16", "window_end": "2026-04-17"}
        request = {"release": None, "as_of": None, "reason": "wrong rows", "record_kind": None, **window}
        apply_plan(settings(), {**planned("restore", **request), "operator": "a reviewer"})
        erase_person("request 4711", PERSON)
        with kept(server, database) as whole:
            yield whole


def follow(kept: Kept, **asked: Any) -> Trace:
    return trace(settings(), kept.database, Asked(**asked))


def test_a_record_leads_to_every_line_that_brought_it_and_to_what_readers_see(followed: Kept) -> None:
    found = follow(followed, key=FIRST)
    assert [
        (each.fate, each.line.name, [again.name for again in each.again]) for each in found.versions if each.line
    ] == [
        ("current", f"{LATER} line 1", []),
        ("superseded", f"{FILE} line 2", []),
        ("superseded", f"{FILE} line 1", [f"{FILE} line 5"]),
    ]
    assert [line.fate for line in found.versions[2].again] == ["duplicate"]
    assert found.why == (
        "it has the latest instant of 3 versions, updated_at 2026-04-18 09:00:00 after updated_at 2026-04-17 10:00:00"
    )
    assert [[(when.data_release_id, when.until is None) for when in each.shown] for each in found.versions] == [
        [(2, True)],
        [(1, False)],
        [],
    ]
    newest = found.versions[0]
    assert newest.line is not None
    assert (newest.manifest_id, newest.batch_id) == (newest.line.file.manifest_id, newest.line.file.batch_id)
    assert newest.source_fingerprint == newest.line.file.source_fingerprint
    ((trace_id,),) = rows(followed.database, "select trace_id from ops.ingest_run where run_id = %s", newest.run_id)
    assert newest.trace_id == trace_id
    assert newest.evidence is not None and newest.evidence.endswith(f"/2026-04-17/{newest.run_id}.1.json")
    assert {link.name for link in found.links} == set(LinkName)
    assert (found.broken, found.left_out) == ((), ())


def test_the_bytes_of_a_version_are_those_that_were_delivered(followed: Kept) -> None:
    found = follow(followed, key=FIRST, with_content=True)
    assert json.loads(found.content or b"")["status"] == "closed"
    line = found.versions[1].line
    assert line is not None
    content = RawZone(settings().raw_zone).path_of(line.file.raw_zone_key).read_bytes()
    again = follow(followed, line=f"{FILE}:2", with_content=True)
    assert content[line.byte_offset : line.byte_offset + line.byte_length] == (again.content or b"") + b"\n"
    assert follow(followed, key=FIRST).content is None


def test_what_orders_two_versions_of_one_instant_is_the_later_file(followed: Kept) -> None:
    found = follow(followed, key=SECOND)
    assert found.why == (
        f"it has the latest file of 2 versions, {LATER} (2026041800000000) after {FILE} (2026041700000000); their"
        " instants are equal"
    )


def test_a_restored_record_shows_when_readers_saw_what(followed: Kept) -> None:
    """Readers see the first version again; the newer one was seen between."""
    found = follow(followed, key=RESTORED)
    (shown,) = found.shown
    assert (shown[0].fate, shown[1].data_release_id) == ("superseded", 1)
    assert [[(when.data_release_id, when.until is None) for when in each.shown] for each in found.versions] == [
        [(2, False)],
        [(1, False), (1, True)],
    ]
    assert [str(day) for day in found.held_days] == ["2026-04-16"]
    assert found.broken == ()


def test_a_file_that_is_a_record_is_followed_as_a_line_is(followed: Kept) -> None:
    found = follow(followed, key=DOCUMENT)
    assert (found.record_kind, [each.fate for each in found.versions]) == ("document_v1", ["current"])
    assert {link.name for link in found.links} == set(LinkName)
    assert found.broken == ()


@pytest.mark.parametrize(
    ("number", "fate", "became"),
    [
        (1, "landed", "superseded"),
        (2, "landed", "superseded"),
        (3, "rejected", None),
        (4, "blank", None),
        (5, "duplicate", "superseded"),
        (7, "erased", None),
    ],
)
def test_a_line_leads_to_what_became_of_it(followed: Kept, number: int, fate: str, became: str | None) -> None:
    found = follow(followed, line=f"{FILE}:{number}")
    assert found.line is not None
    assert (found.line.fate, found.line.number) == (fate, number)
    assert next((each.fate for each in found.versions if each.event_id == found.line.event_id), None) == became
    assert found.line.reason_codes == (("invalid_enum_value",) if fate == "rejected" else ())
    assert found.broken == ()


def test_an_event_leads_to_its_record(followed: Kept) -> None:
    event_id = follow(followed, key=FIRST).versions[1].event_id
    found = follow(followed, event=event_id)
    assert (found.record_key, found.event_id) == (FIRST, event_id)


def test_who_was_erased_is_not_told(followed: Kept) -> None:
    found = follow(followed, key=GONE)
    assert (found.versions, found.broken) == ((), ())
    assert found.erased is not None and found.erased.is_finished
    assert PERSON not in str(found) + str(follow(followed, line=f"{FILE}:7", with_content=True))


def test_a_quick_trace_says_what_it_left_out(followed: Kept) -> None:
    found = follow(followed, key=FIRST, is_quick=True)
    assert sorted(found.left_out) == ["day", "line", "object"]
    with damaged_object(FILE):
        assert follow(followed, key=FIRST, is_quick=True).broken == ()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"key": "nobody"}, "key 'nobody': no record has it, and none that was erased; nothing was traced"),
        ({"key": FIRST, "record_kind": "document_v1"}, "no record of document_v1 has it"),
        ({"key": "a\udcff"}, "no record has it"),
        ({"key": ""}, "no record has it"),
        ({"event": "x' or 1=1"}, "no line brings it"),
        ({"event": "00000000-0000-7000-8000-00000000dead"}, "no line brings it"),
        ({"line": FILE}, "expected FILE:N"),
        ({"line": f"{FILE}:0"}, "expected FILE:N"),
        ({"line": f"{FILE}:99999999999"}, "expected FILE:N"),
        ({"line": f"{FILE}:9"}, f"line 9 of '{FILE}': it has 8 lines; nothing was traced"),
        ({"line": "nowhere.jsonl:1"}, "no manifest declares a file of that name"),
        ({"line": "\x1b[31m:1"}, r"line of '\x1b[31m'"),
    ],
)
def test_what_is_not_there_is_a_usage_error(followed: Kept, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandUsageError) as refused:
        follow(followed, **asked)
    assert words in refused.value.message


def test_a_key_of_two_kinds_asks_which(followed: Kept) -> None:
    database = followed.fresh()
    columns = """record_fingerprint, record_source, record_key, person_id, created_at, updated_at, partition_key,
        raw_payload, envelope, warning_codes, asset_id, line_number, run_id, _dlt_load_id"""
    damage(
        database,
        f"insert into bronze.raw_doc_asset (record_kind, event_id, {columns})"
        f" select 'document_v1', gen_random_uuid(), {columns}"
        f" from bronze.raw_ticket_event where record_key = '{FIRST}'",
    )
    with pytest.raises(CommandUsageError) as refused:
        follow(followed, key=FIRST)
    assert refused.value.message.splitlines()[1:] == ["  KIND=document_v1", "  KIND=ticket_v1"]
    assert follow(followed, key=FIRST, record_kind="ticket_v1").record_kind == "ticket_v1"


def test_one_name_of_two_files_asks_which(followed: Kept) -> None:
    database = followed.fresh()
    damage(database, f"update ops.manifest_asset set source_id = '{FILE}' where source_id = '{LATER}'")
    with pytest.raises(CommandUsageError) as refused:
        follow(followed, line=f"{FILE}:1")
    fingerprints = [line.split()[0] for line in refused.value.message.splitlines()[1:]]
    assert len(fingerprints) == 2
    assert {follow(followed, line=f"{each}:1", is_quick=True).record_key for each in fingerprints} == {FIRST}


def damage(database: Warehouse, *statements: str) -> None:
    """Past every guard, as a superuser."""
    rows(database, "set session_replication_role = replica; " + "; ".join(statements))


@contextmanager
def edited(path: Path, content: bytes | None) -> Iterator[None]:
    """The file with another content, or none, put back after the block."""
    before = path.read_bytes()
    path.chmod(0o600)
    path.unlink() if content is None else path.write_bytes(content)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(before)


def object_of(file: str) -> Path:
    ((key,),) = rows(
        settings_database(),
        "select raw_zone_key from ops.source_asset inner join ops.manifest_asset using (asset_id) where source_id = %s",
        file,
    )
    return RawZone(settings().raw_zone).path_of(key)


def settings_database() -> Warehouse:
    from loader.warehouse import find_warehouse

    return find_warehouse(settings())


@contextmanager
def damaged_object(file: str, old: bytes = b"open", new: bytes = b"oqen") -> Iterator[None]:
    path = object_of(file)
    with edited(path, path.read_bytes().replace(old, new, 1)):
        yield


@dataclass(frozen=True)
class Sabotage:
    """A damage past every guard, and the links that it breaks, each with words of what is said."""

    name: str
    statements: tuple[str, ...]
    broken: dict[LinkName, str]
    key: str = FIRST


NEWEST = f"(select event_id from silver.ticket_fact where ticket_id = '{FIRST}')"
# What the archive says of a line, and Bronze's own row.
OF_EVENT = f"where event_id = {NEWEST}"
RELEASE = """where dataset = 'release/partition_pointer' and run_id = (
    select run_id from release.data_release where data_release_id = 2)"""
RECORD = f"where report_path like '%/2026-04-17/%' and run_id = (select run_id from bronze.record_event {OF_EVENT})"
SABOTAGES = (
    Sabotage(
        "a payload is edited",
        (f"update bronze.raw_ticket_event set raw_payload = replace(raw_payload, 'closed', 'open') {OF_EVENT}",),
        {LinkName.LINE: "payload is not that of its fingerprint", LinkName.RECORD: "payload is not that of"},
    ),
    Sabotage(
        "a payload is edited with its fingerprint",
        (
            f"update bronze.raw_ticket_event set raw_payload = replace(raw_payload, 'closed', 'open') {OF_EVENT}",
            (
                "update bronze.raw_ticket_event set record_fingerprint ="
                f" sha256(convert_to(raw_payload, 'UTF8')) {OF_EVENT}"
            ),
        ),
        {
            LinkName.LINE: "its record has another fingerprint than Bronze says",
            LinkName.RECORD: "its id is not that of its fingerprint",
            LinkName.SILVER: "it differs from the record in status",
        },
    ),
    Sabotage(
        "an event is on another day",
        (f"update bronze.raw_ticket_event set partition_key = '2026-04-16' {OF_EVENT}",),
        {
            LinkName.LINE: "Bronze's columns are not what its record says",
            LinkName.RECORD: "its day is not that of its instant",
        },
    ),
    Sabotage(
        "a line is elsewhere",
        (f"update bronze.asset_line set byte_offset = byte_offset + 1 {OF_EVENT}",),
        {LinkName.LINE: "its bytes are not where Bronze says"},
    ),
    Sabotage(
        "a manifest is edited",
        ("update ops.manifest set manifest_bytes = manifest_bytes || '\\x20'",),
        {LinkName.MANIFEST: "its bytes are not those of its SHA-256"},
    ),
    Sabotage(
        "a manifest is edited with its hash",
        (
            (
                "update ops.manifest set manifest_bytes ="
                " convert_to(regexp_replace(convert_from(manifest_bytes, 'UTF8'),"
                " '\"checksum_sha256\": ?\"[0-9a-f]{8}', '\"checksum_sha256\": \"00000000'), 'UTF8')"
            ),
            "update ops.manifest set manifest_sha256 = encode(sha256(manifest_bytes), 'hex')",
        ),
        {LinkName.MANIFEST: "it does not declare"},
    ),
    Sabotage(
        "a row of Silver is gone",
        (f"delete from silver.ticket_fact where ticket_id = '{FIRST}'",),
        {LinkName.SILVER: "it has 0 rows of the record, expected 1"},
    ),
    Sabotage(
        "a column of Silver is edited",
        (f"update silver.ticket_fact set priority = 'p1_critical' where ticket_id = '{FIRST}'",),
        {LinkName.SILVER: "it differs from the record in priority"},
    ),
    Sabotage(
        "a column of Silver that no field gives is edited",
        (f"update silver.ticket_fact set is_open = not is_open where ticket_id = '{FIRST}'",),
        {LinkName.SILVER: "its row is not the one that was released"},
    ),
    Sabotage(
        "Silver counts a version too many",
        (f"update silver.ticket_fact set version_count = 4 where ticket_id = '{FIRST}'",),
        {LinkName.SILVER: "it counts 4 versions, expected 3"},
    ),
    Sabotage(
        "an older version wins in Silver",
        (
            (
                "update silver.ticket_fact set event_id = (select event_id from bronze.raw_ticket_event"
                f" where record_key = '{FIRST}' and updated_at is null) where ticket_id = '{FIRST}'"
            ),
        ),
        {LinkName.SILVER: "it shows event"},
    ),
    Sabotage(
        "a released row is edited",
        (f"update release.ticket_fact set status = 'open' where ticket_id = '{FIRST}' and end_release_id is null",),
        {LinkName.RELEASED: "its content is not that of its digest"},
    ),
    Sabotage(
        "a released row is edited with its digest",
        (
            (
                "update release.ticket_fact set status = 'open', row_digest = row_digest + 1"
                f" where ticket_id = '{FIRST}' and end_release_id is null"
            ),
        ),
        {
            LinkName.SILVER: "its row is not the one that was released",
            LinkName.RELEASED: "its content is not that of its digest",
            LinkName.DAY: "its rows are not those that were released",
        },
    ),
    Sabotage(
        "another row of the day is gone",
        (f"delete from release.ticket_fact where ticket_id = '{SECOND}'",),
        {LinkName.DAY: "its rows are not those that were released"},
    ),
    Sabotage(
        "the view shows another row",
        (
            (
                "do $view$ begin execute 'create or replace view serving.ticket_fact with (security_barrier) as '"
                " || replace(pg_get_viewdef('serving.ticket_fact'::regclass), 'versions.status,',"
                " '''forged''::text as status,'); end $view$"
            ),
        ),
        {LinkName.SERVED: "readers see another row than the released one"},
    ),
    Sabotage(
        "the pointer is moved by hand",
        ("update release.partition_pointer set data_release_id = 1 where partition_key = '2026-04-17'",),
        {LinkName.POINTER: "its pointer stands at 1, its last move led to 2"},
    ),
    Sabotage(
        "a move is gone",
        ("delete from release.pointer_move where partition_key = '2026-04-17' and moved_by = 1",),
        {LinkName.POINTER: "a move of its pointer is missing or edited"},
    ),
    Sabotage(
        "the record of a release is edited",
        (f"update ops.run_evidence set content = content || '\\x20' {RELEASE}",),
        {LinkName.ACT: "edited: its content is not that of its SHA-256"},
    ),
    Sabotage(
        "the record of a release is gone",
        (f"delete from ops.run_evidence {RELEASE}",),
        {LinkName.ACT: "its record was removed, or never written"},
    ),
    Sabotage(
        "what a release moved is edited",
        ("update release.data_release set reason = 'none' where data_release_id = 2",),
        {LinkName.ACT: "reason: it says None, the warehouse none"},
    ),
    Sabotage(
        "the record before that of a run is gone",
        (
            (
                "delete from ops.run_evidence where evidence_id = ("
                "select max(evidence_id) from ops.run_evidence as other"
                " where other.dataset = 'bronze/raw_ticket_event' and other.evidence_id <"
                f" (select min(evidence_id) from ops.run_evidence {RECORD}))"
            ),
        ),
        {LinkName.EVIDENCE: "its predecessor was removed, edited or put elsewhere"},
    ),
    Sabotage(
        "the record of a run is edited with its hash",
        (
            f"update ops.run_evidence set content = content || '\\x20' {RECORD}",
            f"update ops.run_evidence set content_sha256 = encode(sha256(content), 'hex') {RECORD}",
        ),
        {LinkName.EVIDENCE: "the record after it names another predecessor; its file was edited"},
    ),
)


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name.replace(" ", "-"))
def test_a_damage_breaks_its_link_and_no_other(followed: Kept, sabotage: Sabotage) -> None:
    """Each statement is done past triggers and keys, and what it breaks is named."""
    damage(followed.fresh(), *sabotage.statements)
    found = follow(followed, key=sabotage.key)
    broken = {link.name: link.fault or "" for link in reversed(found.broken)}
    assert broken.keys() == sabotage.broken.keys(), broken
    for name, words in sabotage.broken.items():
        assert words in broken[name], broken


def test_a_byte_that_was_flipped_in_the_archive_is_named(followed: Kept) -> None:
    """In the line itself; elsewhere in its file the line still stands, and its object does not."""
    followed.fresh()
    with damaged_object(LATER, b'"closed"', b'"closee"'):
        broken = {link.name: link.fault or "" for link in follow(followed, key=FIRST).broken}
    assert "is damaged" in broken.pop(LinkName.OBJECT)
    assert broken == {LinkName.LINE: "Bronze says that it is of another kind"}
    with damaged_object(LATER, SECOND.encode(), b"TKT-20260417-000009"):
        broken = {link.name: link.fault or "" for link in follow(followed, key=FIRST).broken}
    assert list(broken) == [LinkName.OBJECT]


def test_an_object_that_is_gone_is_named_once(followed: Kept) -> None:
    followed.fresh()
    with edited(object_of(LATER), None):
        found = follow(followed, key=FIRST)
    assert [(link.name, "is missing" in (link.fault or "")) for link in found.broken] == [(LinkName.OBJECT, True)]
    assert found.left_out == (LinkName.LINE,)


@pytest.mark.parametrize(("content", "fault"), [(b"{}", "its file was edited"), (None, "its file is gone")])
def test_an_evidence_file_that_was_touched_is_named(followed: Kept, content: bytes | None, fault: str) -> None:
    followed.fresh()
    path = follow(followed, key=FIRST).versions[0].evidence
    assert path is not None
    with edited(settings().project_root / path, content):
        found = follow(followed, key=FIRST)
    assert [(link.name, link.fault) for link in found.broken] == [(LinkName.EVIDENCE, fault)]


def test_the_command_ends_with_1_where_a_link_does_not_hold(followed: Kept, capsys: pytest.CaptureFixture[str]) -> None:
    """And with 0 where all do; JSON says the same, and names the command that mends it."""
    followed.fresh()
    assert ended("trace", FIRST, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["is_sound"], told["next_command"], len(told["versions"])) == (True, "make status", 3)
    damage(followed.database, f"delete from silver.ticket_fact where ticket_id = '{FIRST}'")
    assert ended("trace", FIRST, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [link["name"] for link in told["broken"]] == ["silver"]
    assert told["next_command"].startswith("make build PARTITION=2026-04-17")


def test_the_command_writes_the_same_as_one_page(followed: Kept, tmp_path: Path) -> None:
    """Prevents a page of another record, and one that others can read; what was there goes."""
    followed.fresh()
    page = tmp_path / "pages" / "trace.html"
    assert ended("trace", FIRST, "--quick", "--html", str(page)) == 0
    assert f"{FIRST} of ticket_v1: readers see version 3 of 3" in page.read_text()
    assert page.stat().st_mode & 0o077 == 0
    assert ended("trace", SECOND, "--html", str(page)) == 0
    assert FIRST not in page.read_text()


def ended(*words: str) -> object:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return end.value.code


# As many rows of others stand beside those of a record, in each table that grows.
OTHERS = 20_000
BESIDE = (
    """insert into ops.manifest_asset (manifest_id, source_id, ordinal, source_url_or_path, asset_type, sequence,
        judgement, disposition, reason_codes, judged_by_run_id)
    select 'm' || n / 100, 'f' || n, n, 'f', 'jsonl', n, 'reject', 'missing', '{}', gen_random_uuid()""",
    """insert into ops.run_evidence (dataset, run_id, attempt, report_path, content, content_sha256)
    select 'another', gen_random_uuid(), 1, 'r' || n, '', repeat('0', 64)""",
    """insert into ops.completed_load (load_id, table_name, record_kind, run_id, attempt, row_count, row_digest)
    select 'l' || n, 'record_event', 'ticket_v1', gen_random_uuid(), 1, 1, 0""",
    """insert into bronze.asset_line (byte_offset, byte_length, event_id, asset_id, line_number, ruleset_id,
        partition_key, kind, _dlt_load_id)
    select n, 1, gen_random_uuid(), 1000 + n / 1000, n, 1, '2026-04-17', 'record', 'l' || n""",
    """insert into bronze.raw_ticket_event (record_kind, event_id, record_fingerprint, record_source, record_key,
        created_at, partition_key, raw_payload, envelope, warning_codes, asset_id, line_number, run_id, _dlt_load_id)
    select 'ticket_v1', gen_random_uuid(), '', 's', 'k' || n, '2026-04-17', '2026-04-17', '{}', '{}', '{}',
        1000 + n / 1000, n, gen_random_uuid(), 'l' || n""",
    """insert into release.ticket_fact (first_release_id, row_digest, ticket_id, partition_key)
    select 1, 0, 'k' || n, '2026-01-01'""",
    """insert into release.pointer_move (moved_by, record_kind, partition_key, old_data_release_id, new_data_release_id)
    select n, 'ticket_v1', '2026-01-01', n - 1, n""",
)
# What was read of each table: rows from its beginning to its end, and entries of its indexes.
READ = """
select relname::text, seq_tup_read + coalesce((
    select sum(idx_tup_read) from pg_stat_user_indexes as each where each.relid = whole.relid), 0)
from pg_stat_user_tables as whole
"""


def test_no_question_reads_a_whole_table(followed: Kept) -> None:
    """What is read of a table is what is of the record, however many rows of others stand beside it."""
    database = followed.fresh()
    damage(database, *(f"{insert} from generate_series(1, {OTHERS}) as n" for insert in BESIDE), "analyze")
    before = dict(rows(database, READ))
    found = follow(followed, key=FIRST)
    follow(followed, line=f"{FILE}:3")
    follow(followed, event=found.versions[0].event_id)
    follow(followed, key=GONE)
    read = {table: count - before[table] for table, count in rows(database, READ)}
    assert {table: count for table, count in read.items() if count > OTHERS / 20} == {}
    assert read["asset_line"] > 0
