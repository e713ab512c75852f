"""The ruleset: contract, business rules and reader version under one SHA-256, and the judge of a line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from loader.contract.explain import REJECT_CODES, Explainer
from loader.contract.foreign_format import JSON_DOCUMENT, ONE_ARRAY, begins_document, foreign_bytes
from loader.contract.lenient_json import has_duplicate_key, has_nul
from loader.contract.reasons import load_reason_codes
from loader.contract.schema import compile_schema, read_contract_file
from loader.contract.ticket import (
    BUSINESS_RULES_VERSION,
    WARNING_CODES,
    AcceptedRecord,
    RejectedRecord,
    is_pii_unredacted,
    warnings_of,
)
from loader.contract.timestamps import TimestampError, parse_instant
from loader.errors import CommandUsageError, RefusedError
from loader.line_ends import committed

CONTRACT_REF = "ticket_v1"
CONTRACT_FILE = f"kinds/{CONTRACT_REF}/schema.json"

# Raise it when the reader splits bytes into lines, or calls a line blank, in another way.
READER_VERSION = "1"

_ESCAPED_NUL = b"\\u0000"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Judges lines. Two rulesets of the same `sha256` give every line the same fate.

    `components` names what the digest covers: the contract's text, the line reason codes and the versions of
    business rules and reader. Library versions are not part of it: the contract tests pin what they accept.
    """

    contract_ref: str
    sha256: str
    components: dict[str, str]
    _validator: jsonschema_rs.Draft202012Validator
    _explainer: Explainer

    def judge(self, line: bytes) -> AcceptedRecord | RejectedRecord:
        """The fate of one line: without its terminator, not blank, at most the reader's MAX_LINE_BYTES long.

        Pure, never raises for what the line holds. Accepted only where jsonschema-rs, the reference validator
        (its stricter rules are in parse_instant) and the loader's parser all accept.
        """
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._explainer.explain(line, f"{error.msg} (character {error.pos})")
        if not self._validator.is_valid(record) or is_pii_unredacted(record):
            return self._explainer.explain(line)
        # orjson keeps the last of duplicate keys: what it writes back is then shorter than the line.
        if orjson.dumps(record) != line and has_duplicate_key(line, record):
            return self._explainer.explain(line)
        # Most lines have no escape at all, and that is found sooner.
        if b"\\" in line and _ESCAPED_NUL in line and has_nul(record):
            return self._explainer.explain(line)
        try:
            created_at = parse_instant(record["created_at"])
            updated_at = None if (text := record.get("updated_at")) is None else parse_instant(text)
            resolved_at = None if (text := record.get("resolved_at")) is None else parse_instant(text)
            sla_due_at = None if (text := record.get("sla_due_at")) is None else parse_instant(text)
        except TimestampError:
            return self._explainer.explain(line)
        ingest_batch_id = record.pop("ingest_batch_id")
        canonical = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        ticket_id, source_id, customer_id = record["ticket_id"], record["source_id"], record["customer_id"]
        return AcceptedRecord(
            canonical,
            hashlib.sha256(canonical).digest(),
            ticket_id,
            source_id,
            customer_id,
            ingest_batch_id,
            created_at,
            updated_at,
            resolved_at,
            sla_due_at,
            created_at.date(),
            warnings_of(ticket_id, (source_id, customer_id), created_at, updated_at, resolved_at),
        )


def too_long(length: int, head: bytes) -> RejectedRecord:
    """The fate of a line of `length` bytes of which the reader kept the `head` only."""
    message = f"the line has {length} bytes, more than a line may have"
    foreign = foreign_bytes(head)
    if foreign is None and begins_document(head.decode(errors="replace")) is not None:
        foreign = JSON_DOCUMENT, ONE_ARRAY
    if foreign is None:
        return RejectedRecord(("line_too_long",), message, "$", None)
    code, what = foreign
    return RejectedRecord(tuple(sorted(("line_too_long", code))), f"$: {what}; {message}", "$", None)


def load_same_ruleset(contracts_folder: Path, sha256: str) -> Ruleset:
    """The ruleset of a contracts folder, for a process beside the one that read it first.

    Raises RefusedError when it is another one by now; else as load_ruleset.
    """
    ruleset = load_ruleset(contracts_folder)
    if ruleset.sha256 != sha256:
        raise RefusedError(
            f"{contracts_folder}: the contract changed since this command began (SHA-256 {ruleset.sha256}, expected"
            f" {sha256}). Rows that were loaded stay invisible and the next command removes them.",
            next_command="make ingest",
        )
    return ruleset


def load_ruleset(contracts_folder: Path) -> Ruleset:
    """The ruleset of a contracts folder; reads two files.

    Raises CommandUsageError when a file is missing or broken, when the contract uses a keyword that no reason
    code explains, or when a code that the judge gives is not in the list.
    """
    path = contracts_folder / CONTRACT_FILE
    content, contract = read_contract_file(path)
    reasons = load_reason_codes(contracts_folder)
    unlisted = REJECT_CODES - reasons.codes("line", "reject")
    unlisted |= WARNING_CODES - reasons.codes("line", "warn")
    if unlisted:
        raise CommandUsageError(
            f"{contracts_folder / 'reason_codes.json'}: expected every line code that the judge gives, "
            f"got none of {sorted(unlisted)}; nothing was read.",
            next_command="git status contracts",
        )
    components = {
        "contract_ref": CONTRACT_REF,
        "contract_sha256": hashlib.sha256(committed(content)).hexdigest(),
        "line_reason_codes_sha256": reasons.digest("line"),
        "business_rules_version": BUSINESS_RULES_VERSION,
        "reader_version": READER_VERSION,
    }
    return Ruleset(
        contract_ref=CONTRACT_REF,
        sha256=_digest(components),
        components=components,
        _validator=compile_schema(contract, path),
        _explainer=Explainer(contract, path),
    )


def _digest(components: dict[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(components, option=orjson.OPT_SORT_KEYS)).hexdigest()
