"""Ids as an operator types them: which one is meant, and when nobody can say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loader.errors import CommandUsageError
from loader.plans import plan_path
from loader.runs.anchors import KnownId, whole_id, whole_run_id
from loader.screen import shortened

ONE = "01a20487-27bf-7d6f-88b2-ba02718ad2c7"
NEXT = "01a20487-27c0-7aaa-88b2-ba02718ad2c7"
AT = datetime(2026, 4, 17, 20, 34, tzinfo=UTC)


def candidates(*identities: str) -> list[KnownId]:
    return [KnownId(each, AT + timedelta(hours=n), "ingest", "warning") for n, each in enumerate(identities)]


def refusal(typed: str, *identities: str, writes: bool = False) -> str:
    with pytest.raises(CommandUsageError) as caught:
        whole_id("run", typed, candidates(*identities), writes=writes)
    assert (caught.value.exit_code, caught.value.next_command.split("   # ")[0]) == (2, "make status")
    return caught.value.message


def test_a_prefix_that_one_id_has_is_that_id() -> None:
    """Prevents 36 characters that are typed from one screen into the next."""
    assert whole_id("run", ONE[:4], candidates(ONE), writes=False) == ONE
    assert whole_id("run", ONE[:13], candidates(ONE), writes=True) == ONE
    assert whole_id("run", ONE, candidates(ONE), writes=True) == ONE
    # A batch may be named as the beginning of another one.
    assert whole_id("batch", "batch-1", candidates("batch-1", "batch-10"), writes=True) == "batch-1"


def test_what_a_screen_shows_of_an_id_is_enough_for_every_command() -> None:
    """Prevents an id that is copied from one screen and refused by the command that the screen names."""
    assert whole_id("run", shortened(ONE), candidates(ONE), writes=True) == ONE
    assert whole_id("run", shortened(ONE, [NEXT]), candidates(ONE), writes=True) == ONE


def test_an_ambiguous_prefix_names_those_that_it_may_mean() -> None:
    """Prevents a command on the run that happened to be first."""
    assert refusal(ONE[:8], NEXT, ONE) == (
        "run '01a20487': 2 begin so, expected one; nothing was started\n"
        "  01a20487-27c0   2026-04-17 20:34:00   ingest   warning\n"
        "  01a20487-27bf   2026-04-17 21:34:00   ingest   warning"
    )
    # Two ids of one millisecond: what is told is long enough to be typed.
    twin = ONE[:13] + NEXT[13:]
    assert "  01a20487-27bf-7a   " in refusal(ONE[:13], ONE, twin, writes=True)
    many = [f"{ONE[:-2]}{n:02d}" for n in range(23)]
    assert refusal(ONE[:20], *many).splitlines()[-1] == "  and 13 more"


def test_what_writes_takes_no_short_prefix_however_unique_it_is_today() -> None:
    """Prevents a command in a script that means another run tomorrow."""
    assert refusal(ONE[:12], ONE, writes=True).startswith(
        "run '01a20487-27b': got 12 characters of it, expected at least 13 where something is written; nothing was"
        " started\n  01a20487-27bf   2026-04-17 20:34:00"
    )
    assert refusal(ONE[:3], ONE).startswith("run '01a': got 3 characters of it, expected at least 4; nothing")


def test_what_no_id_begins_with_is_said_to_be_none() -> None:
    class Deaf:
        """A cursor that must not be asked."""

    for odd in ("J\xfcrgen", "\udcff\udcfe", "01а20487"):
        with pytest.raises(CommandUsageError, match=r"^no run .* in this warehouse; nothing was started$"):
            whole_run_id(Deaf(), odd)
    assert refusal("nobody") == "no run 'nobody' in this warehouse; nothing was started"
    # An unset variable of a shell is not "the last one".
    assert refusal("", ONE).startswith("run '': got 0 characters of it, expected at least 4")


def test_a_plan_is_its_file_or_the_beginning_of_its_id(tmp_path: Path) -> None:
    """Prevents a long path that must be copied from one screen into the next command."""
    folder = tmp_path / "retry"
    folder.mkdir()
    plans = {
        "retry_plan_a.json": {"plan_id": ONE, "timestamp": AT.isoformat()},
        "retry_plan_b.json": {"plan_id": NEXT, "timestamp": AT.isoformat()},
        "retry_plan_c.json": ["no plan"],
        "other.json": {"plan_id": ONE, "timestamp": AT.isoformat()},
    }
    for name, content in plans.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "retry_plan_d.json").write_text("{")

    def meant(typed: str | Path) -> Path:
        return plan_path(tmp_path, Path(typed), ["retry", "rerun"])

    assert meant(ONE[:13]) == folder / "retry_plan_a.json"
    assert meant(NEXT) == folder / "retry_plan_b.json"
    # Whoever reads it says that it cannot be read.
    for typed in ("nowhere", "retry_plan_a.json", folder / "retry_plan_a.json", ONE[:13].upper() + "Z"):
        assert meant(typed) == Path(typed)
    with pytest.raises(CommandUsageError, match="got 8 character"):
        meant(ONE[:8])
