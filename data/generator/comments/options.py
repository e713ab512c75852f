"""What a data set of comments is, besides the tickets that they are on."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from data.generator.options import check_files, check_range


@dataclass(frozen=True, slots=True)
class CommentOptions:
    """Same options and same ticket exports, same bytes. The days are those of the ticket exports.

    Rates are shares of the comments' versions: a damaged version replaces its line, duplicates and blank lines are
    extra lines. At most every 20th version of a file is damaged, whatever `invalid_rate` says. `unlinked` comments,
    spread over the days, are on tickets that no export has. `*_every` options take every n-th file, 0 is never.
    """

    seed: int = 1
    comments: int = 600
    edit_rate: float = 0.25
    invalid_rate: float = 0.01
    duplicate_rate: float = 0.02
    late_rate: float = 0.03
    blank_rate: float = 0.01
    unlinked: int = 3
    gzip_every: int = 0
    gzip_member_lines: int = 0
    crlf_every: int = 0
    unterminated_every: int = 0
    source: str = "structured:ticket_comments:synthetic"

    def __post_init__(self) -> None:
        check_range(self, "comments", 1, 1_000_000)
        check_range(self, "unlinked", 0, 9)
        for name in ("edit_rate", "invalid_rate", "duplicate_rate", "late_rate", "blank_rate"):
            check_range(self, name, 0.0, 0.5)
        check_files(self)

    def as_json(self) -> dict[str, object]:
        """The options as they stand in `expected.json`; no folder, no time."""
        return asdict(self)
