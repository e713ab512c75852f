"""Each kind of drift is found on the day on which upstream changed, and nothing is found on any other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from loader.advice import Advice, AdviceKind, after_run
from loader.errors import RefusedError
from loader.ingest import Verdict
from loader.progress import Silent
from loader.release import ReleaseRequest
from loader.release.by_hand import release
from loader.release.ready import readiness
from loader.reports import read_completeness
from loader.silver import run_dbt
from loader.status import read_status
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, evidence_faults, rows, run, run_kinds, settings, ticket_days, write_export
from tests.integration.drift_scene import (
    BEFORE,
    CUSTOMER,
    EQUAL,
    FIRST,
    FORMS,
    IDS,
    MISSING,
    NULLS,
    PRIORITY,
    THIN,
    VALUES,
    write_exports,
)
from tests.proofs import reconciled
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

DRIFTED = (PRIORITY, NULLS, IDS, EQUAL, BEFORE, CUSTOMER, THIN, VALUES, FORMS)
LIMITS = yaml.safe_load((ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]["drift"]


@dataclass(frozen=True, slots=True)
class Drifted:
    usual: Verdict
    changed: Verdict
    folder: Path
    kept: Kept


@pytest.fixture(scope="module")
def drifted(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drifted]:
    """The committed sample, then two weeks with a change a day, each in one ingest."""
    root = tmp_path_factory.mktemp("drifted")
    write_exports(root / "changed")
    with own_warehouse(server, _template, root, LOADER_REJECT_LIMIT="0.9") as database:
        usual = run_kinds()["ticket_v1"]
        changed = run(declare(root / "changed", "changed"))
        with kept(server, database) as copy:
            yield Drifted(usual, changed, root, copy)


def test_the_committed_sample_has_no_drift(drifted: Drifted) -> None:
    """61 days, of which 39 weekdays are judged; a false alarm here would keep a usual day from its readers."""
    assert (drifted.usual.exit_code, drifted.usual.facts.drifts) == (0, ())
    assert drifted.usual.downstream_decision == "proceed"


def test_each_change_is_found_on_its_day_and_nothing_else_is(drifted: Drifted) -> None:
    verdict = drifted.changed
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
    found = [(drift.partition_key, drift.check_name, drift.measure) for drift in verdict.facts.drifts]
    assert found == [
        (PRIORITY, "drift_value_mix", "priority"),
        (NULLS, "drift_null_rate", "org_id"),
        (IDS, "drift_ticket_id_rule", "ticket_id"),
        (EQUAL, "drift_null_rate", "updated_at"),
        (EQUAL, "drift_updated_at", "updated_at"),
        (BEFORE, "drift_null_rate", "updated_at"),
        (BEFORE, "drift_updated_at", "updated_at"),
        (CUSTOMER, "drift_customer_share", "customer_id"),
        (THIN, "drift_thin_day", "tickets"),
        (MISSING, "drift_missing_day", "tickets"),
        (VALUES, "drift_unknown_value", "status"),
        (VALUES, "drift_unknown_value", "status"),
        (FORMS, "drift_ticket_id_rule", "ticket_id"),
    ]


def test_a_drift_is_told_in_a_sentence_that_names_no_person(drifted: Drifted) -> None:
    """What is no plain word may be a name; a text that looks like a field is none."""
    assert [f"{drift.partition_key:%d} {drift.detail}"[:58] for drift in drifted.changed.facts.drifts] == [
        "04 priority: p1_critical is 100.0 % of 58 records, was 2.6",
        "05 org_id: null is 100.0 % of 55 records, was 7.1 % of 114",
        "06 ticket_id: AAA-99999999-999999 is 100.0 % of 52 records",
        "07 updated_at: given is 100.0 % of 50 records, was 52.4 % ",
        "07 updated_at: equal to created_at is 100.0 % of 50 record",
        "08 updated_at: given is 100.0 % of 50 records, was 55.0 % ",
        "08 updated_at: before created_at is 100.0 % of 50 records,",
        "11 customer_id: the most frequent is 67.2 % of 58 records,",
        "12 2 records, expected about 52 (same weekday, 4 weeks bef",
        "13 no record, expected about 50 (same weekday, 4 weeks bef",
        "14 status: (withheld, 10 characters) in 19 rejected lines ",
        "14 status: triaged in 45 rejected lines of 126 in tickets-",
        "15 ticket_id: AAA9999999 in 48 rejected lines of 130 in ti",
    ]


def test_what_drifted_waits_for_a_person_and_what_did_not_goes_on(drifted: Drifted) -> None:
    """The run is manual_review_required, and so is each drifted day; its neighbours are released."""
    verdict = drifted.changed
    assert (verdict.status, verdict.downstream_decision) == ("warning", "manual_review_required")
    accepts = f"make release PARTITION={PRIORITY} KIND=ticket_v1 ACCEPT_DRIFT=1 REASON='<why>'"
    assert after_run(settings(), verdict) == Advice(AdviceKind.ACCEPT_DRIFT, accepts)
    records = {path.parent.name: orjson.loads(path.read_bytes()) for path in verdict.report_paths}
    decisions = {day: record["downstream_decision"] for day, record in records.items() if day[0] == "2"}
    assert {day for day, decision in decisions.items() if decision == "manual_review_required"} == {
        day.isoformat() for day in DRIFTED
    }
    assert set(decisions.values()) == {"manual_review_required", "proceed"}
    assert records["_run"]["downstream_decision"] == "manual_review_required"
    assert len(records["_run"]["drift"]) == 13
    record = records[NULLS.isoformat()]
    assert (record["status"], record["reason_codes"]) == ("warning", ["drift_null_rate"])
    assert [(drift["check_name"], drift["measure"]) for drift in record["drift"]] == [("drift_null_rate", "org_id")]
    assert _check(record) == ("warn", 13)
    shown = rows(drifted.kept.fresh(), "select distinct partition_key from serving.ticket_fact")
    assert {day for (day,) in shown}.isdisjoint(DRIFTED)
    assert len(shown) == 61 + 7


def test_drift_that_a_person_lets_pass_keeps_nothing_back_any_more(drifted: Drifted, tmp_path: Path) -> None:
    """Nor does it when later rows of the day arrive; drift of other days stays, and other checks are not overridden."""
    database = drifted.kept.fresh()
    assert _ready(PRIORITY) == (
        False,
        "not released; proved rows wait for their release; drift to review: drift_value_mix of priority",
    )
    done = release(settings(), ReleaseRequest([PRIORITY], reason="a campaign", accepts_drift=True), Silent())
    assert done.partitions == ticket_days(PRIORITY)
    assert rows(database, "select partition_key, check_name, measure, reason from release.acceptance") == [
        (PRIORITY, "drift_value_mix", "priority", "a campaign")
    ]
    ((payload,),) = rows(
        database,
        "select raw_payload from bronze.raw_ticket_event where partition_key = %s order by record_key limit 1",
        PRIORITY,
    )
    late = {**json.loads(payload), "ingest_batch_id": "batch-20260501-001", "updated_at": "2026-05-01T00:00:00Z"}
    write_export(tmp_path / "late" / "tickets-2026-05-01.jsonl", [late])
    verdict = run(declare(tmp_path / "late", "late"))
    assert (verdict.facts.drifts, verdict.downstream_decision) == ((), "proceed")
    assert verdict.release is not None and verdict.release.partitions == ticket_days(PRIORITY)
    assert _check(orjson.loads(verdict.report_paths[0].read_bytes())) == ("pass", 0)
    assert _ready(PRIORITY) == (True, None)
    assert _ready(NULLS)[0] is False


def test_who_let_drift_pass_and_why_is_in_the_chain_of_evidence(drifted: Drifted) -> None:
    """Prevents a reason that is put in, or changed, after readers have seen the day."""
    database = drifted.kept.fresh()
    done = release(settings(), ReleaseRequest([PRIORITY], reason="a campaign", accepts_drift=True), Silent())
    assert done.report_path is not None
    record = orjson.loads(done.report_path.read_bytes())
    assert [(each["partition_key"], each["measure"], each["reason"]) for each in record["accepted"]] == [
        (PRIORITY.isoformat(), "priority", "a campaign")
    ]
    assert of_acceptances(database) == []
    rows(database, "update release.acceptance set reason = 'none of mine'")
    assert [fault.split(":")[0] for fault in of_acceptances(database)] == ["accepted"]
    rows(
        database,
        "insert into release.acceptance (record_kind, partition_key, check_name, measure, operator, reason)"
        " values ('ticket_v1', '2026-04-30', 'drift_null_rate', 'org_id', 'nobody', 'none')",
    )
    assert len(of_acceptances(database)) == 2


def of_acceptances(database: Warehouse) -> list[str]:
    """Faults of the evidence of what was let pass; the scene's other files are not this test's."""
    return [each.fault for each in evidence_faults(database) if "accept" in each.report_path + each.fault]


def test_drift_of_a_day_that_something_else_keeps_back_is_not_let_pass(drifted: Drifted) -> None:
    """Prevents a refusal that has changed what the next release, or run, lets through."""
    database = drifted.kept.fresh()
    acts = "select count(*) from ops.run_evidence where dataset = 'release/partition_pointer'"
    before = rows(database, acts)
    rows(database, f"update silver.ticket_fact set status = 'lost' where partition_key = '{PRIORITY}'")
    with pytest.raises(RefusedError, match="nothing was released"):
        release(settings(), ReleaseRequest([PRIORITY], reason="a campaign", accepts_drift=True), Silent())
    assert rows(database, "select count(*) from release.acceptance") == [(0,)]
    assert rows(database, acts) == before
    assert _ready(PRIORITY)[1].endswith("drift to review: drift_value_mix of priority")


def test_status_and_completeness_say_what_drifted(drifted: Drifted) -> None:
    database = drifted.kept.fresh()
    assert [row["measure"] for row in read_status(database, NULLS).drift] == ["org_id"]
    assert len(read_status(database, None).drift) == 13
    day = read_completeness(database, NULLS)
    assert (day.is_complete, day.answer) == (True, f"{NULLS}: complete (1 drift to review)")
    assert "org_id: null is 100.0 %" in day.markdown()


def test_what_was_measured_as_changes_came_is_what_a_whole_build_measures(drifted: Drifted) -> None:
    """Partitions that the second ingest did not measure again would differ otherwise."""
    database = drifted.kept.fresh()
    before = {table: found for table, found in reconciled(database).items() if table.startswith("drift_")}
    assert run_dbt(database, ROOT, ["build", "--select", "tag:drift"]).is_ok
    after = {table: found for table, found in reconciled(database).items() if table.startswith("drift_")}
    assert sorted(before) == ["drift_finding", "drift_profile", "drift_reject"]
    assert before == after


def test_a_day_with_more_tickets_than_are_looked_at_keeps_their_number(drifted: Drifted) -> None:
    """Prevents a thin day that is none: where changes were measured, the day had the sample's number of tickets."""
    database = drifted.kept.fresh()
    numbers = "select partition_key, measure, record_count from reconcile.drift_profile where check_name = 'volume'"
    before = sorted(rows(database, numbers))
    profiles = []
    for proof in ("changes", "all"):
        variables = json.dumps({"proof": proof, "drift": {**LIMITS, "sampled_tickets": 5}})
        assert run_dbt(database, ROOT, ["run", "--select", "drift_profile", "--vars", variables]).is_ok
        assert sorted(rows(database, numbers)) == before
        profiles.append(
            rows(database, "select p::text from reconcile.drift_profile as p where partition_key >= %s", FIRST)
        )
    looked_at = "select sum(record_count) from reconcile.drift_profile where partition_key = %s and measure = 'status'"
    assert rows(database, looked_at, PRIORITY) == [(5,)]
    assert sorted(profiles[0]) == sorted(profiles[1])


