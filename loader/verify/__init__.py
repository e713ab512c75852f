"""Verify: the raw zone read again, and compared with Bronze line by line."""

from __future__ import annotations

from loader.verify.claims import Claim
from loader.verify.kept import keep, last_verified
from loader.verify.line_by_line import Verification, verify_assets, verify_run
from loader.verify.one_line import line_difference
from loader.verify.reread import RereadLine, reread, reread_line

__all__ = [
    "Claim",
    "RereadLine",
    "Verification",
    "keep",
    "last_verified",
    "line_difference",
    "reread",
    "reread_line",
    "verify_assets",
    "verify_run",
]
