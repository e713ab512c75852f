"""The generator of comments: its bytes depend on options and tickets only, and its ground truth is the truth."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from data.generator import Options
from data.generator import generate as generate_tickets
from data.generator.comments import CommentOptions, generate
from data.generator.comments.__main__ import main
from data.generator.comments.damage import DAMAGES, REASON_CODES
from data.generator.comments.numbers import seconds_text, spelled
from data.generator.damage import Damager
from data.generator.instants import day_number
from data.generator.randomness import stream
from loader.contract.exact_json import exact_number, number_text
from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.kinds import load_ruleset
from tests.checkouts import ROOT
from tests.unit.naive_recount import COMMENTS, TICKETS, Refusal, instant_us, naive_record, naive_recount, uncompressed
from tests.unit.samples import assert_made_again, assert_same_bytes_elsewhere, contents

KIND = "ticket_comment_v1"
SAMPLE = ROOT / "data" / "canonization" / "comments"
TICKET_SAMPLE = ROOT / "data" / "canonization" / "tickets"

NOISY = CommentOptions(
    seed=7, comments=900, edit_rate=0.4, invalid_rate=0.5, duplicate_rate=0.1, late_rate=0.1, blank_rate=0.05,
    unlinked=4, gzip_every=3, gzip_member_lines=17, crlf_every=4, unterminated_every=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tickets")
    days = (date(2026, 3, 1), date(2026, 3, 20))
    generate_tickets(Options(*days, seed=7, tickets=400, update_rate=3.0, moved_rate=0.05, gzip_every=2), folder)
    return folder


@pytest.fixture(scope="module")
def opened() -> dict[str, int]:
    """When each ticket of the sample was opened: the latest that a line says, in microseconds."""
    opened: dict[str, int] = {}
    for path in sorted(TICKET_SAMPLE.glob("tickets-*")):
        for line in uncompressed(path).split(b"\n"):
            try:
                ticket = naive_record(line.removesuffix(b"\r"), TICKETS)
            except Refusal:
                continue
            at = instant_us(ticket["created_at"])
            opened[ticket["ticket_id"]] = max(at, opened.get(ticket["ticket_id"], at))
    return opened


def lines_of(folder: Path) -> Iterator[bytes]:
    """Those that are not blank."""
    for path in sorted(folder.glob("comments-*")):
        for line in uncompressed(path).split(b"\n"):
            if line.strip():
                yield line.removesuffix(b"\r")


def records_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Those that the contract accepts."""
    for line in lines_of(folder):
        try:
            yield naive_record(line, COMMENTS)
        except Refusal:
            continue


def test_two_runs_with_the_same_options_write_the_same_bytes(tickets: Path, tmp_path: Path) -> None:
    """Prevents a sample that nobody can make again, or a seed that is accepted and ignored."""
    first, second = (generate(NOISY, tickets, tmp_path / name) for name in "ab")
    assert first == second
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    generate(replace(NOISY, seed=8), tickets, tmp_path / "c")
    one, other = contents(tmp_path / "a"), contents(tmp_path / "c")
    assert [name for name in one.keys() & other.keys() if one[name] == other[name]] == []


def test_hash_seed_locale_and_time_zone_do_not_reach_the_bytes(tickets: Path, tmp_path: Path) -> None:
    """Prevents bytes that differ between machines: set order, local time, locale."""
    assert_same_bytes_elsewhere(tmp_path, "data.generator.comments", "--tickets", str(tickets))


def test_the_ground_truth_equals_an_independent_recount(tickets: Path, tmp_path: Path) -> None:
    """Prevents a truth that repeats the generator's own mistake: the files are read again, by other code."""
    expected = generate(NOISY, tickets, tmp_path)
    recount = naive_recount(tmp_path, COMMENTS)
    assert recount["files"] == expected["files"]
    assert recount["partitions"] == expected["partitions"]
    totals = expected["totals"]
    assert isinstance(totals, dict)
    assert totals["silver_rows"] == sum(row["silver_rows"] for row in recount["partitions"].values())
    # The recount says something only if everything occurs.
    assert set(totals["rejected_by_reason"]) == set(REASON_CODES)
    assert all(totals[name] > 5 for name in ("blank", "duplicates", "delivered_late"))
    assert totals["events"] - totals["silver_rows"] > 100


def test_the_judge_gives_each_line_of_the_sample_its_fate() -> None:
    """Prevents a truth that the loader contradicts: events and duplicates by its fingerprints, rejects by its codes."""
    ruleset = load_ruleset(ROOT / "contracts", KIND)
    expected = json.loads((SAMPLE / "expected.json").read_bytes())
    judged = [ruleset.judge(line) for line in lines_of(SAMPLE)]
    accepted = [fate for fate in judged if isinstance(fate, AcceptedRecord)]
    rejected = [fate for fate in judged if isinstance(fate, RejectedRecord)]
    assert len({fate.record_fingerprint for fate in accepted}) == expected["totals"]["events"]
    assert len(accepted) == expected["totals"]["events"] + expected["totals"]["duplicates"]
    assert {fate.warning_codes for fate in accepted} == {()}
    assert Counter(code for fate in rejected for code in fate.reason_codes) == expected["totals"]["rejected_by_reason"]
    days = Counter(fate.partition_key.isoformat() for fate in accepted)
    assert days == {day: row["record_lines"] for day, row in expected["partitions"].items()}


