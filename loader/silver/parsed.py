"""What dbt made of the project, kept from process to process in a file of our own.

dbt's own file is for a project in which something has changed: reading it takes a second, and it keeps what is no
longer so (the models that a hook refers to).
"""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import fields
from hashlib import sha256
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from loader.errors import InfrastructureError
from loader.report_files import write_file

# What makes a manifest, or is in one.
_MAKERS = ("dbt-adapters", "dbt-common", "dbt-core", "dbt-postgres")
# Where each file lies, for dbt's own way of parsing some of them again.
_FILES = "files"


def key_of(*said: str) -> bytes:
    """One hash over what was parsed, and over who parsed it."""
    makers = [f"{name} {version(name)}" for name in _MAKERS]
    return sha256("\0".join((*said, *makers, python_version())).encode()).digest()


def keep(path: Path, key: bytes, manifest: Any) -> None:
    """Keep dbt's manifest, before anything is built with it. Where it cannot be written, the next process parses."""
    # dbt's own pickle gives each part after the missing one the next one's name.
    parts = {field.name: getattr(manifest, field.name) for field in fields(manifest) if field.name[0] != "_"}
    kept = pickle.dumps({**parts, _FILES: {}})
    with suppress(InfrastructureError):
        write_file(path, key + sha256(kept).digest() + kept)


def read(path: Path, key: bytes) -> Any:
    """The manifest that was kept under this key; None where there is none, or its bytes are not those that were kept:
    what a disk has changed would end each command."""
    with suppress(OSError):
        content = path.read_bytes()
        found, digest, kept = content[: len(key)], content[len(key) : 2 * len(key)], content[2 * len(key) :]
        if found == key and digest == sha256(kept).digest():
            return import_module("dbt.contracts.graph.manifest").Manifest(**pickle.loads(kept))
    return None
