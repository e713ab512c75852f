"""Names into an order and into places: table by table."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from loader.manifest.names import folder_period, read_name
from loader.manifest.order import UnorderedError, order_by_name_as_text, order_by_names, places_of
from loader.manifest.sequence import BatchId, finer, moment_place, sequences_in


def ordered(names: list[str]) -> list[str]:
    return [names[index] for index in order_by_names(names, places_of(names))]


def sequences(names: list[str], batch: str | None = None) -> list[int]:
    places = places_of(names)
    given = None if batch is None else BatchId.read(batch)
    moments = [given.place if given else 7 * 10**15] * len(names)
    return [finer(one) for one in sequences_in(order_by_names(names, places), places, moments, given)]


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("export_20260504233000", "2026-05-04T23:30:00Z"),
        ("export-2026-05-04T23-30-00Z", "2026-05-04T23:30:00Z"),
        ("export 2026-05-04 23.30.00", "2026-05-04T23:30:00Z"),
        ("20260504_2330", "2026-05-04T23:30:00Z"),
        ("202605042330", "2026-05-04T23:30:00Z"),
        ("2026050423", "2026-05-04"),
        ("desk-2026051024", "2026-05-10"),
        ("202605101", "2026-05-10"),
        ("2026051000001", "2026-05-10"),
        ("2026051000000001", "2026-05-10"),
        ("202605109999", "2026-05-10"),
        ("2026-05-13 11.30.00 AM", "2026-05-13T11:30:00Z"),
        ("2026-05-13 09.30.00 PM", "2026-05-13T21:30:00Z"),
        ("desk_20260513_093000_PM", "2026-05-13T21:30:00Z"),
        ("20260513093000pm", "2026-05-13T21:30:00Z"),
        ("2026-05-13-09-30-PM", "2026-05-13T21:30:00Z"),
        ("2026-05-13 9:30pm", "2026-05-13T21:30:00Z"),
        ("Export 2026-05-13 at 9.30.00\u202fp.m.", "2026-05-13T21:30:00Z"),
        ("2026-05-13 12.30 AM", "2026-05-13T00:30:00Z"),
        ("2026-05-13 12PM", "2026-05-13T12:00:00Z"),
        ("W01-2027", "2027-01-04"),
        ("week1-2027", "2027-01-04"),
        ("desk_KW53_2026", "2026-12-28"),
        ("Q1-2026", "2026-01-01"),
        ("Q42026", "2026-10-01"),
        ("2026-Q4", "2026-10-01"),
        ("2026-05-04T23:30:00-05:00", "2026-05-05T04:30:00Z"),
        ("2026-05-04 23:30:00-05:00", "2026-05-05T04:30:00Z"),
        ("20260504T233000-0500", "2026-05-05T04:30:00Z"),
        ("2026-05-04T23-30-00-0330", "2026-05-05T03:00:00Z"),
        ("2026-05-04T23-0500", "2026-05-05T04:00:00Z"),
        ("2026-05-05T01:30:00+02", "2026-05-04T23:30:00Z"),
        ("20260504T233000-007", "2026-05-04T23:30:00Z"),
        ("20260504_233000-0007", "2026-05-04T23:30:00Z"),
        ("2026-05-04T23", "2026-05-04T23:00:00Z"),
        ("20260504T233000.250Z", "2026-05-04T23:30:00Z"),
        ("2026-05-05T01:30:00+0200", "2026-05-04T23:30:00Z"),
        ("1777937400", "2026-05-04T23:30:00Z"),
        ("x-1777937400123-y", "2026-05-04T23:30:00Z"),
        ("2026.5.10", "2026-05-10"),
        ("2026_05_10", "2026-05-10"),
        ("tickets-2026-5-10.part", "2026-05-10"),
        ("2026/05/10/tickets", "2026-05-10"),
        ("year=2026/month=5/day=10/hour=3/part-1", "2026-05-10"),
        ("dt=2026-05-10/tickets-2026-05-10", "2026-05-10"),
        ("dt=2026-05-04/export_20260504233000", "2026-05-04T23:30:00Z"),
        ("week-2026-W19", "2026-05-04"),
        ("2026W19", "2026-05-04"),
        ("tickets-2026-05", "2026-05-01"),
    ],
)
def test_a_name_says_when(name: str, start: str) -> None:
    """Prevents a date of another form from being no date, so that a hash decides which correction wins."""
    place = read_name(f"{name}.jsonl.gz")
    assert (str(place.period), place.doubt) == (start, None)


@pytest.mark.parametrize(
    ("name", "doubt"),
    [
        ("05-04-2026", "two ways"),
        ("04.05.2026", "two ways"),
        ("25_4_2026", "two ways"),
        ("export-04052026", "two ways"),
        ("export-040526", "two ways"),
        ("4-May-2026", "two ways"),
        ("May-4-2026", "two ways"),
        ("0405202601", "two ways"),
        ("1005202624", "two ways"),
        ("040520262330", "two ways"),
        ("2026-05-13 13.30 PM", "AM or PM"),
        ("09.30 PM", "AM or PM"),
        ("2026-05-13-PM", "AM or PM"),
        ("04.05.2026 9.30 PM", "AM or PM"),
        ("PM 09.30 2026-05-13", "AM or PM"),
        ("Q1-26", "two digits"),
        ("W01-27", "two digits"),
        ("20260504T233000-05", "offset"),
        ("2026-05-04T23-30-00-05-00", "offset"),
        ("20260504T233000-0007", "offset"),
        ("20260504_233000-0500", "offset"),
        ("2026-05-04T23-30-00+02-00", "offset"),
        ("2026-05-01_2026-05-07", "two different dates"),
        ("20260501-20260507", "two different dates"),
        ("dt=2026-05-10/tickets-2026-05-09", "two different dates"),
        ("tickets-2026-02-30", None),
        ("desk-9", None),
        ("part-00012-550e8400-e29b-41d4-a716-446655440000.c000", None),
        ("120260417", None),
        ("000012", None),
        ("v12345678", None),
    ],
)
def test_a_name_that_says_no_certain_day_has_none(name: str, doubt: str | None) -> None:
    """Prevents a guess between the fourth of May and the fifth of April."""
    place = read_name(f"{name}.jsonl")
    assert place.period is None
    assert (place.doubt is None) if doubt is None else (doubt in str(place.doubt))


@pytest.mark.parametrize(
    "names",
    [
        ["desk-9", "desk-11", "desk-100"],
        ["part-2", "part-10"],
        ["part2", "part10"],
        ["export", "export-2", "export-10"],
        ["part-00000-3b1c", "part-00001-3b1c", "part-00010-3b1c"],
        ["part-0-550e8400-e29b-41d4-a716-446655440000", "part-1-119e8400-e29b-41d4-a716-446655440000"],
        ["2026-5-9", "2026-5-10", "2026-05-11"],
        ["2026-W09", "2026-W19", "2027-W01"],
        ["9-2026-05-01", "1-2026-05-02"],
        ["emea-20260504233000", "apac-20260504233001", "emea-2026-05-05"],
        ["x-1777937400", "x-1777937401"],
        ["2026-04-17-0059", "2026-04-17-0060", "2026-04-17-0100"],
        ["1/part-2", "1/part-10", "2/part-1"],
        ["04.05.2026-part-2", "04.05.2026-part-10"],
        ["log.1", "log.2", "log.10"],
        ["desk-2026051001", "desk-2026051023", "desk-2026051024", "desk-2026051101"],
        ["2026051000001", "2026051000010", "2026051100001"],
        ["202605109", "2026051010", "202605111"],
        ["2026-05-13 11.30.00 AM", "2026-05-13 12.05.00 PM", "2026-05-13 09.30.00 PM", "2026-05-14 12.05.00 AM"],
        ["W52-2026", "W53-2026", "W01-2027"],
        ["week52-2026", "week1-2027"],
        ["Q4-2026", "Q1-2027"],
        ["W01-2026-part-2", "W01-2026-part-10"],
        ["1/part-1969", "1/part-1970", "2/part-3"],
        ["v2-2026", "v2-2027"],
        ["pm-2026-05-13", "pm-2026-05-14"],
        ["market-1-20", "market-1-21"],
        ["20260504233000-9", "20260504233000-10"],
        ["1-2027", "2-2027", "12-2027"],
        ["2026-05-04T23:00:00-05:00", "2026-05-05T03:30:00-01:00", "2026-05-05T05:00:00Z"],
    ],
)
def test_names_that_give_an_order_are_taken_in_it(names: list[str]) -> None:
    """Prevents `part-10` before `part-2`: corrections lost without a word."""
    names = [f"{name}.jsonl" for name in names]
    shuffled = random.Random(3).sample(names, len(names))
    assert ordered(shuffled) == names
    found = dict(zip(shuffled, sequences(shuffled), strict=True))
    assert sorted(names, key=found.__getitem__) == names
    assert len(set(found.values())) == len(names)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["05-04-2026", "06-04-2026"], "two ways"),
        (["04.05.2026", "04.06.2026"], "two ways"),
        (["2026-05-01_2026-05-07", "2026-05-08_2026-05-14"], "two different dates"),
        (["emea", "apac"], "no number"),
        (["emea-2026-05-10", "apac-2026-05-10"], "one date for several"),
        (["tickets-2026-05-10", "corrections"], "only some"),
        (["2026-05-10", "2026-05-10T12-00"], "within the day"),
        (["2026-W19", "2026-05-06"], "within the day, week"),
        (["3b1c9f", "7a2e01"], "no number"),
        (["a-1", "a_1"], "no number"),
        (["part-01", "part-1"], "no number"),
        (["12-2026", "1-2027"], "year after another number"),
        (["desk-12-2026", "desk-1-2027", "desk-2-2027"], "year after another number"),
        (["Jan-2026", "Feb-2026"], "no number"),
        (["12-26", "1-27"], "year after another number"),
        (["Q4 FY26", "Q1 FY27"], "year after another number"),
        (["Q4-26", "Q1-27"], "two digits"),
        (["1-05.04.2026", "2-04.05.2026"], "two ways"),
        (["11.30 AM", "09.30 PM"], "AM or PM"),
        (["20260504T233000-0100", "20260504T233000-0099"], "offset"),
        (["20260504_233000-0500", "20260504_233000-0700"], "offset"),
    ],
)
def test_names_that_leave_the_order_open_are_told(names: list[str], reason: str) -> None:
    """Prevents a guess: which of two versions of a ticket is newer is for upstream to say."""
    with pytest.raises(UnorderedError) as raised:
        ordered(names)
    assert reason in str(raised.value)
    assert ascii(names[-1]) in raised.value.told


def test_by_name_words_decide_where_dates_and_numbers_do_not() -> None:
    """Prevents `--order name` from setting aside what the dates say."""
    names = ["b-2026-05-10", "a-2026-05-11", "a-2026-05-10", "part-10", "part-2"]
    dated, all_names = names[:3], names
    assert [dated[index] for index in order_by_name_as_text(dated, places_of(dated))] == [
        "a-2026-05-10",
        "b-2026-05-10",
        "a-2026-05-11",
    ]
    assert [all_names[index] for index in order_by_name_as_text(all_names, places_of(all_names))] == [
        "a-2026-05-10",
        "a-2026-05-11",
        "b-2026-05-10",
        "part-2",
        "part-10",
    ]


def test_places_of_different_manifests_are_in_order() -> None:
    """Prevents a late older file that outranks a newer one, whatever scale either was declared on."""
    rising = [
        *(finer(one) for one in (20260503000, 20260503999)),
        *sequences(["export_20260503000000.jsonl"]),
        *sequences(["2026-05-03T23-59-59Z.jsonl"]),
        *sequences(["2026.5.4.jsonl"]),
        *sequences(["2026-05-04-1.jsonl"]),
        *sequences(["2026-05-04-2.jsonl"]),
        finer(20260504010),
        *sequences(["part-1.jsonl", "part-2.jsonl"], "batch-20260504-011"),
        *sequences(["part-1.jsonl", "part-2.jsonl"], "batch-20260504-012"),
        *sequences(["20260504_0000.jsonl"]),
        *sequences(["20260504_0000.jsonl"], "batch-20260504-001"),
        *sequences(["20260504_0000.jsonl"], "batch-20260505-001"),
        *sequences(["20260504_2330.jsonl"]),
        *sequences(["2026-05-05.jsonl"]),
        *sequences(["2026-05-05.jsonl"], "batch-20260601-001"),
        *sequences(["2026-05-06.jsonl"]),
    ]
    assert rising == sorted(set(rising))


def test_thousands_of_parts_of_a_moment_come_before_the_next_minute() -> None:
    """Prevents parts of one delivery that run into another."""
    parts = sequences([f"20260504_2330/part-{number}.jsonl" for number in range(5_000)])
    (later,) = sequences(["20260504_2331.jsonl"])
    assert parts == list(range(parts[0], parts[0] + 5_000))
    assert parts[-1] < later < 2**53


def test_a_given_order_that_contradicts_the_dates_is_kept() -> None:
    """Prevents a list of names that the operator wrote from being set right by a guess."""
    names = ["2026-05-10.jsonl", "2026-05-11.jsonl", "fix.jsonl"]
    places = places_of(names)
    eleventh = moment_place(read_name("2026-05-11T00-00-00").period.start)  # type: ignore[union-attr]
    found = sequences_in([1, 2, 0], places, [eleventh] * 3, None)
    assert [names[index] for index in sorted(range(3), key=found.__getitem__)] == [names[1], names[2], names[0]]


@pytest.mark.parametrize(("ahead", "is_taken"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_an_epoch_in_the_future_is_not_taken_for_one(ahead: timedelta, is_taken: bool) -> None:
    """Prevents a serial number of ten digits from being an instant that outranks all exports for years."""
    now = datetime(2026, 5, 4, 23, 30, tzinfo=UTC)
    digits = f"{(now + ahead).timestamp():.0f}"
    for name in (f"desk-{digits}", f"{digits}123"):
        place = read_name(f"{name}.jsonl", now=now)
        assert (place.period is not None, place.doubt is None) == (is_taken, is_taken)
        assert folder_period((name,), now) == place.period
    if not is_taken:
        assert "epoch in the future" in str(place.doubt)


def test_the_serial_number_of_a_day_is_its_place_on_it() -> None:
    """Prevents daily manifests of one file each from being placed at hours, or at epochs."""
    names = ("desk-2026051002", "desk-2026051023", "desk-2026051024", "2026051000099", "desk-2026051101")
    found = [sequences([f"{name}.jsonl"])[0] for name in names]
    assert found == [finer(one) for one in (20260510002, 20260510023, 20260510024, 20260510099, 20260511001)]


@pytest.mark.parametrize(
    ("folder", "day"),
    [
        ("/data/spark/dt=2026-05-09", "2026-05-09"),
        ("/data/2026/05/09", "2026-05-09"),
        ("/data/year=2026/month=5/day=9", "2026-05-09"),
        ("/data/exports-20260509T233000Z", "2026-05-09T23:30:00Z"),
        ("/2026-05-09/exports", "None"),
        ("/data/day1", "None"),
    ],
)
def test_a_folder_named_after_a_day_says_when_its_parts_were_delivered(folder: str, day: str) -> None:
    """Prevents parts of an engine from being placed by time stamps that a copy has changed."""
    assert str(folder_period(tuple(folder.split("/")))) == day
