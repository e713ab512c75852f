"""What stands in the shell, in the current folder or at home changes nothing of what an ingest does; what dbt did is
compared with what it must do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from loader.cli import cli
from loader.config import load_settings
from loader.erasure import verb
from loader.errors import CheckFailedError, CommandUsageError
from loader.ingest import IngestRequest, Verdict, ingest, proving
from loader.raw_zone import RawZone
from loader.release import ReleaseRequest, by_hand
from loader.runs import IngestLock
from loader.silver import BuildResult, NodeResult, require_whole, run_dbt
from loader.silver.checks import CHECKS_FILE, as_list, load_checks
from loader.warehouse import Role, Warehouse
from tests import outside
from tests.checkouts import ROOT, make_checkout
from tests.ingests import DAY, declare, rows, run, settings, ticket, ticket_days, write_export
from tests.shared_warehouse import Kept, kept, own_warehouse

LOADER = (sys.executable, "-c", "from loader.cli import main; main()")
BRONZE_COLUMNS = """
select table_name::text, column_name::text, data_type::text from information_schema.columns
where table_schema = 'bronze' and left(table_name, 4) <> '_dlt' order by 1, 2
"""
# What may only move on with a proof.
MOVED = """
select (select count(*) from ops.proof), (select count(*) from release.data_release),
    (select jsonb_agg(to_jsonb(state) order by to_jsonb(state)::text) from ops.ingest_state as state)
"""


HALF = BuildResult("an-invocation", (NodeResult("model.omnisupport.ticket_fact", "success", None, None),))


@dataclass(frozen=True, slots=True)
class Ingested:
    """One day, ingested by a command in a hostile shell; `columns`: of Bronze, before it began; `second`: a manifest of
    more lines of that day."""

    answer: Mapping[str, Any]
    evidence: Mapping[str, Any]
    columns: list[tuple[Any, ...]]
    second: Path
    kept: Kept


def _hostile_shell(folder: Path) -> dict[str, str]:
    """Every variable that dbt and dlt know, with a word that neither takes; of some, one that does harm; and files in
    the places where each looks for more, which no parser takes."""
    home, here, stranger = (folder / name for name in ("home", "here", "stranger"))
    for place in (home / ".dlt", here / ".dlt", home / ".dbt", stranger / "dbt"):
        place.mkdir(parents=True)
    for path in (*home.glob(".dlt"), *here.glob(".dlt")):
        (path / "config.toml").write_text("[[[ no TOML")
        (path / "secrets.toml").write_text("[[[ no TOML")
    (home / ".dbt" / "profiles.yml").write_text("{{{ no YAML")
    (here / "profiles.yml").write_text("{{{ no YAML")
    (stranger / "dbt" / "__init__.py").write_text("raise SystemExit('not dbt')\n")
    known = outside.dbt_variables() | outside.dlt_variables()
    # What others than dlt read.
    known -= {"PATH", "HOME", "USER", "HOST", "PORT", "TMPDIR", "LANG", "TZ"}
    # A variable with the loader's own prefix is refused by its name before anything runs.
    known = {name for name in known if not name.startswith("LOADER_")}
    return {
        **dict.fromkeys(known, "hostile"),
        "DBT_RESOURCE_TYPES": "model",
        "DBT_EMPTY": "1",
        "DBT_ENGINE_FULL_REFRESH": "1",
        "DBT_ENV_CUSTOM_ENV_RUN_ID": "another",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_ID": "true",
        "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
        "DLT_INTERVAL_START": "2001-01-01T00:00:00Z",
        "DLT_INTERVAL_END": "2001-01-02T00:00:00Z",
        "DLT_ALLOW_EXTERNAL_SCHEDULERS": "true",
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(stranger))),
        "HOME": str(home),
        # Over which others than the loader have a say.
        "LOADER_LOAD_FORMAT": "parquet",
    }


@pytest.fixture(scope="module")
def ingested(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingested]:
    root = tmp_path_factory.mktemp("outside")
    with own_warehouse(server, _template, root) as database:
        write_export(root / "e" / "tickets.jsonl", [*(ticket(number) for number in range(1, 41)), ticket(1), b"{"])
        write_export(root / "f" / "tickets.jsonl", [ticket(number) for number in range(41, 51)])
        first, second = declare(root / "e"), declare(root / "f", "second")
        columns = rows(database, BRONZE_COLUMNS)
        hostile = _hostile_shell(root)
        done = subprocess.run(
            [*LOADER, "ingest", "--manifest", str(first), "--json"],
            env={**os.environ, **hostile},
            cwd=root / "here", capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        answer = json.loads(done.stdout)
        evidence = json.loads(Path(answer["report_paths"][0]).read_text())
        with kept(server, database) as proved:
            yield Ingested(answer, evidence, columns, second, proved)


def test_an_ingest_in_a_hostile_shell_does_what_it_always_does(ingested: Ingested) -> None:
    """Prevents a release without its tests, a day without rows, columns of dlt's in Bronze, and a shell that stops
    the loader altogether."""
    database = ingested.kept.fresh()
    counts = {"total": 42, "valid": 41, "invalid": 1, "inserted": 40, "skipped": 1, "errors": 0}
    assert {name: ingested.answer["summary"][name] for name in counts} == counts
    assert ingested.answer["release"]["partitions"] == [ticket_days(DAY)[0].as_record()]
    assert rows(database, BRONZE_COLUMNS) == ingested.columns
    assert rows(database, "select count(*) from silver.ticket_fact") == [(40,)]
    assert rows(database, "select scope from ops.proof") == [("all",)]
    tests = {name.split(".")[2] for name in load_checks(ROOT) if name.startswith("test.")}
    assert {check["name"] for check in ingested.evidence["checks"]} == tests


@dataclass(frozen=True, slots=True)
class Story:
    """The second manifest, three times: dbt leaves most of it out; somebody builds by hand; the next ingest. `moved`:
    before, and after each of the first two; `graph`: the project as dbt walks through it, node by node."""

    error: CheckFailedError
    moved: list[list[tuple[Any, ...]]]
    run: tuple[Any, ...]
    unproved: list[str]
    verdict: Verdict
    build: BuildResult
    kept: Kept
    graph: list[dict[str, Any]]


@pytest.fixture(scope="module")
def story(ingested: Ingested, tmp_path_factory: pytest.TempPathFactory) -> Story:
    database = ingested.kept.fresh()
    moved = [rows(database, MOVED)]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(CheckFailedError) as error:
        patch.setattr(proving, "run_dbt", lambda *words, **options: HALF)
        run(ingested.second)
    moved.append(rows(database, MOVED))
    (last,) = rows(database, "select status, exit_code from ops.ingest_run order by started_at desc limit 1")
    words = ("--full-refresh", "--select", "ticket_fact", "customer_dim")
    hand = tmp_path_factory.mktemp("hand")
    _dbt_by_hand(database, hand, *words, DBT_RESOURCE_TYPES="model")
    moved.append(rows(database, MOVED))
    unproved = rows(database, "select table_name from ops.unproved_change where row_key = '*' order by 1")
    builds = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "run_dbt", lambda *words, **more: builds.append(run_dbt(*words, **more)) or builds[-1])
        verdict = run(ingested.second)
    graph = list(json.loads((hand / "graph_summary.json").read_text())["with_test_edges"].values())
    unproved_tables = [name for (name,) in unproved]
    return Story(error.value, moved, last, unproved_tables, verdict, builds[-1], ingested.kept, graph)


def test_an_ingest_whose_build_left_something_out_proves_releases_and_moves_nothing(story: Story) -> None:
    """Prevents what makes dbt's whole smaller, a switched-off or deleted test among it, from passing for a proof."""
    count = len(load_checks(ROOT))
    assert story.error.message.startswith(f"dbt build: got 1 of the {count} models and data tests of {CHECKS_FILE}")
    assert story.error.next_command.startswith("make build ")
    assert story.run == ("failed", 1)
    assert story.moved[1] == story.moved[0]


