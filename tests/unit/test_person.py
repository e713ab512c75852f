"""Whose a line is, and what is left of a content when a person's lines are blanked."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.erasure.traces import texts_of
from loader.kinds import Field, Link, load_kinds
from loader.kinds.judge import is_unclear
from loader.privacy.person import (
    blanked,
    find_lines,
    is_named_in,
    look_alikes,
    may_name,
    owners,
    owners_of_whatever_kind,
    person_hash,
)
from loader.privacy.suppression import Suppression, record_hash
from loader.raw_zone import RawZone
from loader.reader import is_blank, iter_lines, open_content
from tests.checkouts import ROOT
from tests.documents import DOCUMENT

KEY = b"k" * 32
LANDED = {name: kind.landing for name, kind in load_kinds(ROOT / "contracts").items() if kind.landing is not None}
PERSONS = [landing.person for landing in LANDED.values() if landing.person is not None]


def _of_kind(line: bytes, person: Field) -> bytes:
    """The line, with that kind's field where it names the ticket's, its first letter spelled as it was."""
    first, rest = person.name[:1].encode(), person.name[1:].encode()
    escaped = b"\\u%04x%s" % (ord(first), rest)
    return line.replace(b"customer_id", first + rest).replace(b"\\u0063ustomer_id", escaped)


CUSTOMER = next(person for person in PERSONS if person.name == "customer_id")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b'{"customer_id":"c-1","description":"c-2 says customer_id"}', {"c-1"}),
        (b'{"customer_id":"c-1","customer_id":"c-2"}', {"c-1", "c-2"}),
        (b'{"\\u0063ustomer_id":"c\\u002d1"}', {"c-1"}),
        ('{"customer_id":"Zoë"}'.encode(), {"Zoë"}),
        (b'{"customer_id":"Zo\\u00eb"}', {"Zoë"}),
        (b'{"customer_id":7,"owner":"c-1"}', {"customer_id", "7", "owner", "c-1"}),
        (b'{"customer_id":31337}', {"customer_id", "31337"}),
        (b'{"customer_id":7,"customer_id":"c-2"}', {"7", "c-2"}),
        # A field of that name within another is what the record says, not whose it is.
        (b'{"customer_id":"c-1","answers":{"customer_id":"c-2"}}', {"c-1"}),
        (b'{"customer_id":"c-1","answers":[{"customer_id":"c\\u002d2"}]}', {"c-1"}),
        (b'{"answers":{"customer_id":"c-2"}}', {"answers", "customer_id", "c-2"}),
        # No float is that great; the line is JSON all the same.
        (b'{"customer_id":"c-1","count":1e999,"answers":"c-2"}', {"c-1"}),
        (b'{"kunde":"c-1"}', {"kunde", "c-1"}),
        (b'["c-1"]', {"c-1"}),
        (b'  {"customer_id" : "c-1" }', {"c-1"}),
        (b"", set()),
    ],
)
@pytest.mark.parametrize("person", PERSONS, ids=lambda person: person.name)
def test_a_json_line_belongs_to_the_person_whom_its_kind_names(line: bytes, named: set[str], person: Field) -> None:
    """Prevents lines of others that go since they mention an id, and lines of the person that stay."""
    assert owners(_of_kind(line, person), person) == {person.name if name == "customer_id" else name for name in named}


def test_a_line_is_read_under_its_own_kind() -> None:
    """Prevents a comment that goes with the ticket's customer, whom it mentions as a whole text."""
    line = b'{"author_id":"c-1","answers":"c-2"}'
    author = next(person for person in PERSONS if person.name == "author_id")
    assert owners(line, author) == {"c-1"}
    assert owners(line, CUSTOMER) == {"author_id", "c-1", "answers", "c-2"}


