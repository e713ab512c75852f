"""The warehouse that is damaged: a few days of tickets, comments and documents, proved, held, and not released yet."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

from loader.partition import Partition
from loader.release import Act
from loader.release.by_hand import hold
from loader.release.publish import publish
from loader.release.ruling import Request
from loader.silver import BuildResult, ProofScope, judge_build
from loader.warehouse import Warehouse
from tests.documents import HTML, MARKDOWN, PDF, deliver
from tests.ingests import comment, declare, generate_lively, rows, run, settings, write_export
from tests.sabotage.victims import COMMENTS, DOCUMENTS, TICKETS, VICTIMS

DAYS = {
    TICKETS: tuple(date(2026, 4, day) for day in (16, 17, 18, 19)),
    COMMENTS: tuple(date(2026, 4, day) for day in (17, 18, 19, 20)),
    DOCUMENTS: tuple(date(2026, 4, day) for day in (17, 18)),
}
REJECT_LIMIT = 0.5
# What readers see of each day.
_SHOWN = """
select ':kind', partition_key, md5(string_agg((to_jsonb(fact) - 'data_release_id')::text, ' ' order by :key))
from serving.:fact as fact group by partition_key
"""
_ACT = Act("publish", "tests", "a" * 32)


def ingest_all_kinds(folder: Path) -> None:
    """Tickets, comments and documents of some days, of which nothing is released: every day is held."""
    generate_lively(folder / TICKETS.kind, DAYS[TICKETS][0], DAYS[TICKETS][-1])
    for place, day in enumerate(DAYS[COMMENTS]):
        lines: list[Any] = [_of_day(day, number) for number in range(1, 7)]
        lines += [b"", lines[0], _of_day(day, 9, author_role="nobody"), b"{broken"]
        if place:
            before = DAYS[COMMENTS][place - 1]
            lines += [
                _of_day(before, number, visibility="internal", word_count=9, updated_at=f"{day}T09:00:00Z")
                for number in (1, 2)
            ]
        write_export(folder / COMMENTS.kind / f"comments-{day}.jsonl", [*lines, _of_day(day, 7)])
    hold(settings(), sorted(set().union(*DAYS.values())), "nothing is released yet")
    for victim in (TICKETS, COMMENTS):
        verdict = run(declare(folder / victim.kind, victim.kind, kind=victim.kind))
        assert verdict.exit_code == 0, verdict.problems
    _ingest_documents(folder)


def _ingest_documents(folder: Path) -> None:
    """Documents of two days: some are declared anew, one of each day is no PDF and is rejected; one of a third day has
    no bytes. No load has rows of a single day: where such a load is lost, nobody can say of which day it was."""
    files = {
        "guide-2026-04-17.pdf": PDF,
        "limits-2026-04-17.html": HTML,
        "forged-2026-04-17.pdf": HTML,
        "queues-2026-04-18.md": MARKDOWN,
        "forged-2026-04-18.pdf": HTML,
        "copy-2026-04-18.html": HTML,
    }
    said = {"language": "en", "tags": ["gateway"], "owner": "docs"}
    anew = {**said, "language": "de", "captured_at": "2026-04-17T12:00:00Z"}
    again = {"guide-2026-04-17.pdf": PDF, "queues-2026-04-18.md": MARKDOWN}
    for name, delivered, guide in (("first", files, said), ("anew", again, anew)):
        queues = {"captured_at": f"2026-04-18T{len(delivered):02}:00:00Z"}
        verdict = run(deliver(folder / DOCUMENTS.kind, name, delivered, guide=guide, queues=queues))
        assert verdict.exit_code == 0, verdict.problems
    verdict = run(
        deliver(
            folder / DOCUMENTS.kind, "withheld", {"empty-2026-04-19.md": b"", "empty-2026-04-18.md": MARKDOWN + b"\n"}
        )
    )
    assert [asset.reason_codes for asset in verdict.facts.assets if asset.action == "withheld"] == [("empty_asset",)]


def _of_day(day: date, number: int, **changes: Any) -> dict[str, Any]:
    numbers = {"seconds_to_reply": number + 0.25, "attachments": []} if number % 2 else {}
    return comment(
        number,
        comment_id=f"CMT-{day:%Y%m%d}-{number:06d}",
        created_at=f"{day}T08:00:00Z",
        **{"word_count": number, **numbers, **changes},
    )


def published(warehouse: Warehouse, build: BuildResult) -> dict[Partition, str]:
    """What readers see of each day of each kind that the gate lets pass after this proof of everything, once nobody
    holds it."""
    with closing(warehouse.connect(application_name="tests")) as session, session, session.cursor() as cursor:
        proved = judge_build(cursor, ProofScope("all", "tests", ""), build)
        cursor.execute("delete from release.partition_hold")
        publish(cursor, Request(_ACT, REJECT_LIMIT, proved))
    return shown(warehouse)


def shown(warehouse: Warehouse) -> dict[Partition, str]:
    """What readers see of each day of each kind."""
    found = (row for victim in VICTIMS for row in rows(warehouse, victim.bind(_SHOWN)))
    return {Partition(kind, day): digest for kind, day, digest in found}
