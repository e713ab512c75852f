"""The question whether a partition is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.config import Settings
from loader.evidence import LINK_MISSING, LinkFault, read_link_faults
from loader.obstacles import Code, Obstacle, told
from loader.partition import Partition
from loader.printable import counted
from loader.release import releases
from loader.release.by_hand import asked_partitions
from loader.release.digests import unlike_released
from loader.release.views import view_faults
from loader.warehouse import are_built, built, fetch_rows, json_row, open_warehouse


@dataclass(frozen=True, slots=True)
class Readiness:
    """Per partition, JSON-ready: what readers see, `is_ready`, the reason and its obstacles where it is not, and
    `link_missing_count`, records that name what is not there. `links`: of these, what keeps nothing back. `kinds`:
    those that the warehouse knows."""

    partitions: list[Mapping[str, Any]]
    links: tuple[LinkFault, ...]
    kinds: frozenset[str]


def readiness(settings: Settings, days: Sequence[date], *, record_kind: str | None = None) -> Readiness:
    """The partitions of these days, of a kind or of every kind that knows them.

    Asks serving.kind_partition_status, where the views of the kind and those of every kind are the project's, and
    counts what is seen through them. Raises CommandUsageError for a kind that is none.
    """
    warehouse = open_warehouse(settings)
    faults = view_faults(warehouse, settings.project_root)
    session = warehouse.connect(application_name="omnisupport-ready")
    with closing(session), session, session.cursor() as cursor:
        partitions = asked_partitions(cursor, days, record_kind)
        kinds = releases.known_kinds(cursor)
        known: dict[Partition, dict[str, Any]] = {}
        # A view that differs answers nothing.
        bent = {
            each: of_kind for each in partitions if (of_kind := [it for it in faults if it.is_about(each.record_kind)])
        }
        if len(bent) < len(partitions) and are_built(cursor, "serving.kind_partition_status"):
            rows = fetch_rows(
                built(cursor),
                "select * from serving.kind_partition_status where partition_key = any(%s)",
                ([partition.day for partition in partitions],),
            )
            known = {Partition(row["record_kind"], row["partition_key"]): row for row in rows}
        links = read_link_faults(cursor, record_kind, [partition.day for partition in partitions])
    found = {
        partition: json_row(known[partition]) if partition in known else _unready(partition, Obstacle(Code.UNKNOWN))
        for partition in partitions
    }
    for partition, of_kind in bent.items():
        sentence = "; ".join(fault.sentence for fault in of_kind)
        found[partition] = _unready(partition, Obstacle(Code.VIEW_DIFFERS, names=(sentence,)))
        found[partition]["next_command"] = of_kind[0].next_command
    # Where it is not ready anyhow, nothing more is asked.
    ready = [partition for partition in partitions if found[partition]["is_ready"]]
    for partition, (seen, released) in (unlike_released(warehouse, ready) if ready else {}).items():
        words = f"readers see {counted(seen, 'record')}, of its release's {released:,}, or others than it released"
        unlike = Obstacle(Code.RELEASE_DIFFERS, names=(words,))
        found[partition] |= _kept_back_by(unlike) | {"next_command": unlike.next_command([partition], kinds)}
    for partition, row in found.items():
        row["obstacles"] = told(row["obstacles"], partition, kinds)
        row["link_missing_count"] = sum(
            link.record_count for link in links if link.partition == partition and link.fault == LINK_MISSING
        )
    return Readiness([*found.values()], tuple(link for link in links if not link.is_awaited), kinds)


def _unready(partition: Partition, obstacle: Obstacle) -> dict[str, Any]:
    return {**partition.as_record(), "data_release_id": None, "is_held": False, **_kept_back_by(obstacle)}


def _kept_back_by(obstacle: Obstacle) -> dict[str, Any]:
    return {"is_ready": False, "reason": obstacle.message, "obstacles": [obstacle.as_record()]}
