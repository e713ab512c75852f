"""The anchors that a run gives to everything it touches, and who acts."""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
import time
import uuid
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a run: `run_id` (UUIDv7) stays over attempts, `number` counts them from 1.

    `trace_id` is a W3C trace id: 32 lower-case hex digits, not all zero.
    """

    run_id: uuid.UUID
    number: int
    trace_id: str

    @property
    def label(self) -> str:
        """Short, safe in SQL identifiers and file names, unique per attempt: `<32 hex>_<number>`."""
        return f"{self.run_id.hex}_{self.number}"


def new_run_id(now_seconds: float | None = None) -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7): 48 bits of milliseconds since the epoch, then random bits."""
    milliseconds = int((time.time() if now_seconds is None else now_seconds) * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62))


def trace_id_of_caller() -> str:
    """The trace that the caller is in (`TRACEPARENT`, W3C Trace Context), or a new one."""
    match = _TRACEPARENT.fullmatch(os.environ.get("TRACEPARENT", "").strip())
    if match and set(match.group(1)) != {"0"}:
        return match.group(1)
    return secrets.token_hex(16)


def acting_operator() -> str:
    """As plans, resets and the lock name them: user@host; the user's number where it has no name (a container's)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
