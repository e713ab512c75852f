"""Everything that follows from a declaration is as it says; `loader kind check` names what is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.cli.kind_command import check_lines
from loader.errors import CommandUsageError
from loader.kinds import load_kinds
from loader.kinds.check import check_kinds, waiting_for_persons
from loader.kinds.dbt_models import SERVING_FOLDER, SILVER_FOLDER
from loader.kinds.generate import generated_files
from loader.screen import Screen
from tests.checkouts import ROOT

CASES = Path("contracts/kinds/ticket_v1/fixtures")
SOURCES = Path("dbt_project/models/staging/_kinds__sources.yml")
MACRO = Path("dbt_project/macros/kinds/declared_kinds.sql")
TABLES = Path("infra/postgres/02_kinds.sql")
RELEASED = Path("infra/postgres/04_release_rows.sql")
SILVER = SILVER_FOLDER / "ticket_fact.yml"
SERVED = SERVING_FOLDER / "serving_ticket_fact.sql"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in (Path("contracts"), SILVER_FOLDER, SERVING_FOLDER, SOURCES.parent, MACRO.parent, TABLES.parent):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_the_repository_is_as_it_declares() -> None:
    """Prevents a field that Silver forgets or types otherwise, a declaration that dbt or PostgreSQL never hears of, and
    a case that is judged otherwise than it says. Next: loader kind check"""
    kinds, faults = check_kinds(ROOT)
    assert [kind.name for kind in kinds] == [
        "ticket_v1",
        "call_v1",
        "document_v1",
        "image_v1",
        "video_v1",
        "ocr_text_v1",
        "ticket_comment_v1",
        "transcript_line_v1",
    ]
    assert faults == []


def _replaced(path: Path, before: str, after: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        text = (root / path).read_text()
        assert before in text
        (root / path).write_text(text.replace(before, after, 1))

    return change


def _case(path: Path, **changed: object) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        file = root / path
        file.write_text(json.dumps(json.loads(file.read_bytes()) | changed))

    return change


def _removed(path: Path) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        if (root / path).is_dir():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink()

    return change


STATUS_CASE = CASES / "invalid" / "invalid_enum_value.status_case.json"


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        (_replaced(MACRO, '"level":"public"', '"level":"internal"'), f"{MACRO}:20", "not what the declarations say"),
        (_removed(MACRO), f"{MACRO}:1", "not what the declarations say"),
        (_replaced(TABLES, "raw_ticket_event", "tickets"), f"{TABLES}:2", "not what the declarations say"),
        (_replaced(RELEASED, "is_open boolean", "is_open text"), f"{RELEASED}:194", "not what the declarations say"),
        (_replaced(SILVER, "- name: owner\n", "- name: owned\n"), f"{SILVER}:93", "not what the declarations say"),
        (_removed(SILVER), f"{SILVER}:1", "not what the declarations say"),
        (_removed(SERVED), f"{SERVED}:1", "not what the declarations say"),
        (_removed(SILVER.with_suffix(".sql")), str(SILVER.with_suffix(".sql")), "is not there"),
        (_case(STATUS_CASE, expect=["wrong_type"]), str(STATUS_CASE), "invalid (invalid_enum_value)"),
        (_case(STATUS_CASE, partition_key="2026-04-18"), str(STATUS_CASE), "expected invalid"),
        (_case(STATUS_CASE, instance={}), str(STATUS_CASE), "is judged invalid (missing_required_field)"),
        (_replaced(STATUS_CASE, "{", ""), str(STATUS_CASE), "is no case"),
        (_replaced(STATUS_CASE, '"instance"', '"record"'), str(STATUS_CASE), "is no case"),
        (_removed(CASES / "valid"), str(CASES / "valid"), "holds no case"),
    ],
)
def test_what_is_not_as_declared_is_named_with_its_place(
    change: Callable[[Path], None], place: str, words: str, root: Path
) -> None:
    """Prevents a check that passes whatever it finds."""
    assert check_kinds(root)[1] == []
    change(root)
    (fault,) = check_kinds(root, "ticket_v1")[1]
    assert fault.place == place
    assert words in fault.words
    assert fault.next_command


def test_a_link_that_waits_for_what_an_erasure_takes_is_told_and_is_no_fault(root: Path) -> None:
    """Prevents a day that waits for ever, of which nobody was told while it could be declared otherwise."""
    assert list(waiting_for_persons(root, check_kinds(root)[0])) == []
    _replaced(Path("contracts/kinds/ticket_comment_v1/kind.yml"), "missing: warn", "missing: wait")(root)
    for path, content in generated_files(load_kinds(root / "contracts")).items():
        (root / path).write_text(content)
    kinds, faults = check_kinds(root)
    assert faults == []
    (note,) = waiting_for_persons(root, kinds)
    assert note.startswith("ticket_comment_v1: ticket_id waits for ticket_v1, whose records an erasure takes;")
    assert check_lines(Screen(300), kinds, faults, [note])[1] == f"  note: {note}"
    assert list(waiting_for_persons(root, check_kinds(root, "ticket_v1")[0])) == []


def test_a_name_that_is_no_kind_is_a_usage_error() -> None:
    with pytest.raises(CommandUsageError, match="got tickets, expected one of ticket_v1"):
        check_kinds(ROOT, "tickets")
