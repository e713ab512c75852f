"""Declarations of record kinds against their schemas, against each other, and everything that must follow them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.cli.build_command import selected
from loader.errors import CommandUsageError
from loader.kinds import Landing, Link, kind_option, load_kinds, schema_file
from tests.checkouts import ROOT
from tests.second_kind import NOTE, contracts_with_note
from tests.unlanded_kind import UNLANDED, add_unlanded

CONTRACTS = ROOT / "contracts"
CONTRACT_REF = "ticket_v1"
TICKET = Path("kinds") / CONTRACT_REF / "kind.yml"
# Texts come after what they were read from.
LANDED = [CONTRACT_REF, "call_v1", "document_v1", "image_v1", "video_v1", "ocr_text_v1"]
LANDED += ["ticket_comment_v1", "transcript_line_v1"]


def _ticket() -> Landing:
    landing = load_kinds(CONTRACTS)[CONTRACT_REF].landing
    assert landing is not None
    return landing


def test_free_text_stays_in_bronze() -> None:
    """Prevents an entry that lets the customer's words into Silver, an index or a report."""
    fields = _ticket().fields
    blocked = {field.name for field in fields if field.column is None}
    assert blocked == {"subject", "description"}
    assert {field.name for field in fields if field.level == "free_text"} == blocked
    assert not any(field.may_be_served or field.may_be_shown for field in fields if field.name in blocked)
    assert not any(field.may_be_shown for field in fields if field.level == "pseudonymous")


def test_what_is_landed_and_what_is_known(tmp_path: Path) -> None:
    """Prevents manifests checked against one contract file, lines against another."""
    kinds = load_kinds(CONTRACTS)
    assert [name for name, kind in kinds.items() if kind.is_landed] == LANDED
    contracts = shutil.copytree(CONTRACTS, tmp_path / "contracts", ignore=shutil.ignore_patterns("fixtures"))
    add_unlanded(contracts)
    assert [name for name, kind in load_kinds(contracts).items() if not kind.is_landed] == [UNLANDED]
    landing = _ticket()
    assert (landing.roles.key, landing.roles.person, landing.envelope) == (
        "ticket_id",
        "customer_id",
        ("ingest_batch_id",),
    )


def _replaced(before: str, after: str) -> Callable[[Path], None]:
    def apply(contracts: Path) -> None:
        text = (contracts / TICKET).read_text()
        assert before in text
        (contracts / TICKET).write_text(text.replace(before, after, 1))

    return apply


def _new_field(contracts: Path) -> None:
    path = schema_file(contracts, CONTRACT_REF)
    contract = json.loads(path.read_bytes())
    contract["properties"]["phone"] = {"type": "string"}
    path.write_text(json.dumps(contract))


def _no_required(contracts: Path) -> None:
    path = schema_file(contracts, CONTRACT_REF)
    contract = json.loads(path.read_bytes())
    del contract["required"]
    del contract["properties"]["owner"]["type"]
    path.write_text(json.dumps(contract))


def _empty(contracts: Path) -> None:
    (contracts / TICKET).write_text("# Nothing yet.\n")


def _same_table(contracts: Path) -> None:
    other = contracts / "kinds" / "ticket_v2"
    shutil.copytree((contracts / TICKET).parent, other)
    (other / "kind.yml").write_text((contracts / TICKET).read_text().replace("kind: ticket_v1", "kind: ticket_v2"))


def _document(before: str, after: str) -> Callable[[Path], None]:
    def apply(contracts: Path) -> None:
        path = contracts / "kinds" / "document_v1" / "kind.yml"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after, 1))

    return apply


def _fact(field: str, type_name: str, kind: str = "document_v1") -> Callable[[Path], None]:
    """The schema says another type of what is read from the bytes."""

    def apply(contracts: Path) -> None:
        path = schema_file(contracts, kind)
        schema = json.loads(path.read_bytes())
        schema["properties"][field]["type"] = type_name
        path.write_text(json.dumps(schema))

    return apply


