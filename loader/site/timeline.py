"""Where evidence, runs and acts belong: to which day of a kind, to which run, on which page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from loader.advice import end_of
from loader.site.ledger import Ledger, Row

Key = tuple[str, str]
# So many runs share a page: a page for each would be too many files.
RUNS_A_PAGE = 10


class Runs(NamedTuple):
    """The attempts of each run, in order, the oldest run first; and the page that each run is on."""

    attempts: Mapping[str, Sequence[Row]]
    pages: Mapping[str, str]

    def href(self, run_id: str | None) -> str | None:
        """From the site's folder; None for a run that nothing is known of."""
        return f"{self.pages[run_id]}#{run_id}" if run_id is not None and run_id in self.pages else None

    def kind(self, run_id: str) -> str | None:
        return self.attempts[run_id][0]["record_kind"] if run_id in self.attempts else None


def runs_of(rows: Iterable[Row]) -> Runs:
    attempts: dict[str, list[Row]] = {}
    for row in rows:
        attempts.setdefault(row["run_id"], []).append(row)
    pages = {run_id: f"runs/{place // RUNS_A_PAGE + 1:04}.html" for place, run_id in enumerate(attempts)}
    return Runs(attempts, pages)


def day_page(day: str) -> str:
    return f"days/{day}.html"


def day_href(key: Key) -> str:
    """From the site's folder."""
    return f"{day_page(key[1])}#{key[0]}"


def folder_of(report_path: str) -> str:
    """What a record of a run is of: a day, `unassigned`, or `_run`."""
    return report_path.rsplit("/", 2)[-2] if "/" in report_path else ""


def evidence_by_day(evidence: Iterable[Row], runs: Runs) -> dict[Key, list[Row]]:
    """The records of each day of a kind, the oldest first."""
    found: dict[Key, list[Row]] = {}
    for row in evidence:
        kind = runs.kind(row["run_id"]) if row["run_id"] else None
        folder = folder_of(row["report_path"])
        if kind is not None and _is_day(folder):
            found.setdefault((kind, folder), []).append(row)
    return found


def by_run(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["run_id"]:
            found.setdefault(row["run_id"], []).append(row)
    return found


def by_day(rows: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault((row["record_kind"], row["partition_key"]), []).append(row)
    return found


def acts_by_day(ledger: Ledger, runs: Runs, evidence: Mapping[Key, Sequence[Row]]) -> dict[Key, list[dict[str, Any]]]:
    """What was done to each day, in order: runs that told of it, moves of its pointer, holds, acceptances."""
    releases = {row["data_release_id"]: row for row in ledger.releases}
    found: dict[Key, list[dict[str, Any]]] = {}
    for key, rows in evidence.items():
        for row in rows:
            run = next((each for each in runs.attempts[row["run_id"]] if each["attempt"] == row["attempt"]), None)
            if run is not None:
                found.setdefault(key, []).append(
                    _act(run["started_at"], run["mode"], runs.href(row["run_id"]), run["run_id"], "", _attempt(run))
                )
    for move in ledger.moves:
        release = releases.get(move["moved_by"])
        if release is not None:
            key = (move["record_kind"], move["partition_key"])
            seen = f"release {move['new_data_release_id']}" if move["new_data_release_id"] else "nothing"
            words = f"readers see {seen}"
            act = _act(release["released_at"], release["kind"], None, release["operator"], release["reason"], words)
            found.setdefault(key, []).append(act)
    for hold in ledger.holds:
        verb = "hold" if hold["is_held"] else "let go"
        act = _act(hold["changed_at"], verb, None, hold["operator"], hold["reason"], "")
        found.setdefault((hold["record_kind"], hold["partition_key"]), []).append(act)
    for accepted in ledger.acceptances:
        words = f"{accepted['check_name']} of {accepted['measure']}"
        act = _act(accepted["accepted_at"], "accept", None, accepted["operator"], accepted["reason"], words)
        found.setdefault((accepted["record_kind"], accepted["partition_key"]), []).append(act)
    return {key: sorted(acts, key=lambda act: str(act["at"])) for key, acts in found.items()}


def _act(at: str, verb: str, href: str | None, who: str, why: str | None, words: str) -> dict[str, Any]:
    return {"at": at, "verb": verb, "href": href, "who": who, "why": why or "", "words": words}


def _attempt(run: Row) -> str:
    again = f"attempt {run['attempt']}, " if run["attempt"] > 1 else ""
    return again + end_of({**run, "is_alive": True})


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
