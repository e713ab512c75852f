"""The audit: is the evidence what it was, and does the warehouse still hold what it says?"""

from __future__ import annotations

from loader.audit.walk import Fault, faults_of_sight, verify_evidence

__all__ = ["Fault", "faults_of_sight", "verify_evidence"]
