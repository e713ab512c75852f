"""One line as the archive has it, compared with what Bronze holds of it: as a whole run is, without its other lines."""

from __future__ import annotations

from typing import Any

from loader.verify.line_by_line import COMPARE
from loader.verify.reread import MAKE_EXPECTED, RereadLine, copy_lines


def line_difference(cursor: Any, reading: tuple[int, int], line: RereadLine, *, is_landed: bool) -> str | None:
    """How Bronze differs (as LineDifference names it); None: it does not. `reading`: asset and ruleset; `is_landed`:
    whether its event has to be there."""
    cursor.execute(MAKE_EXPECTED)
    copy_lines(cursor, [line])
    asset_id, ruleset_id = reading
    cursor.execute(
        COMPARE,
        {
            "asset": asset_id,
            "ruleset": ruleset_id,
            "first": line.number,
            "last": line.number,
            "start": "-infinity" if is_landed else "infinity",
            "end": "infinity",
        },
    )
    found = cursor.fetchall()
    cursor.execute("delete from pg_temp.expected_line")
    return found[0][1] if found else None
