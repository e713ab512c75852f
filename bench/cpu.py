"""CPU seconds of a measurement: what the machine did, whoever else kept it busy meanwhile.

The server's processes are counted by what they do, dbt's sessions by the node that they work for, Python's by their
part. Processes are looked at ten times a second. Only the postmaster knows of one that came and went between two looks;
that is `server, short`.
"""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from bench.measure import BenchError
from bench.warehouses import query
from loader.warehouse import Warehouse

_SECONDS_BETWEEN_LOOKS = 0.1
_SESSIONS = "bench-looks"
_NODE = re.compile(r'"node_id": "([^"]+)"')
# A parallel worker works for its leader's node.
_ACTIVITY = """
select worker.pid, worker.backend_type, worker.usename, pg_catalog.left(leader.query, 400)
from pg_catalog.pg_stat_activity as worker
inner join pg_catalog.pg_stat_activity as leader on leader.pid = coalesce(worker.leader_pid, worker.pid)
where worker.application_name <> %s
"""
# By the module that a process beside the command serves.
_PARTS = {"loader.silver": "python, dbt", "loader.bronze": "python, workers"}


@dataclass(slots=True)
class Cpu:
    """Seconds by process group and by dbt node, bytes of write-ahead log, and the machine's load average of the last
    minute. Filled when the block of `measuring` has ended."""

    groups: Mapping[str, float] = field(default_factory=dict)
    nodes: Mapping[str, float] = field(default_factory=dict)
    wal_bytes: int = 0
    load_average: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(self.groups.values())

    def as_record(self) -> Mapping[str, object]:
        return {
            "cpu_seconds": round(self.seconds, 2),
            "cpu_seconds_by_group": _greatest_first(self.groups),
            "cpu_seconds_by_node": _greatest_first(self.nodes),
            "wal_bytes": self.wal_bytes,
            "load_average": round(self.load_average, 2),
        }


@contextmanager
def measuring(warehouse: Warehouse) -> Iterator[Cpu]:
    """Measures what runs in the block: the server of `warehouse`, this process, and all that it starts.

    Raises BenchError for a server whose processes are not this machine's.
    """
    cpu = Cpu()
    looks = _Looks(warehouse.as_administrator())
    ((before,),) = query(warehouse, "select pg_catalog.pg_current_wal_insert_lsn()::text")
    looks.thread.start()
    try:
        yield cpu
    finally:
        looks.end(cpu)
    wal = "select pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '{}')::bigint"
    ((cpu.wal_bytes,),) = query(warehouse, wal.format(before))
    cpu.load_average = os.getloadavg()[0]


class _Looks:
    """A thread that looks at every process again and again, and keeps what each has used and what it was for."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._postmaster = _postmaster(warehouse)
        self._used: dict[int, float] = {}
        self._groups: defaultdict[str, float] = defaultdict(float)
        self._nodes: defaultdict[str, float] = defaultdict(float)
        self._before: Mapping[int, float] = {}
        self._living = 0.0
        # What was used before the block began counts for nothing.
        self._look({})
        self._before = dict(self._used)
        self._groups.clear()
        self._reaped = _reaped(self._postmaster)
        self._has_ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def end(self, cpu: Cpu) -> None:
        self._has_ended.set()
        self.thread.join()
        reaped = _reaped(self._postmaster) - self._reaped
        gone = sum(seconds for name, seconds in self._groups.items() if name.startswith("server")) - self._living
        self._groups["server, short"] = max(0.0, reaped - gone)
        cpu.groups, cpu.nodes = self._groups, self._nodes

    def _run(self) -> None:
        connection = self._warehouse.connect(application_name=_SESSIONS, autocommit=True)
        with closing(connection), connection.cursor() as cursor:
            while True:
                is_last = self._has_ended.wait(_SECONDS_BETWEEN_LOOKS)
                cursor.execute(_ACTIVITY, (_SESSIONS,))
                self._look({pid: (kind, user, text) for pid, kind, user, text in cursor.fetchall()})
                if is_last:
                    return

    def _look(self, activity: Mapping[int, tuple[str, str | None, str | None]]) -> None:
        """`activity`: type, user and query of the server's processes, by id."""
        self._living = 0.0
        for process, is_server in self._processes():
            with suppress(psutil.Error):
                times = process.cpu_times()
                used = times.user + times.system
                since = used - self._used.get(process.pid, 0.0)
                self._used[process.pid] = used
                kind, user, text = activity.get(process.pid, ("", None, None))
                if not is_server:
                    self._groups[_part(process)] += since
                    continue
                self._living += used - self._before.get(process.pid, 0.0)
                self._groups[f"server, {user or kind or 'other'}"] += since
                if text is not None and (node := _NODE.search(text)):
                    self._nodes[node[1]] += since

    def _processes(self) -> Iterator[tuple[psutil.Process, bool]]:
        with suppress(psutil.NoSuchProcess):
            yield from ((process, True) for process in self._postmaster.children())
        own = psutil.Process()
        yield own, False
        with suppress(psutil.NoSuchProcess):
            yield from ((process, False) for process in own.children(recursive=True))


def _greatest_first(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds[name], 2) for name in sorted(seconds, key=lambda name: -seconds[name])}


def _part(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((part for module, part in _PARTS.items() if f"{module}." in command), "python, command")


def _reaped(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.children_user + times.children_system)


def _postmaster(warehouse: Warehouse) -> psutil.Process:
    ((lines,),) = query(warehouse, "select pg_catalog.pg_read_file('postmaster.pid')")
    pid = int(str(lines).split()[0])
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.name() == "postgres":
            return process
    raise BenchError(f"process {pid} is no PostgreSQL of this machine: its CPU seconds cannot be read")
