"""What "next:" says, typed word for word, ends closed wherever the data still exists; else at a person's sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loader.warehouse import Warehouse
from tests.advice.place import Place, proved_place
from tests.advice.refusals import REFUSALS
from tests.advice.scene import Scene, noting_errors
from tests.advice.usage import USAGE


@pytest.fixture(scope="module")
def place(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with proved_place(server, _template, tmp_path_factory.mktemp("advice")) as place:
        yield place


@pytest.mark.parametrize("scene", [scene.parameter() for scene in (*USAGE, *REFUSALS)])
def test_what_is_refused_leads_to_what_is_not(scene: Scene, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents an example that is refused as well, and advice that leads back to where it came from."""
    operator, first = scene.begin(place, monkeypatch)
    with noting_errors() as places:
        followed = operator.heed(first)
    assert followed.typed[0].code, str(followed)
    assert places.issuperset(scene.raises), f"{places}\n{followed}"
    told, *then = followed.typed
    assert told.next_line and bool(then) == (scene.end == "understood"), str(followed)
    if then:
        assert then[-1].code != 2 and then[-1].err != told.err, str(followed)
