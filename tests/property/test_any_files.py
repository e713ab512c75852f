"""Documents beside tickets: Silver and what readers see are what the deliveries say, whatever was done in between."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loader.errors import LoaderError
from loader.progress import Silent
from loader.release import ReleaseRequest
from loader.release.by_hand import hold, release
from loader.warehouse import Warehouse
from tests.documents import DOCUMENT, HTML, MARKDOWN, PDF, deliver
from tests.ingests import SILVER, SILVER_OF_DOCUMENTS, declare, rows, run_kinds, settings, silver, ticket, write_export
from tests.proofs import proved_whole, reconciled
from tests.property.test_any_history import HISTORIES, _empty
from tests.recoveries import STAGES, failing, recover

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed", "loader_environment")]

DAYS = (date(2026, 4, 16), date(2026, 4, 17))
# The last two make no record; the gate withholds a file of no bytes.
GOOD = ((PDF, "pdf"), (HTML, "html"), (MARKDOWN, "md"))
DAMAGED = ((HTML, "pdf"), (PDF[: len(PDF) // 2], "pdf"))
EMPTY = (b"", "md")
_FORGET_RELEASES = (
    "truncate release.data_release, release.partition_hold, release.partition_gate, ops.asset_facts cascade"
)
_SHOWN = "select to_jsonb(doc) - '{data_release_id,run_id,dlt_load_id,manifest_id,batch_id,asset_id,event_id}'::text[]"
_SERVED = f"{_SHOWN} from serving.knowledge_doc as doc order by source_id"
_REJECTED = """
select count(*) from bronze.rejected_record inner join ops.source_asset using (asset_id)
where record_kind = 'document_v1'
"""


@dataclass(frozen=True)
class Version:
    """What is declared of a document, and its bytes; each is later than the one before."""

    document: str
    day: date
    number: int
    content: bytes
    ending: str
    language: str | None

    @property
    def entry(self) -> dict[str, Any]:
        said = {"captured_at": f"{self.day}T08:00:{self.number:02}Z", "entry": {"source_id": self.document}}
        return said if self.language is None else {**said, "language": self.language}

    @property
    def lands(self) -> bool:
        return (self.content, self.ending) in GOOD and self.language != "no language!"


@dataclass(frozen=True)
class Act:
    """Something that is done: which delivery or all, which day; where it dies, and whether a retry follows."""

    verb: str
    which: int
    day: date
    dies_in: str | None
    is_retried: bool


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[list[Version]], list[Act]]:
    """Deliveries of some versions of three documents, the same one in several of them, and what is done beside."""
    made = [
        Version(
            draw(st.sampled_from(["guide", "limits", "queues"])),
            draw(st.sampled_from(DAYS)),
            number,
            *draw(st.sampled_from([*GOOD, *GOOD, *DAMAGED, EMPTY])),
            draw(st.sampled_from([None, "en", "de", "no language!"])),
        )
        for number in range(draw(st.integers(3, 7)))
    ]
    parts = st.lists(st.sampled_from(made), min_size=1, max_size=3, unique_by=lambda version: version.document)
    deliveries = draw(st.lists(parts, min_size=2, max_size=4))
    acts = st.builds(
        Act,
        verb=st.sampled_from(["ingest", "ingest", "hold", "release", "restore", "replay", "backfill"]),
        which=st.integers(0, len(deliveries)),
        day=st.sampled_from(DAYS),
        dies_in=st.sampled_from([None, None, *STAGES]),
        is_retried=st.booleans(),
    )
    return deliveries, draw(st.lists(acts, min_size=2, max_size=5))


def _take(act: Act, manifests: list[Path], tickets: Path) -> None:
    """Whatever becomes of it: what is refused must change nothing, what dies must be made up for."""
    window = {"window_start": act.day.isoformat(), "window_end": (act.day + timedelta(days=1)).isoformat()}
    asked = [*manifests, tickets] if act.which == len(manifests) else [manifests[act.which]]
    with suppress(OSError, LoaderError), failing(act.dies_in):
        if act.verb == "ingest":
            run_kinds(*asked)
        elif act.verb == "hold":
            hold(settings(), [act.day], "a history", record_kind=DOCUMENT)
        elif act.verb == "release":
            release(settings(), ReleaseRequest([act.day]), Silent())
        elif act.verb == "restore":
            recover("restore", release=1, as_of=None, reason="a history", record_kind=DOCUMENT, **window)
        elif act.verb == "backfill":
            recover("backfill", manifest_paths=[str(manifest) for manifest in asked[:1]], **window)
        else:
            recover("replay", run_id=None)
    if act.is_retried:
        with suppress(LoaderError):
            recover("retry", run_id=None)


def _left(database: Warehouse) -> dict[str, Any]:
    """What must not depend on the history, once nothing is held any more."""
    with suppress(LoaderError):
        release(settings(), ReleaseRequest(DAYS), Silent())
    return {
        "documents": silver(database, SILVER_OF_DOCUMENTS),
        "tickets": silver(database, SILVER),
        "served": rows(database, _SERVED),
        "served tickets": rows(database, "select ticket_id, status from serving.ticket_fact order by 1"),
        "rejected": rows(database, _REJECTED),
    }


_FIRST = Version("guide", DAYS[1], 0, PDF, "pdf", "en")
_ANEW = Version("guide", DAYS[1], 1, PDF, "pdf", "de")
_OTHERS = (
    Version("limits", DAYS[0], 2, HTML, "html", None),
    Version("queues", DAYS[0], 3, HTML, "pdf", None),
    Version("queues", DAYS[1], 4, HTML, "html", None),
)
# Declared anew, damaged, and the same bytes under two names; held, released, restored, and dead on the way.
_TOLD = (
    [[_FIRST, _OTHERS[0]], [_ANEW, _OTHERS[1]], [_FIRST, _OTHERS[2]]],
    [
        Act("ingest", 0, DAYS[0], None, False),
        Act("hold", 0, DAYS[1], None, False),
        Act("ingest", 1, DAYS[0], "load", True),
        Act("release", 0, DAYS[1], None, False),
        Act("restore", 0, DAYS[1], None, False),
        Act("replay", 0, DAYS[0], "facts", False),
    ],
)


@hypothesis_settings(HISTORIES, phases=HISTORIES.phases if HISTORIES.max_examples > 1 else [Phase.explicit])
@example(history=_TOLD)
@given(history=histories())
def test_documents_do_not_depend_on_history(
    history: tuple[list[list[Version]], list[Act]],
    database: Warehouse,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prevents a document that is lost, shown twice or shown as of an older declaration, for what came between; and a
    ticket that pays for it."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "1")
    deliveries, acts = history
    note(f"{[[(each.number, each.document) for each in part] for part in deliveries]}, {acts}")
    work = Path(tempfile.mkdtemp(dir=folder))
    # The same version has another file's name in each delivery.
    manifests = [
        deliver(
            work,
            f"part-{place}",
            {f"f{place}x{version.number}-{version.day}.{version.ending}": version.content for version in part},
            **{f"f{place}x{version.number}": version.entry for version in part},
        )
        for place, part in enumerate(deliveries)
    ]
    write_export(
        work / "tickets" / "tickets-2026-04-17.jsonl",
        [ticket(number, created_at=f"{day}T08:00:00Z") for number, day in enumerate(DAYS, 1)],
    )
    tickets = declare(work / "tickets", "tickets", kind="ticket_v1")

    delivered = {version for part in deliveries for version in part}
    # A day that a file without bytes keeps back shows what was released before; what shares a record with it does too.
    is_kept_back = any(version.content == b"" for version in delivered)

    _empty(database)
    rows(database, _FORGET_RELEASES)
    for act in acts:
        _take(act, manifests, tickets)
    run_kinds(*reversed(manifests), tickets)
    by_history = _left(database)
    by_steps = reconciled(database)
    assert by_steps == proved_whole(database)

    _empty(database)
    rows(database, _FORGET_RELEASES)
    run_kinds(tickets, *manifests)
    at_once = _left(database)
    assert {name for name in at_once if at_once[name] != by_history[name]} <= ({"served"} if is_kept_back else set())

    named = ("source_id", "language", "content_sha256", "partition_key", "version_count")
    assert [tuple(row[name] for name in named) for row in by_history["documents"]] == _expected(delivered)
    assert by_history["rejected"] == [(sum(not each.lands and each.content != b"" for each in delivered),)]
    if not is_kept_back:
        shown = [(row["source_id"], row["partition_key"]) for (row,) in by_history["served"]]
        assert shown == [(row["source_id"], row["partition_key"]) for row in by_history["documents"]]
    assert len(by_history["served tickets"]) == len(DAYS)


def _expected(delivered: set[Version]) -> list[tuple[Any, ...]]:
    """What Silver must hold, by plain Python: the latest declaration of each document that is one."""
    found = []
    for document in sorted({version.document for version in delivered if version.lands}):
        versions = [version for version in delivered if version.lands and version.document == document]
        latest = max(versions, key=lambda version: (version.day, version.number))
        sha256 = hashlib.sha256(latest.content).hexdigest()
        found.append((document, latest.language, sha256, latest.day.isoformat(), len(versions)))
    return found
