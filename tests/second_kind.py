"""A second kind of record beside the ticket, as a declaration that only tests have, and its tables in a database."""

from __future__ import annotations

from pathlib import Path

from loader.kinds import load_kinds
from loader.kinds.generate import generated_files
from loader.warehouse import Warehouse
from tests.checkouts import ROOT, contracts_and
from tests.shared_warehouse import execute

NOTE = "note_v1"
# The key before the model's name, as a kind has it for which an order by table or by key is another than by kind.
DECLARATION = """\
kind: note_v1
title: Note of a visit
modality: structured
framing: lines
source_types: [note_export]
asset_types: [jsonl]
bronze: raw_visit_note
silver: visit_note
roles: {key: number, source: office, person: writer, partition: written_at, version: [written_at]}
fields:
  number: {level: internal, silver: note_number, serve: true, reason: Its own number.}
  office: {level: internal, silver: record_source, serve: true, reason: Where it was written.}
  writer: {level: pseudonymous, silver: writer_id, serve: true, reason: Stands for a person.}
  written_at: {level: internal, silver: written_at, serve: true, reason: An instant.}
  status: {level: internal, silver: status, serve: true, reason: A word.}
  text: {level: free_text, reason: Anything.}
"""
SCHEMA = {
    "type": "object",
    "required": ["number", "office", "written_at"],
    "properties": {
        **{name: {"type": "string"} for name in ("number", "office", "writer", "status", "text")},
        "written_at": {"type": "string", "format": "date-time"},
    },
}


def contracts_with_note(folder: Path) -> Path:
    """The contracts of the repository, and the note's."""
    return contracts_and(folder, {NOTE: (DECLARATION, SCHEMA)})


def add_note(database: Warehouse, folder: Path) -> None:
    """Give the database the released rows of both kinds, as the generator writes them."""
    files = generated_files(load_kinds(contracts_with_note(folder)))
    execute(database, f"set role omni_loader; {files[Path('infra/postgres/04_release_rows.sql')]}")
    execute(database, (ROOT / "infra/postgres/90_access.sql").read_text())
