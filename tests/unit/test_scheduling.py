"""What docs/scheduling.md offers is what schedulers and the loader take, and the loader's days become stages."""

from __future__ import annotations

import ast
import re
import sys
from importlib import import_module
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
    (job,) = said["jobs"].values()
    scripts = [step["run"] for step in job["steps"]]
    found = [words for script in scripts for words in commands(script)]
    assert [words[0] for words in found] == ["ingest", "status"]
    for words in found:
        take(words)


def test_airflow_calls_what_the_loader_takes() -> None:
    tree = ast.parse((FOLDER / "airflow_dag.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "run"]
    found = [
        ["2026-04-17" if isinstance(word, ast.Name) else ast.literal_eval(word) for word in call.args] for call in calls
    ]
    assert [words[0] for words in found] == ["ingest", "ready"]
    for words in found:
        take(words)


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
