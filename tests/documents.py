"""Files that are records, to deliver: documents of each media type, and manifests that declare files of any kind."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pypdf

from tests.facts.pdf_making import pages_of
from tests.ingests import declare

DOCUMENT = "document_v1"
PDF = pages_of(["Restart the gateway", "and wait"])
HTML = b"<!doctype html><html><head><title>Limits</title></head><body><p>A folder holds 20,000 files.</p></body></html>"
MARKDOWN = b"# Queues\n\nDrain **before** a restart.\n"


def encrypted_of(password: str) -> bytes:
    """A PDF that opens with the password alone."""
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pages_of(["secret words"])))
    writer.encrypt(password, "owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def deliver(
    folder: Path,
    name: str,
    files: dict[str, bytes],
    *,
    of: str = DOCUMENT,
    every: Mapping[str, Any] | None = None,
    **metadata: dict[str, Any],
) -> Path:
    """The manifest of a folder of files of the kind `of`; `metadata`: what is declared of each beside its name's day,
    by the name of the file without its date; `every`: of every one."""
    here = folder / name
    here.mkdir(parents=True)
    for file, content in files.items():
        (here / file).write_bytes(content)
    path = declare(here, name, kind=of)
    body = json.loads(path.read_bytes())
    for entry in body["assets"]:
        entry["metadata"] |= dict(every or {}) | metadata.get(entry["source_id"].split("-")[0], {})
        entry.update(entry["metadata"].pop("entry", {}))
    path.write_text(json.dumps(body))
    return path
