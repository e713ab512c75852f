"""What left no trace: runs that died before they registered what they were to read, and manifests that none read."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loader.advice.questions import Advice, AdviceKind
from loader.advice.runs import for_run
from loader.errors import CheckFailedError, InfrastructureError
from loader.gate import AssetRefusedError
from loader.ingest import content_of_manifest
from loader.manifest import parse_manifests, seed_manifests
from loader.printable import pasted
from loader.recovery import World, run_of
from loader.warehouse import fetch_rows

# Runs whose last attempt did not end well, with a manifest that was never registered, and that no later run which
# ended well was asked to read: by its id, or, as an ad-hoc file has another id with other bytes, by its path.
_LOST_RUNS = """
with last as (
    select distinct on (run_id) run_id, status, event_number, declared_manifests
    from ops.ingest_run order by run_id, attempt desc
)
select last.run_id::text,
    array_agg(declared.each ->> 'manifest_id' order by declared.each ->> 'manifest_id') as manifest_ids
from last cross join lateral jsonb_array_elements(last.declared_manifests) as declared (each)
where last.status not in ('success', 'warning')
    and not exists (select from ops.manifest where manifest_id = declared.each ->> 'manifest_id')
    and not exists (
        select from ops.ingest_run as later
        cross join lateral jsonb_array_elements(later.declared_manifests) as again (each)
        where later.status in ('success', 'warning') and later.event_number > last.event_number
            and (again.each ->> 'manifest_id' = declared.each ->> 'manifest_id'
                or again.each ->> 'manifest_path' = declared.each ->> 'manifest_path')
    )
group by last.run_id, last.event_number order by last.event_number desc
"""


@dataclass(frozen=True, slots=True)
class Traceless:
    """What is not to be found in the warehouse, in words, and what gives it a trace."""

    words: str
    advice: Advice


def traceless_runs(world: World) -> tuple[list[Traceless], frozenset[str]]:
    """The latest first, and the manifest_ids that they declared; a run at work is none."""
    found, declared = [], set()
    for row in fetch_rows(world.cursor, _LOST_RUNS, None):
        run = run_of(world, row["run_id"])
        if run["is_alive"]:
            continue
        declared.update(row["manifest_ids"])
        names = ", ".join(row["manifest_ids"][:3])
        words = f"run {run['run_id']} ended before it had registered {names}"
        found.append(Traceless(words, for_run(world, run)))
    return found, frozenset(declared)


def traceless_manifests(world: World, excluded: Collection[str]) -> list[Traceless]:
    """Manifest files of the default folder whose manifest_id is not registered, `excluded` left out; then those that
    cannot be read as manifests. Raises nothing for a file, whatever it holds."""
    world.cursor.execute("select manifest_sha256, manifest_id from ops.manifest")
    by_sha256 = dict(world.cursor.fetchall())
    registered = frozenset(by_sha256.values())
    new, broken = [], []
    for path in seed_manifests(world.settings.project_root):
        manifest_ids = _manifest_ids(world, path, by_sha256)
        if not manifest_ids:
            broken.append(path)
        new += [(path, each) for each in manifest_ids if each not in registered and each not in excluded]
    return [*_never_ingested(world, new), *_unreadable(world, broken)]


def _manifest_ids(world: World, path: Path, by_sha256: Mapping[str, str]) -> list[str]:
    """None for a file that is no manifest. One with the bytes of a registered one is not parsed."""
    try:
        content = content_of_manifest(world.settings, path)
    except (OSError, AssetRefusedError, InfrastructureError):
        return []
    known = by_sha256.get(hashlib.sha256(content).hexdigest())
    if known is not None:
        return [known]
    try:
        return [each.manifest_id for each in parse_manifests(content, path, world.settings.project_root / "contracts")]
    except CheckFailedError:
        return []


def _never_ingested(world: World, new: list[tuple[Path, str]]) -> Iterator[Traceless]:
    if not new:
        return
    names = ", ".join(manifest_id for _, manifest_id in new[:3])
    more = f" and {len(new) - 3} more" if len(new) > 3 else ""
    paths = ",".join(dict.fromkeys(_shown(world, path) for path, _ in new))
    yield Traceless(
        f"no run was ever asked to read {names}{more}, in {_shown(world, new[0][0].parent)}",
        Advice(AdviceKind.TAKE, f"make ingest MANIFEST={pasted(paths)}", "reads what nobody has read"),
    )


def _unreadable(world: World, broken: list[Path]) -> Iterator[Traceless]:
    for path in broken:
        name = _shown(world, path)
        yield Traceless(
            f"{name} cannot be read as a manifest",
            Advice(AdviceKind.DELIVER, f"make dry-run MANIFEST={pasted(name)}"),
        )


def _shown(world: World, path: Path) -> str:
    """From the checkout, where make runs; a name that is no UTF-8 with its odd bytes escaped."""
    return str(path.relative_to(world.settings.project_root)).encode(errors="backslashreplace").decode()
