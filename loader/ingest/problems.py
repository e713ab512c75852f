"""Why a run, or a dry run, is not good enough: values, and those that have one reason as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from loader.contract import ReasonCodes, load_reason_codes
from loader.gate import AssetFinding
from loader.manifest import ManifestRefusedError
from loader.obstacles import exceeds
from loader.printable import pasted

# As many different sentences of one code are told; where there are more, what the code means, and the first of them.
_SENTENCES_TOLD = 2
_VIOLATIONS_TOLD = 3
_REASONS_TOLD = 20

# Declared files that are not there to be read, as they were judged last.
ABSENT = """
select manifest_id, manifest_path, source_id, disposition, array_to_string(reason_codes, ', ') as reasons
from ops.manifest_asset inner join ops.manifest using (manifest_id)
where disposition in ('withheld', 'missing') order by manifest_id, source_id
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """`message`: all of it, as evidence keeps it. The rest is what a screen shows, the same words once for all that
    they hold for: `code` and `sentence` say why, `name` what it happened to, `mend` what allows or mends it.

    `reason_code`: the run's own; `code` is the same unless a file's reason, or a check, says more. `folder`: of a file
    outside the allowed roots, what is to be allowed if exports lie there.
    """

    reason_code: str
    message: str
    code: str = ""
    sentence: str = ""
    name: str = ""
    mend: str = ""
    folder: Path | None = None

    @property
    def is_of_gate(self) -> bool:
        """Whether a declared file was not admitted."""
        return self.reason_code in ("asset_withheld", "asset_missing")


@dataclass(frozen=True, slots=True)
class Words:
    """Reasons in words: the gate's own of this run (`said`, by manifest and source), else those of the contracts, which
    is all that can be said later, when the warehouse has the codes alone."""

    reasons: ReasonCodes
    said: Mapping[tuple[str, str], Sequence[AssetFinding]] = field(default_factory=dict)

    def of_asset(self, entry: tuple[str, str], codes: Sequence[str]) -> list[AssetFinding]:
        """Why a file was not admitted, where `codes` are all that was found about it."""
        said = self.said.get(entry, ())
        # Found by comparing with what was registered, or by an earlier run: the gate of this one said nothing of it.
        unsaid = [code for code in codes if all(one.reason_code != code for one in said)]
        rejecting = [code for code in unsaid if self._is_reject(code)] or ([] if said else unsaid)
        return [
            *(one for one in said if one.judgement in ("quarantine", "reject")),
            *(AssetFinding(code, "reject", self.meaning(code)) for code in rejecting),
        ]

    def meaning(self, code: str) -> str:
        reason = self.reasons.by_code.get(code)
        return "" if reason is None else reason.meaning

    def mend(self, code: str) -> str:
        reason = self.reasons.by_code.get(code)
        return "" if reason is None else reason.mend

    def _is_reject(self, code: str) -> bool:
        reason = self.reasons.by_code.get(code)
        return reason is None or reason.severity == "reject"


def words_of(project_root: Path) -> Words:
    """What is known of reasons when no gate of this command has said anything."""
    return Words(load_reason_codes(project_root / "contracts"))


def explained(rows: Iterable[Mapping[str, Any]], words: Words) -> list[dict[str, Any]]:
    """Rows of ABSENT, each with the sentence of its codes and what mends it."""
    told = []
    for row in rows:
        entry = (row["manifest_id"], row["source_id"])
        problem = of_asset(words, entry, row["disposition"], row["reasons"].split(", "))
        told.append({**row, "sentence": problem.sentence, "mend": problem.mend})
    return told


def of_asset(words: Words, entry: tuple[str, str], disposition: str, codes: Sequence[str], what: str = "") -> Problem:
    """The problem of a file that the gate withholds or misses; `entry`: its manifest and source, `what`: what became
    of the rest."""
    manifest_id, source_id = entry
    findings = words.of_asset(entry, codes)
    sentence = "; ".join(dict.fromkeys(one.message.rstrip(".") for one in findings))
    folder = next((one.folder for one in findings if one.folder is not None), None)
    mend = words.mend(findings[0].reason_code) if findings else ""
    if folder is not None:
        mend = f"If what lies there are exports, {pasted(folder)} can be added to LOADER_ALLOWED_ROOTS."
    return Problem(
        "asset_missing" if disposition == "missing" else "asset_withheld",
        f"asset {source_id} of {manifest_id} is {disposition} ({', '.join(codes)}): {sentence}"
        + (f"; {what}" if what else ""),
        ", ".join(dict.fromkeys(one.reason_code for one in findings)),
        f"{sentence}.",
        source_id,
        mend,
        folder,
    )


def of_manifest(error: ManifestRefusedError) -> Problem:
    """The problem of a manifest that is refused as a whole."""
    return Problem(
        "manifest_refused",
        error.message,
        sentence="; ".join(map(str, error.violations[:_VIOLATIONS_TOLD]))
        + (
            f"; and {len(error.violations) - _VIOLATIONS_TOLD} more" if len(error.violations) > _VIOLATIONS_TOLD else ""
        ),
        name=error.path.name,
        mend="Ask upstream for a manifest that keeps its contract, under a new id.",
    )


def too_many_rejects(
    record_count: int, rejected_count: int, reject_limit: float, *, are_files: bool = False
) -> str | None:
    """A sentence when more non-blank lines, or files that are records, are rejected than policy allows."""
    if not exceeds(reject_limit, record_count, rejected_count, are_files=are_files):
        return None
    what = "files of the day" if are_files else "lines"
    return f"{rejected_count:,} of {record_count + rejected_count:,} {what} rejected, allowed {reject_limit:.0%}"


def of_rejects(source_id: str, too_many: str, first_reject: str | None) -> Problem:
    sentence = too_many + (f"; the first: {first_reject}" if first_reject else "")
    return Problem("reject_limit_exceeded", f"asset {source_id}: {sentence}", sentence=sentence, name=source_id)


def no_line_belongs(partition: date | None, nearest: Iterable[date]) -> Problem:
    days = " and ".join(day.isoformat() for day in nearest)
    message = f"no line of the declared assets belongs to partition {partition}; nearest data: {days or 'none'}"
    return Problem("no_lines_for_partition", message)


def with_shared_sentences(problems: Iterable[Problem], words: Words) -> tuple[Problem, ...]:
    """The problems by their codes. Where each of many has a sentence of its own, the code's meaning stands for all, and
    the first one's sentence as an example; the messages keep their own."""
    shared: list[Problem] = []
    for code, group in _by_code(problems).items():
        whole = [replace(each, code=code, sentence=each.sentence or each.message) for each in group]
        sentences = list(dict.fromkeys(each.sentence for each in whole))
        if len(sentences) > _SENTENCES_TOLD:
            meaning = words.meaning(code) or words.meaning(group[0].reason_code)
            whole = [replace(each, sentence=f"{meaning} The first: {sentences[0]}") for each in whole]
        shared += whole
    return tuple(shared)


def _by_code(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.code or problem.reason_code, []).append(problem)
    return groups


def in_short(problems: Iterable[Problem]) -> str:
    """One text for the ledger: a problem of each reason, and for how many more it holds."""
    groups = list(_by_code(problems).values())
    parts = [
        group[0].message + (f" (and {len(group) - 1} more for this reason)" if len(group) > 1 else "")
        for group in groups[:_REASONS_TOLD]
    ]
    if len(groups) > len(parts):
        parts.append(f"and {len(groups) - len(parts)} more reasons")
    return "; ".join(parts)
