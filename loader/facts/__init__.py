"""Facts about a whole file, read in a process with bounds: what can be computed again from its bytes, and no more.

Nothing of the libraries that read is imported here: they stand in the process only.
"""

from __future__ import annotations

from loader.facts.media_types import MEDIA_TYPES
from loader.facts.model import DEFECT_CODES, FACT_FIELDS, FACTS_VERSIONS, Facts, FactsDefect, FactValue
from loader.facts.process import FactsReader
from loader.facts.readers import read_facts_here

__all__ = [
    "DEFECT_CODES",
    "FACTS_VERSIONS",
    "FACT_FIELDS",
    "MEDIA_TYPES",
    "FactValue",
    "Facts",
    "FactsDefect",
    "FactsReader",
    "read_facts_here",
]