def _ready(day: date) -> tuple[bool, str | None]:
    (row,) = readiness(settings(), [day]).partitions
    return row["is_ready"], row["reason"]


def _check(record: Mapping[str, Any]) -> tuple[str, int]:
    (check,) = [check for check in record["checks"] if check["name"] == "no_drift"]
    return check["status"], check["failures"]


# What drift_profile says, made up: check, measure, value, and tickets by day. All cases are judged in one build, the
# mixes told apart by their measure, the volumes by their year.
PROFILE = ("record_kind", "partition_key", "check_name", "measure", "observed_value", "record_count")
Measured = tuple[str, str, str | None, Mapping[date, int]]
MONDAY = date(2027, 3, 1)
WEEKDAYS = (40, 42, 38, 41, 40, 3, 0)
A_YEAR = timedelta(days=364)


def _day(place: int) -> date:
    return MONDAY + timedelta(days=place)


def _weeks(count: int, **days: int | None) -> dict[int, int]:
    """So many weeks of 40 tickets a weekday, few on Saturdays, none on Sundays; `d28=5`: other numbers, by place."""
    usual = {place: WEEKDAYS[place % 7] for place in range(7 * count)}
    changed = {**usual, **{int(name[1:]): number for name, number in days.items()}}
    return {place: number for place, number in changed.items() if number}


