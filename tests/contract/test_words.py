"""Rooms that serve every kind of record know no kind's words: what is a list of a kind stands in its declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from loader.kinds import load_kinds
from tests.checkouts import ROOT

ROOMS = (
    *(
        f"loader/{room}"
        for room in ("bronze", "evidence", "gate", "ingest", "privacy", "raw_zone", "reader", "recovery", "release")
    ),
    *(f"loader/{room}" for room in ("runs", "silver", "status", "verify", "warehouse")),
    "dbt_project/models/reconcile",
    "dbt_project/macros",
    "infra/postgres",
)
# What is of a kind, or says what was: each with the reason.
EXCEPTIONS = {
    "dbt_project/macros/kinds": "declarations, as dbt reads them, and what is thought of one kind",
    "dbt_project/models/reconcile/ticket_v1": "witness of a dimension that tickets alone have",
    "dbt_project/models/reconcile/reconcile_finding.yml": "unit tests give every check its rows, by name",
    "dbt_project/models/reconcile/drift": "names of checks and measures that people have let pass (release.acceptance)",
    "infra/postgres/02_kinds.sql": "generated",
    "infra/postgres/04_release_rows.sql": "generated",
    "infra/postgres/migrations": "what warehouses of then were",
    "infra/postgres/05_erasure.sql": "a tombstone's columns: its hash is of the id that upstream calls the customer's",
    "loader/evidence/acts.py": "names in records of before there were kinds",
}

# Names that programs read, or that a migration would change for their sake alone.
NAMES_THAT_STAY = {
    "customer_hash": "of a person, of whatever kind: a column of ops.erasure, in plans and in evidence",
    "ticket_count": "in the JSON of a status, and of plans of erasure and records of before there were kinds",
}


def _words() -> re.Pattern[str]:
    names = {"ticket", "customer"}
    for kind in load_kinds(ROOT / "contracts").values():
        names |= {kind.name}
        if kind.landing is not None:
            names |= {kind.landing.bronze, kind.landing.silver, *kind.landing.dimensions}
    return re.compile("|".join(sorted(map(re.escape, names))), re.IGNORECASE)


def _hits() -> Iterator[str]:
    words = _words()
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            place = path.relative_to(ROOT).as_posix()
            if path.suffix in (".py", ".sql", ".yml") and not any(
                Path(place).is_relative_to(each) for each in EXCEPTIONS
            ):
                for number, line in enumerate(path.read_text().splitlines(), start=1):
                    if words.search(_without_staying(line)):
                        yield f"{place}:{number}: {line.strip()}"


def _without_staying(text: str) -> str:
    return re.sub("|".join(NAMES_THAT_STAY), "", text)


def test_rooms_of_every_kind_know_no_kinds_words() -> None:
    assert list(_hits()) == []


def test_every_exception_is_one() -> None:
    """Prevents a reason that outlives its cause."""
    words = _words()
    for place in EXCEPTIONS:
        files = [ROOT / place] if (ROOT / place).is_file() else [*(ROOT / place).rglob("*.*")]
        assert any(words.search(_without_staying(file.read_text())) for file in files if file.is_file()), place
