"""What readers may see: versions of proved partitions, and the pointers that show them."""

from __future__ import annotations

from loader.release import digests, feed, history, holds, released_rows, releases
from loader.release.acceptances import files_over_limit
from loader.release.by_hand import Held, KeptBackError, ReleaseRequest, hold, refuse_unknown_kind, release
from loader.release.digests import unlike_released
from loader.release.following import Change, Followed, follow, shown_rows
from loader.release.groups import LinkedError, expirable, restore_targets, version_at
from loader.release.publish import Published, publish_build, publish_recorded, settle
from loader.release.ready import Readiness, readiness
from loader.release.releases import Act, known_kinds
from loader.release.ruling import Request
from loader.release.views import MEND_VIEWS, ViewFault, view_faults

__all__ = [
    "MEND_VIEWS",
    "Act",
    "Change",
    "Followed",
    "Held",
    "KeptBackError",
    "LinkedError",
    "Published",
    "Readiness",
    "ReleaseRequest",
    "Request",
    "ViewFault",
    "digests",
    "expirable",
    "feed",
    "files_over_limit",
    "follow",
    "history",
    "hold",
    "holds",
    "known_kinds",
    "publish_build",
    "publish_recorded",
    "readiness",
    "refuse_unknown_kind",
    "release",
    "released_rows",
    "releases",
    "restore_targets",
    "settle",
    "shown_rows",
    "unlike_released",
    "version_at",
    "view_faults",
]
