"""Do the reports know more than the warehouse? What a restored database has forgotten, and who else writes there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from loader.advice.lost import Lost, mending, still_lost
from loader.advice.questions import Advice
from loader.config import Settings
from loader.evidence import journal
from loader.printable import counted, some
from loader.recovery import World

_SHOWN = 3


def look_at_reports(world: World) -> tuple[str | None, Advice | None]:
    """What the report folder knows beside this warehouse, in words; None where that is nothing. Then what
    mends what comes first of what is lost: a hold, so that no run moves the day; what runs had read; an erasure."""
    told = journal.read_told(world.cursor, world.settings)
    words = list(_strange(told))
    if not told.lost:
        return "; ".join(words) or None, None
    lost = [Lost(entry, _record(world.settings, entry)) for entry in told.lost]
    missing = {each.entry.report_path: still_lost(world, each) for each in lost}
    advice = next(mending(world, lost, missing), None)
    ahead = "the reports are ahead of the warehouse, which" if advice else "the warehouse"
    count = sum(1 for files in missing.values() if files)
    left = (
        f"{counted(count, 'run is', 'runs are')} to be read again"
        if count
        else "whatever lost runs had read is in again"
    )
    words.insert(0, f"{ahead} was restored to a state from before {_since(lost)}; lost: {_named(world, lost)}; {left}")
    return "; ".join(words), advice


def _strange(told: journal.Told) -> Iterator[str]:
    if told.copies:
        yield (
            "another copy of this warehouse writes into the same folder:"
            f" {counted(len(told.copies), 'record')}, the last {told.copies[-1].report_path}"
        )
    for warehouse_id, count in told.strangers.items():
        here = "also holds" if told.own_count or told.lost else "holds nothing of this warehouse, and"
        yield f"the report folder {here} {counted(count, 'record')} of another warehouse, {warehouse_id}"


def _since(lost: Sequence[Lost]) -> str:
    """When the first of what is lost happened, as its record says."""
    times = (each.record.get("acted_at") or each.record.get("finished_at") for each in lost if each.record)
    return str(next((f"{time[:19]}Z" for time in times if time), "what they tell of"))


def _named(world: World, lost: Sequence[Lost]) -> str:
    """Which runs, days and acts, in a sentence."""
    runs = [each.entry.run for each in lost if each.entry.run is not None]
    days = sorted({day for run in runs for day in _days(world.settings, run)})
    words = []
    if runs:
        over = f", over {days[0]} … {days[-1]}" if len(days) > 1 else "".join(f", of {day}" for day in days)
        words.append(f"{counted(len(runs), 'run')} ({some([run['run_id'] for run in runs], _SHOWN, ', ')}{over})")
    acts = [each.record for each in lost if each.record is not None and "act" in each.record]
    releases = [f"{record['act']} {record['data_release_id']}" for record in acts if record["data_release_id"]]
    others = [f"{record['act']} of {_of_which(record)}" for record in acts if not record["data_release_id"]]
    for kind, names in (("release", releases), ("other act", others)):
        if names:
            words.append(f"{counted(len(names), kind)} ({some(names, _SHOWN, ', ')})")
    erased = [each.entry for each in lost if each.is_erasure]
    if erased:
        words.append(f"{counted(len(erased), 'erasure')}: what was removed may be back")
    unread = sum(1 for each in lost if each.record is None)
    if unread:
        words.append(f"{counted(unread, 'record')} whose file is gone")
    return ", ".join(words) or f"{counted(len(lost), 'record')} of partitions"


def _of_which(record: Mapping[str, Any]) -> str:
    days = [row["partition_key"] for row in (*record["holds"], *record.get("accepted", ()))]
    return some(sorted(set(days)), _SHOWN, ", ") or f"expiry {record['expiry_id']}"


def _days(settings: Settings, run: Mapping[str, Any]) -> list[str]:
    """The partitions of which the run left a record: by the names of its files, none is read."""
    name = f"{run['run_id']}.{run['attempt']}.json"
    return [path.parent.name for path in (settings.report_dir / "run_evidence").rglob(f"[0-9]*/{name}")]


def _record(settings: Settings, entry: journal.Entry) -> dict[str, Any] | None:
    try:
        record = orjson.loads((settings.project_root / entry.report_path).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return record if isinstance(record, dict) else None
