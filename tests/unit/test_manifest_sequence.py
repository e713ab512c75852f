from __future__ import annotations

import random

import pytest

from loader.manifest import SequenceError, sequence_of


@pytest.mark.parametrize(
    ("names", "sequence"),
    [
        (["tickets-2026-04-17.jsonl"], (20_260_417_000,)),
        (["tickets-20260417.jsonl.gz"], (20_260_417_000,)),
        (["20260417T120000Z.jsonl"], (20_260_417_53200000,)),
        (["b-2026-04-17", "a-2026-04-17", "c-2026-04-16"], (20_260_417_001, 20_260_417_000, 20_260_416_000)),
        (["first", "second", "tickets-2026-04-17", "fourth"], (1, 2, 20_260_417_000, 4)),
        (["tickets-2026-02-30"], (1,)),
        (["v12345678-2026-04-17"], (20_260_417_000,)),
        (["120260417"], (1,)),
        (["2026-0417"], (1,)),
        (["tickets-0999-01-02"], (1,)),
        (["tickets-٢٠٢٦-04-17"], (1,)),
        ([], ()),
    ],
)
def test_the_date_in_a_name_gives_its_place(names: list[str], sequence: tuple[int, ...]) -> None:
    """Prevents: a late version of a ticket ordered before an early one."""
    assert sequence_of(names) == sequence


def test_the_order_of_a_list_does_not_change_the_place_of_dated_names() -> None:
    """Prevents: two manifests of the same files that build two different Silvers."""
    names = [f"tickets-2026-04-{day:02}-{part}.jsonl" for day in (16, 17) for part in "abc"]
    expected = dict(zip(names, sequence_of(names), strict=True))
    shuffled = random.Random(7).sample(names, len(names))
    assert dict(zip(shuffled, sequence_of(shuffled), strict=True)) == expected
    assert sorted(names, key=expected.__getitem__) == names


def test_a_thousand_files_of_a_date_have_room_and_one_more_has_not() -> None:
    """Prevents: the last files of a day run into the numbers of the next."""
    names = [f"tickets-2026-04-17-{number:04}.jsonl" for number in range(1001)]
    assert sequence_of(names[:1000])[-1] == 20_260_417_999
    with pytest.raises(SequenceError, match="1001 assets are named after 2026-04-17"):
        sequence_of(names)
