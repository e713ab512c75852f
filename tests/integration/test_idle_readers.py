"""A session that has read a table and left its transaction open: nothing waits for it that can do without."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from loader.cli import cli
from loader.errors import InfrastructureError
from loader.progress import Silent
from loader.silver import ProofScope, run_dbt
from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, rows, run, ticket, write_export
from tests.shared_warehouse import own_warehouse

# A build that waits for readers is let go then, and has failed the test.
SECONDS = 150.0
MAY_READ = """
select format('%I.%I', nspname, relname) from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace
where relkind in ('r', 'v') and nspname in ('bronze', 'ops', 'release', 'staging', 'silver', 'reconcile', 'serving')
    and has_schema_privilege(nspname, 'usage') and has_table_privilege(pg_class.oid, 'select')
"""


@pytest.fixture(scope="module")
def warehouse(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A released day, and exports of two more in folders `1` and `2`; as its superuser."""
    folder = tmp_path_factory.mktemp("idle")
    with own_warehouse(
        server, _template, folder, LOADER_REJECT_LIMIT="0.9", LOADER_ALLOWED_ROOTS=str(folder), EXPORTS=str(folder)
    ) as database:
        assert deliver(folder, 0).exit_code == 0
        yield database


def deliver(folder: Path, number: int) -> Any:
    """A day with a reject, and from the second on a late update and a repeated line of the day before."""
    day = f"2026-04-{14 + number}"

    def of_day(day: str, **changes: Any) -> dict[str, Any]:
        return ticket(1, ticket_id=f"TKT-{day.replace('-', '')}-000001", created_at=f"{day}T08:00:00Z", **changes)

    records: list[Any] = [of_day(day), b"{broken"]
    if number:
        before = f"2026-04-{13 + number}"
        records += [of_day(before), of_day(before, status="closed", updated_at=f"{day}T09:00:00Z")]
    write_export(folder / f"{number}" / f"tickets-{day}.jsonl", records)
    return run(declare(folder / f"{number}", f"m{number}"))


@contextmanager
def idle(database: Warehouse, roles: Sequence[Role]) -> Iterator[threading.Event]:
    """Every relation that these roles may read, read by them in transactions that stay open; the event is set when
    something had waited for them so long that they were ended."""
    waited = threading.Event()
    with ExitStack() as stack:
        sessions = []
        for role in roles:
            session = stack.enter_context(closing(database.acting_as(role).connect(application_name=f"idle-{role}")))
            cursor = session.cursor()
            cursor.execute(MAY_READ)
            for (name,) in cursor.fetchall():
                cursor.execute(f"select * from {name} limit 1")
            sessions.append(session)

        def let_go() -> None:
            waited.set()
            for session in sessions:
                session.close()

        timer = threading.Timer(SECONDS, let_go)
        timer.start()
        yield waited
        timer.cancel()


@pytest.mark.parametrize("proof", ["changes", "all"])
def test_an_ingest_ends_whole_while_every_relation_is_kept_open(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    """A dashboard's forgotten transaction on one table of reconcile stops every ingest as long as it lasts, since dbt
    renames that table, and all other readers of it wait behind dbt."""
    monkeypatch.setenv("LOADER_PROOF", proof)
    folder = Path(os.environ["EXPORTS"])
    number = 1 if proof == "changes" else 2
    with idle(warehouse, list(Role)) as waited:
        verdict = deliver(folder, number)
    assert not waited.is_set()
    assert (verdict.exit_code, verdict.proof.name) == (0, proof), verdict.problems
    proved = "select partition_key::text, unexplained_count::int, is_complete from reconcile.reconcile_partition"
    assert (f"2026-04-{14 + number}", 0, True) in rows(warehouse, proved)
    assert len(rows(warehouse, "select 1 from serving.ticket_fact")) == number + 1


def test_a_build_from_nothing_ends_whole_while_every_relation_is_kept_open(warehouse: Warehouse) -> None:
    """A full refresh replaces Silver's tables, too, and their triggers must be there after it."""
    before = rows(warehouse, "select * from silver.ticket_fact order by ticket_id")
    with idle(warehouse, list(Role)) as waited:
        done = CliRunner().invoke(cli, ["build", "--full-refresh", "--json"])
    assert done.exit_code == 0, done.output
    assert not waited.is_set()
    assert rows(warehouse, "select * from silver.ticket_fact order by ticket_id") == before
    rows(warehouse, "update silver.ticket_fact set status = status")
    assert rows(warehouse, "select count(*) > 0 from ops.unproved_change where row_key <> '*'") == [(True,)]
    leftovers = "select relname from pg_class where relname like '%\\_\\_dbt\\_%' and relkind in ('r', 'v')"
    assert rows(warehouse, leftovers) == []


def test_who_keeps_a_table_open_that_must_be_made_anew_is_named_while_the_build_waits_and_when_it_gives_up(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table whose columns changed cannot be filled in place: the build waits for whoever has read it, without a word
    and without an end."""
    build = ["build", "--select", "reconcile_load"]
    rows(warehouse, "alter table reconcile.reconcile_load add column of_an_earlier_version text")
    lines: list[str] = []
    with idle(warehouse, [Role.TRANSFORM]) as waited:
        ((pid,),) = rows(warehouse, "select pid from pg_stat_activity where application_name = 'idle-omni_transform'")
        impatient = property(lambda scope: f"{{proof: {scope.name}, seconds_of_patience: 1}}")
        monkeypatch.setattr(ProofScope, "variables", impatient)
        named = (
            rf"reconcile\.reconcile_load must be made anew, and session {pid}"
            r" \(\w+, idle-omni_transform\) keeps it open"
        )
        with pytest.raises(InfrastructureError, match=named) as given_up:
            deliver(Path(os.environ["EXPORTS"]), 3)
        assert re.fullmatch(r"make retry RUN=[0-9a-f-]{36} MODE=execute", given_up.value.next_command)

        class Ends(Silent):
            def __call__(self, line: str, /) -> None:
                if "dbt starts" in line:
                    return
                lines.append(line)
                rows(warehouse, f"select pg_terminate_backend({pid})")

        done = run_dbt(warehouse, ROOT, build, report=Ends())
    assert not waited.is_set() and done.is_ok
    assert lines[0].startswith(f"silver: waits for session {pid} (")
    assert "idle-omni_transform" in lines[0] and lines[0].endswith("which keeps reconcile.reconcile_load")
    columns = "select attname::text from pg_attribute where attrelid = 'reconcile.reconcile_load'::regclass"
    assert ("of_an_earlier_version",) not in rows(warehouse, columns)
