"""`loader kind`: what contracts/kinds declares, what is written from it, and whether all that follows is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.kinds import Kind, KindFault, Link
    from loader.screen import Screen


_HELD = {"lines": "a record a line", "file": "one record"}


@click.group()
def kind() -> None:
    """Record kinds: what each declares, and whether what follows from it is there."""


@kind.command("list")
@json_option
def list_kinds(as_json: bool) -> int:
    """Every kind of contracts/kinds: its records, and where they go. Needs no database."""
    from loader.config import load_settings
    from loader.kinds import load_kinds
    from loader.screen import next_lines

    kinds = list(load_kinds(load_settings().project_root / "contracts").values())
    if as_json:
        print_json({"kinds": [_record(each) for each in kinds], "next_command": "loader kind check"})
        return 0
    screen = surface()
    show([*kind_lines(screen, kinds), *next_lines(screen, "loader kind check")])
    return 0


@kind.command()
@click.argument("name", metavar="[KIND]", required=False)
@json_option
def check(name: str | None, as_json: bool) -> int:
    """Compare a kind, or all, with what follows from its declaration: generated files, fixtures, the Silver model.

    Needs no database. Exit code 1 when something is not as declared; each fault has its file, and its line. A note is
    no fault.
    """
    from loader.config import load_settings
    from loader.kinds import check_kinds, waiting_for_persons
    from loader.screen import next_lines

    root = load_settings().project_root
    kinds, faults = check_kinds(root, name)
    notes = list(waiting_for_persons(root, kinds))
    next_command = faults[0].next_command if faults else "make ingest"
    if as_json:
        told = [{"place": fault.place, "fault": fault.words} for fault in faults]
        checked = {"kinds": [each.name for each in kinds], "faults": told, "notes": notes}
        print_json({**checked, "next_command": next_command})
    else:
        show(check_lines(surface(), kinds, faults, notes))
        show(next_lines(surface(err=bool(faults)), next_command), err=bool(faults))
    return 1 if faults else 0


@kind.command()
@json_option
def generate(as_json: bool) -> int:
    """Write anew what dbt and PostgreSQL have to know of the kinds, and say which files changed."""
    from loader.config import load_settings
    from loader.kinds import generated_files, load_kinds
    from loader.screen import next_lines

    root = load_settings().project_root
    changed = []
    for path, content in generated_files(load_kinds(root / "contracts")).items():
        if not (root / path).is_file() or (root / path).read_text() != content:
            (root / path).write_text(content)
            changed.append(path.as_posix())
    if as_json:
        print_json({"written": changed, "next_command": "loader kind check"})
    else:
        screen = surface()
        said = [f"wrote {path}" for path in changed] or ["Every generated file is as declared; nothing was written."]
        show([*said, *next_lines(screen, "loader kind check")])
    return 0


@kind.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--schema", metavar="FILE.json", required=True, type=click.Path(path_type=Path), help="JSON Schema 2020-12."
)
@click.option("--key", metavar="FIELD", required=True, help="What a record is about: a row of Silver for each.")
@click.option(
    "--partition-by",
    metavar="FIELD",
    required=True,
    help="The date that is the partition, or the instant whose day is.",
)
@click.option("--version-by", metavar="FIELD", help="The instant or date that orders versions before that one.")
@click.option("--person", metavar="FIELD", help="Whom an erasure is of.")
@click.option("--source", metavar="FIELD", help="The system that wrote the record.")
@click.option(
    "--link",
    "links",
    metavar="FIELD=KIND[:warn|wait]",
    multiple=True,
    help="The field names a record of KIND; missing: warn (default) or keep the day waiting. May be repeated.",
)
@click.option("--silver", metavar="TABLE", required=True, help="Its model in Silver, and what readers see of it.")
@json_option
def new(
    name: str,
    schema: Path,
    key: str,
    partition_by: str,
    version_by: str | None,
    person: str | None,
    source: str | None,
    links: tuple[str, ...],
    silver: str,
    as_json: bool,
) -> int:
    """Write a kind of your own from a JSON Schema: declaration, fixtures, models, generated files.

    Needs no database. Nothing is left behind where the schema cannot be served.
    """
    from loader.config import load_settings
    from loader.kinds import Wish, write_kind
    from loader.screen import next_lines, paragraph
    from loader.silver import CHECKS_FILE, write_checks

    root = load_settings().project_root
    linked = tuple(map(spelled_link, links))
    wish = Wish(name, schema, silver, key, partition_by, version_by, person, source, linked)
    written = [path.as_posix() for path in write_kind(root, wish)]
    written += [CHECKS_FILE.as_posix()] if write_checks(root) else []
    next_command = f"loader kind check {name}   # after a look at the levels in contracts/kinds/{name}/kind.yml"
    if as_json:
        print_json({"kind": name, "written": written, "next_command": next_command})
        return 0
    screen = surface()
    said = [line for path in written for line in paragraph(screen, f"wrote {path}", hanging="  ")]
    show([*said, *next_lines(screen, next_command)])
    return 0


def spelled_link(text: str) -> Link:
    """`FIELD=KIND`, `FIELD=KIND:warn` or `FIELD=KIND:wait`. Raises CommandUsageError for anything else."""
    from loader.errors import CommandUsageError
    from loader.kinds import Link

    field, _, named = text.partition("=")
    kind, _, missing = named.partition(":")
    if not field or not kind or missing not in ("", "warn", "wait"):
        raise CommandUsageError(
            f"--link: got {text}, expected FIELD=KIND, and after it :warn or :wait where that is missing; nothing was"
            " written",
            next_command="loader kind new --help   # then once more",
        )
    return Link(field, (kind,), missing == "wait")


def kind_lines(screen: Screen, kinds: Sequence[Kind]) -> list[str]:
    """A line for each kind; those that are known and not landed come last."""
    from loader.screen import table

    rows = [
        (each.name, each.title, _HELD[each.framing], each.landing.bronze, each.landing.silver)
        if each.landing is not None
        else (each.name, each.title, _HELD[each.framing], "not landed", "")
        for each in kinds
    ]
    return table(screen, rows, ("kind", "a record", "an asset holds", "Bronze", "Silver"))


def check_lines(
    screen: Screen, kinds: Sequence[Kind], faults: Sequence[KindFault], notes: Sequence[str] = ()
) -> list[str]:
    """What was found, each with its place; a sentence where nothing was. Then what is as declared and may surprise."""
    from loader.printable import counted
    from loader.screen import paragraph

    names = ", ".join(each.name for each in kinds)
    said = paragraph(screen, f"{names}: generated files, fixtures and Silver models are as declared.")
    if faults:
        said = paragraph(screen, f"{counted(len(faults), 'fault')} in what follows from {names}:")
    for fault in faults:
        said += paragraph(screen, f"{fault.place}: {fault.words}", indent="  ", hanging="    ")
    for note in notes:
        said += paragraph(screen, f"note: {note}", indent="  ", hanging="    ", tone="look")
    return said


def _record(each: Kind) -> dict[str, object]:
    landing = each.landing
    return {
        "kind": each.name,
        "title": each.title,
        "modality": each.modality,
        "framing": each.framing,
        "is_landed": each.is_landed,
        "bronze": None if landing is None else landing.bronze,
        "silver": None if landing is None else landing.silver,
        "linked_to": [] if landing is None else [asdict(link) for link in landing.links],
    }
