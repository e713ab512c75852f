"""The generator: its bytes depend on its options only, and its ground truth is the truth."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from data.generator import Options, generate
from data.generator.__main__ import main
from data.generator.damage import Damager
from data.generator.options import OptionError
from data.generator.randomness import stream
from data.generator.schedule import Schedule
from data.generator.ticket_damage import DAMAGES, REASON_CODES
from data.generator.tickets import World
from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.kinds import load_ruleset
from tests.unit.naive_recount import epoch_us, naive_recount, uncompressed
from tests.unit.samples import assert_made_again, assert_same_bytes_elsewhere, contents

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "canonization" / "tickets"

NOISY = Options(
    date(2026, 3, 1), date(2026, 3, 20), seed=7, tickets=400, payload_bytes=500, update_rate=3.0,
    invalid_rate=0.1, duplicate_rate=0.1, late_rate=0.1, blank_rate=0.05, out_of_order=0.2,
    moved_rate=0.05, warning_rate=0.05,
    gzip_every=3, gzip_member_lines=17, crlf_every=4, unterminated_every=2,
)  # fmt: skip


def test_two_runs_with_the_same_options_write_the_same_bytes(tmp_path: Path) -> None:
    """Prevents a sample that nobody can make again."""
    first, second = generate(NOISY, tmp_path / "a"), generate(NOISY, tmp_path / "b")
    assert first == second
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_gzip_header_has_neither_name_nor_time(tmp_path: Path) -> None:
    """Prevents bytes that change with the second of the run."""
    generate(NOISY, tmp_path)
    headers = [path.read_bytes()[:10] for path in tmp_path.glob("*.gz")]
    assert {(header[3], header[4:8]) for header in headers} == {(0, bytes(4))}


def test_another_seed_writes_other_tickets(tmp_path: Path) -> None:
    """Prevents a seed that is accepted and ignored."""
    generate(NOISY, tmp_path / "a")
    generate(replace(NOISY, seed=8), tmp_path / "b")
    one, other = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert [name for name in one.keys() & other.keys() if one[name] == other[name]] == []


def test_hash_seed_locale_and_time_zone_do_not_reach_the_bytes(tmp_path: Path) -> None:
    """Prevents bytes that differ between machines: set order, local time, locale."""
    command = "--seed 3 --tickets 150 --from 2026-03-28 --to 2026-04-02 --gzip-every 2 --invalid-rate 0.2"
    assert_same_bytes_elsewhere(tmp_path, "data.generator", *command.split())


def test_the_ground_truth_equals_an_independent_recount(tmp_path: Path) -> None:
    """Prevents a truth that repeats the generator's own mistake: the files are read again, by other code."""
    expected = generate(NOISY, tmp_path)
    recount = naive_recount(tmp_path)
    assert recount["files"] == expected["files"]
    assert recount["partitions"] == expected["partitions"]
    totals = expected["totals"]
    assert isinstance(totals, dict)
    assert totals["silver_rows"] == sum(row["silver_rows"] for row in recount["partitions"].values())
    assert totals["lines"] == sum(row["lines"] for row in recount["files"].values())
    # The recount says something only if everything occurs.
    assert set(totals["rejected_by_reason"]) == set(REASON_CODES)
    assert set(totals["warnings"]) == {
        "ticket_day_mismatch",
        "updated_before_created",
        "resolved_before_created",
    }
    assert all(totals[name] > 5 for name in ("blank", "duplicates", "delivered_late", "moved"))


def test_the_committed_sample_is_what_the_documented_command_makes(tmp_path: Path) -> None:
    """Prevents a sample edited by hand, or a generator that moved on without it."""
    assert_made_again(SAMPLE, "data.generator", main, tmp_path)


def test_the_committed_sample_keeps_its_promises() -> None:
    """Prevents a sample on which `make ingest` fails by policy, or whose demonstration day is empty."""
    expected = json.loads((SAMPLE / "expected.json").read_bytes())
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 4_000_000
    files = expected["files"].items()
    assert [name for name, row in files if row["rejected"] > 0.05 * (row["lines"] - row["blank"])] == []
    days = list(expected["partitions"])
    assert (days[0], days[-1], len(days)) == ("2026-03-01", "2026-04-30", 61)
    assert expected["partitions"]["2026-04-17"]["silver_rows"] >= 40
    assert set(expected["totals"]["rejected_by_reason"]) == set(REASON_CODES)
    recount = naive_recount(SAMPLE)
    assert recount["files"] == expected["files"]
    assert recount["partitions"] == expected["partitions"]


