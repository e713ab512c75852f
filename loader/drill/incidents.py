"""The incidents, in the order in which one warehouse meets them, each with the verb that is right for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.drill.incident import DrillOutcome, Incident, Made
from loader.drill.scratch import Scratch, labels, scratch
from loader.printable import counted

# Three days that follow each other, so that updates reach back.
DRILLED = ("2026-04-15", "2026-04-16", "2026-04-17")
_SAMPLES = ("tickets-2026-04-15.jsonl.gz", "tickets-2026-04-16.jsonl", "tickets-2026-04-17.jsonl.gz")

_LINES_IN = """
select count(*) from bronze.visible_line as line
inner join bronze.visible_event as event on event.event_id = line.event_id
where line.kind = 'record' and line.partition_key = %s
"""

# A day of Silver, without what tells one build from another.
_SILVER = """
select to_jsonb(ticket) - array['run_id', 'dlt_load_id'] from silver.ticket_fact as ticket
where partition_key = %s order by ticket_id
"""

_LEFT_BEHIND = """
select
    (select count(*) from (
        select _dlt_load_id as load_id, 'record_event' as table_name from bronze.record_event
        union all select _dlt_load_id, 'asset_line' from bronze.asset_line
        union all select _dlt_load_id, 'rejected_record' from bronze.rejected_record
    ) as landed where (load_id, table_name) not in (select load_id, table_name from ops.completed_load)),
    (select count(*) from pg_namespace where starts_with(nspname, 'bronze_staging_'))
"""


def run_drill(settings: Settings, report: Callable[[str], None]) -> Iterator[DrillOutcome]:
    """Make each incident in a scratch database and folder, recover it, and yield what happened; the warehouse, its raw
    zone and its reports are not touched. Raises InfrastructureError when a command cannot run at all."""
    with scratch(settings, _SAMPLES) as place:
        place.loader("manifest", "--from", str(place.exports), "--out", str(place.folder / "exports.json"))
        for incident in _INCIDENTS:
            report(f"drill: {incident.name}")
            yield incident.recovered(place)


def _only_a_dry_run(place: Scratch) -> Made:
    """Somebody took a dry run for the ingest."""
    forecast = place.loader("dry-run", "--partition", DRILLED[0], "--manifest", str(place.folder / "exports.json"))
    lines = sum(forecast.record["fates"].values())
    status = place.loader("status", "--partition", DRILLED[0])
    was_empty = _lines_in(place, DRILLED[0]) == 0
    expected = _to_land(forecast.record)

    def facts() -> Mapping[str, bool]:
        return {
            "nothing was in before": was_empty,
            "every line that the dry run had judged good is in": _lines_in(place, DRILLED[0]) == expected > 0,
        }

    return Made(f"{lines} lines judged, {len(status.record['partitions'])} partitions in the warehouse", facts)


def _backfill(day: str) -> Callable[[Scratch], tuple[str, ...]]:
    """With the manifest as it was meant."""

    def words(place: Scratch) -> tuple[str, ...]:
        return ("backfill", "--partition", day, "--manifest", str(place.folder / "exports.json"), "--mode", "execute")

    return words


def _removed_report(place: Scratch) -> Made:
    """The evidence of a day was deleted: nothing proves any more what ran."""
    removed = [json.loads(file.read_bytes()) for file in _reports(place, DRILLED[0])]
    for file in _reports(place, DRILLED[0]):
        file.unlink()

    def facts() -> Mapping[str, bool]:
        again = [json.loads(file.read_bytes()) for file in _reports(place, DRILLED[0])]
        runs = {run_id for (run_id,) in place.rows("select run_id::text from ops.ingest_run")}
        return {
            "a report of the day is there again": any(report["run_id"] in runs for report in again),
            "it says of the day what the removed one said": bool(removed)
            and _proved(removed[-1]) in [_proved(report) for report in again],
        }

    return Made(f"{counted(len(removed), 'evidence file')} of {DRILLED[0]} gone", facts)


def _reports(place: Scratch, day: str) -> list[Path]:
    return sorted((place.reports / "run_evidence" / day).glob("*.json"))


def _proved(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the evidence of a day proves, whichever run wrote it."""
    return {
        name: report.get(name)
        for name in (
            "partition_key",
            "batch_id",
            "manifest_ids",
            "source_fingerprints",
            "input_row_count",
            "output_row_count",
            "fates",
            "digests",
        )
    }


def _rerun(place: Scratch) -> tuple[str, ...]:
    return ("rerun", "--latest", "--mode", "execute")


