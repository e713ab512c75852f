"""The judgement of a run: pure, from facts that the database gave after reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from loader.evidence import Drift, LinkFault, PartitionFacts, RunFacts, Tie
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
from loader.manifest import ManifestRefusedError
from loader.obstacles import Code, Obstacle, obstacles_of
from loader.printable import counted
from loader.release import Published
from loader.silver import BuildResult, ProofScope

# Damage of days: where the proof closed, it keeps these back, and nothing else.
OF_ITS_DAYS = frozenset({"reconcile_finding", "unexplained_gap"})
# What keeps a partition back, and its evidence names. What waits, or others owe it, makes it incomplete.
_NAMED = {Code.UNEXPLAINED, Code.WITHHELD, Code.MISSING, Code.LINK_MISSING}
# What went wrong with a run and is not about one partition more than about another.
_OF_ALL_PARTITIONS = {"dbt_check_failed", "manifest_refused", "replay_differs"}

# Problems of a run that let nothing of it through and are no matter of the proof; others keep back the partitions that
# they are about.
_BLOCKING = {"manifest_refused", "replay_differs"}
# What others owe a day: their files, lines of theirs that nobody has asked for, and what its records name.
_OF_OTHERS = {Code.WITHHELD, Code.MISSING, Code.NOT_READ, Code.UNASKED, Code.NOT_TAKEN, Code.LINK_MISSING}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` is success, warning, not_available or failed; the exit code is 0 only for the first two.

    `reason_codes`: of problems (`problem_codes`) and warnings; `proof`: how much reconcile proved in this run;
    `over_limit`: days with lines of its files of which too many are rejected; `notes`: what else its verb has to say.
    """

    status: str
    exit_code: int
    problems: tuple[Problem, ...]
    reason_codes: tuple[str, ...]
    facts: RunFacts
    proof: ProofScope
    over_limit: frozenset[date] = frozenset()
    report_paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    release: Published | None = None

    def of_partition(self, partition: PartitionFacts) -> tuple[str, tuple[str, ...]]:
        """Status and reason codes of one partition: what it shares with the whole run, and what is its own."""
        obstacles = {obstacle.code for obstacle in obstacles_of(partition.reconcile)}
        codes = _OF_ALL_PARTITIONS.intersection(self.reason_codes)
        kind = self.facts.run["record_kind"]
        if any(finding.is_about(kind, partition.partition_key) for finding in self.facts.findings):
            codes.add("reconcile_finding")
        codes |= _NAMED & obstacles
        if partition.partition_key in self.over_limit:
            codes.add(Code.TOO_MANY_REJECTS)
        if codes or obstacles or not partition.reconcile:
            return "failed", tuple(sorted(codes))
        warnings = {drift.check_name for drift in self.drift_of(partition)}
        if self.ties_of(partition):
            warnings.add("tie_unordered")
        warnings |= {link.fault for link in self.links_of(partition)}
        if partition.fates["rejected"]:
            warnings.add("lines_rejected")
        return "warning" if warnings else "success", tuple(sorted(warnings))

    def drift_of(self, partition: PartitionFacts) -> list[Drift]:
        return [drift for drift in self.facts.drifts if drift.partition_key == partition.partition_key]

    def ties_of(self, partition: PartitionFacts) -> list[Tie]:
        return [tie for tie in self.facts.ties if tie.partition_key == partition.partition_key]

    def links_of(self, partition: PartitionFacts) -> list[LinkFault]:
        return [link for link in self.facts.links if link.partition_key == partition.partition_key]

    @property
    def problem_codes(self) -> frozenset[str]:
        return frozenset(problem.reason_code for problem in self.problems)

    @property
    def blocked_by(self) -> tuple[Obstacle, ...]:
        """Why nothing that waits may be released, whatever its partition says."""
        found = sorted(_BLOCKING.intersection(self.reason_codes))
        return (Obstacle(Code.RUN_FAILED, names=tuple(found)),) if found else ()

    @property
    def downstream_decision(self) -> str:
        """What the gate did: proceed where readers see all of the run's partitions as they are proved, and nothing
        that it touched waits for a person."""
        if self.release is None:
            return "hold_downstream"
        return self.release.decision(self.facts.of_days(), has_drift=bool(self.facts.drifts))


