"""A real Dagster (web server, daemon, code server) over a checkout, asked as its own pages ask it: by GraphQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from tests.checkouts import ROOT

DAGSTER = ROOT / "infra" / "dagster"
DAGSTER_COMMAND = ROOT / ".venv-dagster" / "bin" / "dagster"
_STARTS, _WAITS = 120.0, 240.0
Found = TypeVar("Found")

_BACKFILL = """
mutation ($keys: [AssetKeyInput!]!, $days: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $keys, partitionNames: $days}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_STATUSES = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { startKey endKey status } }
      }
    }
  }
}
"""
_RUNS = """
query { runsOrError { ... on Runs { results { runId status tags { key value } } } } }
"""
_CHECKS = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      assetChecksOrError {
        ... on AssetChecks { checks { name executionForLatestMaterialization { evaluation {
          success metadataEntries { ... on TableMetadataEntry { table { records } } }
        } } } }
      }
    }
  }
}
"""


@dataclass(frozen=True)
class Dagster:
    """Its address, and what it wrote to its log so far."""

    port: int
    log: Path

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = json.load(answer)
        assert "errors" not in said, said
        data: dict[str, Any] = said["data"]
        return data

    def backfill(self, kind: str, *days: str) -> None:
        """As the button of the page does it, of all the kind's assets."""
        keys = [{"path": [kind, stage]} for stage in ("gate", "raw_zone", "bronze", "silver", "serving")]
        launched = self.ask(_BACKFILL, keys=keys, days=days)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def colours(self, kind: str, stage: str) -> dict[str, str]:
        """Each day that has one: MATERIALIZED or FAILED."""
        node = self.ask(_STATUSES, key={"path": [kind, stage]})["assetNodeOrError"]
        days = {}
        for span in node["assetPartitionStatuses"]["ranges"]:
            for ordinal in range(_ordinal(span["startKey"]), _ordinal(span["endKey"]) + 1):
                days[_day(ordinal)] = span["status"]
        return days

    def runs(self) -> list[tuple[str, Mapping[str, str]]]:
        """Status and tags of each run, the newest first."""
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return [(run["status"], {tag["key"]: tag["value"] for tag in run["tags"]}) for run in found]

    def check(self, kind: str, stage: str) -> tuple[bool, list[dict[str, Any]]] | None:
        """Whether the stage's check passed, and the rows of its table; None before it was told."""
        (check,) = self.ask(_CHECKS, key={"path": [kind, stage]})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        execution = check["executionForLatestMaterialization"]
        if execution is None or execution["evaluation"] is None:
            return None
        tables = [each["table"] for each in execution["evaluation"]["metadataEntries"] if "table" in each]
        rows = [json.loads(record) for table in tables for record in table["records"]]
        return execution["evaluation"]["success"], rows

    def wait_for(self, what: Callable[[], Found | None], seconds: float = _WAITS) -> Found:
        """The first answer that is one."""
        deadline = time.monotonic() + seconds
        while (found := what()) in (None, False):
            assert time.monotonic() < deadline, (self.runs(), self.log.read_text()[-3000:])
            time.sleep(0.5)
        assert found is not None
        return found


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


@contextmanager
def dagster_over(root: Path, environment: Mapping[str, str]) -> Iterator[Dagster]:
    """What `make dagster` starts, over the checkout at `root`; ended with everything it started."""
    home = root / ".local" / "dagster"
    home.mkdir(parents=True)
    shutil.copy(DAGSTER / "dagster.yaml", home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        DAGSTER_COMMAND,
        "dev",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-m",
        "omni_dagster.definitions",
        "-d",
        DAGSTER,
    ]
    log = home / "log.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*map(os.fspath, words)],
            cwd=root,
            env={**environment, "DAGSTER_HOME": str(home), "LOADER_PROJECT_ROOT": str(root)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        found = Dagster(port, log)
        try:
            _wait_until_it_answers(process, found)
            yield found
        finally:
            # All of its own session; the database belongs to nobody of it.
            with _ended_already():
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                with _ended_already():
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@contextmanager
def _ended_already() -> Iterator[None]:
    try:
        yield
    except ProcessLookupError:
        return


def _wait_until_it_answers(process: subprocess.Popen[bytes], found: Dagster) -> None:
    deadline = time.monotonic() + _STARTS
    while time.monotonic() < deadline:
        assert process.poll() is None, found.log.read_text()[-3000:]
        try:
            found.runs()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.3)
        else:
            return
    raise AssertionError(found.log.read_text()[-3000:])
