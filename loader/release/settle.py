"""From a build to what readers see: prove → publish → record. A run reads its facts in between, and has stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from loader.config import Settings
from loader.errors import LoaderError
from loader.evidence import write_files
from loader.release.changes import await_everything
from loader.release.judgement import Request
from loader.release.publish import Published, publish, record_published
from loader.runs import IngestLock
from loader.silver import BuildResult, ProofScope, judge_build, record_proof


def settle(
    settings: Settings,
    lock: IngestLock,
    proof: tuple[BuildResult, ProofScope],
    request: Request,
    unproved: Callable[[], LoaderError] | None = None,
) -> Published:
    """Note what a build proved, let readers see what waits, and add the record to the chain, in one transaction; then
    write its file.

    `request`: as it is asked; what is proved is found here. Where the build did not close, the gate says so of every
    day, or `unproved` is raised, with nothing recorded. Raises InfrastructureError, with the release made, where its
    evidence file cannot be written.
    """
    build, scope = proof
    with lock.transaction() as cursor:
        proved = judge_build(cursor, scope, build)
        if proved is not None:
            record_proof(cursor, scope, proved, build, None)
        elif unproved is not None:
            raise unproved()
        elif request.is_override:
            # Nothing says what differs from what is released.
            await_everything(cursor)
        published = publish(cursor, replace(request, proved=proved))
        path = record_published(cursor, settings, request.act.kind, published)
    with lock.transaction() as cursor:
        write_files(cursor, settings, "what an earlier command did" if path is None else published.sentence)
    return replace(published, report_path=path)