@pytest.mark.parametrize("lines", [1, 10, 2_000, 5_001])
def test_a_wanted_number_of_lines_is_written_exactly(tmp_path: Path, lines: int) -> None:
    """Prevents a throughput figure that divides by lines which were never written."""
    expected = generate(replace(NOISY, tickets=None, lines=lines, crlf_every=0, unterminated_every=0), tmp_path)
    totals = expected["totals"]
    assert isinstance(totals, dict)
    files = [path for path in tmp_path.iterdir() if path.name != "expected.json"]
    assert totals["lines"] == lines == sum(uncompressed(path).count(b"\n") for path in files)
    assert naive_recount(tmp_path)["partitions"] == expected["partitions"]


def test_the_last_of_many_days_is_no_outlier(tmp_path: Path) -> None:
    """Prevents a last file that pays for what earlier days left out of the wanted number of lines."""
    expected = generate(Options(date(2026, 3, 2), date(2026, 4, 10), lines=20_000, payload_bytes=0), tmp_path)
    files = expected["files"]
    assert isinstance(files, dict)
    counts = [files[f"tickets-2026-04-{day:02d}.jsonl"]["lines"] for day in (7, 8, 9, 10)]
    assert max(counts) < 1.35 * min(counts)


def test_a_low_update_rate_still_makes_updates(tmp_path: Path) -> None:
    """Prevents 3 % that round to none."""
    truth = generate(Options(date(2026, 3, 1), date(2026, 3, 30), tickets=4_000, update_rate=0.03), tmp_path)
    totals = truth["totals"]
    assert isinstance(totals, dict)
    assert 60 <= totals["events"] - totals["silver_rows"] <= 180


def test_lines_have_about_the_wanted_size(tmp_path: Path) -> None:
    """Prevents a bench on lines of another size than its report says."""
    expected = generate(Options(date(2026, 3, 1), date(2026, 3, 9), lines=5_000, payload_bytes=850), tmp_path)
    totals = expected["totals"]
    assert isinstance(totals, dict)
    assert totals["content_bytes"] / totals["lines"] == pytest.approx(850, rel=0.03)


def test_the_contract_gives_every_damaged_line_its_promised_reason_code() -> None:
    """Prevents damage that breaks two rules, or none: the truth by reason code would be a matter of taste."""
    ruleset = load_ruleset(ROOT / "contracts")
    world = World(NOISY)
    versions = Schedule(NOISY, world).versions_of(20_513, 0)
    damager = Damager(DAMAGES, stream(1, 1))
    for at, ticket, number in versions * 40:
        line = world.render(ticket, number, at, "batch-20260301-001").line
        body, reason_code = damager.damage(line)
        judged = ruleset.judge(body)
        assert isinstance(judged, RejectedRecord), (reason_code, body)
        assert judged.reason_codes == (reason_code,), body


def test_the_contract_accepts_every_undamaged_line_and_warns_as_promised() -> None:
    """Prevents a sample whose good lines are refused."""
    ruleset = load_ruleset(ROOT / "contracts")
    world = World(NOISY)
    schedule = Schedule(NOISY, world)
    for day in range(20_513, 20_520):
        for at, ticket, number in schedule.versions_of(day, 0):
            version = world.render(ticket, number, at, "batch-20260301-001")
            judged = ruleset.judge(version.line.encode())
            assert isinstance(judged, AcceptedRecord), version.line
            assert sorted(judged.warning_codes) == sorted(version.warning_codes)
            assert epoch_us(judged.updated_at or judged.created_at) == version.instant_us
            assert (judged.partition_key - date(1970, 1, 1)).days == version.partition


def test_a_folder_with_exports_is_refused_unless_told_to_replace(tmp_path: Path) -> None:
    """Prevents two data sets mixed in one folder, with the truth of one."""
    generate(NOISY, tmp_path)
    before = contents(tmp_path)
    shorter = replace(NOISY, last_day=date(2026, 3, 2), tickets=20)
    with pytest.raises(OptionError, match="already holds tickets-2026-03-01"):
        generate(shorter, tmp_path)
    assert contents(tmp_path) == before
    generate(shorter, tmp_path, replace=True)
    assert sorted(contents(tmp_path)) == [
        "expected.json",
        "tickets-2026-03-01.jsonl",
        "tickets-2026-03-02.jsonl",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--tickets 0", "expected at least 1"),
        ("--tickets 5 --invalid-rate 0.9", "--invalid-rate: got 0.9, expected 0.0 to 0.5"),
        ("--tickets 5 --payload-bytes 70000", "--payload-bytes: got 70000"),
        ("--tickets 5 --from 2026-05-01", "--from 2026-05-01 is after --to 2026-03-02"),
        ("--tickets 5 --source a\"b", "--source"),
        ("--tickets 9000000", "has room for 999999"),
    ],
)  # fmt: skip
def test_an_option_out_of_range_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    """Prevents a run that writes nonsense for an hour."""
    given = ["--out", str(tmp_path), "--from", "2026-03-01", "--to", "2026-03-02", *words.split()]
    assert main(given) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
