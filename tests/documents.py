"""Files that are records, to deliver: documents of each media type, and manifests that declare files of any kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.facts.pdf_making import pages_of
from tests.ingests import declare

DOCUMENT = "document_v1"
PDF = pages_of(["Restart the gateway", "and wait"])
HTML = b"<!doctype html><html><head><title>Limits</title></head><body><p>A folder holds 20,000 files.</p></body></html>"
MARKDOWN = b"# Queues\n\nDrain **before** a restart.\n"


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