def _times(factor: float, days: Mapping[int, int]) -> dict[int, int]:
    return {place: int(number * factor) for place, number in days.items()}


DECLARED = "a day is declared, and nobody has asked for it yet"
# The first year is the first that is known: what was before it is no week without tickets.
VOLUMES: dict[str, tuple[dict[int, int], dict[int, int], list[tuple[int, str]]]] = {
    "two weeks are too little to know a weekday": (_weeks(3, d15=1), {}, []),
    "weekends and Sundays without tickets are usual": (_weeks(5), {}, []),
    "a weekday between others is missing": (_weeks(5, d30=None), {}, [(30, "drift_missing_day")]),
    "a weekday is thin": (_weeks(5, d30=8), {}, [(30, "drift_thin_day")]),
    "a third of the usual is a poor day, not a thin one": (_weeks(5, d30=15), {}, []),
    "the newest day has begun only": (_weeks(4, d28=8), {}, []),
    "the newest day is over and thin": (_weeks(4, d28=8), {28: 2}, [(28, "drift_thin_day")]),
    "two are missing": (_weeks(4, d30=40), {}, [(28, "drift_missing_day"), (29, "drift_missing_day")]),
    "a stray ticket of a later day makes no day missing": (_weeks(4, d33=1), {}, []),
    "nor does a day of another month": (_weeks(4, d60=40), {}, []),
    DECLARED: (_weeks(5, d30=None), {}, []),
    "half of many is a poor day, too": ({**_times(10, _weeks(5)), 30: 190}, {}, []),
    "5 of 22 may be chance": ({**_times(0.58, _weeks(5)), 30: 5}, {}, []),
    "19 a day are too few to expect any": (_times(0.5, _weeks(5, d30=None)), {}, []),
}


