"""The committed samples, and whether their documented commands make them."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
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


def assert_same_bytes_elsewhere(folder: Path, module: str, *words: str) -> None:
    """Whatever the hash seed, the time zone and the locale of the process that generates."""
    digests = set()
    for number, (hash_seed, zone, locale) in enumerate((("1", "UTC", "C"), ("2", "Asia/Tokyo", "C.UTF-8"))):
        out = folder / str(number)
        subprocess.run(
            [sys.executable, "-m", module, *words, "--out", str(out)],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": zone, "LC_ALL": locale},
            check=True,
            capture_output=True,
        )
        digests.add(hashlib.sha256(repr(contents(out)).encode()).hexdigest())
    assert len(digests) == 1
