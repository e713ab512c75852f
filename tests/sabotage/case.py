"""What one damage is."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.sabotage.victims import LINES_ALONE, OF_EVERY_FRAMING, Victim


@dataclass(frozen=True, slots=True)
class Case:
    """One damage. `partition` and `asset` are queries, run before it, whose value the finding must name;
    None where the damage has no single partition or asset, or where the database cannot know it.

    A damage of one partition is found on no other one, and of one kind in no other one. `other_days`, `other_kind`: why
    it is all the same. What it is found on is held, and no more: `holds_more`: why other days of the kind are.
    `only`: the kinds that have what is damaged; none: those that stand for all."""

    name: str
    statements: tuple[str, ...]
    table_name: str
    check_name: str
    partition: str | None = None
    asset: str | None = None
    other_days: str | None = None
    other_kind: str | None = None
    holds_more: str | None = None
    only: tuple[Victim, ...] = ()

    def can_be_done_to(self, victim: Victim) -> bool:
        """Whether the kind has what is damaged. A file that is a record has one line, which is neither blank nor a
        duplicate, and a day where it was archived."""
        picks = " ".join([*self.statements, self.partition or "", self.asset or ""])
        has_rows = not victim.is_of_files or not any(line in picks for line in LINES_ALONE)
        return has_rows and victim in (self.only or OF_EVERY_FRAMING)

    def of(self, victim: Victim) -> Case:
        """As it is done to a kind."""

        def bound(question: str | None) -> str | None:
            return None if question is None else victim.bind(question)

        return replace(
            self,
            statements=tuple(victim.bind(statement) for statement in self.statements),
            table_name=victim.bind(self.table_name),
            partition=bound(self.partition),
            asset=bound(self.asset),
        )


def unlock(table: str) -> str:
    """A statement that drops every key and unique index of `table`, whatever its name."""
    return f"""
        do $unlock$
        declare
            guard record;
        begin
            for guard in
                select conname from pg_constraint where conrelid = '{table}'::regclass and contype in ('p', 'u')
            loop
                execute format('alter table {table} drop constraint %I cascade', guard.conname);
            end loop;
            for guard in
                select indexrelid::regclass::text as index_name
                from pg_index where indrelid = '{table}'::regclass and indisunique
            loop
                execute 'drop index ' || guard.index_name;
            end loop;
        end $unlock$"""


def double(table: str, row: str) -> tuple[str, ...]:
    """Statements that write a second copy of the rows of `table` that the condition `row` picks."""
    return (
        unlock(table),
        f"insert into {table} overriding system value select * from {table} where {row}",
    )
