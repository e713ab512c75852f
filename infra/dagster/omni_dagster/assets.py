"""A kind of records as five assets, from the gate to what readers see, with the loader's days as their partitions."""

# No annotation is a string here: Dagster reads the one of `context`.
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from omni_dagster.command import Answer, Loader
from omni_dagster.days import STAGES, Day, days_of, in_the_way, of_kind, windows

# A run with this tag reads what became of its days elsewhere, and changes nothing.
REPORTS = "omni/reports"
# The loader's own runs that a run of Dagster's has made, by their ids.
RUNS = "omni/run_id"
# A run that was away from its database goes on by itself: so often, after so many seconds.
_RETRIES, _SECONDS_BETWEEN = 3, 30
_DESCRIPTIONS = {
    "gate": "Every declared file with lines of the day was admitted.",
    "raw_zone": "Their bytes are archived by SHA-256.",
    "bronze": "Every line of the day has one fate.",
    "silver": "Silver is what Bronze makes of it, proved by counts and digests.",
    "serving": "Readers see the day as it was proved.",
}
# What was admitted is archived, or the run fails: of the raw zone alone no obstacle is known.
CHECKED = tuple(stage for stage in STAGES if stage != "raw_zone")
_CHECK = "obstacles"
# Rows of a check's table; whoever has more to mend begins with these.
_MOST_ROWS = 20


def partitions() -> dg.DailyPartitionsDefinition:
    """UTC days, from the loader's own setting to today."""
    return dg.DailyPartitionsDefinition(
        start_date=os.environ.get("LOADER_PARTITION_START_DATE", "2026-03-01"), timezone="UTC", end_offset=1
    )


def key_of(record_kind: str, stage: str) -> dg.AssetKey:
    return dg.AssetKey([record_kind, stage])


def assets_of(kind: Mapping[str, Any], loader: Loader, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The assets of a kind as `loader kind list` has it."""
    record_kind = kind["kind"]

    @dg.multi_asset(
        name=record_kind,
        specs=[_spec(kind, place, days) for place in range(len(STAGES))],
        check_specs=[dg.AssetCheckSpec(_CHECK, asset=key_of(record_kind, stage)) for stage in CHECKED],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def land(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        wanted = list(context.partition_keys)
        answer = None if REPORTS in context.run_tags else _write(context, loader, record_kind, wanted)
        if answer is not None and "run_id" in answer.record:
            context.instance.add_run_tags(context.run_id, {RUNS: answer.record["run_id"]})
        found = days_of(loader.look("status", "--kind", record_kind))
        for event in materializations(loader, of_kind(found, record_kind, wanted)):
            context.log_event(event)
        yield from (dg.AssetCheckResult(**each) for each in checks(record_kind, found.values()))
        _judge(context, answer, of_kind(found, record_kind, wanted))

    return land


def _spec(kind: Mapping[str, Any], place: int, days: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    stage = STAGES[place]
    tables = {"bronze": f"bronze.{kind['bronze']}", "silver": f"silver.{kind['silver']}"}
    return dg.AssetSpec(
        key_of(kind["kind"], stage),
        deps=[key_of(kind["kind"], STAGES[place - 1])] if place else [],
        description=f"{kind['title']}. {_DESCRIPTIONS[stage]}",
        group_name=kind["kind"],
        partitions_def=days,
        # A day of which nobody has delivered a line leaves none.
        skippable=True,
        metadata={"dagster/table_name": tables[stage]} if stage in tables else {},
        kinds={"postgres"} if stage in ("bronze", "silver", "serving") else set(),
    )


def _write(context: dg.AssetExecutionContext, loader: Loader, record_kind: str, wanted: Sequence[str]) -> Answer:
    """One day is ingested; a window is backfilled, by a plan of ours that is written down and applied. Days of Dagster
    stand in one window."""
    of_kind_words = ("--kind", record_kind)
    if len(wanted) == 1 and "dagster/backfill" not in context.run_tags:
        answer = loader.write("ingest", "--partition", wanted[0], *of_kind_words, tell=context.log.info)
    else:
        ((first, last),) = windows(wanted)
        window = ("--from", first, "--to", last, "--keep-going")
        planned = loader.run(["backfill", *window, *of_kind_words], context.log.info)
        if planned.exit_code:
            answer = planned
        else:
            path = planned.record["report_path"]
            context.log.info(f"plan: {path}")
            answer = loader.write("apply", path, tell=context.log.info)
    if answer.may_be_repeated:
        context.log.warning(answer.reason)
        raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=_SECONDS_BETWEEN)
    return answer


def _judge(context: dg.AssetExecutionContext, answer: Answer | None, found: Sequence[Day]) -> None:
    """Raises Failure where readers may not rely on a day of those that anybody has asked for, or the command failed for
    another reason than that there are no lines. Days that hold have been told by then."""
    failed = [day for day in found if not day.is_relied_on]
    for day in failed:
        context.log.error(day.sentence)
    if failed:
        raise dg.Failure("\n".join(day.sentence for day in failed[:_MOST_ROWS]), allow_retries=False)
    if answer is not None and answer.exit_code and not answer.has_no_lines:
        raise dg.Failure(answer.reason, allow_retries=False)


def materializations(loader: Loader, days: Iterable[Day]) -> Iterator[dg.AssetMaterialization]:
    """One for each stage of each day that holds."""
    for day in days:
        for stage in day.stages:
            yield dg.AssetMaterialization(
                key_of(day.record_kind, stage), partition=day.partition_key, metadata=_metadata(loader, day)
            )


def _metadata(loader: Loader, day: Day) -> dict[str, Any]:
    """What was counted, and the day's page, which links its evidence; it is there after `make site`."""
    page = loader.report_folder / "site" / "days" / f"{day.partition_key}.html"
    link = dg.MetadataValue.url(f"{page.as_uri()}#{day.record_kind}")
    return {"state": day.state, **day.counts, "page": link}


def checks(record_kind: str, days: Iterable[Day]) -> Iterator[dict[str, Any]]:
    """One for each stage: whether anything is in the way of a day that was asked for, and what to type."""
    known = [day for day in days if day.record_kind == record_kind]
    for stage in CHECKED:
        found = in_the_way(known, stage)
        rows = [
            dg.TableRecord(
                {"day": day.partition_key, "code": each.code, "why": each.message, "next": each.next_command}
            )
            for day, each in found[:_MOST_ROWS]
        ]
        columns = [dg.TableColumn(name) for name in ("day", "code", "why", "next")]
        table = dg.MetadataValue.table(rows, dg.TableSchema(columns)) if rows else None
        count = len({day.partition_key for day, _ in found})
        yield {
            "asset_key": key_of(record_kind, stage),
            "check_name": _CHECK,
            "passed": not found,
            "metadata": {"days": count, **({"obstacles": table} if table else {})},
        }
