"""Every error in the code is typed by a scene, or a committed sentence says why not."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from tests.advice.refusals import REFUSALS
from tests.advice.sites import error_classes, error_sites
from tests.advice.states import STATES
from tests.advice.untyped import UNTYPED
from tests.advice.usage import USAGE
from tests.checkouts import ROOT

_TEST = re.compile(r"tests/[\w/.*]+")
# Pass a verdict or another error's advice on.
_PASSED_ON = {"Verdict", "Status", "partial", "__init__"}

TYPED = {place for scene in (*USAGE, *REFUSALS, *STATES) for place in scene.raises}
PLACES = {site.place for site in error_sites() if site.error not in _PASSED_ON}


def test_each_error_is_typed_or_said_why_not() -> None:
    """Prevents an error whose advice nobody has ever followed."""
    left = {place for place in PLACES - TYPED if not any(fnmatchcase(place, pattern) for pattern in UNTYPED)}
    assert sorted(left) == []


def test_no_scene_and_no_sentence_is_about_a_place_that_is_gone() -> None:
    assert sorted(TYPED - PLACES) == []
    assert [pattern for pattern in UNTYPED if not any(fnmatchcase(place, pattern) for place in PLACES - TYPED)] == []


def test_what_an_exception_names_is_there() -> None:
    """Prevents an exception for the sake of a test that was renamed."""
    named = [name for reason in UNTYPED.values() for name in _TEST.findall(reason)]
    assert [name for name in named if not any(ROOT.glob(name))] == []
    assert len(named) > len(UNTYPED) // 2


def test_each_class_of_errors_is_met() -> None:
    met = {site.error for site in error_sites()}
    # The base is never raised itself.
    assert error_classes().keys() - met == {"LoaderError"}
