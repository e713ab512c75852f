"""What to type next: one place that every command asks, and the triage that it rests on."""

from __future__ import annotations

from loader.advice.ends import (
    KNOWN_DAYS,
    after_audit,
    after_build,
    after_hold,
    after_kept_back,
    after_question,
    after_release,
    after_run,
    after_trace,
    after_verification,
)
from loader.advice.looks import AnsweredQuestion, Diagnosis, diagnose, diagnose_now
from loader.advice.questions import NEW_MANIFEST, NOTHING_TO_DO, SENTENCES, Advice, AdviceKind, Asked
from loader.advice.readers import read_shown
from loader.advice.runs import end_of

__all__ = [
    "KNOWN_DAYS",
    "NEW_MANIFEST",
    "NOTHING_TO_DO",
    "SENTENCES",
    "Advice",
    "AdviceKind",
    "AnsweredQuestion",
    "Asked",
    "Diagnosis",
    "after_audit",
    "after_build",
    "after_hold",
    "after_kept_back",
    "after_question",
    "after_release",
    "after_run",
    "after_trace",
    "after_verification",
    "diagnose",
    "diagnose_now",
    "end_of",
    "read_shown",
]
