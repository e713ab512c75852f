"""The dry run: gate, contract and fates without a write other than its report; needs no database."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from loader.bronze import judged_lines
from loader.config import Settings
from loader.contract import AcceptedRecord, load_reason_codes
from loader.evidence import reject_in_words
from loader.gate import AssetJudgement, GateReport, base_folder, inspect_manifest, withhold
from loader.ingest.forecast import AssetForecast, Forecast
from loader.ingest.problems import (
    Problem,
    Words,
    no_line_belongs,
    of_asset,
    of_manifest,
    of_rejects,
    too_many_rejects,
    with_shared_sentences,
)
from loader.ingest.request import DeclaredInput, IngestRequest, declared_input
from loader.ingest.sidecars import (
    JudgedFile,
    JudgedFiles,
    NamedSidecars,
    judged_by,
    judged_files,
    sidecars_last,
    withheld_with_their_files,
)
from loader.ingest.translated import as_records, told
from loader.kinds import Kind, Ruleset, load_kinds, load_ruleset
from loader.manifest import Manifest
from loader.private import close_to_others
from loader.reader import ContentChangedError
from loader.report_files import require_writable, write_json
from loader.runs import new_run_id, trace_id_of_caller
from loader.warehouse import Warehouse, answering_warehouse

_LOOKUP = 5_000


def dry_run(settings: Settings, request: IngestRequest, report: Callable[[str], None]) -> Forecast:
    """Judge everything that an ingest with the same request would judge; writes `reports/dry_run/<run_id>.json`.

    Raises InfrastructureError when the report cannot be written; that is found before anything is read.
    """
    require_writable(settings.report_dir)
    close_to_others(settings, report)
    declared = declared_input(settings, request)
    rulesets: dict[str, Ruleset] = {}
    events = _Known(answering_warehouse(settings))
    outcomes: dict[str, str] = {str(error.path): "fail" for error in declared.refused}
    assets: list[AssetForecast] = []
    remaining = request.line_limit
    for line in told(declared.manifests):
        report(line)
    kinds = load_kinds(settings.project_root / "contracts")
    # Without a database, nothing is known of files of a kind that was not asked for.
    beside = JudgedFiles(events.judged_files(declared.manifests, kinds), knows_all=events.can_answer)
    named = NamedSidecars(
        (*declared.manifests, *declared.others), settings, events.transaction if events.can_answer else None
    )
    for manifest in sidecars_last(declared.manifests, kinds):
        gate_report = inspect_manifest(manifest, settings.project_root, settings.allowed_roots)
        gate_report = named.told(withheld_with_their_files(gate_report, beside, kinds), report)
        beside.add(judged_by(gate_report))
        outcomes[manifest.manifest_id] = gate_report.outcome
        report(f"gate: {manifest.manifest_id}: {gate_report.outcome}")
        for judged in gate_report.assets:
            forecast = _forecast(gate_report, judged)
            if judged.judgement.disposition == "admitted":
                kind = manifest.contract_ref
                if kind not in rulesets:
                    rulesets[kind] = load_ruleset(settings.project_root / "contracts", kind)
                try:
                    _read(judged, forecast, rulesets[kind], request, events, remaining)
                except ContentChangedError as error:
                    forecast = _forecast(gate_report, _withheld(gate_report, judged, error))
                if remaining is not None:
                    remaining = max(0, remaining - forecast.fates.total() + forecast.fates["not_read"])
            assets.append(forecast)
    return _conclude(settings, request, declared, outcomes, assets, events.can_answer)


def _withheld(gate_report: GateReport, judged: AssetJudgement, error: ContentChangedError) -> AssetJudgement:
    """The judgement of an asset whose bytes changed between the gate and the reader."""
    changed = withhold(gate_report, judged.asset.source_id, error.reason_code, error.message)
    return next(one for one in changed.assets if one.asset.source_id == judged.asset.source_id)


def _forecast(gate_report: GateReport, judged: AssetJudgement) -> AssetForecast:
    return AssetForecast(
        gate_report.manifest.manifest_id,
        judged.asset.source_id,
        judged.outcome,
        judged.judgement.judgement,
        judged.judgement.disposition,
        judged.judgement.findings,
        gate_report.manifest.contract_ref if judged.asset.declaration else None,
        judged.path,
    )


def _read(
    judged: AssetJudgement,
    forecast: AssetForecast,
    ruleset: Ruleset,
    request: IngestRequest,
    events: _Known,
    remaining: int | None,
) -> None:
    pending: list[bytes] = []
    window = request.window
    for line, judgement in judged_lines(judged.framed(ruleset.landing), ruleset):
        if remaining is not None and line.number > remaining:
            forecast.fates["not_read"] += 1
            continue
        if judgement is not None and judgement.partition_key is not None:
            forecast.days[judgement.partition_key] += 1
        if isinstance(judgement, AcceptedRecord) and judgement.warning_codes:
            forecast.warnings.update(judgement.warning_codes)
            for code in judgement.warning_codes:
                forecast.examples.setdefault(code, f"line {line.number:,}, {judgement.record_key}")
        if judgement is None:
            forecast.fates["blank"] += 1
        elif not isinstance(judgement, AcceptedRecord):
            forecast.fates["rejected"] += 1
            forecast.reject_reasons.update(judgement.reason_codes)
            for code in judgement.reason_codes:
                forecast.examples.setdefault(code, f"line {line.number:,}: {judgement.message.removeprefix('$: ')}")
            if forecast.first_reject is None:
                forecast.first_reject = reject_in_words(line.number, judgement.reason_codes, judgement.message)
        elif window is not None and not window[0] <= judgement.partition_key < window[1]:
            forecast.fates["out_of_partition"] += 1
        else:
            pending.append(judgement.event_id)
            if len(pending) >= _LOOKUP:
                events.count(ruleset.contract_ref, pending, forecast.fates)
                pending = []
    events.count(ruleset.contract_ref, pending, forecast.fates)


class _Known:
    """What the warehouse knows, if it answers: tells events that are visible already, or came earlier in this dry run,
    from new ones."""

    def __init__(self, warehouse: Warehouse | None) -> None:
        self._connection = warehouse.connect(application_name="omnisupport-dry-run") if warehouse else None
        self._seen: set[bytes] = set()

    @property
    def can_answer(self) -> bool:
        return self._connection is not None

    def judged_files(self, manifests: Sequence[Manifest], kinds: Mapping[str, Kind]) -> list[JudgedFile]:
        """The files that sidecars of these manifests go with, as far as they are registered."""
        if self._connection is None:
            return []
        with self.transaction() as cursor:
            return judged_files(cursor, manifests, kinds)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor of the warehouse that answers."""
        assert self._connection is not None
        with self._connection, self._connection.cursor() as cursor:
            yield cursor

    def count(self, kind: str, event_ids: Sequence[bytes], fates: Counter[str]) -> None:
        if not event_ids:
            return
        if self._connection is None:
            fates["would_land_or_duplicate"] += len(event_ids)
            return
        with self.transaction() as cursor:
            cursor.execute(
                "select event_id::text from bronze.visible_event where record_kind = %s and event_id = any(%s::uuid[])",
                (kind, [event_id.hex() for event_id in event_ids]),
            )
            known = {bytes.fromhex(text.replace("-", "")) for (text,) in cursor.fetchall()}
        for event_id in event_ids:
            is_known = event_id in known or event_id in self._seen
            fates["would_duplicate" if is_known else "would_land"] += 1
            self._seen.add(event_id)


