"""What the warehouse remembers of erasures, asked when bytes arrive: whom to keep out, and what stands for a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg2.extras import execute_values

from loader.gate import Inspection
from loader.kinds import Kind
from loader.privacy.person import FoundLine, blanked, find_lines
from loader.privacy.suppression import Suppression
from loader.raw_zone import RawZone, SourceChangedError
from loader.reader import ContentChangedError, is_blank, open_content

# A file of a kind: the fingerprint of its bytes, and what is declared of it where it is a record.
ArrivedFile = tuple[str, str]


def read_suppression(cursor: Any, kind: Kind) -> Suppression:
    """The key, and the newest erasure of each person; of a kind of whole files, also of each record."""
    cursor.execute("select hash_key from ops.erasure_key")
    (key,) = cursor.fetchone()
    cursor.execute("select customer_hash, erasure_id::text from ops.erasure order by event_number")
    persons = {bytes(person): erasure_id for person, erasure_id in cursor.fetchall()}
    records: dict[bytes, str] = {}
    if kind.landing is not None and any(link.is_erased_with for link in kind.landing.links):
        cursor.execute("select record_hash, erasure_id::text from ops.erased_record")
        records = {bytes(record): erasure_id for record, erasure_id in cursor.fetchall()}
    return Suppression(bytes(key), persons, records)


def known_keys(cursor: Any, record_kind: str) -> dict[ArrivedFile, str]:
    """The key of the object that is read for each registered file of a kind. Such an object holds nobody of that kind
    who was erased: it was searched when it came, or by the erasure. Under another kind the same lines may be
    others'."""
    cursor.execute(
        "select source_fingerprint, declaration, raw_zone_key from ops.source_asset where record_kind = %s",
        (record_kind,),
    )
    return {(fingerprint, declared): key for fingerprint, declared, key in cursor.fetchall()}


def finish_redactions(cursor: Any, raw_zone: RawZone) -> int:
    """Remove the objects that unfinished erasures have redacted and that no asset is read from any more; how many.

    Under the ingest lock, at the start of every run: an erasure that died may have left them. Idempotent.
    """
    cursor.execute(
        "select distinct redaction.old_raw_zone_key from ops.erasure as erasure"
        " inner join ops.raw_zone_redaction as redaction on redaction.erasure_id = erasure.erasure_id"
        " where erasure.finished_at is null"
        " and redaction.old_raw_zone_key not in (select raw_zone_key from ops.source_asset)"
    )
    return sum(raw_zone.remove(key) for (key,) in cursor.fetchall())


def put_without(
    raw_zone: RawZone, source: Path, inspected: Inspection, suppression: Suppression, kind: Kind, declared: str = ""
) -> tuple[str, list[FoundLine]]:
    """Archive a file without the lines of people who were erased: its object's key, and these lines. A file that is
    whole and falls under an erasure (`declared` says of which record) loses all of them; of one that is a record
    nothing is archived: its object has no byte.

    A file without such lines is archived as it is. Raises what RawZone.put raises.
    """
    erasure_id = suppression.erasure_of_file(declared, kind) if suppression.records else None
    landing = kind.landing
    if erasure_id is not None and (landing is None or landing.whole is None):
        return raw_zone.put_content((), "identity"), [FoundLine(1, 0, inspected.content_bytes, erasure_id)]
    found: list[FoundLine] = []
    person = None if landing is None else landing.person
    if erasure_id is not None or (suppression.erasures and person is not None):

        def erasure_of(body: bytes) -> str | None:
            if erasure_id is not None:
                return None if is_blank(body) else erasure_id
            return suppression.erasure_of(body, person)

        try:
            found = find_lines(_content(source, inspected), erasure_of)
            if found:
                return raw_zone.put_content(
                    blanked(_content(source, inspected), found), inspected.content_encoding
                ), found
        except ContentChangedError as error:
            raise SourceChangedError(error.message, next_command=error.next_command) from error
    return raw_zone.put(source, inspected), found


def _content(source: Path, inspected: Inspection) -> Iterable[bytes]:
    return open_content(source, inspected.content_encoding, fingerprint=inspected.fingerprint)


def record_arrival(
    cursor: Any, arrived: Mapping[ArrivedFile, tuple[str, Sequence[FoundLine]]], record_kind: str
) -> None:
    """Tombstones of lines that were blanked on arrival, by their file (with the key of the blanked object); in the
    transaction that registers their assets, of this kind."""
    for (fingerprint, declared), (key, lines) in arrived.items():
        by_erasure: dict[str, list[int]] = {}
        for line in lines:
            by_erasure.setdefault(line.erasure_id, []).append(line.number)
        # None, where its entry was withheld after all.
        cursor.execute(
            "select asset_id, raw_zone_key from ops.source_asset"
            " where source_fingerprint = %s and record_kind = %s and declaration = %s",
            (fingerprint, record_kind, declared),
        )
        for asset_id, old_key in cursor.fetchall():
            # Registered earlier and lost since: the object is made again, without what was erased meanwhile.
            cursor.execute("update ops.source_asset set raw_zone_key = %s where asset_id = %s", (key, asset_id))
            delivered_key = _key_as_delivered(fingerprint, key) if old_key == key else old_key
            for erasure_id, numbers in by_erasure.items():
                add_tombstones(cursor, asset_id, erasure_id, numbers)
                cursor.execute(
                    "insert into ops.raw_zone_redaction"
                    " (asset_id, erasure_id, old_raw_zone_key, new_raw_zone_key, line_count)"
                    " values (%s, %s, %s, %s, %s)",
                    (asset_id, erasure_id, delivered_key, key, len(numbers)),
                )


def _key_as_delivered(fingerprint: str, key: str) -> str:
    suffix = ".gz" if key.endswith(".gz") else ""
    return f"sha256/{fingerprint[:2]}/{fingerprint[2:4]}/{fingerprint}{suffix}"


def add_tombstones(cursor: Any, asset_id: int, erasure_id: str, line_numbers: Sequence[int]) -> None:
    """Mark lines of an asset as erased; a line that is keeps its first erasure."""
    execute_values(
        cursor,
        "insert into ops.erased_line (asset_id, line_number, erasure_id) values %s on conflict do nothing",
        [(asset_id, number, erasure_id) for number in line_numbers],
    )
