"""infra/alerts.yml: the channels, who owns which kind, and when nobody is woken; each fault is told with its place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from loader.errors import CommandUsageError

EXAMPLE = "infra/alerts.example.yml"
# A value that begins so is the one of the variable behind it: secrets are in no file.
_VARIABLE = "env:"
_WAYS = {
    "webhook": {"webhook", "body"},
    "smtp": {"smtp", "from", "to", "user", "password", "starttls"},
    "command": {"command"},
}
# Owners of what no other line names, the warehouse among it.
_EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to somebody. `way`: webhook, smtp or command; `said`: its own values, secrets put in."""

    name: str
    way: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of the day to another, on the clock of a zone; over midnight where the second is the smaller."""

    start: time
    end: time
    zone: ZoneInfo

    def include(self, now: datetime) -> bool:
        clock = now.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


@dataclass(frozen=True, slots=True)
class Rules:
    """`owners`: kind → names of channels; `pages`: where the site is served, without a slash at its end."""

    channels: Mapping[str, Channel]
    owners: Mapping[str, Sequence[str]]
    quiet: QuietHours | None
    pages: str | None

    def channels_of(self, record_kind: str | None) -> Sequence[str]:
        """Those of a kind's own owners, or else of everything's."""
        return self.owners.get(record_kind or _EVERYTHING, self.owners.get(_EVERYTHING, ()))


def read_rules(path: Path, variables: Mapping[str, str]) -> Rules:
    """Raises CommandUsageError, before anybody is told anything, for a file that is not there or cannot be understood,
    and for a variable that it names and nobody has set."""
    import yaml

    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CommandUsageError(
            f"{path}: there is no such file, so nobody is to be told; nothing was sent",
            next_command=f"cp {EXAMPLE} infra/alerts.yml   # then say who hears of what",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        _refuse(path, "the file", str(error).replace("\n", " "))
    return _Reader(path, variables).rules(said)


def _refuse(path: Path, place: str, why: str) -> NoReturn:
    raise CommandUsageError(f"{path}: {place}: {why}; nothing was sent", next_command=f"cat {EXAMPLE}   # each field")


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    variables: Mapping[str, str]

    def rules(self, said: Any) -> Rules:
        known = self.mapping(said, "the file", {"channels", "owners", "quiet_hours", "pages"})
        channels = {
            name: self.channel(name, each) for name, each in self.mapping(known.get("channels"), "channels").items()
        }
        owners = self.mapping(known.get("owners"), "owners")
        for kind, names in owners.items():
            if not isinstance(names, list) or not set(map(str, names)) <= set(channels):
                _refuse(self.path, f"owners.{kind}", f"got {names!r}, expected a list of names of channels")
        if _EVERYTHING not in owners:
            _refuse(self.path, "owners", f"expected '{_EVERYTHING}', who hears of what no other line names")
        pages = known.get("pages")
        quiet = None if known.get("quiet_hours") is None else self.quiet(known["quiet_hours"])
        return Rules(channels, owners, quiet, pages and str(self.value(pages, "pages")).rstrip("/"))

    def mapping(self, said: Any, place: str, names: set[str] | None = None) -> Mapping[str, Any]:
        if not isinstance(said, dict) or not all(isinstance(name, str) for name in said):
            _refuse(self.path, place, f"got {said!r}, expected names with values")
        if names is not None and (odd := set(said) - names):
            _refuse(self.path, place, f"got {sorted(odd)}, expected {', '.join(sorted(names))}")
        return said

    def channel(self, name: str, said: Any) -> Channel:
        place = f"channels.{name}"
        ways = [way for way in _WAYS if way in self.mapping(said, place)]
        if len(ways) != 1:
            _refuse(self.path, place, f"expected one of {', '.join(_WAYS)}")
        (way,) = ways
        self.mapping(said, place, _WAYS[way])
        told = {field: self.value(value, f"{place}.{field}") for field, value in said.items()}
        needed = {"smtp": ("from", "to")}.get(way, ())
        if missing := [field for field in needed if not told.get(field)]:
            _refuse(self.path, place, f"expected {' and '.join(missing)}")
        if way in ("webhook", "smtp") and not _is_address(told[way], way):
            # The value may be a secret.
            _refuse(self.path, f"{place}.{way}", f"expected {_ADDRESSES[way][0]}host…")
        for field in ("command", "to"):
            if field in told and not (isinstance(told[field], list) and all(isinstance(v, str) for v in told[field])):
                _refuse(self.path, f"{place}.{field}", "expected a list of words")
        if way == "smtp":
            self.refuse_half_a_login(place, told)
        return Channel(name, way, told)

    def refuse_half_a_login(self, place: str, told: Mapping[str, Any]) -> None:
        """A login has a user and a password, and goes by TLS only."""
        starts_tls = told.get("starttls", True)
        if not isinstance(starts_tls, bool):
            _refuse(self.path, f"{place}.starttls", "expected true or false")
        for one, other in (("user", "password"), ("password", "user")):
            if told.get(one) and not told.get(other):
                _refuse(self.path, f"{place}.{one}", f"expected a {other}, too")
        if told.get("user") and not starts_tls and told["smtp"].startswith("smtp://"):
            _refuse(self.path, f"{place}.user", "a login goes by TLS only: leave out starttls: false, or say smtps://")

    def value(self, said: Any, place: str) -> Any:
        """What is said, or what the variable that it names holds."""
        if not isinstance(said, str) or not said.startswith(_VARIABLE):
            return said
        variable = said.removeprefix(_VARIABLE)
        if not self.variables.get(variable):
            _refuse(self.path, place, f"the variable {variable} is not set")
        return self.variables[variable]

    def quiet(self, said: Any) -> QuietHours:
        known = self.mapping(said, "quiet_hours", {"from", "to", "zone"})
        try:
            start, end = (time.fromisoformat(str(known[name])) for name in ("from", "to"))
            return QuietHours(start, end, ZoneInfo(str(known.get("zone", "UTC"))))
        except (KeyError, ValueError, ZoneInfoNotFoundError):
            _refuse(self.path, "quiet_hours", f'got {said!r}, expected from: "22:00", to: "06:00", zone: Europe/Berlin')


_ADDRESSES = {"webhook": ("https://", "http://"), "smtp": ("smtp://", "smtps://")}


def _is_address(said: Any, way: str) -> bool:
    return isinstance(said, str) and said.startswith(_ADDRESSES[way]) and said.split("://", 1)[1] != ""


def variables_of_shell() -> Mapping[str, str]:
    """Where the values of env: come from."""
    return dict(os.environ)
