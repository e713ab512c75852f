"""The first declaration of a new kind, as its schema suggests it: the text of kind.yml."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader.kinds.cases import type_of
from loader.kinds.columns import OF_EVERY_KIND

if TYPE_CHECKING:
    from loader.kinds.new import Wish

# Texts of at most so many characters are taken for codes and names of things, longer ones for somebody's words.
_CODE_CHARACTERS = 64
# Columns of tables and of rows beside the model's own.
_OF_TABLES = ("ctid", "data_release_id", "end_release_id", "first_release_id", "record_kind", "row_digest", "tableoid")
# Words that PostgreSQL keeps for itself: those that its manual, appendix C, calls reserved.
_RESERVED_WORDS = Path(__file__).with_name("reserved_words.txt")


def first_declaration(schema: Mapping[str, Any], wish: Wish) -> str:
    version = [wish.version, wish.partition] if wish.version not in (None, wish.partition) else [wish.partition]
    roles = {"key": wish.key, "source": wish.source, "person": wish.person, "partition": wish.partition}
    told = [f"  {role}: {name}" for role, name in roles.items() if name is not None]
    fields = [f"  {name}: {_entry(name, field, wish)}" for name, field in schema["properties"].items()]
    title = json.dumps(str(schema["title"])[:80], ensure_ascii=False)
    return "\n".join(
        (
            "# What the warehouse has to know of these records besides their schema. Look at the level of each field:",
            "# free_text stays in Bronze. After a change: loader kind generate, then loader kind check.",
            f"kind: {wish.name}",
            f"title: {title}",
            "modality: structured",
            "framing: lines",
            f"source_types: [{wish.silver[:56]}_export]",
            "asset_types: [jsonl, jsonl_gz]",
            f"bronze: raw_{wish.silver[:58]}",
            f"silver: {wish.silver}",
            "roles:",
            *told,
            f"  version: [{', '.join(name for name in version if name)}]",
            *(["linked_to:"] if wish.links else []),
            *(
                f"  - {{field: {link.field}, kind: {link.named}, missing: {'wait' if link.is_awaited else 'warn'}}}"
                for link in wish.links
            ),
            "# In the order in which Silver's digest of a row takes them: a new field goes to the end.",
            "fields:",
            *fields,
            "",
        )
    )


def _entry(name: str, field: Mapping[str, Any], wish: Wish) -> str:
    named = (wish.key, wish.source, wish.partition, wish.version, *(link.field for link in wish.links))
    if name == wish.person:
        return _line("pseudonymous", _column(name, wish), "Stands for a person.")
    if name in named or not _is_words(field):
        return _line("internal", _column(name, wish), _reason(field))
    return '{level: free_text, reason: "Somebody\'s words, as far as the schema says."}'


def _line(level: str, column: str, reason: str) -> str:
    return f"{{level: {level}, silver: {column}, serve: true, reason: {json.dumps(reason)}}}"


def _column(name: str, wish: Wish) -> str:
    """A field's column in Silver: small letters, no word that PostgreSQL or every model needs."""
    column = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().lstrip("_") or "field"
    column = column if column[0].isalpha() else f"field_{column}"
    taken = OF_EVERY_KIND.union(_OF_TABLES, _RESERVED_WORDS.read_text("utf-8").split())
    return (f"{wish.silver}_{column}" if column in taken else column)[:63]


def _is_words(field: Mapping[str, Any]) -> bool:
    """Whether a value may hold what somebody wrote: a text without a list, a form or a short bound, also inside."""
    match type_of(field):
        case "boolean" | "integer" | "number":
            return False
        case "array":
            return _is_words(field.get("items", {}))
        case "object":
            is_open = field.get("additionalProperties", True) is not False
            return is_open or any(_is_words(inner) for inner in field.get("properties", {}).values())
        case "string":
            bounded = field.get("maxLength", _CODE_CHARACTERS + 1) <= _CODE_CHARACTERS
            return not (bounded or field.keys() & {"enum", "const", "pattern", "format"})
    return not field.keys() & {"enum", "const"}


def _reason(field: Mapping[str, Any]) -> str:
    if field.get("description"):
        return str(field["description"])[:200]
    if "enum" in field or "const" in field:
        return "Closed list."
    return {"boolean": "Yes or no.", "integer": "A number.", "number": "A number."}.get(
        type_of(field) or "", "Its schema bounds its form."
    )
