"""What a trace shows: the answer, what does not hold, why the winner won, the versions, then all links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from loader.printable import some
from loader.screen import Failure, Mark, Screen, Tone, amount, failures, listing, paragraph, table

if TYPE_CHECKING:
    from loader.trace import Link, Trace, TracedLine, Version

_VERSIONS_SHOWN = 5
_LINES_SHOWN = 3
_CONTENT_SHOWN = 4096
# What became of a line, where no record tells of it.
_FATES = {
    "blank": "is blank",
    "erased": "was erased: its number stays, its bytes are blanks",
    "rejected": "was rejected",
    "out_of_partition": "is of a day that nobody has asked for yet",
    "gap": "has no fate: it is a gap",
}


def trace_lines(screen: Screen, found: Trace) -> list[str]:
    lines = paragraph(screen, answer(screen, found))
    broken = [Failure(link.name, f"{link.fault}:", link.of) for link in found.broken]
    lines += failures(screen, broken, noun="link")
    if found.line is not None:
        lines += _line_lines(screen, found.line, found)
    if found.versions:
        lines += paragraph(screen, f"{found.why[:1].upper()}{found.why[1:]}.")
        for version in found.versions[:_VERSIONS_SHOWN]:
            lines += _version_lines(screen, version, found)
        if (left := len(found.versions) - _VERSIONS_SHOWN) > 0:
            lines += ["", f"and {amount(screen, left, 'older version')}: --json has all"]
    if found.content is not None:
        lines += ["", *paragraph(screen, content_in_words(found.content))]
    return [*lines, "", *_links(screen, found)]


def answer(screen: Screen, found: Trace) -> str:
    if found.record_key is None:
        assert found.line is not None
        return f"{found.line.name} {_FATES[found.line.fate]}.{_verdict(screen, found)}"
    name = f"{found.record_key} of {found.record_kind}"
    if found.erased is not None and not found.versions:
        return f"{name} was erased."
    held = " Its day is held." if found.held_days else ""
    if not found.shown:
        return f"{name} is not shown to readers.{held}{_verdict(screen, found)}"
    version, showing = found.shown[0]
    numbers = [each.event_id for each in found.versions]
    place = len(numbers) - numbers.index(version.event_id)
    words = "" if version.fate == "current" else ", and Silver holds a newer one"
    return (
        f"{name}: readers see version {place} of {len(numbers)}{words}, by release {showing.data_release_id}."
        f"{held}{_verdict(screen, found)}"
    )


def _verdict(screen: Screen, found: Trace) -> str:
    if found.broken:
        return f" {amount(screen, len(found.broken), 'link does', 'links do')} not hold."
    return " Every link that was recomputed holds." if found.left_out else " Every link holds."


def _version_lines(screen: Screen, version: Version, found: Trace) -> list[str]:
    place = len(found.versions) - [each.event_id for each in found.versions].index(version.event_id)
    tone: Tone = "good" if version.fate == "current" else "quiet"
    asked = "   asked for" if version.event_id == (found.event_id or (found.line and found.line.event_id)) else ""
    head = f"version {place}   {screen.painted(screen.words(version.fate), tone)}"
    told = [("event", version.event_id)]
    if version.line is not None:
        told += _place(screen, version.line)
    told += [
        ("manifest", f"{version.manifest_id or ''} of {version.batch_id or ''}"),
        ("run", f"{version.run_id} attempt {version.attempt}"),
        ("trace", version.trace_id or ""),
        ("evidence", version.evidence or ""),
    ]
    told += [("again", some([line.name for line in version.again], _LINES_SHOWN, ", ", "more lines: --json has all"))]
    told += [("shown", _shown(screen, showing)) for showing in version.shown]
    return ["", head + asked, *listing(screen, [(name, text) for name, text in told if text], indent="")]


def _place(screen: Screen, line: TracedLine) -> list[tuple[str, str]]:
    """An object is named by its SHA-256: of what was redacted, the delivered file's is another."""
    first, end = line.byte_offset, line.byte_offset + line.byte_length
    told = [
        ("line", f"{line.file.source_id} line {screen.words(line.number)}, bytes {first:,} to {end:,}"),
        ("object", line.file.raw_zone_key.rpartition("/")[2]),
    ]
    is_redacted = line.file.source_fingerprint not in line.file.raw_zone_key
    return [*told, *([("delivered", line.file.source_fingerprint)] if is_redacted else [])]


def _shown(screen: Screen, showing: object) -> str:
    from loader.trace import Showing

    assert isinstance(showing, Showing)
    until = "now" if showing.until is None else screen.words(showing.until)
    return f"{showing.partition_key} by release {showing.data_release_id}, {screen.words(showing.since)} until {until}"


def _line_lines(screen: Screen, line: TracedLine, found: Trace) -> list[str]:
    """The line that was asked for: what became of it, and, where no version tells of it, where it lies."""
    if found.versions:
        became = {each.event_id: each.fate for each in found.versions}.get(line.event_id or "", "")
        words = {"landed": "brought a version that is", "duplicate": "repeats a version that is"}[line.fate]
        return paragraph(screen, f"{line.name} {words} {became}.")
    told = [*_place(screen, line), ("manifest", f"{line.file.manifest_id} of {line.file.batch_id}")]
    if line.reason_codes:
        told += [("rejected", f"{', '.join(line.reason_codes)}: {(line.message or '').removeprefix('$: ')}")]
    if line.erasure_id:
        told += [("erasure", line.erasure_id)]
    if line.partition_key:
        told += [("day", str(line.partition_key))]
    return listing(screen, told, indent="")


def content_in_words(content: bytes) -> str:
    text = content[:_CONTENT_SHOWN].decode(errors="backslashreplace")
    return text if len(content) <= _CONTENT_SHOWN else f"{text}… and {len(content) - _CONTENT_SHOWN:,} bytes more"


def _links(screen: Screen, found: Trace) -> list[str]:
    """How many of each hold, do not, or were left out."""
    if not found.links:
        return []
    rows = [(name, _mark(links), ", ".join(_counts(screen, links))) for name, links in _by_name(found.links).items()]
    return table(screen, rows, indent="  ")


def _by_name(links: Sequence[Link]) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.name, []).append(link)
    return found


def _mark(links: Sequence[Link]) -> Mark:
    if any(link.is_broken for link in links):
        return Mark("✗", "bad")
    return Mark("✓", "good") if all(link.is_recomputed for link in links) else Mark("·", "look")


def _counts(screen: Screen, links: Sequence[Link]) -> list[str]:
    states = Counter(
        "broken" if link.is_broken else "hold" if link.is_recomputed else "not recomputed" for link in links
    )
    names = {"broken": ("does not hold", "do not hold"), "hold": ("holds", "hold")}
    return [
        f"{screen.words(states[state])} {names.get(state, (state, state))[states[state] != 1]}"
        for state in ("broken", "hold", "not recomputed")
        if states[state]
    ]