def _conclude(
    settings: Settings,
    request: IngestRequest,
    declared: DeclaredInput,
    outcomes: dict[str, str],
    assets: list[AssetForecast],
    is_split: bool,
) -> Forecast:
    run_id, trace_id = str(new_run_id()), trace_id_of_caller()
    path = settings.report_dir / "dry_run" / f"{run_id}.json"
    words = Words(
        load_reason_codes(settings.project_root / "contracts"),
        {(asset.manifest_id, asset.source_id): asset.findings for asset in assets},
    )
    problems = [
        *map(of_manifest, declared.refused),
        *(
            of_asset(words, (asset.manifest_id, asset.source_id), asset.disposition, asset.reason_codes)
            for asset in assets
            if asset.outcome == "fail"
        ),
        *_line_problems(assets, request, settings.reject_limit),
    ]
    shared = with_shared_sentences(problems, words)
    bases = frozenset(Path(os.path.realpath(base_folder(manifest))) for manifest in declared.manifests)
    forecast = Forecast(run_id, trace_id, outcomes, tuple(assets), shared, is_split, path, bases)
    record = {**forecast.as_record(request), "translations": as_records(declared.manifests)}
    write_json(path, {"written_at": datetime.now(UTC).isoformat(), **record})
    return forecast


def _line_problems(assets: Sequence[AssetForecast], request: IngestRequest, reject_limit: float) -> Iterator[Problem]:
    """What an ingest would say of the lines: too many rejects, or none for the partition."""
    wanted = request.partition
    of_days: defaultdict[tuple[str | None, date | None], Counter[str]] = defaultdict(Counter)
    for asset in assets:
        of_days[asset.kind, min(asset.days, default=None)].update(
            records=asset.record_count, rejects=asset.rejected_count
        )
    for asset in assets:
        # As an ingest counts: a file that is a record among those of its kind and day.
        among = of_days[asset.kind, min(asset.days, default=None)]
        if asset.kind is None:
            among = Counter(records=asset.record_count, rejects=asset.rejected_count)
        too_many = asset.rejected_count and too_many_rejects(
            among["records"], among["rejects"], reject_limit, are_files=asset.kind is not None
        )
        if too_many and (wanted is None or wanted in asset.days or asset.record_count == 0):
            yield of_rejects(asset.source_id, too_many, asset.first_reject)
    days = {day for asset in assets for day in asset.days}
    if wanted is not None and wanted not in days:
        before, after = [day for day in days if day < wanted], [day for day in days if day > wanted]
        yield no_line_belongs(wanted, [*sorted(before)[-1:], *sorted(after)[:1]])
