"""Hypothesis strategies: tickets that are valid, or miss it by little, as records and as lines."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from tests.contract.reference import contract

_BASE: dict[str, Any] = {
    "ticket_id": "TKT-20260417-000001",
    "schema_version": "ticket_v1",
    "source_id": "structured:tickets:synthetic",
    "ingest_batch_id": "batch-20260417-001",
    "customer_id": "cust_0042",
    "status": "in_progress",
    "priority": "p2_high",
    "product_line": "northstar_edge_gateway",
    "created_at": "2026-04-17T08:00:00Z",
    "pii_level": "low",
    "quality_gate": "pass",
    "owner": "team_edge",
}
_FIELDS = list(contract()["properties"])
_INSTANTS = [name for name, schema in contract()["properties"].items() if schema.get("format") == "date-time"]

_odd_texts = st.sampled_from(
    [
        "",
        "\n",
        "\0",
        "\ud800",
        "😀",
        "x" * 512,
        "x" * 513,
        "😀" * 512,
        "\u2028",
        "\ufeff",
        "\\u0000",
        '"a": "b"',
        "null",
    ]
)
_years = st.sampled_from(["0000", "0001", "0999", "1900", "2000", "2016", "2026", "9999"])
_months = st.sampled_from(["01", "02", "12", "00", "13"])
_days = st.sampled_from(["01", "28", "29", "30", "31", "32", "00"])
_hours = st.sampled_from(["00", "08", "23", "24"])
_sixtieths = st.sampled_from(["00", "30", "59", "60"])
_fractions = st.one_of(
    st.sampled_from(["", ".", ".0", ".999999", ".9999999", "." + "9" * 40]),
    st.from_regex(r"\.[0-9]{1,9}", fullmatch=True),
)
_offsets = st.sampled_from(
    [
        "Z",
        "z",
        "",
        "+00:00",
        "-00:00",
        "+00:01",
        "-00:01",
        "+15:59",
        "-15:59",
        "+16:00",
        "-23:59",
        "+24:00",
        "+0200",
        "+02:60",
    ]
)
# Bytes around the ASCII digits, digits of other scripts, what upper-casing or stripping may turn to good.
_odd_characters = st.sampled_from("*+,-./:;0 \tTtZz\n\r\0٣０²−\u2028\ufeff")


@st.composite
def instants(draw: st.DrawFn) -> str:
    """Texts in or near the form of an RFC 3339 date-time."""
    separator = draw(st.sampled_from(["T", "T", "t", " ", "_"]))
    text = (
        f"{draw(_years)}-{draw(_months)}-{draw(_days)}{separator}"
        f"{draw(_hours)}:{draw(_sixtieths)}:{draw(_sixtieths)}{draw(_fractions)}{draw(_offsets)}"
    )
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(_odd_characters) + text[place + draw(st.integers(0, 1)) :]
    return text


@st.composite
def dates(draw: st.DrawFn) -> str:
    """Texts in or near the form of an RFC 3339 full-date."""
    text = f"{draw(_years)}-{draw(_months)}-{draw(_days)}"
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(_odd_characters) + text[place + draw(st.integers(0, 1)) :]
    return text


def _values(name: str) -> st.SearchStrategy[Any]:
    """Values in or near what the contract says of a field."""
    schema = contract()["properties"].get(name, {})
    good: list[st.SearchStrategy[Any]] = []
    if "enum" in schema:
        good.append(st.sampled_from(schema["enum"]))
    if "pattern" in schema:
        good.append(st.from_regex(schema["pattern"]))  # may end in a newline, as Python's $ lets it
    if name in _INSTANTS:
        good.extend([instants(), instants()])
    if "items" in schema:
        good.append(st.lists(st.text(max_size=3) | _odd_texts | st.none(), max_size=3))
    if schema.get("type") == "boolean":
        good.append(st.booleans())
    odd = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.just([]),
        st.just({}),
        st.just({"a": "b"}),
        _odd_texts,
    )
    return st.one_of(*good, st.text(max_size=20), odd)


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A valid ticket with up to four fields replaced, added or taken away."""
    record = dict(_BASE)
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from([*_FIELDS, *_INSTANTS, "ticket_id", "color"]))
        if draw(st.integers(0, 9)) == 0:
            record.pop(name, None)
        else:
            record[name] = draw(_values(name))
    return record


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Such a record as bytes: escaped or not, with or without space, sometimes with a damage to the text."""
    record = draw(records())
    is_ascii = draw(st.booleans())
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    text = json.dumps(record, ensure_ascii=is_ascii, separators=separators)
    line = text.encode("utf-8", "surrogatepass")
    damage = draw(st.sampled_from(["", "", "", "", "field", "insert", "cut", "encoding", "space"]))
    place = draw(st.integers(0, len(line)))
    if damage == "field":
        name = draw(st.sampled_from([*record, "color"]))
        value = draw(
            st.sampled_from(['"x"', "NaN", "1e999", "9" * 30, "-0", '"\\ud800"', '"\\u0000"', "[" * 70 + "]" * 70])
        )
        line = line[:-1] + f",{json.dumps(name)}:{value}}}".encode()
    elif damage == "insert":
        line = line[:place] + draw(st.binary(min_size=1, max_size=3)) + line[place:]
    elif damage == "cut":
        line = line[:place]
    elif damage == "encoding":
        line = text.encode(draw(st.sampled_from(["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])), "replace")
    elif damage == "space":
        line = draw(st.sampled_from([b" ", b"\r", b"\x0c", b"\xc2\xa0"])) + line + b" \t\r"
    return line
