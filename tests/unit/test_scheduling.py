"""What docs/scheduling.md offers is what schedulers and the loader take, and the loader's days become stages."""

from __future__ import annotations

import inspect
import re
import runpy
import sys
from functools import partial
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import pytest
import yaml

from loader.cli import cli
from loader.obstacles import Code
from tests.checkouts import ROOT

FOLDER = ROOT / "docs" / "scheduling"
CRON_FIELD = re.compile(r"(\*|\d+)([-/,]\d+)*")


@pytest.fixture(scope="module")
def days() -> Any:
    """The part of Dagster's code that needs no Dagster."""
    sys.path.insert(0, str(ROOT / "infra" / "dagster"))
    try:
        return import_module("omni_dagster.days")
    finally:
        sys.path.pop(0)


def take(words: list[str]) -> None:
    """Raises click.UsageError where the loader does not know a word of it."""
    context = click.Context(cli, info_name="loader")
    name, command, rest = cli.resolve_command(context, words)
    assert command is not None
    command.make_context(name, [word for word in rest if word != "--json"], parent=context)


def commands(text: str) -> list[list[str]]:
    """The loader's words in a script, with a day in place of what a shell puts in."""
    text = re.sub(r"\$\{PARTITION:\+(.*?)\}", r"\1", text)
    text = re.sub(r'"\$\([^)]*\)"|"\$PARTITION"', "2026-04-17", text)
    found = re.findall(r"\.venv/bin/loader ([^>|&\n]*)", text)
    return [each.strip().split() for each in found]


