"""What a dbt command did, node by node."""

from __future__ import annotations

from dataclasses import dataclass

from loader.printable import counted


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What dbt said of one node. `failures`: failing rows of a test, else None; `reads_findings`: a test that only says
    that reconcile_finding has rows (tag `findings`). `seconds`: what it took; None where dbt does not say."""

    unique_id: str
    status: str
    failures: int | None
    message: str | None
    reads_findings: bool = False
    seconds: float | None = None

    @property
    def is_failed(self) -> bool:
        return self.status in ("error", "fail", "runtime error", "partial success")

    @property
    def reason(self) -> str:
        """What dbt said, without the query: a database repeats it after its own words."""
        lines = [line.strip() for line in (self.message or self.status).splitlines() if line.strip()]
        return " ".join(lines[:2])

    @property
    def is_kept_open(self) -> bool:
        """Whether it failed for a session that had its relation open for longer than a build waits
        (macros/materializations/patiently.sql)."""
        return self.is_failed and "must be made anew, and" in (self.message or "")

    @property
    def name(self) -> str:
        """The node's name as an operator would select it, without its kind and package."""
        return self.unique_id.split(".")[2]


@dataclass(frozen=True, slots=True)
class BuildResult:
    invocation_id: str
    nodes: tuple[NodeResult, ...]

    @property
    def failed(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.is_failed)

    @property
    def holding(self) -> tuple[NodeResult, ...]:
        """What failed and holds every day: all but tests that read findings, which name their days."""
        return tuple(node for node in self.failed if not node.reads_findings)

    @property
    def skipped(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.status == "skipped")

    @property
    def known(self) -> frozenset[str]:
        """The ids of what ran or was skipped; nothing is said of what dbt left out or had nothing to do for."""
        return frozenset(node.unique_id for node in self.nodes if node.status != "no-op")

    @property
    def is_ok(self) -> bool:
        return not self.failed and not self.skipped


def proved_in_words(build: BuildResult, checks: int, found: int, days: int) -> str:
    """What came of the `checks` of reconcile, `found` of which have found something, over so many days; and which of
    dbt's other tests failed."""
    told = f"{found} of {checks} checks of reconcile found something"
    if not found:
        told = f"{checks} checks of reconcile found nothing"
    failed = [node for node in build.failed if node.unique_id.startswith("test.") and not node.reads_findings]
    also = f"; {counted(len(failed), 'other check of dbt fails', 'other checks of dbt fail')}" if failed else ""
    return f"{told} in {counted(days, 'day')}{also}"
