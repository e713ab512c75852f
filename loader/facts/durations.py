"""Durations and rates: exact, from whole numbers, to the thousandth."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext


def seconds_of(units: int, per_second: int) -> Decimal:
    """Frames, samples or ticks as seconds, to the nearest millisecond; halves go up, as PostgreSQL's do."""
    with localcontext() as exact:
        # The digits of the largest whole number that a header holds, and those of a millisecond.
        exact.prec = 60
        return (Decimal(units) / per_second).quantize(Decimal("0.001"), ROUND_HALF_UP)
