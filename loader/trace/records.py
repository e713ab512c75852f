"""The evidence that tells of a record: of the runs that landed its versions, and of the releases that show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from loader.audit import faults_of_act_record, faults_of_record
from loader.config import Settings
from loader.evidence import acts
from loader.trace.model import Link, LinkName

# That of a run has its number; one of a person's act is written in the transaction of its release, and nothing of its
# dataset comes between.
_OF_RUN = """
select evidence.evidence_id, evidence.report_path, evidence.content
from release.data_release as release
inner join ops.run_evidence as evidence on evidence.run_id = release.run_id and evidence.dataset = %(dataset)s
where release.data_release_id = %(release)s
"""
_OF_PERSON = """
select evidence.evidence_id, evidence.report_path, evidence.content
from release.data_release as release
cross join lateral (
    select evidence_id, report_path, content from ops.run_evidence
    where dataset = %(dataset)s and event_number > release.event_number order by evidence_id limit 1
) as evidence
where release.data_release_id = %(release)s
"""
# For a release from before there were numbers, or one whose record is gone.
_ALL = "select evidence_id, report_path, content from ops.run_evidence where dataset = %(dataset)s order by evidence_id"


def evidence_links(cursor: Any, settings: Settings, records: Mapping[str, int]) -> Iterator[Link]:
    """Is each record of a run as it was written, and does it fit its neighbours? `records`: number by path."""
    for path, number in records.items():
        faults = [fault.fault for fault in faults_of_record(cursor, settings, number)]
        yield Link(LinkName.EVIDENCE, path, "; ".join(faults) or None)


def act_links(cursor: Any, settings: Settings, releases: Sequence[int]) -> Iterator[Link]:
    """The same of the record of each release; and does it say what the rows of the release say?"""
    for release in releases:
        found = _record_of(cursor, release)
        if found is None:
            yield Link(LinkName.ACT, f"release {release}", "its record was removed, or never written")
            continue
        number, path, record = found
        faults = [fault.fault for fault in faults_of_record(cursor, settings, number)]
        faults += [fault.fault for fault in faults_of_act_record(cursor, path, record)]
        yield Link(LinkName.ACT, f"release {release}, {path}", "; ".join(faults) or None)


def _record_of(cursor: Any, release: int) -> tuple[int, str, dict[str, Any]] | None:
    asked = {"dataset": acts.ASSET_KEY, "release": release}
    for query in (_OF_RUN, _OF_PERSON, _ALL):
        cursor.execute(query, asked)
        for number, path, content in cursor:
            try:
                record = orjson.loads(bytes(content))
            except orjson.JSONDecodeError:
                continue
            if isinstance(record, dict) and record.get("data_release_id") == release:
                return number, path, record
    return None