def _broken_manifest(place: Scratch) -> Made:
    """A manifest lost a field on its way: it is refused whole, nothing of it is read."""
    broken = json.loads((place.folder / "exports.json").read_bytes())
    del broken["gate_policy"]
    path = place.folder / "broken.json"
    path.write_text(json.dumps(broken))
    refused = place.loader("ingest", "--partition", DRILLED[1], "--manifest", str(path))
    expected = _forecast(place, DRILLED[1])
    was_read = bool(_lines_in(place, DRILLED[1]))

    def facts() -> Mapping[str, bool]:
        registered = place.rows("select 1 from ops.manifest where manifest_path = %s", str(path))
        return {
            "it was refused, and nothing of it was read": refused.code == 1 and not was_read and not registered,
            "every line of the day is in": _lines_in(place, DRILLED[1]) == expected > 0,
        }

    return Made(f"exit code {refused.code}: {refused.record['error'].splitlines()[-1].strip()}", facts)


def _failing_check(place: Scratch) -> Made:
    """Somebody edited Silver by hand."""
    before = place.rows(_SILVER, DRILLED[1])
    place.rows("update silver.ticket_fact set product_version = 'edited' where partition_key = %s", DRILLED[1])
    edited = place.rows(_SILVER, DRILLED[1])
    failed = place.loader("build")
    bad = [node["name"] for node in failed.record["nodes"] if node["status"] == "fail"]

    def facts() -> Mapping[str, bool]:
        return {
            "the edit was found": before != edited and failed.code == 1 and bool(bad),
            "every row of the day is what it was": place.rows(_SILVER, DRILLED[1]) == before,
            "reconcile finds nothing": place.rows("select 1 from reconcile.reconcile_finding") == [],
        }

    return Made(f"exit code {failed.code}: {', '.join(bad[:2])}", facts)


def _rebuild(place: Scratch) -> tuple[str, ...]:
    return ("build", "--partition", DRILLED[1])


def _killed_run(place: Scratch) -> Made:
    """kill -9 while the last day is being loaded."""
    words = ("ingest", "--partition", DRILLED[2], "--manifest", str(place.folder / "exports.json"))
    was_killed = place.killed_while_it_loads(*words)
    diagnosis = place.loader("diagnose")
    expected = _forecast(place, DRILLED[2])
    was_empty = _lines_in(place, DRILLED[2]) == 0
    ((run_id,),) = place.rows("select run_id::text from ops.ingest_run order by event_number desc limit 1")

    def facts() -> Mapping[str, bool]:
        attempts = place.rows("select status from ops.ingest_run where run_id = %s order by attempt", run_id)
        ((stray_count, staging_count),) = place.rows(_LEFT_BEHIND)
        return {
            "it was killed while it loaded, and nothing of it was visible": was_killed and was_empty,
            "its next attempt ended well": [status for (status,) in attempts]
            in (["crashed", "success"], ["crashed", "warning"]),
            "every line of the day is in": _lines_in(place, DRILLED[2]) == expected > 0,
            "no row of the dead attempt is left": stray_count == 0,
            "nothing is left in staging": staging_count == 0,
            "no working folder is left": not any(
                (place.working_root / label).exists() for label in labels(place.warehouse)
            ),
        }

    seen = "killed while it loaded" if was_killed else "ended before it was killed"
    return Made(f"{seen}; diagnose: {diagnosis.record['next_command'].split()[1]}", facts)


def _retry(place: Scratch) -> tuple[str, ...]:
    return ("retry", "--latest", "--mode", "execute", "--lock-timeout", "30")


def _lines_in(place: Scratch, day: str) -> int:
    """Lines of a day whose event is visible."""
    ((count,),) = place.rows(_LINES_IN, day)
    return int(count)


def _forecast(place: Scratch, day: str) -> int:
    """Lines of a day that an ingest would find good."""
    words = ("dry-run", "--partition", day, "--manifest", str(place.folder / "exports.json"))
    return _to_land(place.loader(*words).record)


def _to_land(forecast: Mapping[str, Any]) -> int:
    return sum(count for fate, count in forecast["fates"].items() if fate.startswith("would_"))


_INCIDENTS = (
    Incident("only a dry run was done", "backfill", DRILLED[0], _only_a_dry_run, _backfill(DRILLED[0])),
    Incident("a report was removed", "rerun", DRILLED[0], _removed_report, _rerun),
    Incident("a manifest is broken", "backfill", DRILLED[1], _broken_manifest, _backfill(DRILLED[1])),
    Incident("a check fails", "rebuild", DRILLED[1], _failing_check, _rebuild),
    Incident("a run was killed", "retry", DRILLED[2], _killed_run, _retry),
)