OWNER = "owner: {{level: {}, silver: owner, serve: true, {}reason"


def _of_document(field: str, kind: str) -> Callable[[Path], None]:
    """A document is linked by this field, and erased with what it names."""
    link = f"linked_to: [{{field: {field}, kind: {kind}, missing: warn, erased_with_it: true}}]"
    return _document("\nfields:\n", f"\n{link}\nfields:\n")


COMMENT = Path("kinds") / "ticket_comment_v1" / "kind.yml"
LINK = "{field: ticket_id, kind: ticket_v1, missing: warn}"


def _linked(*links: str) -> Callable[[Path], None]:
    """The comment's links are these."""

    def apply(contracts: Path) -> None:
        text = (contracts / COMMENT).read_text()
        assert LINK in text
        (contracts / COMMENT).write_text(text.replace(LINK, "\n  - ".join(links)))

    return apply


def _circle(contracts: Path) -> None:
    """A comment waits for its ticket, the ticket for its customer's comment."""
    _linked("{field: ticket_id, kind: ticket_v1, missing: wait}")(contracts)
    link = "\nlinked_to: [{field: org_id, kind: ticket_comment_v1, missing: wait}]\nfields:\n"
    _replaced("\nfields:\n", link)(contracts)


@pytest.mark.parametrize(
    ("change", "place", "fault"),
    [
        (_no_required, "roles.key", "got ticket_id, expected a required field"),
        (_empty, "", "got None"),
        (_new_field, "fields", "phone: a field of schema.json without an entry"),
        (_replaced("  tags: {", "  tagz: {"), "fields", "tags: a field of schema.json without an entry"),
        (_replaced("  owner: {", "  phone: {level: internal, reason: x}\n  owner: {"), "fields.phone", "no field of"),
        (_replaced("{level: free_text, reason", "{level: free_text, silver: s, reason"), "fields.subject", "in Bronze"),
        (
            _replaced("silver: customer_id, serve: true", "silver: customer_id, show: true"),
            "fields.customer_id",
            "no report",
        ),
        (_replaced("silver: owner, serve: true", "serve: true"), "fields.owner", "owner stays in Bronze"),
        (_replaced("silver: owner,", 'silver: "x\'); drop table y --",'), "fields.owner.silver", "drop table"),
        (_replaced("silver: owner,", "silver: status,"), "fields.owner", "status is the column of status"),
        (_replaced("  owner: {", "  owner: {drift: mix, "), "fields.owner", "owner has no closed list"),
        (_replaced("  key: ticket_id", "  key: tickt_id"), "roles.key", "got tickt_id, expected a required field"),
        (_replaced("  key: ticket_id", "  key: org_id"), "roles.key", "got org_id, expected a required field"),
        (_replaced("partition: created_at", "partition: status"), "roles.partition", "of type instant"),
        (_replaced("[updated_at, created_at]", "[created_at, updated_at]"), "roles.version", "got updated_at"),
        (_replaced("[updated_at, created_at]", "[resolved_at, updated_at, created_at]"), "roles.version", "one field"),
        (_replaced("rules: ticket #", "rules: tickets #"), "rules", "loader/kinds/tickets.py is not there"),
        (_replaced("rules: ticket #", "rules: generate #"), "rules", "or holds no rules"),
        (_replaced("person: customer_id", "person: owner"), "fields.owner", "owner stands for a person"),
        (_replaced("envelope: [ingest_batch_id]", "envelope: [ticket_id]"), "envelope", "ticket_id has a role"),
        (_replaced("[ingest_batch_id]", "[ingest_batch_id, resolved_at]"), "envelope", "Silver holds texts alone"),
        (_replaced("silver: ticket_id, serve: true, ", ""), "roles.key", "Silver shows what has a role"),
        (_replaced("is_open: {type", "status: {type"), "derived.status", "status is the column of a field"),
        (_replaced("is_open: {type: boolean", "is_open: {type: integer"), "derived.is_open.type", "'integer'"),
        (_replaced("silver: ticket_fact", f"silver: {'t' * 51}"), "silver", "does not match"),
        (_replaced("kind: ticket_v1", "kind: tickets"), "kind", "expected its folder's name, ticket_v1"),
        (_replaced("modality: structured", "modality: text"), "modality", "'text'"),
        (_replaced("title: Support ticket", "title: Support ticket\ntitle: Case"), "title", "for the second time"),
        (_replaced("bronze: raw_ticket_event\n", ""), "", "bronze"),
        (_same_table, "bronze", "bronze.raw_ticket_event is ticket_v1's"),
        (_linked("{field: ticket_id, kind: tickets, missing: warn}"), "linked_to.0.kind", "expected a kind that lands"),
        (
            _linked("{field: ticket_id, kind: [ticket_v1, tickets], missing: warn}"),
            "linked_to.0.kind",
            "got tickets, expected a kind that lands",
        ),
        (_linked("{field: ticket_id, kind: [ticket_v1], missing: warn}"), "linked_to.0.kind", "has less than 2 items"),
        (
            _linked("{field: word_count, kind: [ticket_v1, document_v1], missing: warn}"),
            "linked_to.0.field",
            "word_count is integer; ticket_id of ticket_v1",
        ),
        (_linked("{field: ticket_id, kind: voicemail_v1, missing: warn}"), "linked_to.0.kind", "got voicemail_v1, exp"),
        (_linked(LINK, "{field: no_field, kind: ticket_v1, missing: warn}"), "linked_to.1.field", "no_field: no field"),
        (_linked(LINK, LINK), "linked_to.1.field", "for the second time"),
        (_linked(LINK.replace("ticket_id", "comment_body")), "linked_to.0.field", "comment_body stays in Bronze"),
        (_linked(LINK.replace("ticket_id", "ingest_batch_id")), "linked_to.0.field", "is of the delivery"),
        (_linked(LINK.replace("ticket_id", "word_count")), "linked_to.0.field", "word_count is integer; ticket_id of"),
        (_linked(LINK.replace("ticket_id", "updated_at")), "linked_to.0.field", "updated_at is string (date-time); "),
        (_linked(LINK.replace("warn", "hold")), "linked_to.0.missing", "'hold'"),
        (_replaced("jsonl_gz]", "jsonl_gz, pdf]"), "asset_types", "got pdf: such a file is one record"),
        (_fact("page_count", "string"), "fields.page_count", "page_count is string; what is read of it is integer"),
        (_fact("size_bytes", "boolean"), "fields.size_bytes", "what is read of it is integer"),
        (_fact("duration_seconds", "integer", "call_v1"), "fields.duration_seconds", "what is read of it is number"),
        (_document("markdown]", "markdown, wav]"), "asset_types", "got wav: document reads facts of pdf, html"),
        (_document("facts: document", "facts: audio"), "asset_types", "got pdf, html, markdown: audio reads facts of"),
        (_of_document("license", "ticket_v1"), "linked_to.0.field", "is not what the metadata of an entry say"),
        (_of_document("product_line", "document_v1"), "linked_to.0.erased_with_it", "they are nobody's"),
        (
            _document(OWNER.format("internal", "show: true, "), OWNER.format("pseudonymous", "")),
            "fields.owner",
            "for good",
        ),
        (
            _linked(LINK.replace("warn", "warn, erased_with_it: true")),
            "linked_to.0.erased_with_it",
            "of whole files only",
        ),
        (_circle, "linked_to.0.missing", "no order of ingests would release both at once"),
    ],
)
def test_a_declaration_that_says_too_little_or_contradicts_itself_is_refused(
    change: Callable[[Path], None], place: str, fault: str, tmp_path: Path
) -> None:
    """Prevents a field that nobody has judged, text that would become SQL, and a refusal that names no line."""
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, contracts, ignore=shutil.ignore_patterns("fixtures"))
    add_unlanded(contracts)
    change(contracts)
    with pytest.raises(CommandUsageError, match=re.escape(fault)) as refusal:
        load_kinds(contracts)
    found = re.match(r"(.*/kind\.yml):(\d+): (?:([a-z_.0-9]+): )?", str(refusal.value))
    assert found is not None and (found[3] or "").startswith(place), refusal.value
    key = (found[3] or "").split(".")[-1]
    line = Path(found[1]).read_text().splitlines()[int(found[2]) - 1]
    # An absent key is told where the declaration begins.
    assert not key or f"{key}:" in line or found[2] == "1", refusal.value


