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

# Facts about a whole file are read by libraries that were not written for hostile ones: what a loop, a bomb or a leak
# there may cost, for one file. A manual of 1,000 pages needs 0.7 s of the processor and 51 MiB.
FACTS_CPU_SECONDS = 30
# Waiting counts, too: for a slow disk, and for a processor that others have.
FACTS_WALL_SECONDS = 120
# Addresses are what the system can bound: a library that is loaded and not used counts. With 1.5 GiB a WebP of as many
# pixels as below is not read, and a library may call a lack of memory damage: the bound lies above what any needs.
FACTS_MEMORY_BYTES = 2**31
# HTML and Markdown are held whole, and a page may have a tree of 94 bytes for each of its own: 1.5 GiB, 5 s.
MAX_TEXT_FILE_BYTES = 16 * 2**20
# A title of a file is a fact for a table's cell.
MAX_TITLE_LENGTH = 500
# The largest cameras have 100 million. An image beyond it is never decoded: its header says so.
MAX_PIXELS = 100_000_000


@dataclass(frozen=True, slots=True)
class FactsLimits:
    """What reading the facts of one file may cost."""

    cpu_seconds: int = FACTS_CPU_SECONDS
    wall_seconds: int = FACTS_WALL_SECONDS
    memory_bytes: int = FACTS_MEMORY_BYTES


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
