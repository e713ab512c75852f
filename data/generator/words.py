"""Word lists of this project's own, and the texts built from them. No text comes from a real ticket."""

from __future__ import annotations

import json

from data.generator.randomness import Draw, pick

PRODUCT_NAMES = {
    "northstar_workspace": "Workspace",
    "northstar_edge_gateway": "Edge Gateway",
    "northstar_studio": "Studio",
    "cross_product": "several products",
}

SYMPTOMS = {
    "installation": (
        "Setup stops at 80 percent",
        "Installer asks for a missing package",
        "Upgrade rolls back",
    ),
    "configuration": (
        "Setting is lost after restart",
        "Profile cannot be imported",
        "Default region is wrong",
    ),
    "connectivity": (
        "Tunnel drops every hour",
        "Requests time out behind the proxy",
        "Node shows as offline",
    ),
    "authentication": ("Single sign-on loops", "Token expires too early", "Second factor is never asked for"),
    "billing": ("Invoice counts seats twice", "Credit note is missing", "Currency changed after renewal"),
    "feature_request": ("Export as a table", "Dark theme for reports", "Bulk edit of labels"),
    "bug_report": ("Chart shows yesterday twice", "Search ignores umlauts", "Undo removes two steps"),
    "documentation": ("Guide names an old menu", "Example does not run", "Limits are not described"),
    "performance": ("Dashboard needs a minute", "Sync slows down at noon", "Memory grows over night"),
    "security": ("Certificate is about to expire", "Audit log has a hole", "Share link stays valid"),
    "other": ("Question about the roadmap", "Training for new colleagues", "Contact person changed"),
}

# Raw text, written as JSON strings: quotes, escapes, other scripts, and line separators that end no line.
ODD_ENDINGS = (
    "",
    "",
    " (Zürich, Gebäude 4)",
    " — seit gestern",
    " 東京オフィス",
    ' says "not again"',
    " in C:\\temp\\sync",
    "\tsee log",
    " 🚧",
    "\u2028second paragraph",
    "\u0085old terminal",
    " é / e\u0301",
)

_WHO = ("the operator", "a new colleague", "our night shift", "the whole team", "one customer", "the auditor")
_DID = ("restarted", "reinstalled", "compared", "opened", "measured", "exported", "disabled", "replaced")
_WHAT = (
    "the gateway", "a fresh profile", "the sync folder", "both reports", "an older build", "the access list",
    "the queue", "a test account", "the nightly job", "the proxy rule", "three devices", "the licence file",
)  # fmt: skip
_WHEN = ("on Monday", "after lunch", "twice", "last night", "before the update", "during the call", "at noon")
_THEN = (
    "and the error came back", "but nothing changed", "and it worked for an hour", "with the same result",
    "and the log stayed empty", "so the counter is wrong", "while other sites are fine",
    "and the screen turned grey", "as the guide describes", "and a warning appeared",
)  # fmt: skip


def subjects(draw: Draw, category: str, product_line: str, count: int) -> list[str]:
    """`count` subjects as JSON strings with their quotes, ready to paste into a line."""
    made = []
    for number in range(count):
        ending = pick(draw, ODD_ENDINGS) if draw() < 0.08 else ""
        text = f"{pick(draw, SYMPTOMS[category])} in {PRODUCT_NAMES[product_line]}{ending}"
        # Both spellings of a character are the same record.
        made.append(json.dumps(text, ensure_ascii=number % 4 == 0))
    return made


def sentence(draw: Draw) -> str:
    text = f"{pick(draw, _WHO)} {pick(draw, _DID)} {pick(draw, _WHAT)} {pick(draw, _WHEN)} {pick(draw, _THEN)}. "
    return text[0].upper() + text[1:]


def prose(draw: Draw, sentence_count: int, slice_bytes: int) -> tuple[str, list[int]]:
    """One long ASCII text without quotes or backslashes, and where its sentences start.

    Any `slice_bytes` characters from a start are inside the text.
    """
    sentences = [sentence(draw) for _ in range(sentence_count)]
    starts = []
    position = 0
    for text in sentences:
        starts.append(position)
        position += len(text)
    text = "".join(sentences)
    while len(text) < position + slice_bytes:
        text += text
    return text, starts
