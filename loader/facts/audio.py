"""Calls: WAV and MP3 are read here, Ogg with a library; nothing is decoded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import BinaryIO

from loader.facts import mp3, ogg, wav
from loader.facts.libraries import versions_of
from loader.facts.model import FactValue


@cache
def prepare() -> Mapping[str, str]:
    """Import the library, and say which version it has."""
    return versions_of({"tinytag": "tinytag"}, extra="media")


def read(file: BinaryIO, asset_type: str) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """The facts of a recording, and which of them are estimates."""
    if asset_type == "ogg":
        return ogg.read(file), frozenset()
    return wav.read(file) if asset_type == "wav" else mp3.read(file)
