"""A record kind as values. Rules that are thoughts (loader/contract) are not part of it: it holds lists and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FieldType = Literal["text", "boolean", "instant", "date", "number", "json"]
# How Silver, serving and released rows type a field.
COLUMN_TYPES: Mapping[FieldType, str] = {
    "text": "text",
    "boolean": "boolean",
    "instant": "timestamptz",
    "date": "date",
    "number": "numeric",
    "json": "jsonb",
}
_TYPE_OF_FORMAT: Mapping[str, FieldType] = {"date-time": "instant", "date": "date"}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a kind's records.

    `is_required`: every record has a value of it. `column`: its name in Silver, None where it stays in Bronze.
    `values`: those that the schema lists, None: it lists none; `is_mix_watched`: their shares are watched from day to
    day. `words`: what the schema says of it. `origin`: of a composed record, what says it
    (loader/kinds/composed.py); None where a line says all of it.
    """

    name: str
    type: FieldType
    is_required: bool
    values: tuple[Any, ...] | None
    level: str
    column: str | None
    may_be_served: bool
    may_be_shown: bool
    is_mix_watched: bool
    words: str = ""
    origin: str | None = None

    @property
    def says_of_persons(self) -> bool:
        """It says something of a person, or may."""
        return self.level in ("personal", "free_text")


@dataclass(frozen=True, slots=True)
class Derived:
    """A column of Silver that follows from fields, and no field gives. `words`: what it says."""

    type: FieldType
    words: str


@dataclass(frozen=True, slots=True)
class Link:
    """`field` of a kind's records holds the key of a record of one of `kinds`; null: it names none. `is_awaited`: a
    partition with a record whose target Silver does not hold is kept back; else it is told, and keeps nothing back.
    `is_erased_with`: who erases the person whose the target is erases the record, too."""

    field: str
    kinds: tuple[str, ...]
    is_awaited: bool
    is_erased_with: bool = False

    @property
    def named(self) -> str:
        """What it names, in words."""
        return " or ".join(self.kinds)


@dataclass(frozen=True, slots=True)
class Whole:
    """An asset is whole for what `field` names: records that the newest one of it lacks are not current. `number`: the
    field that holds the number of a record's line; both make its key. `span`: the fields where a record starts and
    ends, in seconds of what the asset is of; none: it has no such place. `also_named`: other names that a line may use,
    each with the field that it stands for."""

    field: str
    number: str
    span: tuple[str, ...] = ()
    also_named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the fields that mean something to every room; `version`: the first of these that a record has."""

    key: str
    partition: str
    version: tuple[str, ...]
    source: str | None = None
    person: str | None = None

    @property
    def updated(self) -> str | None:
        """The field that orders versions before the partition's does; None: nothing does."""
        return self.version[0] if self.version[0] != self.partition else None


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a kind's records go, and what they are: of a kind that is landed.

    `bronze`, `silver`: names of its table and its model; `dimensions`: models that follow from that one. `fields` stand
    in the order in which Silver's digest of a row takes them; `envelope`: those of the delivery, outside a record's
    fingerprint. `hash_domain` stands before a record in what its fingerprint is of: the kind's name, nothing where each
    record says that name itself; `derived`: columns of Silver that no field gives; `links`: the records of other kinds,
    or of its own, that one of these names. `facts`: what reads the facts of a file that is a record (a name of
    loader/facts), None where a record is a line. `whole`: of lines that take fields from their asset's entry, what the
    asset is whole for; None of others.
    """

    bronze: str
    silver: str
    dimensions: tuple[str, ...]
    roles: Roles
    envelope: tuple[str, ...]
    fields: tuple[Field, ...]
    hash_domain: str
    derived: Mapping[str, Derived] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    facts: str | None = None
    whole: Whole | None = None

    @property
    def is_composed(self) -> bool:
        """Its records are made of what a manifest declares, too."""
        return self.facts is not None or self.whole is not None

    @property
    def person(self) -> Field | None:
        """The field that says whose a record is; None: its records are nobody's."""
        return next((each for each in self.fields if each.name == self.roles.person), None)

    def column_of(self, name: str | None) -> str | None:
        """The Silver column of a field."""
        return next((each.column for each in self.fields if each.name == name), None)

    @property
    def dataset(self) -> str:
        """What checkpoint, cursor and watermark are of."""
        return f"bronze.{self.bronze}"

    @property
    def asset_key(self) -> str:
        """What evidence is of."""
        return f"bronze/{self.bronze}"

    @property
    def target_assets(self) -> tuple[str, ...]:
        """What a run brings up to date."""
        models = (f"silver/{model}" for model in (self.silver, *self.dimensions))
        return (self.asset_key, *models, "reconcile/reconcile_partition")


@dataclass(frozen=True, slots=True)
class Kind:
    """`name` is a manifest's contract_ref. `landing` None: known to manifests and the gate, and not landed yet.
    `rules`: the module of loader.kinds that says what its schema cannot, None where the schema says everything.
    `is_default`: meant where no kind is named."""

    name: str
    title: str
    modality: str
    framing: Literal["lines", "file"]
    source_types: tuple[str, ...]
    asset_types: tuple[str, ...]
    landing: Landing | None
    rules: str | None = None
    is_default: bool = False

    @property
    def folder(self) -> str:
        """Where its reports lie, below the folder that those of the default kind lie in."""
        return "" if self.is_default else self.name

    @property
    def is_landed(self) -> bool:
        return self.landing is not None


def json_types(schema: Mapping[str, Any]) -> list[str]:
    """What a value may be beside null, sorted."""
    named = schema.get("type", ())
    return sorted(({named} if isinstance(named, str) else set(named)) - {"null"})


def type_in_words(schema: Mapping[str, Any], field: str) -> str:
    """What a field's values are, as people read it: `string`, or `string (date)`."""
    declared = schema["properties"][field]
    types = " or ".join(json_types(declared)) or "of any type"
    return f"{types} ({declared['format']})" if declared.get("format") in _TYPE_OF_FORMAT else types


def field_type(schema: Mapping[str, Any]) -> FieldType:
    """How Silver types what the schema lets in; null is always let in."""
    match json_types(schema):
        case ["string"]:
            return _TYPE_OF_FORMAT.get(str(schema.get("format")), "text")
        case ["boolean"]:
            return "boolean"
        case ["integer"] | ["number"] | ["integer", "number"]:
            return "number"
        case _:
            return "json"
