"""The audit: is the evidence what it was, and does the warehouse still hold what it says?"""

from __future__ import annotations

from loader.audit.holdings import Fault, faults_of_sight
from loader.audit.record import faults_of_act_record, faults_of_record
from loader.audit.walk import verify_evidence

__all__ = ["Fault", "faults_of_act_record", "faults_of_record", "faults_of_sight", "verify_evidence"]
