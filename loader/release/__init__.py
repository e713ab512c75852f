"""What readers may see: versions of proved partitions, and the pointers that show them."""

from __future__ import annotations

from loader.release import holds, store
from loader.release.acts import Held, KeptBackError, Readiness, hold, publish_build, readiness, release
from loader.release.asked import refuse_unknown_kind
from loader.release.judgement import Request
from loader.release.publish import Published, publish, record_published
from loader.release.retention import expirable
from loader.release.settle import settle
from loader.release.store import Act, files_over_limit, known_kinds
from loader.release.targets import LinkedError, restore_targets, version_at
from loader.release.views import MEND_VIEWS, ViewFault, unlike_released, view_faults

__all__ = [
    "MEND_VIEWS",
    "Act",
    "Held",
    "KeptBackError",
    "LinkedError",
    "Published",
    "Readiness",
    "Request",
    "ViewFault",
    "expirable",
    "files_over_limit",
    "hold",
    "holds",
    "known_kinds",
    "publish",
    "publish_build",
    "readiness",
    "record_published",
    "refuse_unknown_kind",
    "release",
    "restore_targets",
    "settle",
    "store",
    "unlike_released",
    "version_at",
    "view_faults",
]