def _mix(*shares: float, size: int = 200) -> tuple[list[float], int]:
    """A day for each share: so much of `size` tickets has the first of two values."""
    return list(shares), size


STEADY = [0.5] * 14
LIVELY = _mix(*[0.3, 0.75] * 7, 0.78)
LASTING = _mix(*STEADY, *[0.95] * 10)
MIXES: dict[str, tuple[tuple[list[float], int], list[int]]] = {
    "a shift after two steady weeks": (_mix(*STEADY, 0.9), [14]),
    "a small one": (_mix(*STEADY, 0.7), []),
    "a value is gone": (_mix(*STEADY, 0.0), [14]),
    "a value is new": (_mix(*[1.0] * 14, 0.8), [14]),
    "of 20 tickets nothing is said": (_mix(*STEADY, 1.0, size=20), []),
    "of 32 tickets chance may make it": (_mix(*STEADY, 0.75, size=32), []),
    "six days before are too few": (_mix(*STEADY[:6], 0.9), []),
    "seven are enough": (_mix(*STEADY[:7], 0.9), [7]),
    "a mix that is lively every day": (LIVELY, []),
    "weekends": (_mix(*([0.5] * 5 + [0.95] * 2) * 4), []),
    "a lasting change, for five days": (LASTING, [14, 15, 16, 17, 18]),
}
# Under other thresholds.
OTHERWISE: list[tuple[dict[str, Any], tuple[list[float], int], list[int]]] = [
    ({"usual_factor": 0}, LIVELY, [7, 9, 11, 13, 14]),
    ({"baseline_start": _day(14).isoformat()}, LASTING, []),
    ({"stability_index": 2.0}, _mix(*STEADY, 0.9), []),
]


