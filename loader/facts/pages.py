"""HTML and Markdown: UTF-8, and the words that a reader sees.

Words are what white space (Unicode's) separates in the text of the elements. An element that stands in a line, `<b>`,
separates no word; any other one does. Markdown is judged as the HTML that CommonMark, with tables, makes of it. Style
sheets and scripts are not run: what they hide is counted, what they write is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from loader.facts.libraries import hostile
from loader.facts.model import FactValue
from loader.facts.text import text_of
from loader.facts.words import title_of

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_UNSEEN = frozenset({"head", "script", "style", "template", "title", "-comment"})
_IN_LINE = frozenset(
    re.findall(
        r"\S+",
        "-text a abbr b bdi bdo cite code data del dfn em font i ins kbd mark q s samp small span strong sub sup time u"
        " var wbr",
    )
)


def read(file: BinaryIO, asset_type: str) -> Mapping[str, FactValue]:
    """The words of a page, and its title: HTML's own, Markdown's first heading of the first level."""
    text = text_of(file)
    import markdown_it
    from selectolax.lexbor import LexborHTMLParser

    with hostile("the page"):
        is_markdown = asset_type == "markdown"
        tree = LexborHTMLParser(
            markdown_it.MarkdownIt("commonmark").enable("table").render(text) if is_markdown else text
        )
        title = _title(tree, "h1" if is_markdown else "head > title")
        return {"word_count": len(_seen(tree.root).split())} | ({"title": title} if title else {})


def _title(tree: LexborHTMLParser, selector: str) -> str | None:
    found = tree.css_first(selector)
    return None if found is None else title_of(_seen(found.child))


def _seen(node: LexborNode | None) -> str:
    return "".join(_pieces(node))


def _pieces(top: LexborNode | None) -> Iterator[str]:
    """The text of the node, of those after it and of all below them, in order; without recursion: a page may nest
    deeper than Python calls."""
    above: list[LexborNode] = []
    node = top
    while node is not None or above:
        if node is None:
            node = above.pop()
            yield _edge(node)
            node = node.next
            continue
        if node.tag == "-text":
            yield node.text_content or ""
        elif node.tag not in _UNSEEN:
            yield _edge(node)
            above.append(node)
            node = node.child
            continue
        node = node.next


def _edge(node: LexborNode) -> str:
    return "" if node.tag in _IN_LINE else " "
