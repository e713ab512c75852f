"""Files of the corpus, damaged at random: whatever comes, there are facts of the stated types, or a listed code."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from loader.bounds import FactsLimits
from loader.facts import DEFECT_CODES, FACT_FIELDS, Facts, FactsReader
from tests.facts.table import listed

SEED = int(os.environ.get("FUZZ_SEED", "16"))
NUMBERS = (b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1")
DIGITS = (0, -1, 1, 2**31, 2**63, 99_999_999_999)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes changed, cut out, put in twice; numbers of headers at their edges."""
    out = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        place = chance.randrange(len(out))
        match chance.randrange(6):
            case 0:
                out[place] = chance.randrange(256)
            case 1:
                out[place : place + 4] = chance.choice(NUMBERS)
            case 2:
                del out[place : place + chance.randrange(1, 50)]
            case 3:
                begin = chance.randrange(len(out))
                out[place:place] = out[begin : begin + chance.randrange(1, 200)]
            case 4:
                del out[max(1, place) :]
            case _:
                numbers = list(re.finditer(rb"\d+", bytes(out)))
                if numbers:
                    begin, end = chance.choice(numbers).span()
                    out[begin:end] = str(chance.choice(DIGITS)).encode()
        if not out:
            break
    return bytes(out)


@pytest.mark.parametrize("count", [150, pytest.param(3_000, marks=pytest.mark.long)])
def test_a_damaged_file_has_facts_or_a_code(tmp_path: Path, count: int) -> None:
    """Prevents an exception that stops a whole run, which any library may raise at any byte."""
    chance = random.Random(SEED)
    path = tmp_path / "file"
    table = listed()
    with FactsReader(FactsLimits(cpu_seconds=5)) as reader:
        for number in range(count):
            each = chance.choice(table)
            path.write_bytes(damaged(each.path.read_bytes(), chance))
            answer = reader.read(path, each.reader, each.asset_type)
            if isinstance(answer, Facts):
                types = FACT_FIELDS[each.reader]
                assert {name: type(value) for name, value in answer.values.items()} == {
                    name: types[name] for name in answer.values
                }, (SEED, number, each.name)
                assert all(value.isprintable() for value in answer.values.values() if isinstance(value, str))
                assert all(value >= 0 for value in answer.values.values() if not isinstance(value, str))
            else:
                assert answer.reason_code in DEFECT_CODES, (SEED, number, each.name)
