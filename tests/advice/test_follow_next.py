"""What "next:" says, typed word for word, ends closed wherever the data still exists; else at a person's sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from loader.advice import SENTENCES, AdviceKind
from loader.recovery.damaged import LISTING_CHECKS
from loader.warehouse import Warehouse
from tests.advice.cheapest import ABSENT_THEN_WAITING, CHEAPEST
from tests.advice.place import Place, proved_place
from tests.advice.refusals import REFUSALS
from tests.advice.scene import Scene, noting_advice, noting_errors
from tests.advice.states import ALL_AT_ONCE, STATES
from tests.advice.usage import USAGE
from tests.ingests import SILVER
from tests.sabotage.case import Case
from tests.sabotage.cases import cases_of
from tests.sabotage.victims import TICKETS

pytestmark = pytest.mark.usefixtures("replayed")

# What a run says of files and of itself: no other row holds it, and no archive.
NOTHING_ELSE_HOLDS = tuple(
    f"ops.{name}" for name in ("manifest", "manifest_asset", "source_asset", "ingest_run", "run_asset", "ruleset")
)
# What must be as it was when damage is mended, but for who brought it.
CONTENTS = (
    SILVER,
    "select event_id, raw_payload, partition_key from bronze.raw_ticket_event order by 1",
    (
        "select asset_id, line_number, byte_offset, byte_length, kind, event_id, partition_key from bronze.asset_line"
        " order by 1, 2"
    ),
    (
        "select asset_id, line_number, reason_codes, message, encode(raw_line, 'hex') from bronze.rejected_record"
        " order by 1, 2"
    ),
    (
        "select asset_id, partition_key, record_line_count, rejected_line_count, taken_by_run_id is null"
        " from ops.asset_partition order by 1, 2"
    ),
    (
        "select to_jsonb(shown) - '{data_release_id,run_id,dlt_load_id}'::text[] from serving.ticket_fact as shown"
        " order by ticket_id"
    ),
)
_RUNS = "select run_id::text from ops.ingest_run group by run_id order by min(event_number)"


@pytest.fixture(scope="module")
def place(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with proved_place(server, _template, tmp_path_factory.mktemp("advice")) as place:
        yield place


def contents(place: Place) -> Counter[str]:
    """Every row of what a person or a reader relies on."""
    return Counter(f"{number}: {row}" for number, question in enumerate(CONTENTS) for row in place.rows(question))


def test_each_kind_of_advice_is_typed_in_every_run() -> None:
    """Prevents a kind whose command nobody has typed yet: a new one needs a scene that is not for the long run only."""
    scenes = (*STATES, *CHEAPEST, ALL_AT_ONCE, ABSENT_THEN_WAITING)
    assert {kind for scene in scenes if not scene.is_long for kind in scene.advises} == set(AdviceKind)


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


@pytest.mark.parametrize("scene", [scene.parameter() for scene in (*STATES, *CHEAPEST)])
def test_a_state_ends_closed_or_with_a_person(scene: Scene, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents advice that does not mend, leads in a circle, or alarms over what nobody asked for."""
    operator, first = scene.begin(place, monkeypatch)
    with noting_errors() as places, noting_advice() as kinds:
        followed = operator.follow(first)
    assert places.issuperset(scene.raises), f"{places}\n{followed}"
    met = {kinds[each.next_line] for each in followed.typed if each.next_line in kinds}
    assert met.issuperset(scene.advises), f"{met}\n{followed}"
    if followed.is_closed != (scene.end == "closed") or not (
        followed.is_closed or followed.is_left_to_a_person(operator)
    ):
        pytest.fail(str(followed), pytrace=False)
    operator.ends(followed)


def test_troubles_are_mended_in_their_order(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What explains the rest comes before it, damage before absence, and each command of the chain works as it stands
    when those before it were typed."""
    place.fresh()
    before = contents(place)
    operator, first = ALL_AT_ONCE.begin(place, monkeypatch)
    with noting_advice() as kinds:
        followed = operator.follow(first, patience=6)
    assert tuple(kinds.get(str(each.next_line)) for each in followed.typed[:-1]) == ALL_AT_ONCE.advises, str(followed)
    assert followed.is_closed, str(followed)
    runs = [run_id for (run_id,) in place.rows(_RUNS)]
    assert [each.command.split("   ")[0] for each in followed.typed[1:]] == [
        "make hold PARTITION=2026-04-17 REASON='under review'",
        "make build SELECT=serving",
        *(f"make retry RUN={run_id} MODE=execute" for run_id in reversed(runs)),
    ], str(followed)
    # And the new day beside it.
    assert sorted(before - contents(place)) == [], str(followed)


def test_what_is_absent_comes_before_what_waits_for_a_person(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has read is taken, old rejects are judged again; then a person, who has looked, lets days pass."""
    operator, first = ABSENT_THEN_WAITING.begin(place, monkeypatch)
    with noting_advice() as kinds:
        followed = operator.follow(first, patience=6)
    assert followed.is_closed, str(followed)
    told = tuple(kinds.get(str(each.next_line)) for each in followed.typed)
    assert told == ABSENT_THEN_WAITING.advises, str(followed)


@pytest.mark.long
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name.replace(" ", "-")) for case in cases_of(TICKETS)])
def test_damage_is_mended_by_what_is_advised(case: Case, place: Place) -> None:
    """Prevents advice that leaves the damage where it was, or takes more away than it brings back."""
    operator = place.fresh()
    operator.has_acted = True
    before = contents(place)
    place.damage(*case.statements)
    followed = operator.follow("make build SELECT=reconcile")
    if followed.is_closed:
        assert contents(place) == before, str(followed)
        return
    is_held_elsewhere = case.table_name not in NOTHING_ELSE_HOLDS or case.check_name in LISTING_CHECKS
    if is_held_elsewhere or SENTENCES[AdviceKind.RESTORE] not in str(followed.left):
        pytest.fail(str(followed), pytrace=False)
