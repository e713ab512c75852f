from __future__ import annotations

import json
import re
from dataclasses import fields, replace

from loader.contract.explain import FURTHER_CODES, REJECT_CODES
from loader.contract.schema import ReasonCode, ReasonCodes, load_reason_codes
from loader.facts import DEFECT_CODES
from loader.kinds import load_kinds
from loader.kinds.judge import WARNING_CODES
from loader.kinds.ruleset import load_rules
from loader.manifest.model import GatePolicy
from tests.contract.contract_fixtures import CONTRACTS


def test_the_list_is_closed_and_well_formed() -> None:
    """Prevents: a code that stands twice, or says nothing to whoever reads it."""
    entries = json.loads((CONTRACTS / "reason_codes.json").read_bytes())
    assert len({entry["code"] for entry in entries}) == len(entries)
    for entry in entries:
        assert list(entry) == ["code", "scope", "severity", "meaning", *(["mend"] if entry["scope"] == "asset" else [])]
        assert re.fullmatch(r"[a-z][a-z0-9_]{2,63}", entry["code"])
        assert entry["scope"] in ("line", "asset", "manifest", "run")
        assert entry["severity"] in ("reject", "warn")
        assert all(entry[name].endswith(".") for name in ("meaning", "mend") if name in entry)


def test_the_judge_gives_exactly_the_line_codes_of_the_list() -> None:
    """Prevents: a code in the list that nothing gives, or one given that is not in the list."""
    reasons = load_reason_codes(CONTRACTS)
    of_kinds = [load_rules(kind.rules) for kind in load_kinds(CONTRACTS).values() if kind.is_landed]
    assert reasons.codes("line", "reject") == REJECT_CODES.union(
        FURTHER_CODES, DEFECT_CODES, *(rules.REJECT_CODES for rules in of_kinds)
    )
    assert reasons.codes("line", "warn") == WARNING_CODES.union(*(rules.WARNING_CODES for rules in of_kinds))


def test_every_policy_of_the_gate_is_an_asset_reason_code() -> None:
    """Prevents: a policy whose effect cannot be named in a judgement."""
    policies = {field.name for field in fields(GatePolicy)}
    assert policies <= load_reason_codes(CONTRACTS).codes("asset", "warn")


def test_a_reworded_meaning_is_no_new_ruleset() -> None:
    """Prevents: every asset is read again because someone mended a sentence."""
    reasons = load_reason_codes(CONTRACTS)
    some = reasons.by_code["duplicate_key"]

    def digest_with(reason: ReasonCode) -> str:
        return ReasonCodes({**reasons.by_code, reason.code: reason}).digest(REJECT_CODES)

    assert digest_with(replace(some, meaning="Other words.")) == reasons.digest(REJECT_CODES)
    assert digest_with(replace(some, severity="warn")) != reasons.digest(REJECT_CODES)


def test_a_code_that_no_line_of_a_kind_can_get_is_no_new_ruleset_of_it() -> None:
    """Prevents: every ticket is read again because another kind's lines may be rejected for one reason more."""
    reasons = load_reason_codes(CONTRACTS)
    more = ReasonCodes(
        {**reasons.by_code, "another_code": replace(reasons.by_code["duplicate_key"], code="another_code")}
    )
    assert more.digest(REJECT_CODES) == reasons.digest(REJECT_CODES)
    assert more.digest({*REJECT_CODES, "another_code"}) != reasons.digest(REJECT_CODES)
