"""Problems as lines: the reason once, how many, the first names, and what mends it."""

from __future__ import annotations

from loader.cli.problem_output import absent_rows, problem_lines
from loader.ingest.problems import Problem
from loader.screen import Screen


def withheld(name: str, code: str = "checksum_mismatch", sentence: str = "other bytes.") -> Problem:
    return Problem("asset_withheld", f"asset {name} …", code, sentence, name, "Deliver it again.")


def test_1305_files_that_fail_for_one_reason_are_one_reason() -> None:
    """Twenty equal lines and "and 1285 more" hide what else there is."""
    lines = problem_lines(Screen(80), [withheld(f"f-{n}.jsonl") for n in range(1305)], 1306)
    assert lines == [
        "1,305 of 1,306 files were not admitted, for one reason:",
        "  checksum_mismatch   other bytes. Deliver it again.",
        "  1,305 files: f-0.jsonl, f-1.jsonl, f-2.jsonl, …",
    ]


def test_many_reasons_come_in_groups_the_most_frequent_first() -> None:
    """Files that were not admitted, lines, findings and checks are different things to mend."""
    problems = [
        withheld("a.jsonl", "size_mismatch", "4 bytes, declared are 5."),
        *(withheld(name) for name in ("b.jsonl", "b.jsonl", "c.jsonl")),
        Problem("reject_limit_exceeded", "m", "reject_limit_exceeded", "2 of 3 lines rejected, allowed 5%", "d.jsonl"),
        Problem("reconcile_finding", "m", "record_missing", "silver.ticket_fact: TKT-1 (1)", "2026-04-17"),
        Problem("dbt_check_failed", "m", "dbt_check_failed", "3 failing rows", "not_null_ticket_id"),
        Problem("no_lines_for_partition", "m", "no_lines_for_partition", "no line belongs to partition 2026-04-20"),
    ]
    assert problem_lines(Screen(80), problems, 4) == [
        "4 of 4 files were not admitted, for 2 reasons:",
        "  checksum_mismatch   other bytes. Deliver it again.",
        # The same name in two manifests is told once, and counted twice.
        "  3 files: b.jsonl, c.jsonl",
        "  size_mismatch   4 bytes, declared are 5. Deliver it again.",
        "  1 file: a.jsonl",
        "1 file has more rejected lines than allowed:",
        "  2 of 3 lines rejected, allowed 5%",
        "  1 file: d.jsonl",
        "1 finding of reconcile: rows do not fit what was landed:",
        "  record_missing   silver.ticket_fact: TKT-1 (1)",
        "  1 finding: 2026-04-17",
        "1 dbt check failed:",
        "  3 failing rows",
        "  1 dbt check: not_null_ticket_id",
        "no line belongs to partition 2026-04-20",
    ]
    assert problem_lines(Screen(80), [], 4) == []


def test_a_name_that_a_terminal_would_obey_is_shown() -> None:
    """Names come from outside."""
    lines = problem_lines(Screen(80, encoding="ascii"), [withheld("a\x1b[2J\nb.jsonl")], 1)
    assert lines[-1] == "  1 file: a\\x1b[2J\\nb.jsonl"


def test_absent_files_are_grouped_by_what_became_of_them_and_why() -> None:
    rows = [
        {
            "source_id": name,
            "disposition": "missing",
            "reasons": "asset_missing",
            "sentence": "No file.",
            "mend": "Send.",
        }
        for name in ("a", "b", "c")
    ]
    assert absent_rows(Screen(80), rows) == [("missing", "3 files", "asset_missing", "No file. Send. a, b, …")]
