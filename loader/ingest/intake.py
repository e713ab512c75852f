"""Admitted bytes on their way into the raw zone, without the lines of people who were erased."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loader.gate import GateReport, Inspection, withhold
from loader.kinds import Kind
from loader.printable import counted
from loader.privacy import ArrivedFile, FoundLine, known_keys, put_without, read_suppression
from loader.progress import Meter, Report
from loader.raw_zone import RawZone, SourceChangedError


class Intake:
    """Files that an attempt has archived: `keys` of their objects; `arrived`: of those that held lines of erased
    people, or were theirs, the key of the object without them, and the lines."""

    def __init__(self, cursor: Any, raw_zone: RawZone, kind: Kind, report: Report) -> None:
        self._raw_zone = raw_zone
        self._report = report
        self._kind = kind
        self._suppression = read_suppression(cursor, kind)
        self._known_keys = known_keys(cursor, kind.name)
        self.keys: dict[ArrivedFile, str] = {}
        self.arrived: dict[ArrivedFile, tuple[str, Sequence[FoundLine]]] = {}

    def take(self, gate_report: GateReport, meter: Meter) -> GateReport:
        """Copy what the gate admitted of a manifest; returns its report, in which a source that changed meanwhile is
        withheld."""
        for judged in gate_report.assets:
            if judged.judgement.disposition != "admitted":
                continue
            assert judged.inspection is not None and judged.path is not None
            try:
                self._put(judged.path, judged.inspection, judged.asset.declaration)
            except SourceChangedError as error:
                gate_report = withhold(gate_report, judged.asset.source_id, error.reason_code, error.message)
            meter.add(judged.inspection.size_bytes)
        return gate_report

    def _put(self, source: Path, inspected: Inspection, declared: str) -> None:
        fingerprint = inspected.fingerprint
        file = (fingerprint, declared)
        if file in self.keys:
            return
        known = self._known_keys.get(file)
        state = "missing" if known is None else self._raw_zone.state(known)
        erased: list[FoundLine] = []
        if known is not None and state == "sound" and self._raw_zone.fingerprint_of(known) != fingerprint:
            # It was redacted. The source still holds what was erased, and is not copied again.
            key = known
        elif state == "sound":
            key = self._raw_zone.put(source, inspected)
        else:
            key, erased = put_without(self._raw_zone, source, inspected, self._suppression, self._kind, declared)
        if known is not None and state != "sound":
            self._report(f"archive: the object of {source.name} was {state}; put right from the delivered file")
        self.keys[file] = key
        if erased:
            self.arrived[file] = (key, erased)
            of_lines = f"{counted(len(erased), 'line')} of {source.name} of people who were erased: blanked"
            of_file = f"{source.name} goes with people who were erased: not archived"
            self._report(f"archive: {of_lines if self._kind.framing == 'lines' else of_file}")
