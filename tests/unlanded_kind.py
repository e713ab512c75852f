"""A kind that is known and not landed, as a declaration that only tests have."""

from __future__ import annotations

from pathlib import Path

UNLANDED = "voicemail_v1"
DECLARATION = f"""\
kind: {UNLANDED}
title: Message that somebody left
modality: audio
framing: file
source_types: [voicemail_recording]
asset_types: [wav]
"""


def add_unlanded(contracts: Path) -> Path:
    """The declaration of that kind, in these contracts."""
    declaration = contracts / "kinds" / UNLANDED / "kind.yml"
    declaration.parent.mkdir()
    declaration.write_text(DECLARATION)
    return declaration
