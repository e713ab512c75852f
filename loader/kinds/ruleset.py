"""The ruleset of a kind: contract, business rules and reader version under one SHA-256, and the judge of a line."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import orjson

from loader.checkout import committed
from loader.contract import (
    Explainer,
    NoRules,
    Rules,
    compile_schema,
    load_reason_codes,
    parse_date_start,
    parse_instant,
    read_contract_file,
)
from loader.errors import CommandUsageError, RefusedError
from loader.facts import DEFECT_CODES, FACTS_VERSIONS
from loader.kinds.declaration import FieldType
from loader.kinds.judge import WARNING_CODES, Ruleset
from loader.kinds.read import landed_kind, load_kinds, schema_file

# Raise it when the reader splits bytes into lines, or calls a line blank, in another way, or when what the judge
# rejects, warns of or explains of any kind's lines changes.
READER_VERSION = "2"


_PARSER_OF: Mapping[FieldType, Callable[[str], datetime]] = {"instant": parse_instant, "date": parse_date_start}


def load_same_ruleset(contracts_folder: Path, kind_name: str, sha256: str) -> Ruleset:
    """The ruleset of a kind, for a process beside the one that read it first.

    Raises RefusedError when it is another one by now; else as load_ruleset.
    """
    ruleset = load_ruleset(contracts_folder, kind_name)
    if ruleset.sha256 != sha256:
        raise RefusedError(
            f"{contracts_folder}: the contract changed since this command began (SHA-256 {ruleset.sha256}, expected"
            f" {sha256}). Rows that were loaded stay invisible and the next command removes them.",
            next_command="make ingest",
        )
    return ruleset


def load_ruleset(contracts_folder: Path, kind_name: str | None = None) -> Ruleset:
    """The ruleset of a landed kind, as a contracts folder declares it; None: of the default one.

    Raises CommandUsageError when there is no such kind, when a declaration is refused, when a file is missing or
    broken, when the contract uses a keyword that no reason code explains, or when a code that the judge gives is not in
    the list.
    """
    kind = landed_kind(load_kinds(contracts_folder), kind_name)
    assert kind.landing is not None
    rules = load_rules(kind.rules)
    path = schema_file(contracts_folder, kind.name)
    content, contract = read_contract_file(path)
    explainer = Explainer(contract, path, kind.landing.roles.partition, rules)
    reasons = load_reason_codes(contracts_folder)
    warning_codes = WARNING_CODES | rules.WARNING_CODES
    reject_codes = explainer.codes | (frozenset() if kind.landing.facts is None else DEFECT_CODES)
    unlisted = reject_codes - reasons.codes("line", "reject")
    unlisted |= warning_codes - reasons.codes("line", "warn")
    if unlisted:
        raise CommandUsageError(
            f"{contracts_folder / 'reason_codes.json'}: expected every line code that the judge gives, "
            f"got none of {sorted(unlisted)}; nothing was read.",
            next_command="git status contracts",
        )
    components = {
        "contract_ref": kind.name,
        "contract_sha256": hashlib.sha256(committed(content)).hexdigest(),
        "line_reason_codes_sha256": reasons.digest(reject_codes | warning_codes),
        "business_rules_version": rules.VERSION,
        "reader_version": READER_VERSION,
    }
    if kind.landing.facts is not None:
        components["facts_version"] = FACTS_VERSIONS[kind.landing.facts]
    if kind.landing.whole is not None and kind.landing.whole.also_named:
        components["also_named"] = ", ".join(f"{other}: {name}" for other, name in kind.landing.whole.also_named)
    return Ruleset(
        kind,
        _digest(components),
        components,
        kind.landing,
        rules,
        compile_schema(contract, path),
        explainer,
        tuple((each.name, _PARSER_OF[each.type]) for each in kind.landing.fields if each.type in _PARSER_OF),
        explainer.is_exact,
        kind.landing.hash_domain.encode(),
    )


def load_rules(name: str | None) -> Rules:
    """The module of rules that a declaration names. Raises ImportError where there is none."""
    return cast(Rules, NoRules if name is None else importlib.import_module(f"loader.kinds.{name}"))


def _digest(components: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(components, option=orjson.OPT_SORT_KEYS)).hexdigest()
