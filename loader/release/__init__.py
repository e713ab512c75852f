"""What readers may see: versions of proved partitions, and the pointers that show them."""

from __future__ import annotations

from loader.release.publish import Published, publish, record_published
from loader.release.store import Act

__all__ = ["Act", "Published", "publish", "record_published"]