@pytest.mark.parametrize(
    ("line", "is_nobodys"),
    [
        (b'{"note":"c-1"}', True),
        (b'{"customer_id":null,"note":"c-1"}', True),
        (b'{"customer_id":7,"note":"c-1"}', False),
        (b'{"customer_id":null,"customer_id":7,"note":"c-1"}', False),
        (b'["c-1"]', False),
        (b'{"note":"c-1"', False),
    ],
)
def test_a_record_that_need_not_say_whose_it_is_is_nobodys_without_it(line: bytes, is_nobodys: bool) -> None:
    """Prevents a landed record of nobody that goes from the archive, and stays in Bronze without its line."""
    found = owners(line, replace(CUSTOMER, is_required=False))
    assert found == frozenset() if is_nobodys else "c-1" in found
    assert "c-1" in owners(line, CUSTOMER)


def test_lines_of_a_kind_of_no_person_are_nobodys() -> None:
    """Prevents readings of a meter that go with whoever is mentioned in them."""
    assert [owners(line, None) for line in (b'{"customer_id":"c-1"}', b"c-1", b'["c-1"]')] == [frozenset()] * 3


def test_a_line_of_whatever_kind_is_read_as_the_kind_whose_field_it_has() -> None:
    """Prevents an object that an erasure made before it died, taken for one that still holds the person."""
    of_any = [*PERSONS, None]
    assert owners_of_whatever_kind(b'{"author_id":"c-1","comment_body":"c-2"}', of_any) == {"c-1"}
    assert owners_of_whatever_kind(b'{"author_id":"c-1","customer_id":"c-2","note":"c-3"}', of_any) == {"c-1", "c-2"}
    assert owners_of_whatever_kind(b'{"note":"c-1"}', of_any) == {"note", "c-1"}
    assert "c-1" in owners_of_whatever_kind(b"broken c-1", of_any)
    assert owners_of_whatever_kind(b'{"note":"c-1"}', [None]) == frozenset()


def test_what_is_searched_for_is_what_the_kind_calls_free_text() -> None:
    """Prevents a comment's words that nothing looks for at the end, and a number's digits that are not Bronze's."""
    line = b'{"comment_id":"k","ingest_batch_id":"b","author_id":"c-1","comment_body":"my words","word_count":2.50}'
    kept = '{"author_id":"c-1","comment_body":"my words","comment_id":"k","word_count":2.5}'
    assert list(texts_of(line, LANDED["ticket_comment_v1"])) == ["my words", kept, line.decode()]
    twice = b'{"subject":"my words","subject":"other words"}'
    assert list(texts_of(twice, LANDED["ticket_v1"])) == ["other words", twice.decode()]


@pytest.mark.parametrize(
    "line",
    [
        b'{"customer_id":"c-1","x":',
        b"customer_id=c-1;status=open",
        b"customer_id:c-1",
        b'\xff\xfe{"customer_id":"c-1"',
        b"{'customer_id': 'c-1'}",
        b'{"customer_id":"c\\u002d1","x":',
        b"[" * 100_000 + b'"c-1"',
        b'{"customer_id":"c-1"}{"customer_id":"c-2"}',
        '{"customer_id":"c-1","x":1}'.encode("utf-16-le"),
        b"\0" + '"c-1"}'.encode("utf-32-le")[:-3],
        b'{"customer_id":"c-1","n":' + b"9" * 5000 + b',"customer_id":1',
    ],
)
@pytest.mark.parametrize("person", PERSONS, ids=lambda person: person.name)
def test_a_broken_line_is_found_by_the_letters_of_the_id(line: bytes, person: Field) -> None:
    line = _of_kind(line, person)
    assert "c-1" in owners(line, person)
    assert may_name(line, "c-1")


