"""Which of two deliveries wins where versions have one instant: what was delivered says it, or else the run says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.cli.ingest_command import print_verdict
from loader.manifest.sequence import finer
from loader.status import read_status
from loader.warehouse import Warehouse
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export
from tests.proofs import proved_whole, reconciled

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")

OLDER, NEWER = "closed", "escalated"


def version(number: int, status: str, updated_at: str = "2026-04-18T09:00:00Z") -> dict[str, Any]:
    return ticket(number, status=status, updated_at=updated_at)


def delivery(folder: Path, number: int, status: str, file: str, *more: dict[str, Any]) -> Path:
    """A manifest of one file with one version of ticket `number`, whose instant all of them share, and more."""
    write_export(folder / file, [version(number, status), *more])
    return declare(folder, folder.name)


def in_days(manifest: Path, sequence: int) -> Path:
    """As it was declared before names with a time of day were read."""
    body = json.loads(manifest.read_bytes())
    body["assets"][0]["sequence"] = sequence
    manifest.write_text(json.dumps(body, indent=2))
    return manifest


def test_the_newer_delivery_wins_whichever_arrives_first(
    database: Warehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents silent wrong winners: a later correction that a hash decides against, an older file that arrives late
    and outranks, scales that are compared as they are, a tie of which nobody hears, and a warning of none."""
    first = [
        delivery(tmp_path / "a1", 1, NEWER, "export_20260505233000.jsonl"),
        delivery(tmp_path / "b1", 2, OLDER, "2026-05-04T23-30-00Z.jsonl"),
        in_days(delivery(tmp_path / "c1", 3, NEWER, "tickets-2026-05-05.jsonl"), 20260505000),
        in_days(delivery(tmp_path / "d1", 4, OLDER, "tickets-2026-05-04.jsonl"), 20260504000),
        delivery(tmp_path / "e1", 5, OLDER, "desk-9-2026.5.4.jsonl"),
        delivery(tmp_path / "f1", 6, OLDER, "2026-W19.jsonl"),
        delivery(tmp_path / "t1", 7, OLDER, "tickets-2026-05-04.jsonl"),
        # The same file again, with one line more.
        delivery(tmp_path / "u1", 8, OLDER, "tickets-2026-05-04.jsonl"),
        # A tie that a later version has settled.
        delivery(tmp_path / "v1", 9, OLDER, "tickets-2026-05-04.jsonl"),
    ]
    second = [
        delivery(tmp_path / "a2", 1, OLDER, "export_20260504233000.jsonl"),
        delivery(tmp_path / "b2", 2, NEWER, "1777937401.jsonl"),
        delivery(tmp_path / "c2", 3, OLDER, "tickets_2026-05-04T23-59-59Z.jsonl"),
        delivery(tmp_path / "d2", 4, NEWER, "tickets_20260504_0100.jsonl"),
        delivery(tmp_path / "e2", 5, NEWER, "desk-11-2026.5.4.jsonl"),
        delivery(tmp_path / "f2", 6, NEWER, "2026-W20.jsonl"),
        delivery(tmp_path / "t2", 7, NEWER, "tickets-2026-05-04.jsonl"),
        delivery(tmp_path / "u2", 8, OLDER, "tickets-2026-05-04.jsonl", version(8, NEWER)),
        delivery(tmp_path / "v2", 9, "pending", "tickets-2026-05-04.jsonl", version(9, NEWER, "2026-04-18T10:00:00Z")),
    ]
    assert run(*first).facts.ties == ()
    verdict = run(*second)
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), (verdict.problems, verdict.proof)
    statuses = dict(rows(database, "select ticket_id, status from silver.ticket_fact"))
    untied = {name: status for name, status in statuses.items() if not name.endswith("7")}
    assert untied == {f"TKT-20260417-{number:06d}": NEWER for number in (1, 2, 3, 4, 5, 6, 8, 9)}

    tied = [(tie.partition_key, tie.source_id, tie.version_count) for tie in verdict.facts.ties]
    assert tied == [(DAY, "tickets-2026-05-04.jsonl", 1)] * 2
    assert verdict.facts.warnings["tie_unordered"] == 2
    assert "tie_unordered" in verdict.reason_codes
    assert verdict.downstream_decision == "proceed"
    record = json.loads(verdict.report_paths[0].read_bytes())
    assert [tie["manifest_id"].rsplit("-", 1)[0] for tie in record["ties"]] == ["manifest-t1", "manifest-t2"]
    assert verdict.facts.partitions[0].reconcile["tie_unordered_count"] == 2
    print_verdict(verdict, settings(), as_json=False)
    told = capsys.readouterr().out
    assert "2 warnings: tie_unordered" in told
    assert "tickets-2026-05-04.jsonl of manifest-t1-" in told
    assert len(read_status(database, DAY).ties) == 2
    assert reconciled(database) == proved_whole(database)


def test_every_declared_number_has_a_place(database: Warehouse) -> None:
    """Prevents a scale of somebody's own that fails, or that stands between two days by accident, and two meanings of
    one number here and in the warehouse."""
    place_of = {
        0: 0,
        5: 5,
        20260504000: 20260504_00000000,
        20260504999: 20260504_09990000,
        20260504_94600000: 20260504_94600000,
        202605042330: 20260504_94600000,
        20260504233000: 20260504_94600000,
        20261304233000: 20261304233000 + 10**18,
        1777937400123: 1777937400123 + 10**18,
        2**53 - 1: 2**53 - 1,
    }
    asked = "select declared, ops.sequence_place(declared) from unnest(%s::bigint[]) as declared"
    assert dict(rows(database, asked, list(place_of))) == place_of
    for declared in (20260504000, 20260504999, 20260504_94600000):
        assert finer(declared) == place_of[declared]
