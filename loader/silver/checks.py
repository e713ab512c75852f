"""What a build that proves must have run (contracts/checks.yml), compared with what dbt did, never with what it parsed.

dbt builds what its project, a selection and its flags leave it: a test that is switched off or deleted only makes a
smaller whole. The list is the other judge. `python -m loader.silver.checks` writes it anew from the project; a test
compares the two.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from loader.checkout import read_committed
from loader.errors import CheckFailedError, CommandUsageError
from loader.silver.results import BuildResult

CHECKS_FILE = Path("contracts/checks.yml")
LOOK_AT_WHAT_IS_OFF = "make build   # after a look at what is switched off: git diff HEAD -- dbt_project contracts"

# In the list's order: heading, and dbt's prefix of a node's id.
_SECTIONS = {"models": "model.omnisupport.", "data_tests": "test.omnisupport."}
_SHOWN = 5
# Each check of reconcile names itself where it is written (macros/reconcile/finding.sql).
_RECONCILE = Path("dbt_project/models/reconcile")
_NAMED = re.compile(r"\{\{ finding\(\s*'([a-z0-9_]+)'")

_HEADER = """\
# The models and data tests that a build must have run to prove anything (docs/decisions/0010). Whether they passed is
# another question. Written by `python -m loader.silver.checks`; a test compares it with the project.
"""


def load_checks(project_root: Path) -> frozenset[str]:
    """The ids of the listed nodes, as dbt names them. Raises CommandUsageError when the list cannot be read."""
    path = project_root / CHECKS_FILE
    try:
        listed = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise _broken(path, str(error)) from error
    if not isinstance(listed, dict) or listed.keys() != _SECTIONS.keys() or not all(map(_is_names, listed.values())):
        raise _broken(path, f"got something else than lists of names under {' and '.join(_SECTIONS)}")
    return frozenset(prefix + name for section, prefix in _SECTIONS.items() for name in listed[section])


def checks_of_reconcile(project_root: Path) -> frozenset[str]:
    """The names under which reconcile can find something, as the project's models have them."""
    models = (project_root / _RECONCILE).rglob("*.sql")
    return frozenset(name for model in models for name in _NAMED.findall(model.read_text(encoding="utf-8")))


def left_out(build: BuildResult, project_root: Path) -> str | None:
    """Which listed nodes did not run in `build`, as a sentence; None where all did, whatever came of them, or stand in
    it as skipped because another one failed."""
    checks = load_checks(project_root)
    missing = sorted(checks.difference(build.known))
    if not missing:
        return None
    names = [f"{unique_id.split('.')[0]} {unique_id.split('.')[2]}" for unique_id in missing]
    more = [f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return (
        f"dbt build: got {len(checks) - len(missing)} of the {len(checks)} models and data tests of {CHECKS_FILE},"
        f" expected all; it left out {', '.join([*names[:_SHOWN], *more])}"
    )


def require_whole(build: BuildResult, project_root: Path) -> None:
    """Raises CheckFailedError where `left_out` has something to say."""
    sentence = left_out(build, project_root)
    if sentence is not None:
        raise CheckFailedError(
            f"{sentence}. Nothing was proved or released, and no checkpoint or cursor moved; what landed stays in"
            " Bronze",
            next_command=LOOK_AT_WHAT_IS_OFF,
        )


def as_list(unique_ids: Iterable[str]) -> str:
    """The file's text for a project of these nodes; those of other kinds, or of packages, are no checks."""
    known = sorted(unique_ids)
    text = _HEADER
    for section, prefix in _SECTIONS.items():
        text += f"{section}:\n"
        text += "".join(f"  - {name.removeprefix(prefix)}\n" for name in known if name.startswith(prefix))
    return text


def _is_names(listed: Any) -> bool:
    return isinstance(listed, list) and bool(listed) and all(isinstance(name, str) for name in listed)


def _broken(path: Path, reason: str) -> CommandUsageError:
    return CommandUsageError(
        f"{path}: {reason}; expected the list of what a build must run, nothing was proved",
        next_command=f"git checkout -- {CHECKS_FILE}   # or, after a change of dbt_project:"
        " python -m loader.silver.checks",
    )


def write_checks(project_root: Path) -> bool:
    """Write the list anew from the project, as dbt parses it; whether it changed. Raises CheckFailedError where dbt
    cannot parse it."""
    from dbt.cli.main import dbtRunner

    from loader.silver.dbt import command_line

    parsed: Any = dbtRunner().invoke([*command_line(project_root, ["parse"])])
    if parsed.result is None:
        raise CheckFailedError(
            f"dbt parse: {parsed.exception}; {CHECKS_FILE} stays as it is", next_command="git diff HEAD -- dbt_project"
        )
    text = as_list(parsed.result.nodes)
    path = project_root / CHECKS_FILE
    is_changed = path.read_text(encoding="utf-8") != text
    path.write_text(text, encoding="utf-8")
    return is_changed


if __name__ == "__main__":
    from loader.checkout import find_project_root

    write_checks(find_project_root())


def project_sha256(project_root: Path) -> str:
    """One hash over what proves: dbt's models, macros and tests, which of them must run, and the tables they read."""
    digest = hashlib.sha256()
    project = project_root / "dbt_project"
    files = [
        project / "dbt_project.yml",
        project_root / CHECKS_FILE,
        *(project_root / "infra" / "postgres").glob("*.sql"),
    ]
    files += [
        file
        for folder in ("models", "macros", "tests")
        for file in (project / folder).rglob("*")
        if file.suffix in (".sql", ".yml", ".md")
    ]
    for file in sorted(files):
        content = read_committed(file)
        digest.update(f"{file.relative_to(project_root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
