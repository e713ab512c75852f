"""The warehouse that is damaged: a few days of every kind, proved, held, and not released yet."""

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
from tests import media
from tests.documents import HTML, MARKDOWN, PDF, deliver
from tests.ingests import comment, declare, generate_lively, rows, run, settings, write_export
from tests.sabotage.victims import CALLS, COMMENTS, DOCUMENTS, IMAGES, OF_FILES, TEXTS, TICKETS, VICTIMS, VIDEOS, Victim

DAYS = {
    TICKETS: tuple(date(2026, 4, day) for day in (16, 17, 18, 19)),
    COMMENTS: tuple(date(2026, 4, day) for day in (17, 18, 19, 20)),
    **{victim: tuple(date(2026, 4, day) for day in (17, 18)) for victim in OF_FILES},
}
# Three files of each, by the endings of their names.
FILES = {
    DOCUMENTS: (("pdf", PDF), ("html", HTML), ("md", MARKDOWN)),
    CALLS: tuple(media.CALLS.good.items()),
    VIDEOS: (*media.VIDEOS.good.items(), ("mp4", (media.CORPUS / "ntsc.mp4").read_bytes())),
    IMAGES: tuple(media.IMAGES.good.items()),
    TEXTS: (("txt", b"one\n"), ("txt", b"one two\n"), ("txt", b"one\ntwo\nthree")),
}
# What is not what the first ending says; of most, the bytes of the second file.
FORGED = {TEXTS: media.IMAGES.good["png"]}
REJECT_LIMIT = 0.5
# What readers see of each day.
_SHOWN = """
select ':kind', partition_key, md5(string_agg((to_jsonb(fact) - 'data_release_id')::text, ' ' order by :key))
from serving.:fact as fact group by partition_key
"""
_ACT = Act("publish", "tests", "a" * 32)


def ingest_all_kinds(folder: Path) -> None:
    """Records of every kind and of some days, of which nothing is released: every day is held."""
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
    for victim in OF_FILES:
        _ingest_files(folder, victim)


def _ingest_files(folder: Path, victim: Victim) -> None:
    """Files of two days: some are declared anew, one of each day is not what it is declared to be and is rejected; one
    of a third day has no bytes. No load has rows of a single day: where such a load is lost, nobody can say of which
    day it was."""
    here, instant = folder / victim.kind, "captured_at" if victim is DOCUMENTS else "recorded_at"
    (first, good), (second, other), (third, last) = FILES[victim]
    forged = FORGED.get(victim, other)
    files = {
        f"guide-2026-04-17.{first}": good,
        f"limits-2026-04-17.{second}": other,
        f"forged-2026-04-17.{first}": forged,
        f"queues-2026-04-18.{third}": last,
        f"forged-2026-04-18.{first}": forged,
        f"copy-2026-04-18.{second}": other,
    }
    every = media.TEXTS.every if victim is TEXTS else {}
    tagged = {} if victim is TEXTS else {"tags": ["gateway"]}
    said = {"language": "en", **tagged, "owner": "docs"}
    anew = {**said, "language": "de", instant: "2026-04-17T12:00:00Z"}
    again = {name: content for name, content in files.items() if name.startswith(("guide", "queues"))}
    manifests = []
    for name, delivered, guide in (("first", files, said), ("anew", again, anew)):
        queues = {instant: f"2026-04-18T{len(delivered):02}:00:00Z"}
        manifests.append(deliver(here, name, delivered, of=victim.kind, every=every, guide=guide, queues=queues))
    empty = {f"empty-2026-04-19.{third}": b"", f"empty-2026-04-18.{second}": other}
    withheld = deliver(here, "withheld", empty, of=victim.kind, every=every)
    # Documents in a run for each manifest, as they come; the others in one.
    runs = [[*manifests, withheld]]
    if victim is DOCUMENTS:
        runs = [[manifest] for manifest in (*manifests, withheld)]
    *whole, verdict = [run(*together) for together in runs]
    assert [each.problems for each in whole if each.exit_code] == []
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