def test_a_kind_comes_after_those_that_it_is_linked_to(tmp_path: Path) -> None:
    """Prevents an ingest of both kinds that proves comments before their tickets are there; a link to records of the
    own kind, and two kinds that tell of each other, are no circle."""
    contracts = contracts_with_note(tmp_path)
    note = contracts / "kinds" / NOTE / "kind.yml"
    first = [name for name, kind in load_kinds(contracts).items() if kind.is_landed]
    assert [name for name in first if name != NOTE] == LANDED
    link = "fields:\n", "linked_to:\n  - {{field: status, kind: {}, missing: {}}}\nfields:\n"
    whole = note.read_text()
    for kind, missing in (("ticket_comment_v1", "warn"), ("ticket_comment_v1", "wait"), (NOTE, "wait")):
        note.write_text(whole.replace(link[0], link[1].format(kind, missing)))
        kinds = load_kinds(contracts)
        landing = kinds[NOTE].landing
        assert landing is not None
        assert landing.links == (Link("status", (kind,), missing == "wait"),)
        ordered = [name for name, kind in kinds.items() if kind.is_landed]
        assert sorted(ordered) == sorted(first)
        assert (ordered.index(NOTE) > ordered.index("ticket_comment_v1")) == (kind != NOTE)
    several = f"[{NOTE}, ticket_comment_v1, video_v1]"
    note.write_text(whole.replace(link[0], link[1].format(several, "wait")))
    landing = load_kinds(contracts)[NOTE].landing
    assert landing is not None and landing.links == (Link("status", (NOTE, "ticket_comment_v1", "video_v1"), True),)
    assert [*load_kinds(contracts)].index(NOTE) > [*load_kinds(contracts)].index("video_v1")
    # Told, not waited for.
    note.write_text(whole.replace(link[0], link[1].format("ticket_comment_v1", "warn")))
    _linked(LINK, "{field: visibility, kind: note_v1, missing: warn}")(contracts)
    assert {*load_kinds(contracts)} >= {CONTRACT_REF, "ticket_comment_v1", NOTE}


