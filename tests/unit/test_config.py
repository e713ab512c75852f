"""Settings: what is read, what is refused, and how the refusal reads."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from loader.checkout import find_project_root
from loader.config import load_settings, parse_partition
from loader.errors import CommandUsageError

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_are_those_of_the_design() -> None:
    settings = load_settings()
    assert settings.project_root == ROOT
    assert settings.state_folder == ROOT / ".local"
    assert settings.raw_zone == ROOT / ".local" / "raw_zone"
    assert settings.report_dir == ROOT / "reports"
    assert settings.allowed_roots == ()
    assert settings.default_partition == date(2026, 4, 17)
    assert settings.partition_start_date == date(2026, 3, 1)
    assert settings.allowed_lateness == timedelta(days=3)
    assert settings.reject_limit == 0.05


def test_each_variable_is_read_and_relative_folders_start_at_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOADER_RAW_ZONE", "zone")
    monkeypatch.setenv("LOADER_REPORT_DIR", str(tmp_path / "out"))
    monkeypatch.setenv("LOADER_ALLOWED_ROOTS", os.pathsep.join(["exports", "", str(tmp_path)]))
    monkeypatch.setenv("LOADER_DEFAULT_PARTITION", "2026-03-02")
    monkeypatch.setenv("LOADER_PARTITION_START_DATE", "2016-01-01")
    monkeypatch.setenv("LOADER_ALLOWED_LATENESS", "90")
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "1")
    settings = load_settings()
    assert settings.raw_zone == ROOT / "zone"
    assert settings.report_dir == tmp_path / "out"
    assert settings.allowed_roots == (ROOT / "exports", tmp_path)
    assert settings.default_partition == date(2026, 3, 2)
    assert settings.partition_start_date == date(2016, 1, 1)
    assert settings.allowed_lateness == timedelta(seconds=90)
    assert settings.reject_limit == 1.0


@pytest.mark.parametrize(("text", "seconds"), [("P3D", 259_200), ("PT36H", 129_600), ("0", 0), ("1.5", 1.5)])
def test_lateness_is_seconds_or_an_iso_duration(text: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADER_ALLOWED_LATENESS", text)
    assert load_settings().allowed_lateness == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOADER_RAW_ZONE", str(ROOT / "pyproject.toml")),
        ("LOADER_REPORT_DIR", str(ROOT / "pyproject.toml")),
        ("LOADER_REPORT_DIR", "pyproject.toml/x/y"),
        ("LOADER_DEFAULT_PARTITION", "2026-02-30"),
        ("LOADER_DEFAULT_PARTITION", "17.04.2026"),
        # Pydantic alone takes both of these for a date.
        ("LOADER_DEFAULT_PARTITION", "2026-04-17T00:00:00"),
        ("LOADER_PARTITION_START_DATE", "1776384000"),
        ("LOADER_ALLOWED_LATENESS", "-1"),
        ("LOADER_ALLOWED_LATENESS", "-P1D"),
        ("LOADER_ALLOWED_LATENESS", "3 days"),
        ("LOADER_ALLOWED_LATENESS", "soon"),
        ("LOADER_REJECT_LIMIT", "5"),
        ("LOADER_REJECT_LIMIT", "-0.1"),
        ("LOADER_REJECT_LIMIT", "nan"),
        ("LOADER_REJECT_LIMIT", "5 %"),
        ("LOADER_PROJECT_ROOT", "/"),
    ],
)
def test_a_wrong_value_is_a_usage_error_that_names_variable_value_and_expectation(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it a typo silently changes policy, or ends in a traceback."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(CommandUsageError) as error:
        load_settings()
    assert error.value.message.startswith(f"{variable}: got {value!r}, expected ")
    assert error.value.message.endswith("nothing was started")
    assert variable in error.value.next_command


@pytest.mark.parametrize(
    ("variable", "value", "found"),
    [
        # An env file with the line ends of another system, or read by what takes quotes as they are.
        ("LOADER_RAW_ZONE", ".local/raw_zone\r", "the carriage return"),
        ("LOADER_REPORT_DIR", '"reports"', "quotes"),
        ("LOADER_REPORT_DIR", "reports'", "quotes"),
        ("LOADER_RAW_ZONE", " zone", "the blank at its edge"),
        ("LOADER_RAW_ZONE", "zone\u00a0", "the blank at its edge"),
        ("LOADER_RAW_ZONE", "\ufeffzone", r"the unseen character '\ufeff'"),
        ("LOADER_RAW_ZONE", "zo\u200bne", r"the unseen character '\u200b'"),
        ("LOADER_REPORT_DIR", "re\u202eports", r"the unseen character '\u202e'"),
        ("LOADER_RAW_ZONE", "zone # kept", "the comment from ' #' on"),
        ("LOADER_RAW_ZONE", "$HOME/zone", "the variable '$HOME', which nobody has replaced"),
        ("LOADER_ALLOWED_ROOTS", "/a:${DATA:-/b}", "the variable '${DATA:-/b}', which nobody has replaced"),
        ("LOADER_RAW_ZONE", "zone\x1b[0m", r"the control character '\x1b'"),
        ("LOADER_RAW_ZONE", " ", "the blank at its edge"),
        ("LOADER_WORKERS", "2\r", "the carriage return"),
        ("LOADER_REJECT_LIMIT", "0.05 ", "the blank at its edge"),
        ("LOADER_ALLOWED_ROOTS", "/a:/b\n", r"the control character '\n'"),
        ("LOADER_PROJECT_ROOT", f"{ROOT}\r", "the carriage return"),
    ],
)
def test_a_character_that_nobody_meant_is_refused_with_the_settings_name(
    variable: str, value: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a second archive beside the first, whose files verify then misses."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(CommandUsageError) as error:
        load_settings()
    assert error.value.message.startswith(f"{variable}: got {value!r}, expected ")
    assert error.value.message.endswith(f", without {found}; nothing was started")
    assert error.value.next_command.startswith(f"unset {variable} ")


def test_a_folder_of_a_list_has_no_blank_at_its_edge_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADER_ALLOWED_ROOTS", "/a: /b")
    with pytest.raises(CommandUsageError, match="LOADER_ALLOWED_ROOTS: got '/a: /b', expected "):
        load_settings()


def test_blanks_and_quotes_inside_a_path_are_somebodys_name_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = "it's the raw zone, ünique, at 5$ a#b"
    monkeypatch.setenv("LOADER_RAW_ZONE", str(tmp_path / name))
    assert load_settings().raw_zone == tmp_path / name


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("LOADER_RAWZONE", "LOADER_RAW_ZONE"),
        ("LOADER_REPORTS_DIR", "LOADER_REPORT_DIR"),
        ("LOADER_LOCKTIMEOUT", "LOADER_LOCK_TIMEOUT"),
        ("loader_raw_zone", "LOADER_RAW_ZONE"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_name(
    variable: str, near: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a setting that an operator believes in and nobody reads."""
    monkeypatch.setenv(variable, "x")
    with pytest.raises(CommandUsageError) as error:
        load_settings()
    expected = f"{variable}: got 'x', expected no such variable: the nearest setting is {near}; nothing was started"
    assert error.value.message == expected


