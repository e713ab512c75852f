"""A reader as it is: a process of its own that polls a hundred times a second, until its standard input ends.

Run as `python -m tests.integration.release.reader` with libpq's variables and POLL, TWICE and LOCKS, three statements.
Prints JSON: the states that it saw, how often it saw a ticket twice or an AccessExclusiveLock on what it reads, and the
seconds of each poll.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg2

from loader.warehouse import Warehouse
from tests.checkouts import ROOT

INTERVAL_SECONDS = 0.01


@dataclass
class Seen:
    """What a reader saw while a block ran; `seconds`: of each poll, in its order."""

    states: set[tuple[Any, ...]] = field(default_factory=set)
    twice: int = 0
    locks: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]

    @property
    def told(self) -> str:
        ordered = sorted(self.seconds)
        middle, last = ordered[len(ordered) // 2], ordered[-1]
        return f"{len(ordered)} polls: p50 {middle * 1e3:.2f} ms, p99 {self.p99 * 1e3:.2f} ms, max {last * 1e3:.2f} ms"


@contextmanager
def polling(database: Warehouse, statements: Mapping[str, str]) -> Iterator[Seen]:
    """Poll until the block ends; the answer is complete after it. Not a thread of this process, whose own work would
    look like a slow database."""
    environment = {**os.environ, **database.libpq_environment(), **statements, "PYTHONPATH": str(ROOT)}
    reader = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.release.reader"],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "reading\n"
    seen = Seen()
    try:
        yield seen
    finally:
        out, _ = reader.communicate()
    assert reader.returncode == 0
    told = json.loads(out)
    seen.states = {tuple(state) for state in told["states"]}
    seen.twice, seen.locks, seen.seconds = told["twice"], told["locks"], told["seconds"]


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """As many processes that want a processor as there are, and do nothing else."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main() -> None:
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    states: set[tuple[str, ...]] = set()
    told: dict[str, Any] = {"twice": 0, "locks": 0, "seconds": []}
    session = psycopg2.connect(application_name="reader")
    session.autocommit = True
    cursor = session.cursor()
    for name in ("POLL", "TWICE", "LOCKS"):
        cursor.execute(f"prepare {name} as {os.environ[name]}")
    print("reading", flush=True)
    polls = 0
    while not is_over.is_set():
        began = time.perf_counter()
        cursor.execute("execute POLL")
        answer = cursor.fetchall()
        ended = time.perf_counter()
        told["seconds"].append(ended - began)
        states.update(tuple(map(str, row)) for row in answer)
        polls += 1
        # The same snapshot would not help: each asks for itself. Seldom enough to keep the rhythm.
        if polls % 10 == 0:
            cursor.execute("execute TWICE")
            told["twice"] += cursor.fetchone()[0]
            cursor.execute("execute LOCKS")
            told["locks"] += cursor.fetchone()[0]
        time.sleep(max(0.0, INTERVAL_SECONDS - (time.perf_counter() - began)))
    with suppress(psycopg2.Error):
        session.close()
    print(json.dumps({**told, "states": sorted(states)}), flush=True)


if __name__ == "__main__":
    main()