TRANSCRIPT = Path("kinds") / "transcript_line_v1" / "kind.yml"


def _transcript(before: str, after: str) -> Callable[[Path], None]:
    def apply(contracts: Path) -> None:
        text = (contracts / TRANSCRIPT).read_text()
        assert before in text
        (contracts / TRANSCRIPT).write_text(text.replace(before, after, 1))

    return apply


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            _transcript("linked_source_id, recorded_at, content", "linked_source_id, content"),
            "lacks recorded_at, a req",
        ),
        (
            _transcript("linked_source_id, recorded_at, content", "recorded_at, content"),
            "lacks linked_source_id, a req",
        ),
        (_transcript(", content_sha256]", "]"), "lacks content_sha256, without which an event may be of several files"),
        (_transcript("asset_type, license, lang", "license, lang"), "lacks asset_type, without which an event"),
        (_transcript("for: linked_source_id", "for: language"), "of whole files only"),
        (_transcript("number: segment_number", "number: speaker"), "got speaker, expected a required number"),
        (
            _transcript("internal, silver: language, serve: true, show: true", "pseudonymous, silver: language"),
            "a manifest says it, which is",
        ),
        (
            _transcript("field: linked_source_id, kind: [call_v1, video_v1]", "field: license, kind: call_v1"),
            "whole files",
        ),
        (_transcript("end_ts: end", "text: end"), "text is a field of schema.json, and no other name of end_seconds"),
        (_transcript("end_ts: end_seconds", "end_ts: license"), "end_ts: got license, expected a field of schema.json"),
        (_transcript("framing: lines", "framing: file"), "got facts None, expected one of"),
    ],
)
def test_a_whole_file_says_of_all_its_records_what_makes_them_whole(
    change: Callable[[Path], None], fault: str, tmp_path: Path
) -> None:
    """Prevents a transcript whose lines are of two recordings or days, and an event that two transcripts share."""
    contracts = shutil.copytree(CONTRACTS, tmp_path / "contracts", ignore=shutil.ignore_patterns("fixtures"))
    change(contracts)
    with pytest.raises(CommandUsageError, match=re.escape(fault)):
        load_kinds(contracts)


