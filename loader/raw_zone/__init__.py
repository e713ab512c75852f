"""The content-addressed archive of admitted assets: what runs parse, and what replay reads years later."""

from loader.raw_zone.archive import NO_BYTES, ArchiveDamagedError, RawZone
from loader.raw_zone.durable import SourceChangedError
from loader.raw_zone.lost_objects import require_objects

__all__ = ["NO_BYTES", "ArchiveDamagedError", "RawZone", "SourceChangedError", "require_objects"]
