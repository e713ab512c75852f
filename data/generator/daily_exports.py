"""Writes the exports day by day: each holds the tickets as they stood at every update of that day."""

from __future__ import annotations

import json
from pathlib import Path

from data.generator.damage import Damager
from data.generator.export_file import BLANKS, ExportFile, Form
from data.generator.export_folder import prepare, write_expected
from data.generator.instants import DAY_SECONDS, day_number
from data.generator.options import Options
from data.generator.randomness import pick, stream
from data.generator.schedule import Due, Schedule
from data.generator.ticket_damage import DAMAGES
from data.generator.tickets import World
from data.generator.truth import FileTruth, Truth, Version

_RECENT_COUNT = 128
_OLDER_COUNT = 256


def generate(options: Options, out: Path, *, replace: bool = False) -> dict[str, object]:
    """Writes `tickets-YYYY-MM-DD.jsonl[.gz]` and, last, `expected.json` into `out`; returns what that holds.

    A day without lines has no file. Memory grows with the versions that are still to come, not with the
    lines written. With `replace`, earlier exports in `out` are removed first; without it they are an
    OptionError and nothing is written. A folder without expected.json is unfinished.
    """
    prepare(out, "tickets", replace=replace)
    world = World(options)
    schedule = Schedule(options, world)
    lines = _Lines(options, world)
    file_number = 0
    for day in range(day_number(options.first_day), day_number(options.last_day) + 1):
        versions = schedule.versions_of(day, lines.written)
        if versions:
            file_number += 1
            lines.write_day(day, versions, out, _form(options, file_number))
    expected = lines.truth.as_json(options.as_json())
    write_expected(out, expected)
    return expected


def _form(options: Options, file_number: int) -> Form:
    return Form.of(
        file_number,
        options.gzip_every,
        options.gzip_member_lines,
        options.crlf_every,
        options.unterminated_every,
    )


class _Lines:
    """Turns versions into lines, damages, repeats and pads them, and keeps the truth about each."""

    def __init__(self, options: Options, world: World) -> None:
        self.truth = Truth()
        self.written = 0
        self._options = options
        self._world = world
        self._draw = stream(options.seed, 4)
        self._damager = Damager(DAMAGES, stream(options.seed, 5))
        # First deliveries that may come again: of late, and some of each earlier day.
        self._recent: list[tuple[str, Version]] = []
        self._older: list[tuple[str, Version]] = []

    def write_day(self, day: int, versions: list[Due], out: Path, form: Form) -> None:
        """One export. It ends early where the wanted number of lines is reached."""
        day_text = self._world.calendar.day_text(day)
        batch = f"batch-{day_text.replace('-', '')}-001"
        name = f"tickets-{day_text}{form.ending}"
        file = self.truth.files[name] = FileTruth()
        invalid_rate, draw = self._options.invalid_rate, self._draw
        noise_rate = self._options.duplicate_rate + self._options.blank_rate
        room = None if self._options.lines is None else self._options.lines - self.written
        day_start_us = day * DAY_SECONDS * 1_000_000
        with ExportFile(out / name, form) as export:
            for at, ticket, number in versions:
                if export.line_count != room:
                    version = self._world.render(ticket, number, at, batch)
                    if draw() < invalid_rate:
                        body, reason_code = self._damager.damage(version.line)
                        file.reject(reason_code)
                        export.add(body)
                    else:
                        self.truth.event(ticket, version, file)
                        file.delivered_late += version.instant_us < day_start_us
                        export.add(version.line.encode())
                        self._remember(batch, version)
                    if draw() < noise_rate and export.line_count != room:
                        self._add_noise(batch, file, export)
                ticket.versions_left -= 1
                if ticket.versions_left == 0:
                    self.truth.settle(ticket)
        file.content_bytes = export.content_bytes
        self.written += export.line_count
        self._older = (self._recent[:8] + self._older)[:_OLDER_COUNT]

    def _remember(self, batch: str, version: Version) -> None:
        if len(self._recent) < _RECENT_COUNT:
            self._recent.append((batch, version))
        else:
            self._recent[version.instant_us // 1_000_000 % _RECENT_COUNT] = (batch, version)

    def _add_noise(self, batch: str, file: FileTruth, export: ExportFile) -> None:
        """A blank line, or an earlier line again: as it was, in a new batch, or in another spelling."""
        draw = self._draw
        total = self._options.duplicate_rate + self._options.blank_rate
        if not self._recent or draw() * total >= self._options.duplicate_rate:
            file.blank += 1
            export.add(pick(draw, BLANKS))
            return
        pool = self._older if self._older and draw() < 0.3 else self._recent
        old_batch, version = pick(draw, pool)
        line = version.line
        form = draw()
        if form < 0.4:
            line = line.replace(old_batch, batch, 1)
        elif form < 0.6:
            record = json.loads(line)
            line = json.dumps(dict(reversed(record.items())), ensure_ascii=True)
        file.duplicates += 1
        self.truth.partition(version.partition).duplicates += 1
        export.add(line.encode())
