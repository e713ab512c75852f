"""Writes the comments' exports day by day: each holds the comments as they stood at every edit of that day."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from data.generator.comments.damage import DAMAGES
from data.generator.comments.options import CommentOptions
from data.generator.comments.threads import Comment, Edition, Threads
from data.generator.comments.tickets import KnownTickets
from data.generator.damage import Damager
from data.generator.export_file import BLANKS, ExportFile, Form
from data.generator.export_folder import prepare, write_expected
from data.generator.instants import DAY_SECONDS, day_of
from data.generator.lifecycle import LATE_DAYS
from data.generator.randomness import pick, stream
from data.generator.truth import FileTruth, Truth

# Monday to Sunday.
_WEEKDAY_WEIGHTS = (2.0, 1.8, 0.9, 0.9, 0.8, 0.5, 0.4)
# At most one version in so many is damaged: no file is refused for its rejects, which blank lines do not thin out.
_LINES_PER_DAMAGE = 20

Due = tuple[Comment, Edition]


def generate(options: CommentOptions, tickets: Path, out: Path, *, replace: bool = False) -> dict[str, object]:
    """Writes `comments-YYYY-MM-DD.jsonl[.gz]` for each day of the ticket exports in `tickets` and, last,
    `expected.json` into `out`; returns what that holds. A day without lines has no file. Earlier exports: as
    export_folder.prepare."""
    known = KnownTickets(tickets)
    prepare(out, "comments", replace=replace)
    exports = _Exports(options, known)
    file_number = 0
    for day, comment_count in _counts(options, known.first_day, known.last_day):
        due = exports.due(day, comment_count)
        if due:
            file_number += 1
            form = Form.of(
                file_number,
                options.gzip_every,
                options.gzip_member_lines,
                options.crlf_every,
                options.unterminated_every,
            )
            exports.write_day(day, due, out, form)
    expected = exports.expected()
    write_expected(out, expected)
    return expected


def _counts(options: CommentOptions, first_day: int, last_day: int) -> Iterator[tuple[int, int]]:
    """How many comments each day begins; `comments` in all."""
    weights = {day: _WEEKDAY_WEIGHTS[day_of(day).weekday()] for day in range(first_day, last_day + 1)}
    total, passed, begun = sum(weights.values()), 0.0, 0
    for day, weight in weights.items():
        passed += weight
        count = int(options.comments * passed / total + 0.5) - begun
        begun += count
        yield day, count


class _Exports:
    """Holds the editions that are still to come, and the truth about those that were written."""

    def __init__(self, options: CommentOptions, known: KnownTickets) -> None:
        self._options = options
        self._threads = Threads(options, known)
        self._last_day = known.last_day
        day_count = known.last_day - known.first_day + 1
        shares = range(1, options.unlinked + 1)
        self._unlinked_days = [known.first_day + day_count * nth // (options.unlinked + 1) for nth in shares]
        self._unlinked: dict[str, str] = {}
        self._comments: list[Comment] = []
        self._waiting: dict[int, list[Due]] = {}
        self._truth = Truth()
        self._draw = stream(options.seed, 12)
        self._damager = Damager(DAMAGES, stream(options.seed, 13))
        # First deliveries, which may come again: batch, line, what it holds, its partition.
        self._delivered: list[tuple[str, str, Due, int]] = []

    def due(self, day: int, comment_count: int) -> list[Due]:
        """What that day's export holds, by instant; days are asked for in order."""
        begun = self._threads.day(day, comment_count)
        for nth, unlinked_day in enumerate(self._unlinked_days, 1):
            if unlinked_day == day:
                comment = self._threads.unlinked(day, len(begun) + 1, nth)
                comment.editions = comment.editions[:1]
                self._unlinked[comment.comment_id] = comment.ticket_id
                begun.append(comment)
        self._comments += begun
        for comment in begun:
            for edition in comment.editions:
                delivery = edition.at // DAY_SECONDS
                if self._draw() < self._options.late_rate and not self._is_unlinked(comment):
                    delivery += pick(self._draw, LATE_DAYS)
                if delivery <= self._last_day:
                    self._waiting.setdefault(delivery, []).append((comment, edition))
        return sorted(self._waiting.pop(day, []), key=lambda due: (due[1].at, due[0].comment_id, due[1].number))

    def write_day(self, day: int, due: list[Due], out: Path, form: Form) -> None:
        options, draw, threads = self._options, self._draw, self._threads
        day_text = day_of(day).isoformat()
        batch = f"batch-{day_text.replace('-', '')}-001"
        name = f"comments-{day_text}{form.ending}"
        file = self._truth.files[name] = FileTruth()
        noise_rate = options.duplicate_rate + options.blank_rate
        may_be_damaged = len(due) // _LINES_PER_DAMAGE
        with ExportFile(out / name, form) as export:
            for comment, edition in due:
                version = threads.render(comment, edition, batch, draw)
                if draw() < options.invalid_rate and may_be_damaged and not self._is_unlinked(comment):
                    may_be_damaged -= 1
                    body, reason_code = self._damager.damage(version.line)
                    file.reject(reason_code)
                    export.add(body)
                else:
                    self._truth.event(comment, version, file)
                    file.delivered_late += version.instant_us < day * DAY_SECONDS * 1_000_000
                    export.add(version.line.encode())
                    self._delivered.append((batch, version.line, (comment, edition), version.partition))
                if draw() < noise_rate:
                    self._add_noise(batch, file, export)
        file.content_bytes = export.content_bytes

    def expected(self) -> dict[str, object]:
        """The truth, once every day is written. `unlinked`: the ticket of each comment whose ticket never comes."""
        for comment in self._comments:
            self._truth.settle(comment)
        return {**self._truth.as_json(self._options.as_json()), "unlinked": self._unlinked}

    def _is_unlinked(self, comment: Comment) -> bool:
        return comment.comment_id in self._unlinked

    def _add_noise(self, batch: str, file: FileTruth, export: ExportFile) -> None:
        """A blank line, or an earlier line again: as it was, in a new batch, or in another spelling."""
        options, draw = self._options, self._draw
        if not self._delivered or draw() * (options.duplicate_rate + options.blank_rate) >= options.duplicate_rate:
            file.blank += 1
            export.add(pick(draw, BLANKS))
            return
        old_batch, line, (comment, edition), partition = pick(draw, self._delivered)
        form = draw()
        if form < 0.3:
            line = line.replace(old_batch, batch, 1)
        elif form < 0.7:
            line = self._threads.render(comment, edition, batch, draw, is_again=True).line
        file.duplicates += 1
        self._truth.partition(partition).duplicates += 1
        export.add(line.encode())
