"""Who is told, once, when it changes whether readers may rely on a day (decision 33)."""

from __future__ import annotations

from loader.alerts.decisions import alerts_of
from loader.alerts.outbox import Delivery, records_of, tell
from loader.alerts.rules import read_rules, variables_of_shell

__all__ = ["Delivery", "alerts_of", "read_rules", "records_of", "tell", "variables_of_shell"]
