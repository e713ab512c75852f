"""The incidents, in the order in which one warehouse meets them, each with the verb that is right for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from loader.config import Settings
from loader.drill.scratch import Scratch, scratch

# Three days that follow each other, so that updates reach back.
DRILLED = ("2026-04-15", "2026-04-16", "2026-04-17")
_SAMPLES = ("tickets-2026-04-15.jsonl.gz", "tickets-2026-04-16.jsonl", "tickets-2026-04-17.jsonl.gz")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an incident looked like, what recovered it, and whether its day is complete again.

    `seen`: what the project itself said of it; `is_recovered`: the verb ended well, and the day's completeness holds.
    """

    incident: str
    seen: str
    verb: str
    command: str
    is_recovered: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class _Incident:
    """`make` makes it and says what was seen; `command` recovers `day`."""

    name: str
    verb: str
    day: str
    make: Callable[[Scratch], str]
    command: Callable[[Scratch], tuple[str, ...]]


def run_drill(settings: Settings, report: Callable[[str], None]) -> Iterator[Outcome]:
    """Make each incident in a scratch database and folder, recover it, and yield what happened; the warehouse, its raw
    zone and its reports are not touched. Raises InfrastructureError when a command cannot run at all."""
    with scratch(settings, _SAMPLES) as place:
        place.loader("manifest", "--from", str(place.exports), "--out", str(place.folder / "exports.json"))
        for incident in _INCIDENTS:
            report(f"drill: {incident.name}")
            began = time.monotonic()
            seen = incident.make(place)
            command = incident.command(place)
            recovered = place.loader(*command)
            complete = place.loader("completeness", "--partition", incident.day)
            yield Outcome(
                incident.name,
                seen,
                incident.verb,
                "loader " + " ".join(word.replace(f"{place.folder}/", "…/") for word in command),
                recovered.code == 0 and complete.code == 0,
                time.monotonic() - began,
            )


def _only_a_dry_run(place: Scratch) -> str:
    """Somebody took a dry run for the ingest."""
    forecast = place.loader("dry-run", "--partition", DRILLED[0], "--manifest", str(place.folder / "exports.json"))
    lines = sum(forecast.record["fates"].values())
    status = place.loader("status", "--partition", DRILLED[0])
    return f"{lines} lines judged, {len(status.record['partitions'])} partitions in the warehouse"


def _backfill_first(place: Scratch) -> tuple[str, ...]:
    manifest = str(place.folder / "exports.json")
    return ("backfill", "--partition", DRILLED[0], "--manifest", manifest, "--mode", "execute")


def _removed_report(place: Scratch) -> str:
    """The evidence of a day was deleted: nothing proves any more what ran."""
    folder = place.reports / "run_evidence" / DRILLED[0]
    files = list(folder.iterdir())
    for file in files:
        file.unlink()
    return f"{len(files)} evidence file(s) of {DRILLED[0]} gone"


def _rerun(place: Scratch) -> tuple[str, ...]:
    return ("rerun", "--latest", "--mode", "execute")


def _broken_manifest(place: Scratch) -> str:
    """A manifest lost a field on its way: it is refused whole, nothing of it is read."""
    broken = json.loads((place.folder / "exports.json").read_bytes())
    del broken["gate_policy"]
    path = place.folder / "broken.json"
    path.write_text(json.dumps(broken))
    refused = place.loader("ingest", "--partition", DRILLED[1], "--manifest", str(path))
    return f"exit code {refused.code}: {refused.record['error'].splitlines()[-1].strip()}"


def _backfill_second(place: Scratch) -> tuple[str, ...]:
    """With the manifest as it was meant."""
    manifest = str(place.folder / "exports.json")
    return ("backfill", "--partition", DRILLED[1], "--manifest", manifest, "--mode", "execute")


def _failing_check(place: Scratch) -> str:
    """Somebody edited Silver by hand."""
    place.rows("update silver.ticket_fact set subject = 'edited' where partition_key = %s", DRILLED[1])
    failed = place.loader("build")
    bad = [node["name"] for node in failed.record["nodes"] if node["status"] == "fail"]
    return f"exit code {failed.code}: {', '.join(bad[:2])}"


def _rebuild(place: Scratch) -> tuple[str, ...]:
    return ("build", "--partition", DRILLED[1])


def _killed_run(place: Scratch) -> str:
    """kill -9 while the last day is being loaded."""
    words = ("ingest", "--partition", DRILLED[2], "--manifest", str(place.folder / "exports.json"))
    was_killed = place.killed_while_it_loads(*words)
    diagnosis = place.loader("diagnose")
    return f"{'killed while it loaded' if was_killed else 'ended before it was killed'}; diagnose: " + str(
        diagnosis.record["next_command"].split()[1]
    )


def _retry(place: Scratch) -> tuple[str, ...]:
    return ("retry", "--latest", "--mode", "execute", "--lock-timeout", "30")


_INCIDENTS = (
    _Incident("only a dry run was done", "backfill", DRILLED[0], _only_a_dry_run, _backfill_first),
    _Incident("a report was removed", "rerun", DRILLED[0], _removed_report, _rerun),
    _Incident("a manifest is broken", "backfill", DRILLED[1], _broken_manifest, _backfill_second),
    _Incident("a check fails", "rebuild", DRILLED[1], _failing_check, _rebuild),
    _Incident("a run was killed", "retry", DRILLED[2], _killed_run, _retry),
)
