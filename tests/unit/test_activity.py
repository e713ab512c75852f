"""What a statement does, in words that name no value."""

from __future__ import annotations

import pytest

from loader.warehouse.activity import in_words


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("insert into ops.completed_load (load_id) values ('secret')", "insert into ops.completed_load"),
        ("with a as (select * from x.y) insert into \"bronze\".\"raw_ticket_event\" select * from a",
         "insert into bronze.raw_ticket_event"),
        ("/* insert into no.thing */ -- update no.thing\nselect 1 from ops.ingest_run", "select from ops.ingest_run"),
        ("vacuum (full, analyze) ops.x", "vacuum"),
        ("VACUUM FULL bronze.asset_line", "vacuum full bronze.asset_line"),
        ("lock table only silver.ticket_fact in access share mode", "lock table silver.ticket_fact"),
        ("create index on a.b (c)", "create index on"),
        ("merge into bronze.raw_ticket_event as d using s on true", "merge into bronze.raw_ticket_event"),
        ("COPY \"staging\".\"t\" FROM STDIN", "copy staging.t"),
        ("select pg_sleep(100)", "select pg_sleep"),
        ("commit", "commit"),
        ("", "a statement"),
    ],
)  # fmt: skip
def test_a_statement_is_told_by_its_act_and_its_relation(query: str, words: str) -> None:
    """Prevents a customer's name, which a statement may hold, in a log."""
    assert in_words(query) == words
