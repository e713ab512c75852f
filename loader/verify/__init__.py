"""Verify: the raw zone read again, and compared with Bronze line by line."""

from __future__ import annotations

from loader.verify.claims import Claim
from loader.verify.reread import reread
from loader.verify.run import LineDifference, Verification, verify_assets, verify_run

__all__ = ["Claim", "LineDifference", "Verification", "reread", "verify_assets", "verify_run"]