@pytest.mark.parametrize(
    ("customer", "encoding"),
    [
        ("Jürgen-7", "cp1252"),
        ("Jürgen-7", "latin-1"),
        *((name, f"utf-16-{order}") for name in ("Jürgen-7", "Ольга", "山田") for order in ("le", "be")),
    ],
)
def test_a_line_in_another_encoding_is_found_by_an_id_beyond_ascii(customer: str, encoding: str) -> None:
    """Prevents an erasure that says done while a rejected line in Latin-1 or UTF-16 still holds everything."""
    text = f'{{"customer_id":"{customer}","subject":"naïve"}}'
    lines = f"{text}\n{text}\n".encode(encoding).split(b"\n")[:2]
    for line in lines:
        assert customer in owners(line, CUSTOMER)
        assert may_name(line, customer)
    assert not may_name(text.replace(customer, "c-1").encode(), customer)


def test_an_id_is_not_found_as_a_part_of_another() -> None:
    assert "c-1" not in owners(b"customer c-10, c-1-2, xc-1", CUSTOMER)
    assert not any(is_named_in(text, "c-1") for text in ("c-10", "c-1-2", "xc-1", "a:c-1x"))
    assert all(is_named_in(text, "c-1") for text in ("c-1", "for c-1.", '"c-1"', "(c-1)", "c-1,c-2"))


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(TEXTS, TEXTS, st.booleans())
def test_the_quick_look_never_misses_a_line_of_the_person(customer: str, other: str, is_ascii: bool) -> None:
    """Whatever the id is made of, and however its JSON is spelled."""
    import json

    for line in (
        orjson.dumps({"customer_id": customer, "subject": other}),
        json.dumps({"subject": other, "customer_id": customer}, ensure_ascii=is_ascii).encode(),
    ):
        assert customer in owners(line, CUSTOMER)
        assert may_name(line, customer)


@given(
    st.lists(st.tuples(st.binary(max_size=40).map(lambda body: body.replace(b"\n", b"")), st.booleans()), max_size=8),
    st.lists(st.integers(1, 50), max_size=12),
    st.booleans(),
)
def test_blanks_keep_every_other_byte_and_every_offset(
    lines: list[tuple[bytes, bool]], cuts: list[int], is_terminated: bool
) -> None:
    """However the content is cut into chunks: numbers, offsets and lengths stay, and only the person's bytes go."""
    bodies = [b"\x01P" + body if is_person else body.replace(b"\x01", b"") for body, is_person in lines]
    content = b"\n".join(bodies) + (b"\n" if is_terminated and bodies else b"")
    chunks = []
    rest = content
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    chunks = [chunk for chunk in (*chunks, rest) if chunk]
    found = find_lines(chunks, lambda body: "e" if body.startswith(b"\x01P") else None)
    after = b"".join(blanked(chunks, found))
    before, now = list(iter_lines([content] if content else [])), list(iter_lines([after] if after else []))
    assert [(line.number, line.offset, line.length) for line in now] == [
        (line.number, line.offset, line.length) for line in before
    ]
    for old, new in zip(before, now, strict=True):
        assert is_blank(new.body) if old.body.startswith(b"\x01P") else new.body == old.body
    assert b"\x01P" not in after


def test_a_redacted_object_reads_as_its_content_and_has_one_name(tmp_path: Path) -> None:
    """Made twice, after a crash, it is the same object; gzip is gzip again."""
    raw_zone = RawZone(tmp_path)
    for encoding in ("identity", "gzip"):
        key = raw_zone.put_content([b"a\n", b"  \n"], encoding)
        assert raw_zone.put_content([b"a\n", b"  \n"], encoding) == key
        read = open_content(raw_zone.path_of(key), encoding, fingerprint=raw_zone.fingerprint_of(key))
        assert b"".join(read) == b"a\n  \n"
        assert raw_zone.verify(key) == "sound"
    assert gzip.decompress(raw_zone.path_of(key).read_bytes()) == b"a\n  \n"
    assert list(raw_zone.objects())[-1].count("/") == 3
    assert (raw_zone.remove(key), raw_zone.remove(key), raw_zone.has(key)) == (True, False, False)


