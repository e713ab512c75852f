"""A person who stands in several files of tickets and in one of comments: plain and gzip, in duplicates, old versions,
rejects and releases."""

from __future__ import annotations

import gzip
import re
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from loader.erasure import Erased, erase, plan_erasure, read_erasure_plan
from loader.ingest import IngestRequest, Verdict, ingest_kinds
from loader.plans import write_plan
from loader.progress import Silent
from loader.warehouse import Warehouse
from tests.ingests import comment, declare, rows, settings, ticket, write_export

COMMENT = "ticket_comment_v1"
PERSON = "cust-31337"
NEIGHBOUR = "cust-313"
REASON = "request 4711"
# What the person's lines say and nobody else's: none of it may be found anywhere.
SECRETS = (
    "My number is 0171 5550001",
    "Router of Maria L.",
    "She called twice",
    "Geräte im Schlafzimmer",
    "broken Maria",
    "I wrote this at night",
    "Nobody ever called me back",
)
# What others say of the person, in their free text: theirs.
MENTION = f"my neighbour {PERSON} has it too"


def lines_of_first() -> list[dict[str, Any] | bytes]:
    return [
        ticket(1, customer_id=PERSON, subject=SECRETS[0], description=SECRETS[1]),
        ticket(2, customer_id=NEIGHBOUR, subject="Printer is on fire", description=MENTION),
        b"",
        # The person's in its second version, in the second file.
        ticket(3, customer_id=NEIGHBOUR, subject="Shared ticket"),
        ticket(4, customer_id=PERSON, subject=SECRETS[3], created_at="2026-04-18T08:00:00Z"),
        # Rejected: of the person by its field, and by its bytes.
        ticket(5, customer_id=PERSON, status="lost", description=SECRETS[2]),
        f'{{"customer_id": "{PERSON}", "note": "{SECRETS[4]}'.encode(),
        ticket(6, customer_id=NEIGHBOUR, status="lost"),
        ticket(1, customer_id=PERSON, subject=SECRETS[0], description=SECRETS[1]),
        # Its id only begins like the person's.
        ticket(7, customer_id=f"{PERSON}0", subject="Another customer"),
    ]


def lines_of_second() -> list[dict[str, Any] | bytes]:
    escaped = orjson.dumps(ticket(8, customer_id="?", subject=SECRETS[0])).replace(b'"?"', b'"cust\\u002d31337"')
    return [
        ticket(1, customer_id=PERSON, subject=SECRETS[0], status="closed", updated_at="2026-04-17T12:00:00Z"),
        ticket(3, customer_id=PERSON, subject=SECRETS[3], updated_at="2026-04-17T13:00:00Z"),
        ticket(2, customer_id=NEIGHBOUR, subject="Printer is on fire", description=MENTION),
        ticket(4, customer_id=PERSON, subject=SECRETS[3], created_at="2026-04-18T08:00:00Z"),
        escaped,
        ticket(9, customer_id="cust-9", created_at="2026-04-18T09:00:00Z"),
    ]


def lines_of_comments() -> list[dict[str, Any] | bytes]:
    return [
        comment(1, author_id=PERSON, comment_body=SECRETS[5]),
        # An agent's, on the person's ticket: of the agent.
        comment(2, ticket_id="TKT-20260417-000001", author_id="agent-7", author_role="agent", comment_body=MENTION),
        comment(3, author_id=NEIGHBOUR, comment_body=PERSON),
        # Rejected: of the person by its field, and by its bytes.
        comment(4, author_id=PERSON, visibility="secret", comment_body=SECRETS[6]),
        f'{{"author_id": "{PERSON}", "note": "{SECRETS[4]}'.encode(),
        comment(5, author_id=NEIGHBOUR, visibility="secret"),
        comment(6, author_id=PERSON, comment_body=SECRETS[6], created_at="2026-04-18T08:00:00Z"),
        # A ticket among comments: rejected, and its customer is not who wrote it.
        ticket(1, customer_id=NEIGHBOUR, description=MENTION),
    ]


def deliver_to_both(folder: Path) -> list[Path]:
    """Tickets twice, and comments."""
    return [
        deliver(folder, "first", lines_of_first()),
        deliver(folder, "second", lines_of_second(), is_gzip=True),
        deliver(folder, "comments", lines_of_comments(), kind=COMMENT),
    ]


def deliver(
    folder: Path, name: str, items: list[dict[str, Any] | bytes], *, is_gzip: bool = False, kind: str | None = None
) -> Path:
    """The manifest of a folder with one export."""
    path = write_export(folder / name / f"{name}.jsonl", items)
    if is_gzip:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    return declare(folder / name, name=f"{name}-manifest", kind=kind)


def ingest(*manifests: Path) -> Verdict:
    """Ingest files in which every third line is rejected: more than the usual policy allows. Returns the verdict of the
    first kind."""
    runs = ingest_kinds(settings(), IngestRequest(manifest_paths=tuple(path.resolve() for path in manifests)))
    verdicts = [each.outcome for each in runs]
    for verdict in verdicts:
        assert isinstance(verdict, Verdict), verdict
        assert verdict.exit_code == 0, verdict.problems
    assert isinstance(verdicts[0], Verdict)
    return verdicts[0]


def erase_person(reason: str = REASON, person: str = PERSON) -> Erased:
    """Planned, written, read back and applied, as an operator would."""
    plan = plan_erasure(settings(), person, reason)
    return erase(settings(), person, read_erasure_plan(settings(), write_plan(settings(), plan)), Silent())


def dumped(database: Warehouse) -> str:
    """Every row of every table and view as text, bytes included: what a dump of the database would hold."""
    found = []
    relations = rows(
        database,
        "select table_schema, table_name, array_agg(column_name::text), array_agg(data_type::text)"
        " from information_schema.tables left join information_schema.columns using (table_schema, table_name)"
        " where table_schema not in ('pg_catalog', 'information_schema') group by 1, 2 order by 1, 2",
    )
    with closing(database.connect(application_name="test")) as session, session, session.cursor() as cursor:
        for schema, table, names, types in relations:
            texts = [
                f"encode(\"{name}\", 'escape')" if of == "bytea" else f'"{name}"::text'
                for name, of in zip(names, types, strict=True)
                if name is not None
            ] or ["''"]
            cursor.execute(f'select concat_ws(chr(10), {", ".join(texts)}) from "{schema}"."{table}"')
            found += [f"{schema}.{table}: {text}" for (text,) in cursor.fetchall()]
    return "\n".join(found)


def archived() -> str:
    """The whole raw zone, decompressed."""
    found = []
    for path in sorted(settings().raw_zone.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found.append((gzip.decompress(content) if path.suffix == ".gz" else content).decode(errors="replace"))
    return "\n".join(found)


def reported() -> str:
    return "\n".join(path.read_text() for path in sorted(settings().report_dir.rglob("*")) if path.is_file())


def traces(text: str) -> list[str]:
    """What of the person stands in a text; mentions in a neighbour's line are the neighbour's words."""
    own = text.replace(MENTION, "").replace(f'"comment_body":"{PERSON}"', "")
    spellings = {secret: {secret, _escaped(secret)} for secret in SECRETS}
    found = [secret for secret, written in spellings.items() if any(word in own for word in written)]
    return found + re.findall(rf"(?<![\w-]){PERSON}(?!\w)|cust\\+u002d31337", own)


def _escaped(text: str) -> str:
    """As PostgreSQL writes bytes beyond ASCII."""
    return "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in text.encode())


def run_cli(*words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`loader …` as a process of its own."""
    return subprocess.run(["loader", *words], env=environment, capture_output=True, text=True, check=False)