def test_a_build_by_hand_is_no_proof_and_the_next_ingest_proves_what_it_changed(story: Story) -> None:
    """Prevents a dbt that ran without its tests, as anybody may start one, from standing for a proof."""
    assert story.moved[2] == story.moved[0]
    assert story.unproved == ["silver.customer_dim", "silver.ticket_fact"]
    assert (story.verdict.exit_code, story.verdict.proof.name) == (0, "all"), story.verdict.problems
    assert story.verdict.release is not None and story.verdict.release.partitions == ticket_days(DAY)
    assert rows(story.kept.database, "select count(*) from silver.ticket_fact") == [(50,)]
    assert rows(story.kept.database, "select count(*) from ops.unproved_change") == [(0,)]


def test_the_list_of_checks_is_what_the_project_runs(story: Story) -> None:
    """Prevents a model or data test that no proof needs, and a list that asks for one that is gone."""
    assert as_list(story.build.known) == (ROOT / CHECKS_FILE).read_text(), (
        f"{CHECKS_FILE} is not the project's. After a look at the difference: python -m loader.silver.checks"
    )


def test_nothing_waits_for_a_data_test(story: Story) -> None:
    """Prevents a check that fails from keeping a model from being built: dbt skips what waits for it."""
    tests = {node["name"]: node.get("succ", []) for node in story.graph if node["name"].startswith("test.")}
    assert set(tests) >= {name for name in story.build.known if name.startswith("test.")}
    assert {name: waiting for name, waiting in tests.items() if waiting} == {}


