"""Commands in this process, each done once and drawn at every width."""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loader import cli
from loader.warehouse import Warehouse
from tests.e2e.commands import make_small_checkout
from tests.e2e.forks import give_parsed
from tests.screens.terminal import streams
from tests.shared_warehouse import fresh_database, loader_variables

WIDTHS = (80, 100, 140)
# What a command does, and what it reads that another minute would give otherwise; the rest is drawing.
WORK = (
    "loader.ingest.ingest_kinds",
    "loader.ingest.dry_run.dry_run",
    "loader.manifest.write_manifest",
    "loader.recovery.make_plan",
    "loader.recovery.apply_plan",
    "loader.release.release",
    "loader.release.hold",
    "loader.erasure.plan_erasure",
    "loader.erasure.erase",
    "loader.runs.reset_state",
    "loader.silver.run_dbt",
    "loader.diff.diff",
    "loader.diff.foretell",
    "loader.diff.foretell_pointers",
    "loader.trace.trace",
    "loader.verify.verify_run",
    "loader.audit.verify_evidence",
    "loader.warehouse.open_warehouse",
    "loader.warehouse.open_warehouse",
    "loader.warehouse.stop_embedded",
    "loader.warehouse.running_embedded",
    "loader.runs.writers_at_work",
    "loader.drill.run_drill",
    "loader.cli.alert_command.tell_owners",
    "loader.site.make_site",
    "loader.reports.run_smoke_checks",
    "loader.kinds.check_kinds",
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a command came to: its exit code, what it wrote to terminals of each width, and through a pipe."""

    code: int
    terminal: dict[int, str]
    pipe: str


class _Once:
    """A function that works once, and gives the same again, the same error too."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._answers: list[tuple[Any, BaseException | None]] = []
        self._place = 0

    def again(self) -> None:
        self._place = 0

    @property
    def answer(self) -> Any:
        """What it gave first."""
        return self._answers[0][0] if self._answers else None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self._place == len(self._answers):
            try:
                self._answers.append((self._function(*arguments, **options), None))
            except Exception as error:
                self._answers.append((None, error))
        answer, error = self._answers[self._place]
        self._place += 1
        if error is not None:
            raise error
        return answer


@dataclass
class Stage:
    """A small checkout with a warehouse of its own, in which commands are typed."""

    root: Path
    warehouse: Warehouse
    patch: pytest.MonkeyPatch
    # What the functions of WORK gave last, by their last name.
    gave: dict[str, Any] = field(default_factory=dict)

    def draw(self, *words: str, before: Callable[[], object] = lambda: None, **instead: Any) -> Drawn:
        """Type a command. `before`: what makes the world as it was; `instead`: functions of WORK by their last name,
        and what they give without being called."""
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            works: dict[str, _Once] = {}
            for place in WORK:
                module, name = place.rsplit(".", 1)
                holder = importlib.import_module(module)
                given = instead.get(name)
                work = _Once((lambda *_, given=given, **__: given) if name in instead else getattr(holder, name))
                patch.setattr(holder, name, work)
                works[name] = work
            codes, texts = set(), {}
            for width, is_terminal in ((80, True), *((width, True) for width in WIDTHS), (80, False)):
                for work in works.values():
                    work.again()
                before()
                # A command leaves variables aside that lead elsewhere.
                patch.setattr(os, "environ", os.environ.copy())
                with streams(width, is_terminal=is_terminal) as stream, pytest.raises(SystemExit) as ended:
                    cli.main(list(words))
                codes.add(ended.value.code)
                texts[width, is_terminal] = stream.text
            self.gave |= {name: work.answer for name, work in works.items() if work.answer is not None}
        (code,) = codes
        assert isinstance(code, int)
        return Drawn(code, {width: texts[width, True] for width in WIDTHS}, texts[80, False])


@contextmanager
def stage(server: Warehouse, template: str) -> Iterator[Stage]:
    """A checkout at a place whose name has always the same length, under a clock that gives the same ids each time."""
    folder = Path(tempfile.mkdtemp(prefix="omni-", dir="/tmp"))
    folder.chmod(0o711)
    root = folder / "project"
    make_small_checkout(root)
    give_parsed(root)
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch, fresh_database(server, template) as database:
        for name in [name for name in os.environ if name.startswith(("PG", "LOADER_", "DBT_"))]:
            patch.delenv(name)
        variables = loader_variables(database, root) | {"LOADER_PROJECT_ROOT": str(root), "PWD": str(root)}
        # Its raw zone and its reports lie where those of a checkout do.
        for name in variables.keys() - {"LOADER_RAW_ZONE", "LOADER_REPORT_DIR"}:
            patch.setenv(name, variables[name])
        _steady_ids(patch)
        # This process makes folders that other users enter.
        patch.setattr("os.umask", lambda mask: 0)
        os.chdir(root)
        try:
            yield Stage(root, database, patch)
        finally:
            os.chdir(before)
            shutil.rmtree(folder)


def _steady_ids(patch: pytest.MonkeyPatch) -> None:
    """Runs an hour apart, plans that are told by their first characters, and one who acts."""
    patch.setattr("loader.runs.anchors.getpass", SimpleNamespace(getuser=lambda: "ana"))
    patch.setattr("loader.runs.anchors.socket", SimpleNamespace(gethostname=lambda: "host-1"))
    counted = iter(range(1, 10_000))
    began = 1_776_400_000
    patch.setattr("loader.runs.anchors.time", SimpleNamespace(time=lambda: began + 3600 * next(counted)))
    patch.setattr(
        "loader.runs.anchors.secrets",
        SimpleNamespace(randbits=lambda bits: next(counted), token_hex=lambda size: f"{next(counted):0{2 * size}x}"),
    )
    for module in ("loader.recovery.plan", "loader.erasure.erasure_plan"):
        patch.setattr(
            f"{module}.uuid", SimpleNamespace(uuid4=lambda: f"{next(counted):08x}-0000-4000-8000-000000000000")
        )
