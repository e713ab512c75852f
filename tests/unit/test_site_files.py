"""What the site brings along: files of others as they were published, and everything that the package needs."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

from loader.site.drawing import assets, environment
from tests.checkouts import ROOT

SITE = ROOT / "loader" / "site"


def test_files_of_others_are_as_they_were_published() -> None:
    """Prevents a library that somebody edited, or replaced by another version, without a word of it."""
    listed = dict(
        re.findall(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", (SITE / "VENDORED.md").read_text(), re.MULTILINE)
    )
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (SITE / "assets").glob("*.min.*")}
    assert listed == found


def test_every_file_is_used_and_is_in_the_package() -> None:
    """Prevents an installed loader that lacks a template, and a file that nothing needs."""
    assert sorted(assets()) == sorted(path.name for path in (SITE / "assets").iterdir())
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["loader"]
    packed = {path for pattern in declared for path in (ROOT / "loader").glob(pattern)}
    assert {path for path in SITE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")} <= packed


def test_every_template_escapes_and_none_says_otherwise() -> None:
    """Prevents a value that a browser obeys: autoescape is on, and no template turns it off."""
    assert environment().autoescape is True
    for path in (SITE / "templates").iterdir():
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text()), path


def test_own_scripts_make_no_markup_from_text() -> None:
    """Prevents a value that becomes a tag when a table is filtered."""
    own: Path = SITE / "assets" / "site.js"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|fetch\(|XMLHttp", own.read_text())
