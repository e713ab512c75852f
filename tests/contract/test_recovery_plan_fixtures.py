from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from loader.cli.options import with_options
from loader.cli.recovery_options import VERBS as OPTIONS
from loader.cli.recovery_options import VerbOptions
from loader.config import load_settings
from loader.contract.schema import load_schema, schema_faults
from loader.errors import CommandUsageError
from loader.recovery import VERBS, read_plan
from loader.recovery.plan import GapReason, PartitionState, PlannedAsset
from tests.contract.contract_fixtures import CONTRACTS, cases, content_of

SCHEMA_FILE = CONTRACTS / "recovery" / "recovery_plan_v1.schema.json"
SCHEMA = load_schema(SCHEMA_FILE)
VALID = cases("recovery", "valid")
INVALID = cases("recovery", "invalid")


def test_there_is_a_plan_of_every_verb_and_no_other() -> None:
    """Prevents a verb whose plans nobody has ever checked; each file begins with its verb."""
    assert {case.values[0]["instance"]["mode"] for case in VALID} == set(VERBS)
    assert all(case.id.split("_")[0] == case.values[0]["instance"]["mode"] for case in VALID)
    assert len(INVALID) >= 8


@pytest.mark.parametrize("case", VALID)
def test_a_plan_as_it_was_written_passes(case: dict[str, Any], tmp_path: Path) -> None:
    """Prevents a schema that refuses the plans which the loader writes."""
    assert schema_faults(SCHEMA, case["instance"]) == []
    path = tmp_path / "plan.json"
    path.write_bytes(content_of(case))
    assert read_plan(load_settings(), path) == case["instance"]


@pytest.mark.parametrize("case", VALID)
def test_a_plan_has_every_field_and_adds_up(case: dict[str, Any]) -> None:
    """Prevents fixtures that the loader would not write today, and a total that hides a day."""
    plan = case["instance"]
    assert list(plan) == json.loads(SCHEMA_FILE.read_bytes())["required"]
    for item in plan["partitions"]:
        assert list(item) == [field.name for field in fields(PartitionState)]
    for item in plan["assets"]:
        assert list(item) == [field.name for field in fields(PlannedAsset)]
    for name in ("expected_input_count", "current_output_count"):
        assert plan[name] == sum(part[name] for part in plan["partitions"])
    gravest = min(get_args(GapReason).index(part["gap_reason"]) for part in plan["partitions"])
    assert plan["gap_reason"] == get_args(GapReason)[gravest]
    partitions = [(part["record_kind"], part["partition_key"]) for part in plan["partitions"]]
    assert partitions == sorted(set(partitions))
    # An expiry is of every partition: it has no window.
    assert all(plan["window_start"] <= day < plan["window_end"] for _, day in partitions if plan["mode"] != "expire")
    assert re.fullmatch(
        rf"reports/{plan['mode']}/{plan['mode']}_plan_(all|[0-9a-f_-]+)(_[0-9a-f]{{8}})?\.json", plan["report_path"]
    )


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_plan_is_refused_at_its_place(case: dict[str, Any], tmp_path: Path) -> None:
    """Prevents an edited plan that is applied: each fixture is a plan with one thing wrong, and no other."""
    assert {fault.json_path for fault in schema_faults(SCHEMA, case["instance"])} == {case["json_path"]}
    path = tmp_path / "plan.json"
    path.write_bytes(content_of(case))
    with pytest.raises(CommandUsageError) as refused:
        read_plan(load_settings(), path)
    assert refused.value.exit_code == 2
    assert refused.value.message.startswith(f"plan {path}: {case['json_path']}: ")
    assert refused.value.message.endswith("; nothing was started")


# What is typed at least.
TYPED = {
    "retry": (),
    "rerun": (),
    "replay": ("--batch", "batch-20260417-001"),
    "backfill": ("--partition", "2026-04-17", "--kind", "ticket_v1"),
    "restore": ("--partition", "2026-04-17", "--reason", "why"),
    "expire": ("--keep", "3", "--reason", "why"),
}


@pytest.mark.parametrize("verb", OPTIONS, ids=lambda verb: verb.name)
def test_the_schema_lists_what_the_table_of_options_asks_for(verb: VerbOptions) -> None:
    """Prevents an option that a plan holds, and whose plan cannot be read back. A kind may be added to a request."""
    command = click.command(verb.name)(with_options(lambda **given: given, verb.options))
    asked = verb.request(verb.name, command.make_context(verb.name, list(TYPED[verb.name])).params)
    schema = json.loads(SCHEMA_FILE.read_bytes())
    name = "run" if verb.name in ("retry", "rerun") else verb.name
    listed = schema["$defs"][f"request_of_{name}"]
    assert set(listed["properties"]) - {"record_kind"} == set(asked) - {"record_kind"} == set(listed["required"])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"\xef\xbb\xbf{}"], ids=repr)
def test_what_is_no_plan_at_all_is_refused(content: bytes, tmp_path: Path) -> None:
    """Prevents a traceback where a wrong file was named."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    with pytest.raises(CommandUsageError, match="nothing was started"):
        read_plan(load_settings(), path)


@pytest.mark.parametrize("case", VALID)
def test_a_request_without_the_verb_s_arguments_is_refused(case: dict[str, Any], tmp_path: Path) -> None:
    """Prevents a plan that passes its schema and cannot be made again."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**case["instance"], "request": {}}))
    with pytest.raises(CommandUsageError, match=re.escape("$.request")):
        read_plan(load_settings(), path)
