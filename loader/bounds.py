"""How much a file from outside may cost: every bound on size, depth and count, in one place.

Each is a fact of this version, not a setting: a line's fate must not depend on whose machine reads it. What each one
prevents, where it holds and how it was measured: docs/untrusted_input.md. A changed bound on lines is another reader
(READER_VERSION) or another rule (VERSION of a kind's module).
"""

from __future__ import annotations

from dataclasses import dataclass

# A longer line is rejected, never held in memory whole.
MAX_LINE_BYTES = 10 * 2**20
# This much of such a line, and of any rejected one, is kept; the rest is read back by offset from the raw zone.
KEPT_LINE_BYTES = 2**16
# A valid ticket nests two deep, a manifest four; beyond this nothing is parsed.
MAX_DEPTH = 64
# Digits of a number, written without exponent: what databases call numeric(38), and no float of 64 bits can hold.
MAX_NUMBER_DIGITS = 38

# A file as delivered, and its content: a larger one is not read at all, a sparse one included.
MAX_CONTENT_BYTES = 256 * 2**30
# Exports shrink 5 to 40 times, gzip can shrink 1,032 times. Any file may expand to the free bytes.
MAX_EXPANSION_RATIO = 200
FREE_CONTENT_BYTES = 2**30
# A file may have a line for each byte as delivered, and the free lines in any case. A valid ticket has 300 bytes, so
# within the ratio above it never has more. No file has more lines than Bronze's line number can count.
FREE_LINES = 1_000_000
MAX_LINES = 2_000_000_000

# A manifest, a plan: read into memory, and parsed there.
MAX_DOCUMENT_BYTES = 16 * 2**20
# Files of a manifest; the schema says the same. A folder with more is more than one batch.
MAX_ASSETS = 20_000
# Values of a manifest, counted by its commas and brackets before it is parsed: 25 a file, where 15 are needed.
MAX_MANIFEST_VALUES = 500_000
# Names of one object of a manifest; the schema knows 13.
MAX_MANIFEST_NAMES = 100
# Violations of one manifest that are looked for.
MAX_VIOLATIONS = 1_000


@dataclass(frozen=True, slots=True)
class ExpansionLimits:
    """How much may come out of a file. Memory is constant either way: the limits bound time, later also rows."""

    max_content_bytes: int = MAX_CONTENT_BYTES
    max_ratio: int = MAX_EXPANSION_RATIO
    free_bytes: int = FREE_CONTENT_BYTES
    max_lines: int = MAX_LINES
    free_lines: int = FREE_LINES

    def content_bytes(self, size_bytes: int) -> int:
        """Return the greatest content that a file of this size may have."""
        return min(self.max_content_bytes, max(self.free_bytes, self.max_ratio * size_bytes))

    def lines(self, size_bytes: int) -> int:
        """Return how often a file of this size may end a line."""
        return min(self.max_lines, max(self.free_lines, size_bytes))
