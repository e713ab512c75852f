"""Where a record, or a line of a file, came from and what became of it: from the archived byte to what readers see,
every link recomputed."""

from __future__ import annotations

from loader.trace.follow import Asked, trace
from loader.trace.model import Link, LinkName, Showing, Trace, TracedLine, Version

__all__ = ["Asked", "Link", "LinkName", "Showing", "Trace", "TracedLine", "Version", "trace"]
