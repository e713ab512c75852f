"""Commands in processes of their own, and the moment in which one of them is looked for."""

from __future__ import annotations

import subprocess
import time

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import LOADER
from tests.ingests import rows


def started(environment: dict[str, str], *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*LOADER, *words],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(database: Warehouse, question: str, process: subprocess.Popen[str]) -> None:
    """Until the question's answer is true; the process has to live until then."""
    deadline = time.monotonic() + 180
    while not rows(database, question)[0][0]:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
