"""What was done without Dagster: runs, releases, holds, restores and erasures of the command line, told to Dagster."""

# No annotation is a string here: Dagster reads the one of `context`.
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from omni_dagster.assets import REPORTS, RUNS, checks, key_of, materializations
from omni_dagster.command import Loader
from omni_dagster.days import STAGES, Day, days_of, of_kind, windows

_SECONDS = 20
# What one tick takes in: events of the loader, then days of them. The rest is for the next ticks.
_EVENTS, _DAYS = 200, 60
_Touched = tuple[str, str]


@dataclass(frozen=True)
class Place:
    """Where a tick goes on: after which event of the loader's history, and the days of earlier ones that are still to
    be told. It is what Dagster keeps as the sensor's cursor."""

    after: int = 0
    waiting: tuple[_Touched, ...] = ()

    @classmethod
    def read(cls, cursor: str | None) -> "Place":
        if not cursor:
            return cls()
        said = json.loads(cursor)
        waiting = [(kind, day) for kind, first, last in said["waiting"] for day in _days_between(first, last)]
        return cls(said["after"], tuple(waiting))

    def write(self) -> str:
        kinds = dict.fromkeys(kind for kind, _ in self.waiting)
        spans = [(kind, *window) for kind in kinds for window in windows(day for of, day in self.waiting if of == kind)]
        return json.dumps({"after": self.after, "waiting": spans})


def _days_between(first: str, last: str) -> list[str]:
    window = dg.DailyPartitionsDefinition(start_date=first, timezone="UTC", end_offset=0)
    return list(window.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))


def sensor_of(
    loader: Loader, assets: Mapping[str, dg.AssetsDefinition], days: dg.DailyPartitionsDefinition
) -> dg.SensorDefinition:
    """`assets`: by kind."""

    @dg.sensor(
        name="done_elsewhere",
        asset_selection=dg.AssetSelection.assets(*assets.values()),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs, releases, holds, restores and erasures that Dagster did not start: days take their colours.",
    )
    def done_elsewhere(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        place, touched = _heard(context, loader, Place.read(context.cursor))
        # Days before the calendar begins, and kinds that are not read any more, have no square.
        calendar = set(days.get_partition_keys())
        known = [each for each in touched if each[0] in assets and each[1] in calendar]
        now, later = known[:_DAYS], known[_DAYS:]
        place = Place(place.after, tuple(later))
        if not now:
            context.update_cursor(place.write())
            return dg.SkipReason("Nothing was done elsewhere.")
        found = days_of(loader.look("status"))
        events, requests = _told(loader, now, found, place.after, assets)
        return dg.SensorResult(run_requests=requests, asset_events=events, cursor=place.write())

    return done_elsewhere


def _heard(context: dg.SensorEvaluationContext, loader: Loader, place: Place) -> tuple[Place, Sequence[_Touched]]:
    """The days of earlier events that wait, or else of the next events that were not Dagster's own."""
    if place.waiting:
        return place, place.waiting
    answer = loader.run(["history", "--after", str(place.after), "--limit", str(_EVENTS)], lambda line: None)
    if answer.exit_code == 2:
        # The warehouse was put back to an earlier state, or is another one: everything is told anew.
        context.log.warning(answer.reason)
        answer = loader.run(["history", "--after", "0", "--limit", str(_EVENTS)], lambda line: None)
    if answer.exit_code:
        raise dg.Failure(answer.reason)
    own = _own_runs(context, [event["run_id"] for event in answer.record["events"] if event["run_id"]])
    touched = dict.fromkeys(
        (each["record_kind"], each["partition_key"])
        for event in answer.record["events"]
        if event["run_id"] not in own
        for each in event["partitions"]
    )
    return Place(answer.record["last"]), sorted(touched)


def _own_runs(context: dg.SensorEvaluationContext, run_ids: Iterable[str]) -> set[str]:
    """The loader's runs that Dagster has started; they are told already."""
    wanted = sorted(set(run_ids))
    if not wanted:
        return set()
    found = context.instance.get_runs(dg.RunsFilter(tags={RUNS: wanted}))
    return {run.tags[RUNS] for run in found}


def _told(
    loader: Loader,
    touched: Sequence[_Touched],
    found: Mapping[_Touched, Day],
    number: int,
    assets: Mapping[str, dg.AssetsDefinition],
) -> tuple[list[Any], list[dg.RunRequest]]:
    """A day that holds is materialized, without a run. Only a run that fails takes a colour away: of days that do not,
    one is asked for that reads them, and fails."""
    events: list[Any] = []
    requests: list[dg.RunRequest] = []
    for kind in dict.fromkeys(kind for kind, _ in touched):
        days = of_kind(found, kind, [day for of, day in touched if of == kind])
        events += materializations(loader, [day for day in days if day.is_relied_on])
        events += [dg.AssetCheckEvaluation(**each) for each in checks(kind, found.values())]
        bad = [day.partition_key for day in days if not day.is_relied_on]
        requests += _requests(kind, bad, number)
    return events, requests


def _requests(kind: str, days: Iterable[str], number: int) -> Iterator[dg.RunRequest]:
    for first, last in windows(days):
        span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        yield dg.RunRequest(
            run_key=f"{kind} {first} {last} {number}",
            tags={REPORTS: str(number), **span},
            asset_selection=[key_of(kind, stage) for stage in STAGES],
        )
