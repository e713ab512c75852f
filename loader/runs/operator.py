"""Who acts: as plans, resets and the lock name them."""

from __future__ import annotations

import getpass
import os
import socket


def acting_operator() -> str:
    """user@host; the user's number where it has no name (a container's)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
