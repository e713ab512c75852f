"""Obstacles: what each code says and asks for, said from its facts, in one place."""

from __future__ import annotations

import re
from datetime import date

import pytest

from loader.contract.schema import load_reason_codes
from loader.obstacles import OF_DAY, Code, Obstacle, obstacles_of, told
from loader.partition import Partition
from tests.checkouts import ROOT

DAY = Partition("ticket_v1", date(2026, 4, 17))
MODELS = ROOT / "dbt_project" / "models"
# SQL says these itself, of what readers see now.
OF_READERS = {
    Code.NOT_RELEASED,
    Code.RESTORED,
    Code.WAITING,
    Code.SILVER_CHANGED,
    Code.BRONZE_CHANGED,
    Code.LANDED_SINCE,
}


def test_what_reconcile_says_of_a_day_is_what_everybody_reads() -> None:
    """Prevents a code of SQL that nobody has words for, and one of Python that no day ever gets."""
    sql = (MODELS / "reconcile" / "reconcile_partition.sql").read_text(encoding="utf-8")
    assert re.findall(r"^ +\(\d+, '(\w+)', ", sql, re.MULTILINE) == list(Code)[: len(OF_DAY)]


def test_what_the_view_of_readers_adds_has_a_code_too() -> None:
    sql = (MODELS / "serving" / "kind_partition_status.sql").read_text(encoding="utf-8")
    values = sql[sql.index("values") : sql.index(") as found (place, is_so, code, message)")]
    assert set(re.findall(r"'([a-z]+_?[a-z]*)',\s", values)) == {*OF_READERS, Code.HELD}


def test_every_code_says_something_from_its_facts_and_asks_for_a_command() -> None:
    """Prevents `drift_differs` on a screen, and a next command with a hole in it."""
    for code in Code:
        obstacle = Obstacle(code, 2, ("a name",), "silver.t")
        assert (obstacle.message == code) is (code in {*OF_READERS, Code.HELD}), code
        command = obstacle.next_command([DAY], {"ticket_v1"})
        assert re.match(r"(make|loader) ", command) and not re.search("[{}]", command + obstacle.message), code


@pytest.mark.parametrize(
    ("obstacle", "message", "next_command"),
    [
        (Obstacle(Code.MISSING, 1), "1 file is missing", "make diagnose"),
        (
            Obstacle(Code.UNEXPLAINED, 1_200),
            "1,200 lines or events that nothing explains",
            "make diagnose",
        ),
        (
            Obstacle(Code.FINDING, 3, ("record_missing",), "silver.ticket_fact"),
            "record_missing: 3 rows of silver.ticket_fact",
            "make diagnose",
        ),
        (
            Obstacle(Code.TOO_MANY_REJECTS, names=("a.jsonl", "{b}.jsonl")),
            "too many rejects in a.jsonl, {b}.jsonl",
            "make release PARTITION=2026-04-17 ACCEPT_REJECTS=1 REASON='<why>'",
        ),
        (
            Obstacle(Code.COLLIDED, 2),
            "2 events have keys of another source's records",
            "make status PARTITION=2026-04-17",
        ),
    ],
)
def test_what_is_told_is_made_of_code_and_facts(obstacle: Obstacle, message: str, next_command: str) -> None:
    record = obstacle.as_record()
    assert (record["code"], record["message"], Obstacle.read(record)) == (obstacle.code, message, obstacle)
    assert told([record], DAY, {"ticket_v1"}) == [{**record, "next_command": next_command}]


def test_a_row_of_reconcile_is_told_in_the_same_words() -> None:
    row = {"obstacles": [{"code": "asset_withheld", "count": 3}, {"code": "content_differs", "count": 1}]}
    assert [obstacle.message for obstacle in obstacles_of(row)] == [
        "3 files are withheld",
        "Silver's content is not Bronze's",
    ]
    assert [each["message"] for each in told(row["obstacles"], DAY, ())] == [
        "3 files are withheld",
        "Silver's content is not Bronze's",
    ]
    assert obstacles_of({}) == []


def test_a_code_of_another_version_keeps_a_day_back_under_its_own_name() -> None:
    """Prevents a command that ends in a traceback, or a day that is called sound, over a table of a later build."""
    record = {"code": "code_of_tomorrow", "count": 2}
    assert [obstacle.message for obstacle in obstacles_of({"obstacles": [record]})] == ["code_of_tomorrow"]
    assert told([record], DAY, ())[0]["next_command"] == "make diagnose"


def test_the_same_fact_has_the_same_word_in_evidence() -> None:
    """Prevents two closed lists that call one thing by two names."""
    reasons = load_reason_codes(ROOT / "contracts").by_code
    assert {code for code in Code if code in reasons} == {
        Code.UNEXPLAINED,
        Code.WITHHELD,
        Code.MISSING,
        Code.COLLIDED,
        Code.LINK_MISSING,
        Code.FINDING,
        Code.RUN_FAILED,
        Code.TOO_MANY_REJECTS,
    }
