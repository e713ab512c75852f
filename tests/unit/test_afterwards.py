"""The site and the alerts after a command: they follow, and are never the command's own business."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from loader.alerts import Delivery
from loader.cli import afterwards, alert_command, main, site_command
from loader.errors import InfrastructureError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ingest --partition 2026-04-17", True),
        ("ingest --help", False),
        ("build -h", False),
        ("retry", False),
        ("retry --mode execute", True),
        ("restore --partition 2026-04-17 --reason wrong --mode execute --json", True),
        ("apply plan.json", True),
        ("hold --partition 2026-04-17 --reason x", True),
        ("verify --run 019d", True),
        ("status", False),
        ("site", False),
        ("", False),
    ],
)
def test_the_site_follows_commands_that_change_what_it_says(words: str, expected: bool) -> None:
    """Prevents pages that stay behind, and a look that writes."""
    assert afterwards.changes_what_is_told(words.split()) is expected


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A site that there is, and what was made of it; `hold` is the command, and it ends with 1."""
    calls: list[str] = []
    monkeypatch.setattr(afterwards, "_is_made", lambda settings: True)
    monkeypatch.setattr("loader.warehouse.answering_warehouse", lambda settings: SimpleNamespace())
    monkeypatch.setattr(site_command, "make", lambda settings, warehouse: calls.append("made"))
    monkeypatch.setattr("loader.cli.cli.main", lambda **_: print("the answer") or 1)
    return calls


def ended() -> object:
    with pytest.raises(SystemExit) as end:
        main(["hold"])
    return end.value.code


def test_the_answer_comes_first_and_keeps_its_exit_code(made: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert (ended(), made) == (1, ["made"])
    assert capsys.readouterr() == ("the answer\n", "")


@pytest.mark.parametrize(
    "error",
    [InfrastructureError("the disk is full", next_command="df -h"), ValueError("a defect\nof a page"), OSError()],
)
def test_a_site_that_fails_is_a_line_and_no_failure(
    made: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Prevents a run that counts as failed because of a page."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(site_command, "make", fail)
    assert ended() == 1
    said = capsys.readouterr()
    assert said.out == "the answer\n"
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    assert " ".join(said.err.split()) == (
        f"error: the site was not made: {reason}; the command itself has ended next: make site"
    )


def test_a_site_that_waits_keeps_nobody_waiting(
    made: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a scheduler whose run has ended and does not end, for a lock that somebody holds."""
    monkeypatch.setattr(afterwards, "_LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(site_command, "make", lambda *_: time.sleep(3))
    began = time.monotonic()
    assert ended() == 1
    assert time.monotonic() - began < 2
    assert "the site was not made: it took longer than 0 seconds" in capsys.readouterr().err


def test_no_server_is_started_for_a_page(
    made: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.warehouse.answering_warehouse", lambda settings: None)
    assert (ended(), made) == (1, [])
    assert "the site was not made: the warehouse does not answer" in capsys.readouterr().err


def test_without_a_site_none_is_made(
    made: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afterwards, "_is_made", lambda settings: False)
    assert (ended(), made) == (1, [])
    assert capsys.readouterr() == ("the answer\n", "")


def test_the_owners_are_told_after_the_site_and_a_channel_that_fails_is_a_line(
    made: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prevents a run that counts as failed because a webhook was away, and a site that is not made for it."""
    rules = tmp_path / "alerts.yml"
    rules.write_text("")
    monkeypatch.setenv("LOADER_ALERTS", str(rules))
    failed = Delivery("oncall", (), "the webhook answers 503")
    monkeypatch.setattr(alert_command, "tell_owners", lambda *_, is_sent: made.append("told") or [failed])
    assert (ended(), made) == (1, ["made", "told"])
    said = capsys.readouterr()
    assert said.out == "the answer\n"
    assert " ".join(said.err.split()) == (
        "error: the owners were not told: oncall: the webhook answers 503; the command itself has ended"
        " next: make alert ONCE=1"
    )


def test_what_takes_too_long_is_named(
    made: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prevents advice to make a site that there is not, when a channel is slow."""
    (tmp_path / "alerts.yml").write_text("")
    monkeypatch.setenv("LOADER_ALERTS", str(tmp_path / "alerts.yml"))
    monkeypatch.setattr(afterwards, "_is_made", lambda settings: False)
    monkeypatch.setattr(afterwards, "_LONGEST_SECONDS", 0.5)
    monkeypatch.setattr(alert_command, "tell_owners", lambda *_, is_sent: time.sleep(3))
    assert (ended(), made) == (1, [])
    assert "the owners were not told: it took longer than" in " ".join(capsys.readouterr().err.split())
