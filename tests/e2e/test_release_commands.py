"""Release, hold, ready, restore and expire, as an operator and a scheduler type them over one small warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from loader.contract.schema import load_schema, schema_faults
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import Checkout, Done, own_checkout
from tests.ingests import rows, ticket, write_export

DAY, OTHER = "2026-04-17", "2026-04-18"
PARTITION = {"record_kind": "ticket_v1", "partition_key": DAY}
FREE = f"make release PARTITION={DAY}   # a person holds it, and lets it move again"
RESTORE = ["restore", "--partition", DAY, "--reason", "a wrong release"]
EXPIRE = ["expire", "--keep", "1", "--reason", "thirty days"]
PLAN_SCHEMA = ROOT / "contracts" / "recovery" / "recovery_plan_v1.schema.json"
EVIDENCE_SCHEMA = ROOT / "contracts" / "release_evidence" / "release_evidence_v2.schema.json"
SHOWN = "select count(*), count(*) filter (where status = 'pending') from serving.ticket_fact where partition_key = %s"


@dataclass(frozen=True)
class Story:
    """Two days are released; one is held while newer rows come, released, restored, shown anew; old versions go."""

    checkout: Checkout
    warehouse: Warehouse
    ready: Done
    held: Done
    kept_back: Done
    not_ready: Done
    released: Done
    shown_after_release: list[tuple[Any, ...]]
    planned: Done
    restored: Done
    restored_again: Done
    shown_after_restore: list[tuple[Any, ...]]
    ready_after_restore: Done
    shown_anew: Done
    to_expire: Done
    expired: Done
    expired_again: Done
    restored_to_expired: Done
    verified: Done

    def ledger(self) -> list[tuple[Any, ...]]:
        """What a command that is refused must leave as it was."""
        return rows(
            self.warehouse,
            "select 'release', data_release_id, null::date, null::text from release.data_release"
            " union all select 'hold', null, partition_key, reason from release.partition_hold"
            " union all select 'pointer', data_release_id, partition_key, null from release.partition_pointer"
            " union all select 'expiry', expiry_id, null, null from release.expiry"
            " union all select 'evidence', evidence_id, null, null from ops.run_evidence order by 1, 2, 3",
        )


@pytest.fixture(scope="module")
def story(server: Warehouse, _template: str) -> Iterator[Story]:
    with own_checkout(server, _template) as checkout:
        loader = checkout.loader
        _declare(checkout, "exports")
        assert loader("ingest").code == 0
        told: dict[str, Any] = {"ready": loader("ready", "--partition", DAY, "--partition", OTHER, "--json")}
        told["held"] = loader("hold", "--partition", DAY, "--reason", "under review", "--json")
        late = [ticket(number, status="pending", updated_at="2026-04-19T09:00:00Z") for number in range(1, 4)]
        write_export(checkout.root / "data" / "late" / "tickets-2026-04-19.jsonl", late)
        _declare(checkout, "late")
        told["kept_back"] = loader("ingest", "--json")
        told["not_ready"] = loader("ready", "--partition", DAY, "--json")
        told["released"] = loader("release", "--partition", DAY, "--json")
        told["shown_after_release"] = rows(checkout.warehouse, SHOWN, DAY)
        told["planned"] = loader(*RESTORE, "--json")
        told["restored"] = loader("apply", told["planned"].record["report_path"], "--json")
        told["restored_again"] = loader("apply", told["planned"].record["report_path"], "--json")
        told["shown_after_restore"] = rows(checkout.warehouse, SHOWN, DAY)
        told["ready_after_restore"] = loader("ready", "--partition", DAY)
        told["shown_anew"] = loader(*RESTORE, "--release", "2", "--mode", "execute")
        told["to_expire"] = loader(*EXPIRE, "--json")
        told["expired"] = loader("apply", told["to_expire"].record["report_path"], "--json")
        told["expired_again"] = loader(*EXPIRE, "--mode", "execute", "--json")
        told["restored_to_expired"] = loader(*RESTORE, "--release", "1", "--json")
        told["verified"] = loader("verify", "--evidence", "--json")
        yield Story(checkout, checkout.warehouse, **told)


def _declare(checkout: Checkout, name: str) -> None:
    terms = ("--owner", "tests", "--license", "CC0-1.0", "--pii-scan", "clean")
    out = f"data/seed_manifests/{name}.json"
    done = checkout.loader("manifest", "--from", f"data/{name}", "--out", out, *terms)
    assert done.code == 0, done


def test_ready_says_what_is_shown_and_exits_0(story: Story) -> None:
    """Prevents a scheduler that goes on with a day that is not released, or waits for one that is."""
    record = story.ready.record
    assert story.ready.code == 0, story.ready
    assert (record["is_ready"], record["next_command"]) == (True, "make psql ROLE=reader   # what readers see")
    assert [(row["partition_key"], row["data_release_id"], row["record_count"]) for row in record["partitions"]] == [
        (DAY, 1, 40),
        (OTHER, 1, 30),
    ]


def test_a_held_day_is_kept_back_and_says_so(story: Story) -> None:
    """Prevents newer rows that slip through a hold, and a hold that nobody can explain."""
    assert story.held.code == 0, story.held
    told = f"make release PARTITION={DAY}   # a person holds it, and lets it move again"
    assert story.held.record == {"held": [PARTITION], "next_command": told}
    assert story.kept_back.code == 0, story.kept_back
    assert story.kept_back.record["release"]["kept_back"] == [
        {
            "partitions": [PARTITION],
            "obstacles": [f"{DAY}: held"],
            "reasons": [
                {**PARTITION, "code": "held", "message": "held", "next_command": f"make release PARTITION={DAY}"}
            ],
        }
    ]
    assert story.kept_back.record["downstream_decision"] == "hold_downstream"
    assert story.not_ready.code == 1
    (row,) = story.not_ready.record["partitions"]
    why = "held (under review) while newer rows wait"
    assert (row["is_held"], row["reason"]) == (True, why)
    (obstacle,) = row["obstacles"]
    assert obstacle == {"code": "held", "message": why, "next_command": f"make release PARTITION={DAY}"}
    assert story.not_ready.record["next_command"] == FREE


def test_a_release_shows_what_waited_and_ends_the_hold(story: Story) -> None:
    record = story.released.record
    assert story.released.code == 0, story.released
    assert set(record) == {"data_release_id", "partitions", "report_path", "next_command"}
    assert (record["data_release_id"], record["partitions"]) == (2, [PARTITION])
    assert record["next_command"] == f"make ready PARTITION={DAY}"
    assert story.shown_after_release == [(40, 3)]
    evidence = json.loads((story.checkout.root / record["report_path"]).read_bytes())
    assert [(hold["partition_key"], hold["is_held"]) for hold in evidence["holds"]] == [(DAY, False)]


def test_a_restore_is_planned_applied_once_and_shows_the_rows_of_then(story: Story) -> None:
    """Prevents a step back that nobody reviewed, one that is taken twice, and one that shows other rows."""
    plan = story.planned.record
    assert story.planned.code == 0, story.planned
    assert [(each["shown_release_id"], each["target_release_id"]) for each in plan["pointers"]] == [(2, 1)]
    record = story.restored.record
    assert story.restored.code == 0, story.restored
    assert set(record) == {"data_release_id", "partitions", "report_path", "next_command"}
    assert (record["data_release_id"], record["partitions"]) == (3, [{**PARTITION, "data_release_id": 1}])
    assert story.shown_after_restore == [(40, 0)]
    assert (story.restored_again.code, story.restored_again.record["next_command"]) == (4, "make status")
    assert story.restored_again.record["error"] == (
        f"plan {plan['plan_id']} was applied already: release 3; nothing was changed"
    )
    assert story.ready_after_restore.code == 1
    assert "restored to an earlier version" in story.ready_after_restore.out
    assert story.ready_after_restore.next_command == FREE


def test_a_restore_goes_forward_too(story: Story) -> None:
    """In one step: plan and apply. The last line is the command that lets the newest rows through again."""
    done = story.shown_anew
    assert (done.code, done.out.splitlines()[0]) == (0, f"Restored by release 4, and held: {DAY}."), done
    assert done.out.splitlines()[-2:] == [
        "why:  a person holds it, and lets it move again",
        f"next: make release PARTITION={DAY}",
    ]
    assert rows(story.warehouse, SHOWN, DAY) == [(40, 3)]


def test_an_expiry_takes_what_nobody_needs(story: Story) -> None:
    """Prevents one that is not what was reviewed, that takes more, or that leaves no trace."""
    plan = story.to_expire.record
    assert story.to_expire.code == 0, story.to_expire
    written = json.loads((story.checkout.root / plan["report_path"]).read_bytes())
    assert schema_faults(load_schema(PLAN_SCHEMA), written) == []
    named = f"reports/expire/expire_plan_all_{plan['plan_id'][:8]}.json"
    assert (plan["report_path"], plan["next_command"]) == (named, f"make apply PLAN={named}")
    # The other day has one version only, and readers see it.
    assert [(each["partition_key"], each["data_release_id"], each["record_count"]) for each in plan["versions"]] == [
        (DAY, 1, 40)
    ]
    record = story.expired.record
    assert story.expired.code == 0, story.expired
    assert set(record) == {"expiry_id", "versions", "removed_row_count", "report_path", "next_command"}
    assert (record["expiry_id"], record["versions"], record["removed_row_count"]) == (
        1,
        [{**PARTITION, "data_release_id": 1}],
        3,
    )
    evidence = json.loads((story.checkout.root / record["report_path"]).read_bytes())
    assert schema_faults(load_schema(EVIDENCE_SCHEMA), evidence) == []
    assert [each["data_release_id"] for each in evidence["expired"]["versions"]] == [1]
    assert (story.expired_again.code, story.expired_again.record["expiry_id"]) == (0, None)


def test_a_restore_to_an_expired_version_is_exit_4(story: Story) -> None:
    assert story.restored_to_expired.code == 4
    assert story.restored_to_expired.record == {
        "error": f"restore: {DAY} as of release 1 has expired (expiry 1); nothing else is left; nothing was changed",
        "exit_code": 4,
        "next_command": "make status",
    }


def test_every_act_is_in_the_chain_of_evidence(story: Story) -> None:
    """Prevents an act from the command line that no record tells of: release, hold, restore and expiry alike."""
    assert (story.verified.code, story.verified.record["faults"]) == (0, []), story.verified
    acts = sorted(path.name for path in (story.checkout.root / "reports" / "release").iterdir())
    assert [name[: name.rindex("_")] for name in acts] == [
        "expire_000001",
        "hold_000001",
        *(f"release_{number:06d}" for number in range(1, 5)),
    ]


WHY = ["--reason", "why"]


@pytest.mark.parametrize(
    ("words", "code", "told", "next_command"),
    [
        (["ready"], 2, "ready: expected --partition", "make ready PARTITION=2026-04-17"),
        (["ready", "--partition", "2026-04-31"], 2, "partition: got '2026-04-31'", "make status"),
        (["hold", "--partition", DAY], 2, "hold: expected a --reason", "make hold PARTITION="),
        (["hold", "--partition", DAY, "--reason", " "], 2, "hold: expected a --reason", "make hold PARTITION="),
        (["hold", "--partition", OTHER], 2, "hold: expected a --reason", f"make hold PARTITION={OTHER} REASON"),
        (["release"], 2, "release: expected --partition", "make release PARTITION=2026-04-17"),
        (
            ["release", "--partition", DAY, "--override"],
            2,
            "expected a --reason",
            f"make release PARTITION={DAY} OVERRIDE=1",
        ),
        (
            ["release", "--partition", OTHER, "--override"],
            2,
            "expected a --reason",
            f"make release PARTITION={OTHER} OVERRIDE=1 REASON",
        ),
        (["restore", "--partition", DAY], 2, "restore: expected a --reason", "make restore PARTITION="),
        ([*RESTORE, "--release", "1", "--as-of", "2026-04-18T00:00:00Z"], 2, "got both", "make restore"),
        (["restore", "--all", *WHY], 2, "--all needs --release or --as-of", "make restore ALL=1 RELEASE=1"),
        ([*RESTORE, "--as-of", "yesterday"], 2, "got the time 'yesterday'", "make status"),
        (["expire", *WHY], 2, "expected --older-than or --keep", "make expire OLDER_THAN=30"),
        (["expire", "--keep", "0", *WHY], 2, "0 is not in the range", "loader expire --help"),
        (["expire", "--older-than", "30"], 2, "expire: expected a --reason", "make expire OLDER_THAN=30"),
        (["expire", "--older-than", "9999-01-01", *WHY], 2, "a time that has passed", "make expire OLDER_THAN=30"),
        (["expire", "--older-than", "a month", *WHY], 2, "got 'a month'", "make status"),
        ([*RESTORE, "--release", "4"], 4, "readers see that state already", "make status"),
        (["restore", "--partition", "2026-04-20", *WHY], 4, "nothing was released of it", "make status"),
        (["restore", "--partition", OTHER, *WHY], 4, f"{OTHER} was not released then", "make status"),
        (["ready", "--partition", "2026-04-20"], 1, "", "make ingest PARTITION=2026-04-20   # "),
        (["ready", "--partition", OTHER, "--partition", "2026-04-20"], 1, "", "make ingest PARTITION=2026-04-20   # "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_refused_or_not_ready_changes_nothing(
    story: Story, words: list[str], code: int, told: str, next_command: str
) -> None:
    """Prevents a typing mistake that is taken for a command, and a refusal that has begun its work."""
    before = story.ledger()
    done = story.checkout.loader(*words)
    assert done.code == code, done
    assert told in done.said
    assert done.next_command.startswith(next_command)
    assert story.ledger() == before


def test_a_warehouse_that_is_not_there_is_exit_3(story: Story) -> None:
    """Prevents a scheduler that takes trouble with the database for a day that is not ready."""
    done = story.checkout.loader("ready", "--partition", DAY, "--json", PGHOST="/nowhere")
    assert (done.code, done.record["exit_code"]) == (3, 3), done


def test_damage_is_found_before_an_expiry_removes_anything(story: Story) -> None:
    """Last: it damages the warehouse. Rows that are gone would make a version that stays another one."""
    rows(
        story.warehouse,
        "insert into release.partition_version"
        " (record_kind, partition_key, data_release_id, record_count, record_digest)"
        " values ('ticket_v1', %s, 3, 1, 1)",
        DAY,
    )
    rows(story.warehouse, "update release.partition_version set expired_by = null")
    before = story.ledger()
    done = story.checkout.loader("expire", "--keep", "2", *WHY, "--mode", "execute")
    assert done.code == 1, done
    assert "nothing was removed" in done.said
    assert done.next_command == "make verify EVIDENCE=1"
    assert story.ledger() == before
