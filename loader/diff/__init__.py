"""What readers would see otherwise: two releases beside each other, or what they see beside what waits."""

from __future__ import annotations

from loader.diff.changes import Changes, ColumnChange
from loader.diff.sides import Asked, diff, foretell, foretell_pointers

__all__ = ["Asked", "Changes", "ColumnChange", "diff", "foretell", "foretell_pointers"]
