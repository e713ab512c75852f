"""Pages as values: a path below the site, a template, and what it is drawn from. What is written and what stays is
decided by a digest of that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import orjson

from loader.kinds import Kind
from loader.site.ledger import Details, Ledger
from loader.status import Status


@dataclass(frozen=True, slots=True)
class Model:
    """What a site tells. `sentence`: what readers may rely on, and what needs a person; `said`: what comes before
    everything else; both as `make status` says them. `verified`: what
    the last verifications found. `link`: the way from the site's folder to a report."""

    status: Status
    sentence: str
    said: Sequence[str]
    ledger: Ledger
    kinds: Mapping[str, Kind]
    made_at: datetime
    link: Callable[[str], str]
    verified: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """`told`: JSON-ready; what the page says follows from it and from the details of these days, runs and records,
    which `told` names by their digests. `finish`: adds the details, once they were read."""

    path: str
    template: str
    told: Mapping[str, Any]
    days: Sequence[date] = ()
    run_ids: Sequence[str] = ()
    evidence_ids: Sequence[int] = ()
    finish: Callable[[Details], Mapping[str, Any]] = field(default=lambda details: {})

    @property
    def root(self) -> str:
        """The way from the page to the site's folder."""
        return "../" * self.path.count("/")

    def told_with(self, details: Details) -> dict[str, Any]:
        return {**self.told, **self.finish(details)}

    def digest(self, form: str) -> str:
        """What tells these inputs, in this `form`, from others."""
        told = orjson.dumps(self.told, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=str)
        return hashlib.sha256(form.encode() + b"\0" + self.template.encode() + b"\0" + told).hexdigest()
