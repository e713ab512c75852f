"""A field that is declared after rows were released, and one that is declared otherwise than they were released."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.errors import CheckFailedError, RefusedError
from loader.kinds import load_kinds
from loader.kinds.generate import generated_files
from loader.partition import Partition
from loader.release import changes, digests, releases
from loader.warehouse import Role, Warehouse, set_up
from loader.warehouse.released import released_kinds
from tests.checkouts import ROOT
from tests.integration.release.test_histories import NAMES, PUT, SILVER, TICKET, release_what_changed

DAY = date(2026, 4, 14)
RELEASED_ROWS = Path("infra/postgres/04_release_rows.sql")


@pytest.fixture
def released(database: Warehouse, tmp_path: Path) -> Iterator[Any]:
    """A cursor. Two tickets of a day are released."""
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        cursor.execute(SILVER.format(**NAMES[TICKET]))
        for key in ("1", "2"):
            cursor.execute(PUT.format(**NAMES[TICKET]), {"key": key, "day": DAY, "status": "open"})
        release_what_changed(cursor)
        yield cursor


def _infra(folder: Path, change: Any) -> Path:
    """infra/postgres as it is where the ticket's schema and fields are `change`d."""
    contracts = folder / "contracts"
    shutil.copytree(ROOT / "contracts", contracts, ignore=shutil.ignore_patterns("fixtures"))
    schema, declared = contracts / "kinds" / TICKET / "schema.json", contracts / "kinds" / TICKET / "kind.yml"
    content = json.loads(schema.read_text())
    text = change(content["properties"], declared.read_text())
    schema.write_text(json.dumps(content))
    declared.write_text(text)
    infra = Path(shutil.copytree(ROOT / "infra" / "postgres", folder / "infra" / "postgres"))
    (folder / RELEASED_ROWS).write_text(generated_files(load_kinds(contracts))[RELEASED_ROWS])
    return infra


def _with_channel(properties: dict[str, Any], text: str) -> str:
    properties["channel"] = {"type": "string", "enum": ["mail", "phone"]}
    return f"{text}  channel: {{level: internal, silver: channel, serve: true, reason: Closed list.}}\n"


def test_a_field_declared_later_is_released_and_changes_no_row_from_before(
    released: Any, database: Warehouse, tmp_path: Path
) -> None:
    """Prevents a migration by hand for each field, and released rows whose digest a new column breaks: every restore to
    them would be refused."""
    set_up(database.acting_as(Role.LOADER), _infra(tmp_path, _with_channel))
    kind = next(each for each in released_kinds(released) if each.record_kind == TICKET)
    assert ("channel", "text") in kind.columns(released)
    assert digests.edited_rows(released, kind) == {}
    assert digests.unlike(released, is_content_read=True) == []
    released.connection.commit()
    released.execute("set local role omni_transform; alter table silver.ticket_fact add column channel text")
    released.connection.commit()
    assert changes.find_changes(released)[0] == set()
    released.execute("update silver.ticket_fact set channel = 'mail' where ticket_id = '1'")
    released.execute("insert into release.pending_record values (%s, '1')", (TICKET,))
    release_what_changed(released)
    released.execute(
        "select ticket_id, channel, first_release_id, end_release_id from release.ticket_fact order by 1, 3"
    )
    assert released.fetchall() == [("1", None, 1, 2), ("1", "mail", 2, None), ("2", None, 1, None)]
    assert digests.edited_rows(released, kind) == {}
    assert digests.unlike(released, is_content_read=True) == []
    assert releases.pointers(released) == {Partition(TICKET, DAY): 2}


def test_an_edited_value_of_a_column_declared_later_is_found(
    released: Any, database: Warehouse, tmp_path: Path
) -> None:
    """Prevents a digest that sees no column which was added."""
    set_up(database.acting_as(Role.LOADER), _infra(tmp_path, _with_channel))
    released.execute("set session_replication_role = replica")
    released.execute("update release.ticket_fact set channel = 'mail' where ticket_id = '1'")
    kind = next(each for each in released_kinds(released) if each.record_kind == TICKET)
    assert digests.edited_rows(released, kind) == {Partition(TICKET, DAY): 1}


def test_a_column_of_another_type_is_not_released(released: Any) -> None:
    """Prevents a version whose rows are others than those that were compared: `true` as a text is kept as a boolean."""
    released.execute("set local role omni_transform; alter table silver.ticket_fact alter column is_open type text")
    released.execute("update silver.ticket_fact set status = 'closed' where ticket_id = '1'")
    released.execute("reset role; insert into release.pending_record values (%s, '1')", (TICKET,))
    released.connection.commit()
    with pytest.raises(CheckFailedError, match="got 0 of 1 rows as they were compared"):
        release_what_changed(released)


def _with_text_as_tags(properties: dict[str, Any], text: str) -> str:
    properties["tags"] = {"type": "string", "maxLength": 9}
    return text


def _without_owner(properties: dict[str, Any], text: str) -> str:
    return text.replace("silver: owner, serve: true, show: true, ", "", 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_with_text_as_tags, "release.ticket_fact.tags: got jsonb, which rows were released with, and contracts/kinds"),
        (_without_owner, "release.ticket_fact.owner: got text, .* declares no such column; nothing was changed"),
    ],
)
def test_a_field_that_was_released_keeps_its_column_and_type(
    change: Any, words: str, released: Any, database: Warehouse, tmp_path: Path
) -> None:
    """Prevents a build that fails in the middle of a release, with an error of SQL."""
    with pytest.raises(RefusedError, match=words) as refused:
        set_up(database.acting_as(Role.LOADER), _infra(tmp_path, change))
    assert str(refused.value.next_command).startswith("git diff contracts/kinds")
    assert digests.unlike(released, is_content_read=True) == []