def _measured(measure: str, mix: tuple[list[float], int]) -> list[Measured]:
    shares, size = mix
    first = {_day(place): round(size * share) for place, share in enumerate(shares)}
    rest = {day: size - count for day, count in first.items()}
    return [("drift_value_mix", measure, "open", first), ("drift_value_mix", measure, "closed", rest)]


def _judged(drifted: Drifted, measured: Iterable[Measured], **limits: Any) -> list[tuple[date, str, str]]:
    """Partition, check and measure of each row of drift_finding over these measurements alone."""
    database = drifted.kept.database
    profile = [
        dict(zip(PROFILE, ("ticket_v1", day.isoformat(), check_name, measure, value, count), strict=True))
        for check_name, measure, value, tickets in measured
        for day, count in tickets.items()
        if count
    ]
    rows(database, "delete from reconcile.drift_reject")
    rows(database, "delete from reconcile.drift_profile")
    rows(
        database,
        "insert into reconcile.drift_profile select measured.* from jsonb_to_recordset(%s) as measured"
        " (record_kind text, partition_key date, check_name text, measure text, observed_value text,"
        " record_count bigint)",
        json.dumps(profile),
    )
    variables = json.dumps({"drift": {**LIMITS, **limits}})
    assert run_dbt(database, ROOT, ["run", "--select", "drift_finding", "--vars", variables]).is_ok
    return rows(database, "select partition_key, check_name, measure from reconcile.drift_finding order by 1, 2, 3")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def judged(drifted: Drifted) -> list[tuple[date, str, str]]:
    """All mixes and volumes, in one build."""
    measured = [row for name, (mix, _) in MIXES.items() for row in _measured(name, mix)]
    for year, (tickets, closing, _) in enumerate(VOLUMES.values()):
        for measure, days in (("tickets", tickets), ("closing tickets", closing)):
            numbers = {_day(place) + year * A_YEAR: number for place, number in days.items()}
            measured.append(("volume", measure, None, numbers))
    declared = _day(30) + list(VOLUMES).index(DECLARED) * A_YEAR
    rows(
        drifted.kept.database,
        "insert into ops.asset_partition (asset_id, ruleset_id, partition_key, record_line_count, rejected_line_count)"
        " select asset_id, ruleset_id, %s, 7, 0 from ops.asset_partition limit 1",
        declared,
    )
    return _judged(drifted, measured)


@pytest.mark.parametrize("name", VOLUMES)
def test_a_missing_day_is_told_from_a_thin_one_and_from_one_that_is_not_over(
    judged: list[tuple[date, str, str]], name: str
) -> None:
    start = MONDAY + list(VOLUMES).index(name) * A_YEAR
    found = [
        ((day - start).days, kind)
        for day, kind, measure in judged
        if measure == "tickets" and start <= day < start + A_YEAR
    ]
    assert found == VOLUMES[name][2]


@pytest.mark.parametrize("name", MIXES)
def test_a_mix_has_shifted_when_it_is_unlike_the_days_before(judged: list[tuple[date, str, str]], name: str) -> None:
    assert [(day - MONDAY).days for day, _, measure in judged if measure == name] == MIXES[name][1]


@pytest.mark.parametrize(("limits", "mix", "places"), OTHERWISE, ids=["factor", "baseline", "index"])
def test_the_thresholds_are_those_of_the_variable(
    drifted: Drifted, limits: dict[str, Any], mix: tuple[list[float], int], places: list[int]
) -> None:
    """Each case is judged otherwise above, under the thresholds of dbt_project.yml."""
    assert [(day - MONDAY).days for day, _, _ in _judged(drifted, _measured("status", mix), **limits)] == places