@pytest.mark.parametrize("variable", ["LOADER_", "LOADER_XQJ"])
def test_a_name_like_no_setting_is_told_none(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    with pytest.raises(CommandUsageError) as error:
        load_settings()
    assert error.value.message == f"{variable}: got 'x', expected no such variable; nothing was started"


def test_a_home_that_nobody_has_is_a_wrong_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a traceback where the user has no entry among the system's users."""
    monkeypatch.setenv("LOADER_RAW_ZONE", "~no-such-user-here/zone")
    with pytest.raises(CommandUsageError, match="LOADER_RAW_ZONE: got '~no-such-user-here/zone', expected a folder"):
        load_settings()


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADER_RAW_ZONE", "")
    assert load_settings().raw_zone == ROOT / ".local" / "raw_zone"


def test_outside_any_checkout_the_error_says_where_to_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("loader.checkout.__file__", str(tmp_path / "site-packages" / "loader" / "checkout.py"))
    with pytest.raises(CommandUsageError, match="no checkout found"):
        find_project_root()


def test_a_package_away_from_its_checkout_takes_the_one_around_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT / "infra")
    monkeypatch.setattr("loader.checkout.__file__", str(tmp_path / "site-packages" / "loader" / "checkout.py"))
    assert find_project_root() == ROOT


def _make_checkout(folder: Path) -> Path:
    (folder / "infra" / "postgres").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    return folder


def test_the_loader_of_one_checkout_never_works_on_it_from_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prevents `status`, and `clean`, of a copied checkout on the original: the copied environment leads there."""
    copy = _make_checkout(tmp_path / "copy")
    (copy / "infra" / "deep").mkdir()
    for place in (copy, copy / "infra" / "deep"):
        monkeypatch.chdir(place)
        with pytest.raises(CommandUsageError, match="nothing was started") as error:
            load_settings()
        assert f"got the loader of the checkout {ROOT}, expected the one of {copy}" in error.value.message
        assert error.value.next_command.startswith(f"cd {copy} && make status")
    # The same by its path, from anywhere.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [str(copy / ".venv" / "bin" / "loader"), "clean"])
    with pytest.raises(CommandUsageError, match=f"expected the one of {copy}"):
        load_settings()
    monkeypatch.setenv("LOADER_PROJECT_ROOT", str(copy))
    assert load_settings().project_root == copy


def test_a_current_folder_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(CommandUsageError, match="the current folder was removed"):
        find_project_root()


def test_a_partition_is_a_day_and_nothing_else() -> None:
    assert parse_partition("2026-04-17") == date(2026, 4, 17)
    for text in ("2026-04-31", "2026-4-7", "20260417", " 2026-04-17", "2026-04-17\n", "", "٢٠٢٦-٠٤-١٧"):
        with pytest.raises(CommandUsageError, match="partition: got"):
            parse_partition(text)
