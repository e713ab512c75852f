"""Verify: the raw zone read again, and compared with Bronze line by line."""

from __future__ import annotations

from loader.verify.claims import Claim
from loader.verify.line_by_line import Verification, verify_assets, verify_run
from loader.verify.reread import reread

__all__ = ["Claim", "Verification", "reread", "verify_assets", "verify_run"]
