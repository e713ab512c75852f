"""Random draws whose results are the same on every Python version and platform.

Only `Random.random()` is used (the one method whose sequence Python promises to keep), and only products
and sums of its floats: no logarithm, no `choice`, no set order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")
Draw = Callable[[], float]


def stream(seed: int, number: int) -> Draw:
    """An independent source of floats in [0, 1) for one purpose."""
    return Random(seed * 1_000_003 + number).random


def pick(draw: Draw, items: Sequence[Item]) -> Item:
    return items[int(draw() * len(items))]


def spread(weights: dict[Item, int]) -> tuple[Item, ...]:
    """Each item as often as its weight says, so that `pick` follows the weights."""
    return tuple(item for item, weight in weights.items() for _ in range(weight))


def shuffled(draw: Draw, items: Sequence[Item]) -> list[Item]:
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        other = int(draw() * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order