def test_the_committed_sample_is_what_the_documented_command_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a sample edited by hand, or a generator or tickets that moved on without it."""
    monkeypatch.chdir(ROOT)
    assert_made_again(SAMPLE, "data.generator.comments", main, tmp_path)


def test_the_committed_sample_keeps_its_promises() -> None:
    """Prevents a sample on which `make ingest` fails by policy, or which lacks what its page says."""
    expected = json.loads((SAMPLE / "expected.json").read_bytes())
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 500_000
    assert expected["totals"]["content_bytes"] < 500_000
    files = expected["files"].items()
    assert [name for name, row in files if row["rejected"] > 0.05 * (row["lines"] - row["blank"])] == []
    days = list(expected["partitions"])
    assert (days[0], days[-1], len(days)) == ("2026-03-01", "2026-04-30", 61)
    assert {"number_too_long", "value_out_of_bounds", "wrong_type"} <= set(expected["totals"]["rejected_by_reason"])
    recount = naive_recount(SAMPLE, COMMENTS)
    assert recount["files"] == expected["files"]
    assert recount["partitions"] == expected["partitions"]
    readme = (SAMPLE / "README.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(CMT-[0-9-]+)` \| `(TKT-[0-9-]+)` \|$", readme, re.MULTILINE)) == expected["unlinked"]
    text = b"\n".join(lines_of(SAMPLE))
    for spelling in (
        rb":-0[,}]",
        rb":[0-9]+\.0[,}]",
        rb"\.[0-9]*[1-9]0[,}]",
        rb"[0-9]e\+?[0-9]",
        rb":9007199254740993[,}]",
    ):
        assert re.search(spelling, text), spelling


@pytest.mark.parametrize("seed", [20260479, 3, 4])
def test_every_comment_is_younger_than_its_ticket_but_for_those_whose_ticket_never_comes(
    opened: dict[str, int], tmp_path: Path, seed: int
) -> None:
    """Prevents a seed whose links are wrong by themselves: a check of links would name more than it has to."""
    expected = generate(CommentOptions(seed=seed), TICKET_SAMPLE, tmp_path)
    unlinked = {}
    for comment in records_of(tmp_path):
        at = opened.get(comment["ticket_id"])
        if at is None:
            unlinked[comment["comment_id"]] = comment["ticket_id"]
        else:
            assert instant_us(comment["created_at"]) > at, comment["comment_id"]
    assert unlinked == expected["unlinked"]
    assert len(unlinked) == 3


def test_the_contract_gives_every_damaged_line_its_promised_reason_code(tickets: Path, tmp_path: Path) -> None:
    """Prevents damage that breaks two rules, or none: the truth by reason code would be a matter of taste."""
    ruleset = load_ruleset(ROOT / "contracts", KIND)
    generate(replace(NOISY, invalid_rate=0.0), tickets, tmp_path)
    whole = [line.decode() for line in lines_of(tmp_path)]
    damager = Damager(DAMAGES, stream(1, 1))
    nested = set()
    for line in whole[:400] * 4:
        assert isinstance(ruleset.judge(line.encode()), AcceptedRecord), line
        body, reason_code = damager.damage(line)
        judged = ruleset.judge(body)
        assert isinstance(judged, RejectedRecord), (reason_code, body)
        assert judged.reason_codes == (reason_code,), body
        nested |= {reason_code} if judged.json_path.startswith("$.attachments[") else set()
    assert nested == {
        "missing_required_field",
        "number_too_long",
        "pattern_mismatch",
        "unknown_field",
        "value_out_of_bounds",
        "wrong_type",
    }


@pytest.mark.parametrize("microseconds", [0, 1, 500_000, 7_000_000, 12_500_000, 86_399_999_999, 1_000_000_000_000])
def test_every_spelling_of_a_number_is_that_number(microseconds: int) -> None:
    """Prevents a duplicate that is none: its number was another."""
    number = seconds_text(microseconds)
    draw = stream(microseconds, 1)
    spellings = {spelled(draw, number) for _ in range(200)}
    assert len(spellings) > 4
    assert {number_text(exact_number(spelling)) for spelling in spellings} == {number}


def test_a_comments_day_is_no_day_before_or_after_the_tickets(tickets: Path, tmp_path: Path) -> None:
    """Prevents partitions of comments beside those of the tickets that they are on."""
    expected = generate(replace(NOISY, comments=90), tickets, tmp_path)
    partitions = expected["partitions"]
    assert isinstance(partitions, dict)
    days = [day_number(date.fromisoformat(day)) for day in partitions]
    assert days == list(range(day_number(date(2026, 3, 1)), day_number(date(2026, 3, 20)) + 1))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--comments 0", "--comments: got 0"),
        ("--invalid-rate 0.9", "--invalid-rate: got 0.9, expected 0.0 to 0.5"),
        ("--tickets data/canonization/documents", "has no exports of tickets"),
        ('--source a"b', "--source"),
    ],
)
def test_an_option_out_of_range_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    """Prevents a run that writes nonsense."""
    monkeypatch.chdir(ROOT)
    assert main(["--out", str(tmp_path), *words.split()]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
