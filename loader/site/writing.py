"""A site's files: pages whose inputs changed are written anew, those that no model names go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from loader.report_files import write_file
from loader.site.drawing import assets, draw, form
from loader.site.ledger import Details
from loader.site.pages import Page

_DIGESTS = "pages.json"
# Details of so many pages are read at once.
_BATCH = 200
# What a page is asked to tell of days, runs and records.
ReadDetails = Callable[[Sequence[Page]], Details]


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: `index` is the page to open; `page_count`: of the site, `written_count`: written anew."""

    index: Path
    page_count: int
    written_count: int
    removed_count: int


def exists(folder: Path) -> bool:
    return (folder / _DIGESTS).is_file()


def write_site(
    folder: Path, pages: Sequence[Page], scripts: Mapping[str, Mapping[str, Any]], made_at: str, read: ReadDetails
) -> Made:
    """Write what changed; a page appears whole or not at all. `scripts`: values that a page's script draws, by the name
    of their file. Raises InfrastructureError for a fault of the disk; what was written until then stays, and the next
    call writes the rest."""
    known = _digests(folder)
    digests = {page.path: page.digest(form()) for page in pages}
    changed = [
        page for page in pages if known.get(page.path) != digests[page.path] or not (folder / page.path).is_file()
    ]
    for name, content in {**assets(), **{name: script(told) for name, told in scripts.items()}}.items():
        _write_changed(folder / "assets" / name, content)
    for page, details in _with_details(changed, read):
        told = {**page.told_with(details), "root": page.root, "made_at": made_at, "page": page}
        write_file(folder / page.path, draw(page.template, **told).encode())
    gone = known.keys() - digests.keys()
    for path in gone:
        (folder / path).unlink(missing_ok=True)
    write_file(folder / _DIGESTS, orjson.dumps(digests, option=orjson.OPT_SORT_KEYS))
    return Made(folder / "index.html", len(pages), len(changed), len(gone))


def script(told: Mapping[str, Any]) -> bytes:
    """Values as a classic script, which a page from a disk may load; a text in it ends no script."""
    return b"window.told = " + orjson.dumps(told).replace(b"<", b"\\u003c") + b";\n"


def _with_details(changed: Sequence[Page], read: ReadDetails) -> Iterator[tuple[Page, Details]]:
    rest = iter(changed)
    while batch := list(islice(rest, _BATCH)):
        details = read(batch)
        yield from ((page, details) for page in batch)


def _digests(folder: Path) -> dict[str, str]:
    """As the last call left them; none where the file is not what it wrote."""
    try:
        found = orjson.loads((folder / _DIGESTS).read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {path: digest for path, digest in found.items() if isinstance(digest, str) and _is_page(path)}


def _is_page(path: str) -> bool:
    """Whoever edited the list names no file of ours outside the site."""
    return path.endswith(".html") and not path.startswith("/") and ".." not in path.split("/")


def _write_changed(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        write_file(path, content)