def test_cron_takes_each_line_and_the_loader_each_command() -> None:
    lines = [line for line in (FOLDER / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    jobs = [line for line in lines if not re.match(r"[A-Z]+=", line)]
    assert len(jobs) == 3
    for job in jobs:
        *when, command = job.split(None, 5)
        assert all(CRON_FIELD.fullmatch(field) for field in when), job
        # cron ends a command at the first of these that is not escaped.
        assert not re.search(r"(?<!\\)%", command), job
        (words,) = commands(command.replace("\\%", "%"))
        take(words)


def test_github_takes_the_workflow_and_the_loader_its_commands() -> None:
    said = yaml.safe_load((FOLDER / "github-actions.yml").read_text())
    assert set(said) == {"name", True, "permissions", "concurrency", "jobs"}
    # A queue holds one run: a later one would end the day that somebody asked for.
    assert said["concurrency"]["group"] == "ingest-${{ inputs.partition || 'all' }}"
    (job,) = said["jobs"].values()
    waits = [int(each) for step in job["steps"] for each in re.findall(r"--lock-timeout (\d+)", step["run"])]
    assert job["timeout-minutes"] * 60 > 3 * sum(waits)
    scripts = [step["run"] for step in job["steps"]]
    found = [words for script in scripts for words in commands(script)]
    assert [words[0] for words in found] == ["ingest", "status"]
    for words in found:
        take(words)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the example asks of Airflow, as far as Airflow's own rules judge it: the names that it defines, the options
    of its graph (`dag`) and of each task, and the task's functions."""
    asked: dict[str, Any] = {"tasks": {}}

    class Task(SimpleNamespace):
        def expand(self, **_: Any) -> Task:
            return self

        def __call__(self) -> Task:
            return self

        def __rshift__(self, other: Task) -> Task:
            return other

    def task(function: Any = None, **options: Any) -> Any:
        if function is None:
            return partial(task, **options)
        for name, parameter in inspect.signature(function).parameters.items():
            # As Airflow does for each name that it fills in.
            assert name != "ds" or parameter.default is None, "can't have a default other than None"
        asked["tasks"][function.__name__] = Task(call=function, **options)
        return asked["tasks"][function.__name__]

    def dag(**options: Any) -> Any:
        asked["dag"] = options
        return lambda function: function

    failures = {name: type(name, (Exception,), {}) for name in _FAILURES}
    interval = SimpleNamespace(CronDataIntervalTimetable=lambda cron, timezone: ("data interval", cron, timezone))
    modules = {
        "airflow.exceptions": SimpleNamespace(**failures),
        "airflow.sdk": SimpleNamespace(dag=dag, task=task),
        "airflow.timetables.interval": interval,
    }
    for name in ("airflow", "airflow.timetables"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)  # type: ignore[arg-type]
    return asked | runpy.run_path(str(FOLDER / "airflow_dag.py")) | asked


_FAILURES = ("AirflowException", "AirflowFailException", "AirflowSkipException")


def test_airflow_asks_each_morning_for_the_day_before(airflow: dict[str, Any]) -> None:
    """Prevents a run for the day that has just begun: since Airflow 3 a run of "@daily" has the date of its start."""
    assert airflow["dag"]["schedule"] == ("data interval", "0 6 * * *", "UTC")


def test_airflow_asks_for_readiness_where_one_kind_has_no_line(airflow: dict[str, Any]) -> None:
    """Prevents a day of tickets without comments that nobody asks about."""
    assert airflow["tasks"]["ready"].trigger_rule == "none_failed_min_one_success"
    assert airflow["tasks"]["ingest"].max_active_tis_per_dag == 1


def test_airflow_calls_what_the_loader_takes(airflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[str]] = []

    def answer(command: list[str], **_: Any) -> SimpleNamespace:
        said.append(command[1:])
        return SimpleNamespace(returncode=0, stdout="{}", stderr="")

    monkeypatch.setattr("subprocess.run", answer)
    airflow["tasks"]["ingest"].call("ticket_v1", ds="2026-04-17")
    airflow["tasks"]["ready"].call(ds="2026-04-17")
    assert [words[0] for words in said] == ["ingest", "ready"]
    for words in said:
        take(words)


@pytest.mark.parametrize(
    ("code", "answer", "expected"),
    [
        (0, "{}", None),
        (1, '{"status": "not_available", "problems": ["no line"], "next_command": "x"}', "AirflowSkipException"),
        (1, '{"status": "failed", "problems": ["rejects"], "next_command": "x"}', "AirflowFailException"),
        (2, '{"error": "words", "next_command": "x"}', "AirflowFailException"),
        (3, '{"error": "away", "next_command": "x"}', "AirflowException"),
        (4, '{"error": "locked", "next_command": "x"}', "AirflowException"),
        (-9, "", "AirflowException"),
        (1, "no JSON", "AirflowException"),
    ],
)
def test_airflow_skips_fails_and_tries_again_as_the_table_says(
    airflow: dict[str, Any], monkeypatch: pytest.MonkeyPatch, code: int, answer: str, expected: str | None
) -> None:
    """Prevents a killed command that ends in a traceback, and a failure that is skipped."""
    monkeypatch.setattr("subprocess.run", lambda *_, **__: SimpleNamespace(returncode=code, stdout=answer, stderr=""))
    if expected is None:
        airflow["run"]("ingest")
        return
    with pytest.raises(Exception) as raised:
        airflow["run"]("ingest")
    assert type(raised.value).__name__ == expected


def test_each_exit_code_has_its_row() -> None:
    page = (ROOT / "docs" / "scheduling.md").read_text()
    assert re.findall(r"^\| (\d) ", page, re.MULTILINE) == ["0", "1", "1", "2", "3", "4"]


def test_each_obstacle_that_belongs_to_a_stage_is_one_of_the_loader(days: Any) -> None:
    """Prevents a day that is green in Silver because its code was renamed."""
    assert set(days._STAGE_OF) | days._NO_REASON <= set(Code)
    assert set(days._STAGE_OF.values()) | {"raw_zone", "serving"} == set(days.STAGES)


def day(**said: Any) -> dict[str, Any]:
    return {
        "record_kind": "k",
        "partition_key": "2026-04-17",
        "state": "kept back",
        "reason": "why",
        "codes": [],
        **said,
    }


@pytest.mark.parametrize(
    ("codes", "whole"),
    [
        (["asset_withheld"], []),
        (["lines_not_taken", "drift"], ["gate", "raw_zone"]),
        (["content_differs"], ["gate", "raw_zone", "bronze"]),
        (["drift"], ["gate", "raw_zone", "bronze", "silver"]),
        (["of_another_version"], ["gate", "raw_zone", "bronze", "silver"]),
    ],
)
def test_a_day_holds_up_to_what_stands_in_its_way(days: Any, codes: list[str], whole: list[str]) -> None:
    row = day(is_relied_on=False, codes=codes)
    (found,) = days.days_of({"partitions": [], "readers": [], "days": [row]}).values()
    assert [*found.stages] == whole
    assert "why" in found.sentence and "make status PARTITION=2026-04-17 KIND=k" in found.sentence


def test_a_day_that_readers_rely_on_is_whole_even_when_it_is_held(days: Any) -> None:
    rows = [
        day(is_relied_on=True, state="held", codes=["held"]),
        day(partition_key="2026-04-18", state="not asked for"),
    ]
    (found,) = days.days_of({"partitions": [], "readers": [], "days": rows}).values()
    assert found.stages == days.STAGES and found.obstacles == ()


def test_days_that_follow_each_other_are_one_window(days: Any) -> None:
    found = days.windows(["2026-03-01", "2026-02-28", "2026-03-03", "2026-02-27"])
    assert found == [("2026-02-27", "2026-03-01"), ("2026-03-03", "2026-03-03")]
