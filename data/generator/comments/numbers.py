"""Numbers as exporters write them: every spelling of one number is the same number."""

from __future__ import annotations

from data.generator.randomness import Draw, pick


def seconds_text(microseconds: int) -> str:
    """Seconds without exponent and without zeros at the end."""
    whole, rest = divmod(microseconds, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".")


def spelled(draw: Draw, number: str) -> str:
    """A number that is not negative and has no exponent, in one of its spellings: 12.5 as 12.50 or 1.25e1, 7 as 7.0."""
    form = draw()
    if form < 0.5:
        return number
    if number == "0":
        return pick(draw, ("-0", "0.0", "-0.00", "0e3"))
    whole, _, fraction = number.partition(".")
    if form < 0.75:
        return f"{whole}.{fraction}{pick(draw, ('0', '00'))}"
    return f"{whole[0]}.{whole[1:]}{fraction or '0'}{pick(draw, ('e', 'E', 'e+'))}{len(whole) - 1}"