@pytest.mark.long
def test_a_test_that_the_project_switches_off_is_missed(ingested: Ingested, reachable_tmp_path: Path) -> None:
    """Prevents `+enabled: false` from making a smaller whole that passes."""
    database = ingested.kept.fresh()
    before = rows(database, MOVED)
    project = reachable_tmp_path / "project"
    make_checkout(project)
    (project / "dbt_project").unlink()
    shutil.copytree(ROOT / "dbt_project", project / "dbt_project")
    configuration = project / "dbt_project" / "dbt_project.yml"
    switched_off = "\ndata_tests:\n  omnisupport:\n    privacy:\n      +enabled: false\n"
    configuration.write_text(configuration.read_text() + switched_off)
    with pytest.raises(CheckFailedError, match=r"left out test no_model_exposes_what_the_policy_blocks\. "):
        ingest(load_settings(project_root=project), IngestRequest(manifest_paths=(ingested.second,)))
    assert rows(database, MOVED) == before
    # With the project as it is, what landed is proved, and readers see it.
    verdict = run(ingested.second)
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), verdict.problems
    assert rows(database, "select count(*) from silver.ticket_fact") == [(50,)]


@pytest.mark.long
def test_an_empty_build_by_hand_is_refused_before_it_builds_anything(ingested: Ingested, tmp_path: Path) -> None:
    """Prevents loads that count as built and of which Silver holds no row."""
    database = ingested.kept.fresh()
    said = _dbt_by_hand(database, tmp_path, DBT_EMPTY="1", DBT_RESOURCE_TYPES="model")
    assert "--empty (or DBT_EMPTY): got it, expected a build of rows; nothing was built" in said
    assert rows(database, "select count(*) from silver.ticket_fact") == [(40,)]
    assert rows(database, "select count(*) from ops.unproved_change") == [(0,)]


def _dbt_by_hand(database: Warehouse, folder: Path, *words: str, **variables: str) -> str:
    """`dbt build` in a shell in which these variables stand; what it said."""
    places = ["--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT)]
    places += ["--target-path", str(folder), "--log-path", str(folder)]
    done = subprocess.run(
        ["dbt", "build", *words, *places],
        env={**os.environ, **database.acting_as(Role.TRANSFORM).libpq_environment(), **variables},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    return done.stdout


def test_what_else_proves_asks_for_a_whole_build_too(ingested: Ingested, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a release, an override too, an erasure or `make build` that takes half a build for a proof."""
    database = ingested.kept.fresh()
    before = rows(database, MOVED)
    for place in ("loader.release.by_hand.run_dbt", "loader.erasure.verb.run_dbt", "loader.silver.run_dbt"):
        monkeypatch.setattr(place, lambda *words, **options: HALF)
    for is_override in (False, True):
        with pytest.raises(CheckFailedError, match="got 1 of the"):
            by_hand.release(settings(), ReleaseRequest([DAY], reason="why", is_override=is_override), lambda line: None)
    erasure = {"erasure_id": 1, "operator": "o", "trace_id": "0" * 32}
    with closing(IngestLock.acquire(database)) as lock, pytest.raises(CheckFailedError, match="got 1 of the"):
        at_work = (settings(), database, lock, RawZone(settings().raw_zone), "nobody")
        verb._build(verb._Erasing(*at_work, today=cast(Any, None), report=lambda line: None), erasure)
    with pytest.raises(CheckFailedError, match="got 1 of the"):
        cli.main(["build"], standalone_mode=False)
    assert rows(database, MOVED) == before


def _build(**statuses: str) -> BuildResult:
    """A build of every listed node; of those named, with this status, or without them (`gone`)."""
    ids = {name: statuses.get(name.split(".")[2], "success") for name in load_checks(ROOT)}
    return BuildResult("i", tuple(NodeResult(name, said, None, None) for name, said in ids.items() if said != "gone"))


def test_whole_means_that_every_node_ran_not_that_every_check_passed() -> None:
    """Prevents a day on which a check fails from being told as a broken project."""
    require_whole(_build(ticket_fact="error", customer_dim="skipped", drift_finding="warn"), ROOT)
    for said in ("gone", "no-op"):
        with pytest.raises(CheckFailedError, match="it left out model customer_dim, model ticket_fact"):
            require_whole(_build(ticket_fact=said, customer_dim=said), ROOT)


@pytest.mark.parametrize(
    "text", ["", "models: []", "models: [a]\ndata_tests: []", "models: [a]\ndata_tests: [[b]]", "{"]
)
def test_a_list_that_says_nothing_is_no_list(text: str, tmp_path: Path) -> None:
    """Prevents an empty list from making every build whole."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / CHECKS_FILE).write_text(text)
    with pytest.raises(CommandUsageError, match="nothing was proved"):
        load_checks(tmp_path)
    assert isinstance(yaml.safe_load((ROOT / CHECKS_FILE).read_text()), dict)
