from __future__ import annotations


class Clock:
    """time.monotonic, moved by hand; seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now
