"""The committed samples, and whether their documented commands make them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from tests.checkouts import ROOT
from tests.unit.naive_recount import uncompressed


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def assert_made_again(sample: Path, module: str, main: Callable[[list[str]], int], out: Path) -> None:
    """The command in the sample's README makes what is committed. It runs `module`; `main` is its entry."""
    readme = (sample / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"```\npython -m {re.escape(module)} (.+?)```", readme, re.DOTALL)
    assert found is not None
    words = shlex.split(found[1].replace("\\\n", " "))
    assert words[words.index("--out") + 1] == sample.relative_to(ROOT).as_posix()
    words[words.index("--out") + 1] = str(out)
    assert main(words) == 0
    made, committed = sorted(out.iterdir()), sorted(sample.iterdir())
    assert [path.name for path in made] == [path.name for path in committed if path.name != "README.md"]
    for path in made:
        # Compressed bytes follow the zlib that Python was built with; the content must not.
        assert uncompressed(path) == uncompressed(sample / path.name), path.name
