"""Problems of a run: what is kept of each, and what is told once for all of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from loader.contract.schema import load_reason_codes
from loader.gate import AssetFinding
from loader.ingest.problems import (
    Problem,
    Words,
    in_short,
    no_line_belongs,
    of_asset,
    of_rejects,
    too_many_rejects,
    with_shared_sentences,
)

REASONS = load_reason_codes(Path(__file__).resolve().parents[2] / "contracts")
SILENT = Words(REASONS)
HIDDEN = AssetFinding(
    "path_outside_roots", "reject", "'/data/.cache' is hidden below the allowed root /data", Path("/data/.cache")
)


def test_the_gates_own_sentence_reaches_the_operator() -> None:
    """The code alone does not say which folder is meant, nor what allows it."""
    words = Words(
        REASONS, {("m", "a.jsonl"): (AssetFinding("license_unknown", "warn", "the license is unknown"), HIDDEN)}
    )
    assert of_asset(
        words, ("m", "a.jsonl"), "withheld", ["license_unknown", "path_outside_roots"], "the rest went on"
    ) == (
        Problem(
            "asset_withheld",
            "asset a.jsonl of m is withheld (license_unknown, path_outside_roots): '/data/.cache' is hidden below the"
            " allowed root /data; the rest went on",
            "path_outside_roots",
            "'/data/.cache' is hidden below the allowed root /data.",
            "a.jsonl",
            "If what lies there are exports, /data/.cache can be added to LOADER_ALLOWED_ROOTS.",
            Path("/data/.cache"),
        )
    )


def test_a_later_command_has_the_codes_only_and_says_what_they_mean() -> None:
    """status and retry look at what an earlier run found, whose gate is long gone."""
    found = of_asset(SILENT, ("m", "a"), "missing", ["asset_missing", "license_unknown"])
    assert (found.reason_code, found.code, found.sentence, found.mend) == (
        "asset_missing",
        "asset_missing",
        "No file lies where the manifest says.",
        "Deliver the file, then ingest again.",
    )
    # A policy alone withheld it.
    assert of_asset(SILENT, ("m", "a"), "withheld", ["license_unknown"]).code == "license_unknown"
    # A code of another version of the contracts.
    assert of_asset(SILENT, ("m", "a"), "withheld", ["code_of_tomorrow"]).message == (
        "asset a of m is withheld (code_of_tomorrow): "
    )


def test_what_was_found_after_the_gate_is_said_beside_what_it_said() -> None:
    """source_changed comes from the comparison with what was registered."""
    words = Words(
        REASONS, {("m", "a"): (AssetFinding("size_mismatch", "reject", "the file has 3 bytes, declared are 4"),)}
    )
    found = of_asset(words, ("m", "a"), "withheld", ["size_mismatch", "source_changed"])
    assert found.code == "size_mismatch, source_changed"
    assert found.sentence == (
        "the file has 3 bytes, declared are 4; The source has other bytes than those that an earlier run admitted, or"
        " the gate inspected."
    )


def test_files_that_fail_in_one_way_each_are_told_by_what_the_code_means_and_an_example() -> None:
    """A checksum is a file's own: 300 sentences that differ in their hashes are one reason."""
    problems = [
        Problem(
            "asset_withheld", f"message {n}", "checksum_mismatch", f"the bytes have SHA-256 {n}", f"f{n}", "Mend it."
        )
        for n in range(300)
    ]
    shared = with_shared_sentences(problems, SILENT)
    assert {(each.code, each.sentence, each.mend) for each in shared} == {
        (
            "checksum_mismatch",
            "The file's SHA-256 is not the declared one. The first: the bytes have SHA-256 0",
            "Mend it.",
        )
    }
    assert [(each.name, each.message) for each in shared] == [(f"f{n}", f"message {n}") for n in range(300)]
    assert in_short(shared) == "message 0 (and 299 more for this reason)"
    # Two are told as they are.
    assert [each.sentence for each in with_shared_sentences(problems[:2], SILENT)] == [
        "the bytes have SHA-256 0",
        "the bytes have SHA-256 1",
    ]


def test_many_reasons_at_once_keep_their_order_and_none_is_lost() -> None:
    """What hides the one that counts: a reason that is cut off the list."""
    found = [Problem("dbt_check_failed", f"dbt: node_{n}: no", f"code_{n}") for n in range(23)]
    assert in_short(found).split("; ") == [*(f"dbt: node_{n}: no" for n in range(20)), "and 3 more reasons"]
    assert [each.code for each in with_shared_sentences([*found, found[0]], SILENT)] == [
        "code_0",
        *(f"code_{n}" for n in range(23)),
    ]
    assert in_short([]) == ""


def test_rejects_and_absent_days_in_words() -> None:
    assert too_many_rejects(95, 5, 0.05) is None
    assert too_many_rejects(0, 1, 1.0) == "1 of 1 lines rejected, allowed 100%"
    assert too_many_rejects(0, 0, 0.0) is None
    # A float takes 0.29 of 100 for less than 29.
    assert too_many_rejects(71, 29, 0.29) is None
    assert too_many_rejects(70, 30, 0.29) == "30 of 100 lines rejected, allowed 29%"
    told = of_rejects("a.jsonl", "1,200 of 3,000 lines rejected, allowed 5%", "line 2: not_an_object: it is a list")
    assert told.message == (
        "asset a.jsonl: 1,200 of 3,000 lines rejected, allowed 5%; the first: line 2: not_an_object: it is a list"
    )
    assert no_line_belongs(date(2026, 4, 20), [date(2026, 4, 17), date(2026, 4, 21)]).message == (
        "no line of the declared assets belongs to partition 2026-04-20; nearest data: 2026-04-17 and 2026-04-21"
    )
    assert no_line_belongs(date(2026, 4, 20), []).message.endswith("; nearest data: none")
