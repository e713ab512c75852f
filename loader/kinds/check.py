"""Is a kind whole: what follows its declaration against what the declaration says. Reads files alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from loader.contract import AcceptedRecord, RejectedRecord
from loader.errors import CommandUsageError
from loader.kinds.dbt_models import SILVER_FOLDER
from loader.kinds.declaration import Kind
from loader.kinds.generate import generated_files
from loader.kinds.judge import Ruleset
from loader.kinds.read import KINDS_FOLDER, load_kinds
from loader.kinds.ruleset import load_ruleset


@dataclass(frozen=True, slots=True)
class KindFault:
    """What is not as declared. `place`: the file, from the project's root, and the line where one can be named."""

    place: str
    words: str
    next_command: str


def check_kinds(root: Path, name: str | None = None) -> tuple[list[Kind], list[KindFault]]:
    """The kinds, or the one of that name, and everything that is not as they declare.

    Raises CommandUsageError, with file and line, where a declaration itself is refused, and for a name that is none.
    """
    contracts = root / "contracts"
    kinds = load_kinds(contracts)
    if name is not None and name not in kinds:
        raise CommandUsageError(
            f"KIND: got {name}, expected one of {', '.join(kinds)}; nothing was checked",
            next_command="loader kind list",
        )
    chosen = [kind for kind in kinds.values() if name in (None, kind.name)]
    faults = [*_faults_of_generated(root, kinds)]
    for kind in chosen:
        if kind.landing is not None:
            faults += _faults_of_fixtures(root, load_ruleset(contracts, kind.name))
            model = SILVER_FOLDER / f"{kind.landing.silver}.sql"
            if not (root / model).is_file():
                faults.append(_fault(root, root / model, "is not there"))
    return chosen, faults


def waiting_for_persons(root: Path, kinds: Sequence[Kind]) -> Iterator[str]:
    """Links of these kinds that are declared as they may be, and wait for ever once an erasure took what they name."""
    known = load_kinds(root / "contracts")
    for kind in kinds:
        for link in () if kind.landing is None else kind.landing.links:
            linked = [known[name].landing for name in link.kinds]
            if link.is_awaited and any(each is not None and each.person is not None for each in linked):
                yield (
                    f"{kind.name}: {link.field} waits for {link.named}, whose records an erasure takes; a day that"
                    " names one then moves by `make release OVERRIDE=1` alone (missing: warn waits for none)"
                )


def _faults_of_generated(root: Path, kinds: Mapping[str, Kind]) -> Iterator[KindFault]:
    for path, expected in generated_files(kinds).items():
        held = (root / path).read_text() if (root / path).is_file() else ""
        if held != expected:
            pairs = zip(held.splitlines(), expected.splitlines(), strict=False)
            beyond = min(len(held.splitlines()), len(expected.splitlines())) + 1
            line = next((number for number, (one, other) in enumerate(pairs, start=1) if one != other), beyond)
            yield KindFault(f"{path}:{line}", "is not what the declarations say", "loader kind generate")


def _faults_of_fixtures(root: Path, ruleset: Ruleset) -> Iterator[KindFault]:
    """Each case says what must come of it; the name of an invalid one begins with a code that it gets."""
    folder = root / "contracts" / KINDS_FOLDER / ruleset.kind.name / "fixtures"
    for validity in ("valid", "invalid"):
        files = sorted((folder / validity).glob("*.json"))
        if not files:
            yield _fault(root, folder / validity, "holds no case, expected one or more")
        for file in files:
            try:
                case = orjson.loads(file.read_bytes())
                if "length_bytes" in case:
                    continue  # of a line that no judge sees: the reader's
                found = _verdict(ruleset.judge(content_of(case)))
            except (ValueError, KeyError, TypeError) as error:
                yield _fault(root, file, f"is no case: {type(error).__name__}: {error}")
                continue
            wanted = _expected(case, validity, file)
            if found | wanted != found:
                yield _fault(root, file, f"is judged {_in_words(found)}, expected {_in_words(wanted)}")


def content_of(case: Mapping[str, Any]) -> bytes:
    """The line of a case: its `instance` as compact JSON, or the exact bytes, as text (`line`) or base64."""
    if "line" in case:
        return str(case["line"]).encode()
    if "line_base64" in case:
        return base64.b64decode(case["line_base64"], validate=True)
    return orjson.dumps(case["instance"])


def _verdict(judged: AcceptedRecord | RejectedRecord) -> dict[str, Any]:
    day = None if judged.partition_key is None else judged.partition_key.isoformat()
    if isinstance(judged, AcceptedRecord):
        return {"is_valid": True, "codes": sorted(judged.warning_codes), "partition_key": day}
    codes = sorted(judged.reason_codes)
    return {"is_valid": False, "codes": codes, "partition_key": day, "json_path": judged.json_path}


def _expected(case: Mapping[str, Any], validity: str, file: Path) -> dict[str, Any]:
    said = {name: case[name] for name in ("partition_key", "json_path") if name in case}
    codes = case.get("warnings", []) if validity == "valid" else case.get("expect", [file.name.split(".")[0]])
    return {"is_valid": validity == "valid", "codes": sorted(codes), **said}


def _in_words(verdict: Mapping[str, Any]) -> str:
    what = "valid" if verdict["is_valid"] else "invalid"
    codes = f" ({', '.join(verdict['codes'])})" if verdict["codes"] else ""
    more = [f"{name} {verdict[name]}" for name in ("json_path", "partition_key") if name in verdict]
    return f"{what}{codes}, {', '.join(more)}" if more else f"{what}{codes}"


def _fault(root: Path, path: Path, words: str) -> KindFault:
    place = path.relative_to(root).as_posix()
    return KindFault(place, words, f"git diff {place}")
