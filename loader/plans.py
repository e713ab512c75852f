"""Plans: what a verb would do, as a file that a person reviews before it is done.

A plan is written below the reports, read again under its schema, and refused where the world is not the planned one any
more. What a plan says is its verb's matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson

from loader.config import Settings
from loader.contract import load_schema, schema_faults
from loader.errors import CommandUsageError, RefusedError
from loader.reader import open_regular, read_document
from loader.report_files import write_json
from loader.runs import KnownId, whole_id

# What differs from plan to plan of the same world.
_OF_THIS_PLAN = ("plan_id", "timestamp", "operator", "report_path")
_MOVES_TOLD = 10
# What names an item of a list.
_NAMING = ("record_kind", "partition_key", "data_release_id", "manifest_id", "source_id")


class AnyPlan(Protocol):
    """A plan of some verb."""

    def report_path(self, settings: Settings) -> Path:
        """Where its file lies: `<reports>/<verb>/…/<verb>_plan_<what>.json`."""

    def as_record(self, settings: Settings) -> dict[str, Any]:
        """JSON-ready values, with `plan_id` and `timestamp`."""


def write_plan(settings: Settings, plan: AnyPlan) -> Path:
    """Write a plan where its report_path says; returns that path. Raises InfrastructureError."""
    path = plan.report_path(settings)
    write_json(path, plan.as_record(settings))
    return path


def read_plan(
    settings: Settings, typed: Path, verbs: Iterable[str], schemas: Mapping[str, str], next_command: str
) -> dict[str, Any]:
    """The record of a plan file, or of the plan of these verbs whose id begins with `typed`. `schemas`: their places in
    contracts/ by the version that a record says; the first is of today, and judges what says none of them.

    Raises CommandUsageError when it cannot be read or breaks its schema: an edited plan is no plan.
    """
    path = plan_path(settings.report_dir, typed, verbs)
    try:
        # A pipe would block for ever.
        record = orjson.loads(read_document(open_regular(path)))
    except (OSError, orjson.JSONDecodeError) as error:
        raise CommandUsageError(
            f"plan {path} cannot be read: {_reason(error)}; nothing was started", next_command=next_command
        ) from error
    said = str(record.get("plan_schema_version")) if isinstance(record, dict) else ""
    schema = schemas.get(said) or next(iter(schemas.values()))
    faults = schema_faults(load_schema(settings.project_root / "contracts" / schema), record)
    if faults:
        raise CommandUsageError(
            f"plan {path}: {faults[0].json_path}: {faults[0].message}; nothing was started", next_command=next_command
        )
    assert isinstance(record, dict)
    return record


def _reason(error: Exception) -> str:
    """Without the path, which is told already."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def plan_path(report_dir: Path, typed: Path, verbs: Iterable[str]) -> Path:
    """The file of the plan that is meant: a path, or the beginning of a plan's id; errors as whole_id.

    What is neither is returned as it is, for whoever reads it to refuse.
    """
    text = str(typed)
    if typed.is_file() or typed.suffix or len(typed.parts) != 1:
        return typed
    found = {plan.identity: (plan, path) for plan, path in _plans(report_dir, verbs) if plan.identity.startswith(text)}
    if not found:
        return typed
    candidates = sorted((plan for plan, _ in found.values()), key=lambda plan: plan.at, reverse=True)
    return found[whole_id("plan", text, candidates, writes=True)][1]


def _plans(report_dir: Path, verbs: Iterable[str]) -> Iterator[tuple[KnownId, Path]]:
    for verb in verbs:
        for path in sorted((report_dir / verb).rglob(f"{verb}_plan_*.json")):
            try:
                record = orjson.loads(path.read_bytes())
                at = datetime.fromisoformat(record["timestamp"])
                yield KnownId(record["plan_id"], at, verb, path.name), path
            except (OSError, ValueError, TypeError, KeyError):
                # No plan, or not ours: nobody can mean it.
                continue


def refuse_moved(planned: Mapping[str, Any], today: Mapping[str, Any], next_command: str) -> None:
    """Raise RefusedError that says what moved, when the plan of today is not the one that was reviewed."""
    moves = list(_moves("", planned, today))
    if moves:
        told = [*moves[:_MOVES_TOLD], *([f"and {len(moves) - _MOVES_TOLD} more"] if len(moves) > _MOVES_TOLD else [])]
        raise RefusedError(
            f"plan {planned['plan_id']} of {planned['timestamp']} is stale, nothing was started; what moved: "
            + "; ".join(told),
            next_command=next_command,
        )


def _moves(place: str, planned: Any, today: Any) -> Iterator[str]:
    if isinstance(planned, Mapping) and isinstance(today, Mapping):
        # In the plan's own order, so that the same move is told in the same words.
        for name in {**planned, **today} if place else [name for name in planned if name not in _OF_THIS_PLAN]:
            inner = f"{place}.{name}" if place else str(name)
            yield from _moves(inner, planned.get(name), today.get(name))
    elif isinstance(planned, Sequence) and isinstance(today, Sequence) and not isinstance(planned, str):
        for item, (one, other) in _paired(planned, today).items():
            yield from _moves(f"{place}[{item}]", one, other)
    elif planned != today:
        yield f"{place}: planned {_shown(planned)}, now {_shown(today)}"


def _paired(planned: Sequence[Any], today: Sequence[Any]) -> dict[str, tuple[Any, Any]]:
    """Items by what names them, so that one new asset does not make all after it look changed."""
    one, other = _named(planned), _named(today)
    return {name: (one.get(name), other.get(name)) for name in {**one, **other}}


def _named(items: Sequence[Any]) -> dict[str, Any]:
    names = {}
    for place, item in enumerate(items):
        name = str(place)
        if isinstance(item, Mapping):
            known = [str(item[key]) for key in _NAMING if item.get(key)]
            name = "/".join(known) or name
        names[name] = item
    return names


def _shown(value: Any) -> str:
    text = "nothing" if value is None else orjson.dumps(value, default=str).decode()
    return text if len(text) <= 80 else f"{text[:77]}…"
