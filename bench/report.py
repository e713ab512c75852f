"""What was measured, as a table, as JSON and as a plot."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from statistics import median

from bench.measure import Measurement

_SHOWN_NODES = 10


@dataclass(frozen=True, slots=True)
class Route:
    """Measurements of one route at one size; its figure is the median."""

    name: str
    line_count: int
    measurements: Sequence[Measurement]

    @property
    def seconds(self) -> float:
        return median(measurement.seconds for measurement in self.measurements)

    @property
    def lines_per_second(self) -> float:
        return self.line_count / self.seconds

    @property
    def peak_bytes(self) -> int:
        return max(measurement.peak_bytes for measurement in self.measurements)

    @property
    def cpu_seconds(self) -> float:
        """0 where it was not measured."""
        return median(measurement.cpu.seconds if measurement.cpu else 0.0 for measurement in self.measurements)

    @property
    def stages(self) -> Mapping[str, float]:
        names = self.measurements[0].stages
        return {name: median(measurement.stages[name] for measurement in self.measurements) for name in names}


def as_table(routes: Sequence[Route], ratios: Mapping[str, float]) -> str:
    """At most 80 columns wide: routes with their stages, where their CPU seconds went, ratios."""
    lines = [
        f"{'route':24} {'lines':>9} {'seconds':>8} {'lines/s':>7} {'PSS MB':>6} {'CPU s':>7} {'WAL MB':>6} {'load':>5}"
    ]
    for route in routes:
        memory = f"{route.peak_bytes / 1e6:6,.0f}" if route.peak_bytes else f"{'':6}"
        cpu = route.measurements[-1].cpu
        used = f" {route.cpu_seconds:7.1f} {cpu.wal_bytes / 1e6:6,.0f} {cpu.load_average:5.1f}" if cpu else ""
        # Beyond a million it is no rate of reading lines.
        rate = f"{route.lines_per_second:7,.0f}" if route.lines_per_second < 1e6 else f"{'':7}"
        lines.append(f"{route.name:24} {route.line_count:9,} {route.seconds:8.2f} {rate} {memory}{used}".rstrip())
        lines += [f"  {name:32} {seconds:8.2f}" for name, seconds in route.stages.items()]
    for route in routes:
        cpu = route.measurements[-1].cpu
        if cpu:
            lines += [f"CPU seconds of {route.name}", *_greatest(cpu.groups)]
        if cpu and cpu.nodes:
            lines += [f"… of dbt's {len(cpu.nodes)} nodes", *_greatest(cpu.nodes)]
    lines += [f"{name:37} {ratio:8.2f}" for name, ratio in ratios.items()]
    return "\n".join(lines)


def _greatest(seconds: Mapping[str, float]) -> list[str]:
    greatest = sorted(seconds, key=lambda name: -seconds[name])[:_SHOWN_NODES]
    names = {name: name.removeprefix("model.omnisupport.").replace("test.omnisupport.", "test ") for name in greatest}
    return [f"  {_cut(names[name]):62} {seconds[name]:8.1f}" for name in greatest]


def _cut(name: str) -> str:
    return name if len(name) <= 62 else f"{name[:61]}…"


def as_record(routes: Sequence[Route], ratios: Mapping[str, float], settings: Mapping[str, object]) -> str:
    record = {
        "settings": dict(settings),
        "machine": {"python": platform.python_version(), "system": platform.platform()},
        "routes": [
            {
                "name": route.name,
                "lines": route.line_count,
                "seconds": round(route.seconds, 3),
                "all_seconds": [round(measurement.seconds, 3) for measurement in route.measurements],
                "lines_per_second": round(route.lines_per_second),
                "peak_pss_bytes": route.peak_bytes or None,
                **(route.measurements[-1].cpu.as_record() if route.measurements[-1].cpu else {}),
                "stages": {name: round(seconds, 3) for name, seconds in route.stages.items()},
            }
            for route in routes
        ],
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
    }
    return json.dumps(record, indent=2) + "\n"


def plot(routes: Sequence[Route], out: Path) -> None:
    """Size against time, both logarithmic, as SVG: a line per route, a point per size."""
    import pygal

    chart = pygal.XY(
        title="Size against time",
        x_title="lines",
        y_title="seconds",
        logarithmic=True,
        x_value_formatter=lambda power: f"{10**power:,.0f}",
        js=(),
        width=900,
    )
    chart.x_labels = sorted({log10(route.line_count) for route in routes})
    for name in dict.fromkeys(route.name for route in routes):
        points = sorted((route.line_count, route.seconds) for route in routes if route.name == name)
        chart.add(name, [(log10(lines), round(seconds, 2)) for lines, seconds in points])
    chart.render_to_file(str(out))
