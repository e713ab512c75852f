"""What to type next: one place that every command asks, and the triage that it rests on."""

from __future__ import annotations

from loader.advice.asked import Asked
from loader.advice.ends import (
    KNOWN_DAYS,
    after_audit,
    after_build,
    after_hold,
    after_kept_back,
    after_question,
    after_release,
    after_run,
    after_verification,
)
from loader.advice.kinds import NEW_MANIFEST, NOTHING_TO_DO, SENTENCES, Advice, AdviceKind
from loader.advice.looks import Diagnosis, Step, diagnose
from loader.advice.readers import read_shown
from loader.advice.runs import end_of
from loader.advice.triage import advise, diagnose_now

__all__ = [
    "KNOWN_DAYS",
    "NEW_MANIFEST",
    "NOTHING_TO_DO",
    "SENTENCES",
    "Advice",
    "AdviceKind",
    "Asked",
    "Diagnosis",
    "Step",
    "advise",
    "after_audit",
    "after_build",
    "after_hold",
    "after_kept_back",
    "after_question",
    "after_release",
    "after_run",
    "after_verification",
    "diagnose",
    "diagnose_now",
    "end_of",
    "read_shown",
]
