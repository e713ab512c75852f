"""What a scene is: a state, the command that an operator types then, and where what it advises has to lead."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from loader.advice import Advice, AdviceKind
from loader.errors import LoaderError
from tests.advice.following import Operator
from tests.advice.place import Place

# closed: diagnose ends with 0. understood: what is told can be typed, and is not refused as the first was. person: what
# is left names what somebody must decide or deliver (persons.py).
End = Literal["closed", "understood", "person"]
# Brings a fresh place into the state, and returns the first command.
Bring = Callable[[Place, pytest.MonkeyPatch], str]


@dataclass(frozen=True, slots=True)
class Scene:
    """`bring`: the state, or only the command that is typed; `raises`: the places (`module:function`) that say so, each
    of which must have; `advises`: kinds of advice that are met on the way, and typed; `is_long`: in the long run
    only."""

    name: str
    bring: Bring | str
    end: End
    raises: tuple[str, ...] = ()
    advises: tuple[AdviceKind, ...] = ()
    is_long: bool = False

    def begin(self, place: Place, patch: pytest.MonkeyPatch) -> tuple[Operator, str]:
        """Who types, in the state, and what they type first."""
        operator = place.fresh()
        if isinstance(self.bring, str):
            return operator, self.bring
        operator.has_acted = True
        return operator, self.bring(place, patch)

    def parameter(self) -> Any:
        marks = [pytest.mark.long] if self.is_long else []
        return pytest.param(self, id=self.name.replace(" ", "-"), marks=marks)


@contextmanager
def noting_errors() -> Iterator[set[str]]:
    """The places where a LoaderError is made in this process, in the block: `module:function`."""
    places: set[str] = set()
    plain = LoaderError.__init__

    def noted(self: LoaderError, *arguments: Any, **options: Any) -> None:
        frame = sys._getframe(1)
        # A class of its own that calls this one is not the place.
        while frame.f_code.co_name == "__init__" and isinstance(frame.f_locals.get("self"), LoaderError):
            assert frame.f_back is not None
            frame = frame.f_back
        places.add(f"{frame.f_globals['__name__']}:{frame.f_code.co_qualname}")
        plain(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LoaderError, "__init__", noted)
        yield places


@contextmanager
def noting_advice() -> Iterator[dict[str, AdviceKind]]:
    """The kind of what is said in this process within the block, by its words."""
    kinds: dict[str, AdviceKind] = {}
    plain = vars(Advice)["line"].fget

    def noted(self: Advice) -> str:
        line: str = plain(self)
        kinds[line] = self.kind
        return line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Advice, "line", property(noted))
        yield kinds
