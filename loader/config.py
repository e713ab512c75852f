"""Settings: environment variables with the prefix LOADER_, read once per command and never at import."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from loader.checkout import find_project_root, is_project_root
from loader.environment import blemish, require_plain
from loader.errors import CommandUsageError

EXPECTED = {
    "project_root": "the folder of a checkout (it holds pyproject.toml and infra/postgres)",
    "raw_zone": "a folder",
    "report_dir": "a folder",
    "allowed_roots": f"folders separated by {os.pathsep!r}",
    "default_partition": "a day as YYYY-MM-DD",
    "partition_start_date": "a day as YYYY-MM-DD",
    "allowed_lateness": "seconds (259200) or an ISO 8601 duration (P3D), not negative",
    "reject_limit": "a share from 0 to 1 (0.05 is 5 %)",
    "workers": "a number of processes from 0 to 64",
    "load_format": "auto, parquet or csv",
    "proof": "changes or all",
    "alerts": "a file",
    "lock_timeout": "seconds from 0 to 86400",
}

_PREFIX = "LOADER_"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


LoadFormat = Literal["auto", "parquet", "csv"]


class Settings(BaseSettings):
    """All settings of a command. Paths are absolute; a relative one is taken from the project root."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", validate_default=True
    )

    project_root: Path = Field(default_factory=find_project_root)
    raw_zone: Path = Path(".local/raw_zone")
    report_dir: Path = Path("reports")
    alerts: Path = Path("infra/alerts.yml")
    allowed_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    default_partition: date = date(2026, 4, 17)
    partition_start_date: date = date(2026, 3, 1)
    allowed_lateness: timedelta = timedelta(days=3)
    reject_limit: float = Field(default=0.05, ge=0, le=1, allow_inf_nan=False)
    load_format: LoadFormat = "auto"
    proof: Literal["changes", "all"] = "changes"
    lock_timeout: float = Field(default=0.0, ge=0, le=86400, allow_inf_nan=False)
    workers: int = Field(default_factory=lambda: min(4, os.cpu_count() or 1), ge=0, le=64)

    @property
    def state_folder(self) -> Path:
        """Everything local to this checkout that is never committed: embedded PostgreSQL, work files."""
        return self.project_root / ".local"

    def named(self, path: Path) -> str:
        """A path as reports and commands name it: from the project's root where it lies below that."""
        return str(path.relative_to(self.project_root)) if path.is_relative_to(self.project_root) else str(path)

    @field_validator("project_root")
    @classmethod
    def _checkout(cls, value: Path) -> Path:
        folder = _in_home(value).resolve()
        if not is_project_root(folder):
            raise ValueError("not a checkout")
        return folder

    @field_validator("raw_zone", "report_dir")
    @classmethod
    def _absolute(cls, value: Path, info: ValidationInfo) -> Path:
        folder = _below_root(value, info)
        if not next(parent for parent in (folder, *folder.parents) if parent.exists()).is_dir():
            raise ValueError("not a folder")
        return folder

    @field_validator("alerts")
    @classmethod
    def _absolute_file(cls, value: Path, info: ValidationInfo) -> Path:
        return _below_root(value, info)

    @field_validator("allowed_roots", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part for part in value.split(os.pathsep) if part]
        if any(map(blemish, parts)):
            raise ValueError("a folder with a blank or quote at its edge")
        return parts

    @field_validator("allowed_roots")
    @classmethod
    def _absolute_each(cls, value: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        return tuple(_below_root(folder, info) for folder in value)

    @field_validator("default_partition", "partition_start_date", mode="before")
    @classmethod
    def _plain_day(cls, value: object) -> object:
        # Pydantic would also take an instant or a Unix time.
        if isinstance(value, str) and not _DAY.fullmatch(value):
            raise ValueError("not a day")
        return value

    @field_validator("allowed_lateness", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        if isinstance(value, str):
            if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
                return timedelta(seconds=float(value))
            if not value.startswith("P"):
                raise ValueError("not a duration")
        return value

    @field_validator("allowed_lateness")
    @classmethod
    def _not_negative(cls, value: timedelta) -> timedelta:
        if value < timedelta():
            raise ValueError("negative")
        return value


def _below_root(value: Path, info: ValidationInfo) -> Path:
    # Without a root (its own error is reported first) any base will do.
    root: Path = info.data.get("project_root", Path("/"))
    return (root / _in_home(value)).resolve()


def _in_home(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise ValueError("no such home") from error


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment; `overrides` (field names) win over it.

    Raises CommandUsageError that names the variable, what it held and what was expected; also for a variable with the
    prefix that is no setting.
    """
    require_plain(os.environ, _PREFIX, {field.upper(): expected for field, expected in EXPECTED.items()})
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0]) if first["loc"] else "?"
        variable = f"LOADER_{field.upper()}"
        got = overrides.get(field, os.environ.get(variable, first.get("input")))
        raise CommandUsageError(
            f"{variable}: got {str(got)!r}, expected {EXPECTED.get(field, 'no such setting')}; nothing was started",
            next_command=f"unset {variable}   # or set it as in infra/env/.env.example",
        ) from error


def parse_instant(text: str) -> datetime:
    """An instant as an operator writes it: ISO 8601 with its offset or Z. Raises CommandUsageError."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise CommandUsageError(
            f"got the time {text!r}, expected for example 2026-04-18T09:00:00Z; nothing was started",
            next_command="make status",
        )
    return instant.astimezone(UTC)


def parse_partition(text: str) -> date:
    """A partition as an operator writes it: a UTC day as YYYY-MM-DD, nothing else.

    Raises CommandUsageError.
    """
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise CommandUsageError(
        f"partition: got {text!r}, expected {EXPECTED['default_partition']}; nothing was started",
        next_command="make status PARTITION=2026-04-17",
    )
