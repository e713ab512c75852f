"""Seeded generator of synthetic comments on the tickets of a folder of exports, in the shape of `ticket_comment_v1`.

Run it as `python -m data.generator.comments --help` from the repository's root. Like the tickets' generator it needs
the standard library only, and knows nothing of `loader`.
"""

from data.generator.comments.daily_exports import generate
from data.generator.comments.options import CommentOptions

__all__ = ["CommentOptions", "generate"]