def test_a_broken_object_is_not_named(tmp_path: Path) -> None:
    def content() -> object:
        yield b"a\n"
        raise OSError(28, "No space left on device")

    raw_zone = RawZone(tmp_path)
    with pytest.raises(Exception, match="No space left"):
        raw_zone.put_content(content(), "identity")  # type: ignore[arg-type]
    assert list(raw_zone.objects()) == []
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_person_is_recognised_by_the_keyed_hash_alone() -> None:
    """The kind does not matter: one id is one person."""
    known = Suppression(KEY, {person_hash(KEY, "c-1"): "erasure-1"}, {})
    for person in PERSONS:
        name = person.name.encode()
        assert known.erasure_of(b'{"%s":"c-1"}' % name, person) == "erasure-1"
        assert known.erasure_of(b"broken c-1", person) == "erasure-1"
        assert known.erasure_of(b'{"%s":"c-10","tags":["c-1"]}' % name, person) is None
        assert known.erasure_of(b'{"%s":"c-1"}' % name, None) is None
        assert Suppression(b"o" * 32, known.erasures, {}).erasure_of(b'{"%s":"c-1"}' % name, person) is None


def test_a_file_is_recognised_by_the_records_that_it_is_and_names() -> None:
    """Prevents a call that comes back under another name, or with another declaration, and one of a stranger that
    stays out."""
    kind = load_kinds(ROOT / "contracts")[DOCUMENT]
    assert kind.landing is not None
    link = Link("ticket_id", ("ticket_v1", "other_v1"), is_awaited=False, is_erased_with=True)
    linked = replace(kind, landing=replace(kind.landing, links=(link,)))
    erased = {("ticket_v1", "T-1"): "first", ("other_v1", "O-1"): "first", (DOCUMENT, "call-9"): "second"}
    records = {record_hash(KEY, record): erasure for record, erasure in erased.items()}
    known = Suppression(KEY, {}, records)

    def erasure_of(**declared: object) -> str | None:
        return known.erasure_of_file(json.dumps(declared), linked)

    assert erasure_of(source_id="call-1", ticket_id="T-1") == "first"
    assert erasure_of(source_id="call-1", ticket_id="O-1") == "first", "one of several kinds"
    assert erasure_of(source_id="call-9") == erasure_of(source_id="call-9", ticket_id="T-2") == "second"
    assert erasure_of(source_id="T-1", ticket_id="call-9") is None
    assert erasure_of(source_id="call-1") is erasure_of(source_id="call-1", ticket_id=None) is None
    assert known.erasure_of_file('{"source_id":"call-9"}', kind) is None, "a kind that no erasure takes"
    assert known.erasure_of_file("", linked) is None
    assert replace(known, key=b"o" * 32).erasure_of_file('{"source_id":"call-9"}', linked) is None


@pytest.mark.parametrize(
    ("other", "is_alike"),
    [
        ("CUST-A ", True),
        (" cust-a", True),
        ("CUST\u2011A", True),
        ("CUST-\u200bA", True),
        ("\uff23UST-A", True),
        ("CUST-\u0410", True),
        ("CUST-A", False),
        ("CUST-AB", False),
        ("CUST-B", False),
        ("CUSTA", False),
    ],
)
def test_ids_that_people_take_for_the_same_look_alike(other: str, is_alike: bool) -> None:
    """Prevents: who was erased stands there still, under the same id with a blank behind it."""
    assert list(look_alikes("CUST-A", [other])) == ([other] if is_alike else [])


@pytest.mark.parametrize(
    ("identity", "is_it"),
    [("", True), (" ", True), ("C ", True), ("\u00a0C", True), ("C\u200b", True), ("C 1", False), ("Ž-1", False)],
)
def test_an_id_is_unclear_when_it_is_blank_at_an_edge_or_holds_what_nobody_sees(identity: str, is_it: bool) -> None:
    """Prevents: two customers that every report shows as one, without a word."""
    assert is_unclear(identity) is is_it