def has_failed(partition: PartitionFacts) -> bool:
    """Whether its proof does not close, or lines of this run's own assets are not where they belong. What other
    manifests owe the day makes it incomplete, and is no failure of this run."""
    return (
        not partition.reconcile
        or bool(partition.fates["out_of_partition"])
        or any(obstacle.code not in _OF_OTHERS for obstacle in obstacles_of(partition.reconcile))
    )


@dataclass(frozen=True, slots=True)
class Case:
    """What a run is judged by: what the database and dbt say of it, and how much was proved. `refused`: manifests that
    it was given; `partition`: the only one that it was asked for, if it was; `of_verb`: problems that the run's verb
    has found itself."""

    facts: RunFacts
    build: BuildResult
    proof: ProofScope
    words: Words
    reject_limit: float
    refused: Sequence[ManifestRefusedError] = ()
    partition: date | None = None
    of_verb: Sequence[Problem] = ()


def judge_run(case: Case) -> Verdict:
    """Every problem of a run; none means success, or warning where something deserves a look. What reconcile found of
    another kind is none of its."""
    facts, words = case.facts, case.words
    found = [*case.of_verb, *map(of_manifest, case.refused), *_gate_problems(facts, words)]
    found += [*_build_problems(facts, case.build), *_line_problems(facts, case.reject_limit)]
    if case.partition is not None and not facts.partitions:
        found.append(no_line_belongs(case.partition, facts.nearest_partitions))
    problems = with_shared_sentences(found, words)
    warnings = _warnings(facts)
    codes = {problem.reason_code for problem in problems}
    only_absent = codes == {"no_lines_for_partition"}
    status = "not_available" if only_absent else "failed" if problems else "warning" if warnings else "success"
    return Verdict(
        status=status,
        exit_code=1 if problems else 0,
        problems=problems,
        reason_codes=tuple(sorted(codes | warnings)),
        facts=facts,
        proof=case.proof,
    )


def _gate_problems(facts: RunFacts, words: Words) -> list[Problem]:
    """Withheld and missing assets that reach into the run's window: by their lines where their bytes were archived
    earlier, else by their manifest's window."""
    problems = []
    for asset in facts.assets:
        is_archived = asset.asset_id is not None
        if asset.action not in ("withheld", "missing") or not (
            asset.is_in_window if is_archived else asset.is_covering
        ):
            continue
        what = "its siblings went on, and no partition that it may belong to is complete"
        if is_archived:
            what = "what was archived of it earlier stays, the bytes that lie there now were not read"
        entry = (asset.manifest_id, asset.source_id)
        problems.append(of_asset(words, entry, asset.action, asset.reason_codes, what))
    return problems


def _build_problems(facts: RunFacts, build: BuildResult) -> list[Problem]:
    problems = [
        Problem(
            "reconcile_finding",
            f"reconcile: {finding.line}",
            finding.check_name,
            f"{finding.table_name}: {finding.detail} ({finding.finding_count})",
            " ".join(filter(None, (str(finding.partition_key or ""), finding.source_id))),
        )
        for finding in facts.findings
        if finding.is_of_kind(facts.run["record_kind"])
    ]
    for node in build.failed:
        # Where there are findings, of whatever kind, these say the same with more words.
        if facts.findings and node.reads_findings:
            continue
        rows = counted(node.failures, "failing row") if node.failures is not None else node.reason
        problems.append(
            Problem("dbt_check_failed", f"dbt: {node.name}: {rows.strip()}", sentence=rows.strip(), name=node.name)
        )
    return problems


def _line_problems(facts: RunFacts, reject_limit: float) -> list[Problem]:
    problems = []
    if facts.errors:
        problems.append(
            Problem(
                "unexplained_gap",
                f"{facts.errors} of {facts.total} lines unexplained; their days stay as readers see them",
            )
        )
    for asset in facts.assets:
        too_many = asset.has_rejects and too_many_rejects(
            asset.record_count, asset.rejected_count, reject_limit, are_files=asset.is_record
        )
        if asset.is_in_window and too_many:
            problems.append(of_rejects(asset.source_id, f"{too_many}; the others landed", asset.first_reject))
    return problems


def _warnings(facts: RunFacts) -> set[str]:
    warnings = set(facts.warnings) | {drift.check_name for drift in facts.drifts}
    if facts.invalid:
        warnings.add("lines_rejected")
    if facts.not_read:
        warnings.add("lines_not_read")
    warnings.update(code for asset in facts.assets if asset.judgement == "warn" for code in asset.reason_codes)
    return warnings
