"""Seconds and memory of a command and all processes that it starts."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from bench.cpu import Cpu

_SECONDS_BETWEEN_LOOKS = 0.25


class BenchError(Exception):
    """A measurement that proves nothing: a route failed, or two routes hold different rows."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """`peak_bytes`: greatest sum of PSS (proportional set size) over the command's processes; the server's are not
    among them. `stages`: parts of the seconds, by name. `cpu`: where it was measured."""

    seconds: float
    peak_bytes: int
    stages: Mapping[str, float] = field(default_factory=dict)
    cpu: Cpu | None = None


def measure_python(arguments: Sequence[str], *, environment: Mapping[str, str], root: Path) -> Measurement:
    """Run this interpreter with `arguments` in `root`; raises BenchError with what it said when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peak = 0
    watched = psutil.Process(process.pid)
    while True:
        try:
            said, _ = process.communicate(timeout=_SECONDS_BETWEEN_LOOKS)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, _proportional_bytes(watched))
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise BenchError(f"{' '.join(arguments)} ended with {process.returncode}:\n{said[-4000:]}")
    return Measurement(seconds, peak)


def _proportional_bytes(process: psutil.Process) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += member.memory_full_info().pss
    return total