def test_what_a_command_says_of_a_kind_asks_its_own_declaration(tmp_path: Path) -> None:
    """Prevents advice that dies of a declaration which it is not about."""
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, contracts)
    (contracts / "kinds" / "call_v1" / "kind.yml").write_text("kind: [")
    said = {kind: kind_option(contracts, kind) for kind in ("ticket_v1", "ticket_comment_v1", "gone_v1", "", None)}
    assert list(said.values()) == ["", " KIND=ticket_comment_v1", " KIND=gone_v1", "", ""]


def test_a_folder_without_a_declaration_is_named(tmp_path: Path) -> None:
    """Prevents a kind that nobody reads because its file has another name."""
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, contracts, ignore=shutil.ignore_patterns("fixtures"))
    (contracts / "kinds" / "call_v1" / "kind.yml").rename(contracts / "kinds" / "call_v1" / "kind.yaml")
    with pytest.raises(CommandUsageError, match=r"call_v1/kind\.yml"):
        load_kinds(contracts)


def test_a_build_of_one_kind_is_of_its_model_and_what_follows(tmp_path: Path) -> None:
    """Prevents a build of notes that makes tickets anew, and a kind without a model that builds everything."""
    contracts = contracts_with_note(tmp_path)
    assert [selected(contracts, kind, None) for kind in (NOTE, "ticket_v1", None)] == [
        "visit_note+",
        "ticket_fact+",
        None,
    ]
    add_unlanded(contracts)
    refused = rf"KIND: got {UNLANDED}, expected one of .*note_v1.*; nothing was done"
    with pytest.raises(CommandUsageError, match=refused):
        selected(contracts, UNLANDED, None)


def test_declarations_are_understood_again_where_a_byte_of_them_has_changed(tmp_path: Path) -> None:
    """Prevents ten milliseconds for each of fifteen questions of a command, and an answer of declarations that are no
    longer so."""
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, contracts, ignore=shutil.ignore_patterns("fixtures"))
    kinds = load_kinds(contracts)
    assert load_kinds(contracts) is kinds
    schema = schema_file(contracts, CONTRACT_REF)
    schema.write_bytes(schema.read_bytes().replace(b'"customer_id"', b'"client_id"'))
    with pytest.raises(CommandUsageError, match="client_id"):
        load_kinds(contracts)
    schema.unlink()
    with pytest.raises(CommandUsageError, match=re.escape(str(schema))):
        load_kinds(contracts)
    shutil.copy(schema_file(CONTRACTS, CONTRACT_REF), schema)
    assert load_kinds(contracts) is kinds
    shutil.rmtree(contracts / "kinds" / "image_v1")
    shutil.rmtree(contracts / "kinds" / "ocr_text_v1")
    assert {*kinds} - {*load_kinds(contracts)} == {"image_v1", "ocr_text_v1"}
