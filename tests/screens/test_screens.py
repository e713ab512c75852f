"""The usual and the failing screen of every command, as a terminal shows it at three widths, and as a pipe gives it.

They are committed and looked at by people: `SCREENS=write pytest tests/screens` writes them anew, git shows what is
other than before.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from loader import cli
from loader.alerts import Delivery
from loader.alerts.decisions import Alert
from loader.config import load_settings
from loader.diff import Changes, ColumnChange
from loader.drill import DrillOutcome
from loader.erasure import Erased
from loader.kinds import KindFault, load_kinds
from loader.partition import Partition
from loader.recovery import make_plan
from loader.recovery.plan import PlannedPointer, PlannedVersion
from loader.recovery.world import Expired, Restored
from loader.release.by_hand import Held
from loader.release.publish import Decision, Published
from loader.reports.smoke import Check
from loader.silver.results import BuildResult, NodeResult
from loader.trace import Trace
from loader.verify.line_by_line import LineDifference, Verification
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import comment, declare, rows, ticket, write_export
from tests.screens.scene import WIDTHS, Drawn, Stage, stage
from tests.screens.terminal import cells, masked, seen, streams, without_colour

COMMITTED = Path(__file__).parent / "committed"
DAY = "2026-04-17"
TODAY, TOMORROW = (Partition("ticket_v1", date(2026, 4, day)) for day in (17, 18))
# Further scenes, where a command has more to say than the usual and the failing one.
FURTHER = (
    ("status", "day"),
    ("status", "damaged"),
    ("diff", "same"),
    ("alert", "waiting"),
    ("trace", "damaged"),
    ("trace", "line"),
    ("trace", "quick"),
    ("verify", "evidence"),
    ("verify", "differing"),
    ("verify", "ambiguous"),
    ("restore", "done"),
    ("expire", "done"),
    ("erase", "done"),
    ("state", "reset"),
    ("completeness", "all"),
    ("completeness", "damaged"),
    ("kind", "checked"),
    ("ingest", "several"),
    ("status", "kinds"),
    ("status", "of_kind"),
)
# A command without one of its screens says why.
WITHOUT = {
    ("psql", "usual"): "what it shows is psql's own",
    ("psql", "failing"): "what it shows is psql's own",
}
# What these give is taken up by a shell, or by a browser.
WITHOUT_NEXT = (("env", "usual"), ("docs", "usual"))
# Lines that are pasted or evaluated as a whole, however long they are.
WHOLE = ("next: ", "export ")

SOUND = (Check("packages", True, "7 as the list has them", 0.1), Check("dbt", True, "45 models, parsed", 0.2))
UNSOUND = (
    *SOUND,
    Check("warehouse", False, "PostgreSQL at 127.0.0.1:5432 does not answer: connection refused", 0.1, "make up"),
)
DIFFERING = Changes(
    "ticket_v1",
    4_180,
    12,
    1,
    29,
    2,
    (
        ColumnChange("status", 31, (("open → resolved", 18), ("open → closed", 9), ("in_progress → resolved", 4))),
        ColumnChange("updated_at", 31, (("2026-04-17 08:00:00+00 → 2026-04-18 09:00:00+00", 1),)),
        ColumnChange("assignee_id", 7, ()),
        ColumnChange("priority", 1, (("p3_medium → p1_critical", 1),)),
    ),
    {state: f"TKT-20260417-00000{n}" for n, state in enumerate(("added", "removed", "moved", "changed"), 1)},
)
NONE = {"added": 0, "removed": 0, "changed": 0, "moved": 0}
TICKET = load_kinds(ROOT / "contracts")["ticket_v1"]
NOT_AS_DECLARED = [
    KindFault(
        "dbt_project/macros/kinds/declared_kinds.sql:7", "is not what the declarations say", "loader kind generate"
    ),
    KindFault(
        "contracts/kinds/ticket_v1/fixtures/invalid/wrong_type.tags.json",
        "is judged invalid (invalid_enum_value), json_path $.status, expected invalid (wrong_type), json_path $.tags",
        "git diff contracts/kinds/ticket_v1/fixtures/invalid/wrong_type.tags.json",
    ),
    KindFault("dbt_project/models/silver/ticket_fact.yml:61", "tags: got text, expected jsonb", "git diff dbt_project"),
]
RECOVERED = DrillOutcome(
    "killed while it landed",
    "run 01a223dd-7c41 is dead; last stage done: archived",
    "retry",
    "make retry RUN=01a223dd-7c41 MODE=execute",
    {"every line has one fate": True},
    True,
    4.2,
)
LOST = DrillOutcome(
    "a file that changed after it was read",
    "tickets-2026-04-17.jsonl has other bytes than those that were registered",
    "rerun",
    "make rerun RUN=01a223dd-7c41 MODE=execute",
    {"the changed file is withheld": True, "no partition that it may belong to is complete": False},
    False,
    12.6,
)

ARRIVED = Delivery(
    "oncall",
    (
        Alert("ticket_v1/2026-04-17", "damaged", ("reconcile_finding",), True, "make status PARTITION=2026-04-17"),
        Alert("ticket_v1/2026-04-18", "released", (), False, "make status PARTITION=2026-04-18"),
    ),
)
LATE = Delivery(
    "support-data",
    (
        Alert(
            "ticket_v1/2026-04-19",
            "kept back",
            ("not_released", "reject_limit_exceeded", "waiting"),
            True,
            "make release PARTITION=2026-04-19 ACCEPT_REJECTS=1 REASON='<why>'",
        ),
    ),
    "the mail server did not take it (Connection refused)",
)


def _tell(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    """Every command, in an order in which each finds what it needs: command, which screen, what was drawn."""
    draw, exports = story.draw, story.root / "data" / "exports"
    seeds = story.root / "data" / "seed_manifests"
    write_export(exports / "notes.txt", [b"no export"])
    facts = ("--owner", "tests", "--license", "CC0-1.0", "--pii-scan", "clean")
    out = ("--out", "data/seed_manifests/exports.json")
    yield "manifest", "usual", draw("manifest", "--from", "data/exports", *out, *facts)
    yield "manifest", "failing", draw("manifest", "--from", "data/nowhere", *out)
    write_export(exports / "odd" / "tickets-2026-04-19.jsonl", _odd_lines())
    declare(exports / "odd", "odd")
    yield "dry-run", "usual", draw("dry-run", "--partition", DAY)
    _hidden_exports(story.root)
    yield "dry-run", "failing", draw("dry-run", "--manifest", "data/exports/odd.json,data/helpdesk.json")
    yield "ingest", "usual", draw("ingest", "--partition", DAY)
    yield "state", "usual", draw("state")
    yield "alert", "usual", draw("alert", "--once", tell_owners=[ARRIVED, replace(ARRIVED, is_quiet=True)])
    yield "alert", "failing", draw("alert", "--once", tell_owners=[LATE, ARRIVED])
    yield "alert", "waiting", draw("alert", tell_owners=[ARRIVED])
    yield "history", "usual", draw("history", "--limit", "6")
    yield "history", "failing", draw("history", "--after", "99999")
    yield "changes", "usual", draw("changes", "--after", "0", "--limit", "4")
    yield "changes", "failing", draw("changes", "--after", "99999")
    yield "status", "usual", draw("status")
    yield "diagnose", "usual", draw("diagnose")
    yield "status", "day", draw("status", "--partition", DAY)
    yield "status", "failing", draw("status", "--partition", "yesterday")
    yield from _of_recovery(story)
    yield from _of_readers(story)
    yield from _of_proof(story)
    yield from _of_dbt(story)
    yield from _of_two_kinds(story)
    yield from _of_the_house(story)
    assert seeds.is_dir()


def _of_two_kinds(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    """Comments on tickets, one of which is not there, and a line that is no comment."""
    exports = story.root / "data" / "seed_manifests" / "comments"
    lines = [comment(number) for number in range(1, 6)]
    write_export(exports / f"comments-{DAY}.jsonl", [*lines, comment(6, ticket_id="TKT-20260417-000999"), b"{broken"])
    declare(exports, "comments", kind="ticket_comment_v1")
    yield "ingest", "several", story.draw("ingest", "--partition", DAY)
    yield "status", "kinds", story.draw("status")
    yield "status", "of_kind", story.draw("status", "--partition", DAY, "--kind", "ticket_comment_v1")


def _odd_lines() -> list[dict[str, object] | bytes]:
    day = {"created_at": "2026-04-19T08:00:00Z"}
    odd = [ticket(n, ticket_id=f"TKT-20260419-{n:06d}", **day, priority="urgent") for n in range(1, 4)]
    late = ticket(4, ticket_id="TKT-20260419-000004", **day, updated_at="2026-04-18T08:00:00Z")
    return [*odd, late, b"{broken", b'["no ticket"]', b""]


def _hidden_exports(root: Path) -> Path:
    """A manifest of 1,305 files in a folder that nobody has allowed."""
    folder = root / "data" / ".cache" / "exports"
    for n in range(1305):
        write_export(folder / f"tickets-{n:04d}-2010-01-13.jsonl", [b"{}"])
    manifest = declare(folder, "helpdesk", root=".cache")
    return manifest.rename(root / "data" / "helpdesk.json")


def _of_recovery(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    draw = story.draw
    planned = make_plan(load_settings(), "rerun", {"run_id": None})
    action = "attempt 2 of run 019d9b9f-4680 (ingest): 2 recorded entries, from the raw zone"
    retrying = replace(planned, mode="retry", proposed_action=action)
    yield "retry", "usual", draw("retry", "--latest", make_plan=retrying)
    yield "retry", "failing", draw("retry", "--latest")
    yield "rerun", "usual", draw("rerun", "--latest")
    yield "rerun", "failing", draw("rerun", "--run", "01a2ffff")
    yield "replay", "usual", draw("replay", "--run", _run_id(story)[:8])
    yield "replay", "failing", draw("replay", "--run", _run_id(story)[:8], "--mode", "execute")
    yield "backfill", "usual", draw("backfill", "--from", DAY, "--to", "2026-04-18")
    yield "backfill", "failing", draw("backfill")
    yield "plan", "usual", draw("plan", "backfill", "--partition", "2026-04-18")
    yield "plan", "failing", draw("plan", "backfill", "--partition", "2026-05-18")
    plan = "reports/backfill/backfill_plan_2026-04-18.json"
    yield "apply", "usual", draw("apply", plan, apply_plan=story.gave["ingest_kinds"][0].outcome)
    yield "apply", "failing", draw("apply", "reports/backfill/nowhere.json")


def _run_id(story: Stage) -> str:
    ((run_id,),) = rows(story.warehouse, "select run_id::text from ops.ingest_run order by event_number desc limit 1")
    return str(run_id)


def _of_readers(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    draw = story.draw
    yield "ready", "usual", draw("ready", "--partition", DAY)
    yield "ready", "failing", draw("ready", "--partition", DAY, "--partition", "2026-04-18")
    evidence = load_settings().report_dir / "release" / "release_2.json"
    moved = Decision((TODAY, TOMORROW), ())
    released = Published(2, (moved,), hold_changes=(1,), report_path=evidence)
    yield "release", "usual", draw("release", "--partition", DAY, release=released, foretell=[DIFFERING])
    yield "release", "failing", draw("release")
    row = {**TODAY._asdict(), "reason": "late export", "operator": "bo@host-2", "is_known": True}
    held = Held((TODAY,), ({**row, "partition_key": TODAY.day},), frozenset({"ticket_v1"}))
    yield "hold", "usual", draw("hold", "--partition", DAY, "--reason", "an incident", hold=held)
    yield "hold", "failing", draw("hold", "--partition", DAY)
    planned = make_plan(load_settings(), "rerun", {"run_id": None})
    pointers = tuple(
        PlannedPointer("ticket_v1", day, 3, then, 40, "0", then == 0) for day, then in ((DAY, 2), ("2026-04-18", 0))
    )
    restoring = replace(planned, mode="restore", run=None, pointers=pointers, proposed_action="2 pointers move back")
    asked = ("restore", "--partition", DAY, "--reason", "tests")
    yield "restore", "usual", draw(*asked, make_plan=restoring, foretell_pointers=[DIFFERING])
    execute, report = ("--mode", "execute"), load_settings().report_dir / "release" / "release_4.json"
    restored = Restored(4, {TODAY: 2, TOMORROW: 0}, report, frozenset({"ticket_v1"}))
    yield (
        "restore",
        "done",
        draw(*asked, *execute, make_plan=restoring, apply_plan=restored, foretell_pointers=[DIFFERING]),
    )
    expired = Expired(1, ((TODAY, 1), (TOMORROW, 1)), 1234, report)
    expiring = replace(
        planned,
        mode="expire",
        run=None,
        versions=(PlannedVersion("ticket_v1", DAY, 1, 40, "0", "2026-04-18T09:00:00+00:00"),),
    )
    yield (
        "expire",
        "done",
        draw("expire", "--keep", "1", "--reason", "tests", *execute, make_plan=expiring, apply_plan=expired),
    )
    yield "restore", "failing", draw("restore", "--partition", DAY, "--reason", "tests")
    yield "expire", "usual", draw("expire", "--older-than", "30", "--reason", "tests")
    yield "expire", "failing", draw("expire", "--reason", "tests")
    yield "erase", "usual", draw("erase", "--person", "customer_7", "--reason", "request 4711")
    yield "erase", "failing", draw("erase", "--person", "customer_7")
    removed = {"asset_line": 3, "raw_ticket_comment_event": 1, "raw_ticket_event": 2, "released_row": 3}
    erased = Erased("1", removed, ("data/exports/tickets-2026-04-17.jsonl",), 3, ("public.copy_of_tickets",), report)
    yield "erase", "done", draw("erase", "--person", "customer_7", "--reason", "request 4711", *execute, erase=erased)


def _of_proof(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    draw = story.draw
    yield from _of_one_record(story)
    yield "diff", "usual", draw("diff", diff=[DIFFERING, replace(DIFFERING, record_kind="ticket_comment_v1", **NONE)])
    yield "diff", "same", draw("diff")
    yield "diff", "failing", draw("diff", "99")
    yield "verify", "usual", draw("verify", "--run", _run_id(story)[:8])
    yield "verify", "failing", draw("verify", "--run", "nobody")
    differing = Verification(2, 81, Counter({"bytes_differ": 1, "event_missing": 1}))
    differing.shown.extend([LineDifference(1, 7, "bytes_differ"), LineDifference(2, 31, "event_missing")])
    differing.unreadable[2] = "the object is gone"
    yield "verify", "differing", draw("verify", "--run", _run_id(story)[:8], verify_run=differing)
    yield "verify", "evidence", draw("verify", "--evidence")
    reset = ("state", "reset", "--object", "cursor", "--source", "structured:tickets:test")
    yield "state", "failing", draw(*reset, "--to", "yesterday", "--reason", "a clock was wrong")
    yield "state", "reset", draw(*reset, "--to", "2026-04-16T00:00:00Z", "--reason", "a clock was wrong")
    yield "completeness", "usual", draw("completeness", "--partition", DAY)
    yield "completeness", "failing", draw("completeness", "--partition", "2026-05-18")
    yield "completeness", "all", draw("completeness")
    yield "drill", "usual", draw("drill", run_drill=[RECOVERED])
    yield "drill", "failing", draw("drill", run_drill=[RECOVERED, LOST])
    yield "kind", "usual", draw("kind", "list")
    yield "kind", "checked", draw("kind", "check")
    yield "kind", "failing", draw("kind", "check", check_kinds=([TICKET], NOT_AS_DECLARED))
    yield "site", "usual", draw("site")
    yield "site", "failing", draw("site", "2026-04-17")
    yield "smoke", "usual", draw("smoke", run_smoke_checks=SOUND)
    yield "smoke", "failing", draw("smoke", run_smoke_checks=UNSOUND)


def _of_one_record(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    draw = story.draw
    # The one of most lines.
    ((key,),) = rows(
        story.warehouse,
        "select record_key from bronze.raw_ticket_event inner join bronze.asset_line using (event_id)"
        " where record_key in (select ticket_id from silver.ticket_fact) group by record_key"
        " order by count(*) desc, record_key limit 1",
    )
    yield "trace", "usual", draw("trace", key)
    found = story.gave["trace"]
    faults = {"object": "its object is missing", "silver": "it has 0 rows of the record, expected 1"}
    links = tuple(replace(link, fault=faults.get(link.name)) for link in found.links)
    yield "trace", "damaged", draw("trace", key, trace=replace(found, links=links))
    yield "trace", "quick", draw("trace", key, "--quick")
    yield "trace", "failing", draw("trace", "TKT-20260417-999999")
    line = replace(
        found.versions[-1].line,
        fate="rejected",
        reason_codes=("invalid_enum_value",),
        message="$.priority: not one of the 4 values that the contract lists",
    )
    of_line = tuple(link for link in found.links if link.asset_id == line.file.asset_id and link.name != "record")
    rejected = Trace(found.record_kind, None, (), "", of_line, line, content=b'{"ticket_id": "TKT-20260417-1"}')
    yield "trace", "line", draw("trace", "--line", f"{line.file.source_id}:{line.number}", "--bytes", trace=rejected)


def _of_dbt(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    draw, page = story.draw, story.root / ".local" / "dbt" / "target" / "static_index.html"
    built = NodeResult("model.omnisupport.ticket_fact", "success", None, None)
    failing = NodeResult("test.omnisupport.ticket_fact_is_new", "fail", 3, "Got 3 results, configured to fail if != 0")
    yield "build", "usual", draw("build", "--select", "ticket_fact", run_dbt=BuildResult("1", (built,)))
    yield "build", "failing", draw("build", "--select", "ticket_fact", run_dbt=BuildResult("1", (built, failing)))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("<html>")
    yield "docs", "usual", draw("docs", run_dbt=BuildResult("1", ()))
    yield "docs", "failing", draw("docs", "--open")


def _of_the_house(story: Stage) -> Iterator[tuple[str, str, Drawn]]:
    draw, state = story.draw, story.root / ".local"
    house = replace(story.warehouse, host="/run/postgresql", dbname="omnisupport", user="omni", passfile=None)
    yield "env", "usual", draw("env", "--role", "reader", open_warehouse=house)
    yield "env", "failing", draw("env", "--role", "king")
    yield "up", "usual", draw("up", open_warehouse=house)
    yield "down", "usual", draw("down", stop_embedded=True)
    at_work = ["process 4711@ticket-loader-01, database omnisupport, for 12 s"]
    yield "down", "failing", draw("down", running_embedded=story.warehouse, writers_at_work=at_work)
    yield "clean", "failing", draw("clean")
    yield "clean", "usual", draw("clean", "--yes", before=lambda: state.mkdir(exist_ok=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", "127.0.0.1")
        patch.setenv("PGPORT", "1")
        patch.setenv("PGDATABASE", "omnisupport")
        yield "up", "failing", draw("up")
    yield "ingest", "failing", draw("ingest", "--manifest", "data/helpdesk.json")
    yield "status", "damaged", draw("status")
    yield "diagnose", "failing", draw("diagnose")
    yield "completeness", "damaged", draw("completeness")
    # A run of the same minute, as after a script.
    rows(
        story.warehouse,
        "insert into ops.ingest_run select (jsonb_populate_record(run, jsonb_build_object('run_id',"
        " '019d9b9f-9999-7000-8000-000000000001', 'status', 'failed', 'mode', 'replay',"
        " 'event_number', 4711))).* from ops.ingest_run as run order by run.event_number limit 1",
    )
    yield "verify", "ambiguous", draw("verify", "--run", "019d9b9f")


@pytest.fixture(scope="module")
def screens(server: Warehouse, _template: str) -> Iterator[Mapping[tuple[str, str], Drawn]]:
    """All of them, by command and which of its two."""
    with stage(server, _template) as story:
        yield {(command, which): drawn for command, which, drawn in _tell(story)}


ALL = [
    (command, which) for command in cli._COMMANDS for which in ("usual", "failing") if (command, which) not in WITHOUT
]


ALL += FURTHER
# Those that end with another exit code than 0.
FAILING = ("failing", "ambiguous", "differing", "damaged", "several")


@pytest.mark.parametrize(("command", "which"), ALL)
def test_a_screen_is_the_committed_one(screens: Mapping[tuple[str, str], Drawn], command: str, which: str) -> None:
    """Prevents a screen that nobody has looked at."""
    drawn = screens[command, which]
    assert (drawn.code == 0) == (which not in FAILING or (command, which) == ("status", "damaged"))
    for width in WIDTHS:
        text = masked("\n".join(seen(drawn.terminal[width], width))) + "\n"
        path = COMMITTED / f"{command}.{which}.{width}.txt"
        if os.environ.get("SCREENS") == "write":
            path.write_text(text)
        before = path.read_text() if path.exists() else ""
        assert text == before, "\n".join(difflib.unified_diff(before.splitlines(), text.splitlines(), str(path), "now"))


@pytest.mark.parametrize(("command", "which"), ALL)
def test_a_screen_is_no_wider_than_the_terminal_and_the_same_through_a_pipe(
    screens: Mapping[tuple[str, str], Drawn], command: str, which: str
) -> None:
    """Prevents a name that is broken where it can neither be read nor copied, and codes of colours in a file."""
    drawn = screens[command, which]
    for width in WIDTHS:
        lines = without_colour(drawn.terminal[width]).splitlines()
        wide = [line for line in lines if cells(line) > width and not line.startswith(WHOLE) and " " in line.strip()]
        assert wide == []
        assert "\t" not in drawn.terminal[width]
    # Where something was drawn over, the terminal goes back to the beginning of the line.
    assert masked(drawn.pipe) == masked(without_colour(drawn.terminal[80]).replace("\r", ""))
    assert "\x1b" not in drawn.pipe
    if (command, which) not in WITHOUT_NEXT:
        assert drawn.pipe.splitlines()[-1].startswith("next: ")


def test_every_command_has_its_screens() -> None:
    """Prevents a command that nobody has looked at, and screens of one that is gone."""
    expected = {f"{command}.{which}.{width}.txt" for command, which in ALL for width in WIDTHS}
    assert {path.name for path in COMMITTED.iterdir()} == expected
    # What differs from machine to machine would be compared, too.
    texts = [path.read_text().replace("/tmp/omni-xxxxxxxx/", "") for path in COMMITTED.iterdir()]
    assert [text for text in texts if "/tmp/" in text] == []


@pytest.mark.parametrize("command", ["", *cli._COMMANDS])
def test_help_fits_a_terminal_of_80_columns(command: str) -> None:
    """Prevents an option whose name stands in two lines."""
    with streams(80, is_terminal=False) as stream, pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    assert [line for line in stream.text.splitlines() if cells(line) > 80] == []
    assert "Usage: loader" in stream.text
