"""What a kind's own module says of its records beyond their schema (loader/kinds)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from loader.contract.record import Finding


class Rules(Protocol):
    """A module of rules. `VERSION` is raised with each change of them: lines read before are then read again."""

    VERSION: str
    REJECT_CODES: frozenset[str]
    WARNING_CODES: frozenset[str]

    @staticmethod
    def is_refused(record: Mapping[str, Any]) -> bool:
        """Whether a record that its schema accepts is rejected all the same."""

    @staticmethod
    def faults(record: Mapping[str, Any]) -> Iterator[Finding]:
        """Why; of a record that may break its schema as well."""

    @staticmethod
    def warnings(record: Mapping[str, Any], instants: Mapping[str, datetime | None]) -> list[str]:
        """Codes that an accepted record lands with. `instants`: every field that is one or a date, parsed."""


class NoRules:
    """The rules of a kind whose schema says everything."""

    VERSION = "1"
    REJECT_CODES: frozenset[str] = frozenset()
    WARNING_CODES: frozenset[str] = frozenset()

    @staticmethod
    def is_refused(record: Mapping[str, Any]) -> bool:
        return False

    @staticmethod
    def faults(record: Mapping[str, Any]) -> Iterator[Finding]:
        return iter(())

    @staticmethod
    def warnings(record: Mapping[str, Any], instants: Mapping[str, datetime | None]) -> list[str]:
        return []
