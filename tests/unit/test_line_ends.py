"""A checkout whose text has the line ends of another machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from loader.kinds import load_ruleset
from loader.silver.checks import project_sha256
from loader.warehouse.versions import content_sha256, schema_files
from tests.checkouts import ROOT

FOLDERS = ("contracts", "dbt_project", "infra")


def _digests(root: Path) -> tuple[str, str, str]:
    files = schema_files(root / "infra" / "postgres")
    return load_ruleset(root / "contracts").sha256, project_sha256(root), content_sha256(files)


def test_no_digest_depends_on_a_checkouts_line_ends(tmp_path: Path) -> None:
    """Prevents two rulesets of one commit: backfills are refused, and everything is read and proved again."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("target", "logs"))
    for file in tmp_path.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert _digests(tmp_path) == _digests(ROOT)


def test_git_gives_every_checkout_the_same_bytes(tmp_path: Path) -> None:
    """Prevents a Makefile with carriage returns, and declared files whose checksum no longer holds."""
    kinds = ("*gitattributes", "Makefile", ".ci/run", "infra", "contracts/kinds", "data/seed_manifests", "data/*-03-*l")
    tracked = subprocess.run(["git", "ls-files", "-z", *kinds], cwd=ROOT, capture_output=True, check=True).stdout
    names = [name for name in tracked.decode().split("\0") if name]
    assert len(names) > 30
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    git = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=true", "-c", "core.safecrlf=false"]
    for words in (["init", "-q"], ["add", "-A"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    for name in names:
        (tmp_path / name).unlink()
    subprocess.run([*git, "checkout", "-q", "--", "."], check=True)
    assert [name for name in names if (tmp_path / name).read_bytes() != (ROOT / name).read_bytes()] == []
