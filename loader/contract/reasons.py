"""The closed list of reason codes: contracts/reason_codes.json is the only place that defines one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson

from loader.contract.schema import read_contract_file

Scope = Literal["line", "asset", "manifest", "run"]
Severity = Literal["reject", "warn"]


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """`reject`: the line, asset, manifest or run does not count as good; `warn`: it does, and says this. `mend`: what
    allows or mends it; every code of an asset has it."""

    code: str
    scope: Scope
    severity: Severity
    meaning: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class ReasonCodes:
    """All reason codes by code, in the order of the file."""

    by_code: Mapping[str, ReasonCode]

    def codes(self, scope: Scope, severity: Severity | None = None) -> frozenset[str]:
        """The codes of a scope, of one severity or of both."""
        return frozenset(
            reason.code
            for reason in self.by_code.values()
            if reason.scope == scope and severity in (None, reason.severity)
        )

    def digest(self, codes: Collection[str]) -> str:
        """SHA-256 of these codes and their severities; a reworded meaning leaves it alone."""
        content = sorted((code, self.by_code[code].severity) for code in codes)
        return hashlib.sha256(orjson.dumps(content)).hexdigest()


def load_reason_codes(contracts_folder: Path) -> ReasonCodes:
    """The list of a contracts folder. Raises CommandUsageError when the file is missing or no JSON."""
    _, entries = read_contract_file(contracts_folder / "reason_codes.json")
    return ReasonCodes({entry["code"]: ReasonCode(**entry) for entry in entries})
