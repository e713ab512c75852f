"""Landing in processes of their own: while one worker's load goes into the database, the others read and judge.

Each worker asks for an asset, reads it, and loads what it read through a pipeline and staging tables of its own. Loads
take turns: two merges at once would not see each other's rows, and an event that came to both would fail one of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2

from loader.bronze.batch import Landed, Progress, land
from loader.bronze.load import BronzeLoader, Lane
from loader.bronze.reading import AssetToRead, Terms, read_assets
from loader.companion import Companion
from loader.errors import InfrastructureError, LoaderError
from loader.kinds import load_same_ruleset

if TYPE_CHECKING:
    from loader.config import LoadFormat
    from loader.runs import Attempt
    from loader.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker must know before it begins."""

    warehouse: Warehouse
    attempt: Attempt
    working_root: Path
    terms: Terms
    contracts: Path
    record_kind: str
    load_format: LoadFormat


def land_in_processes(
    assets: Sequence[AssetToRead], order: Order, *, process_count: int, progress: Callable[[Progress], None]
) -> Landed:
    """What reading `assets` and `land` do together, by `process_count` processes.

    Raises what a worker raised, and InfrastructureError when one was killed. No worker outlives the call, nor this
    process however it ends; loads made by then stay invisible, and repair removes them.
    """
    remaining = iter(assets)
    one_at_a_time = threading.Lock()
    loads_in_turn = threading.Lock()
    said: queue.Queue[_Word] = queue.Queue()
    workers = [_Worker(number, order) for number in range(min(process_count, len(assets)))]

    def next_asset() -> AssetToRead | None:
        with one_at_a_time:
            return next(remaining, None)

    def serve(worker: _Worker) -> None:
        for word in worker.words(next_asset, loads_in_turn):
            said.put(word)

    for worker in workers:
        threading.Thread(target=serve, args=(worker,), daemon=True).start()
    try:
        return _gather(said, len(workers), progress)
    finally:
        for worker in workers:
            worker.end()


def _gather(said: queue.Queue[_Word], worker_count: int, progress: Callable[[Progress], None]) -> Landed:
    landed = Landed((), ())
    while worker_count:
        word = said.get()
        if isinstance(word, Progress):
            progress(word)
        elif isinstance(word, Landed):
            landed += word
            worker_count -= 1
        else:
            raise word
    return landed


class _Worker:
    """One worker, as the process that gives it work sees it."""

    def __init__(self, number: int, order: Order) -> None:
        self._companion = Companion(work)
        self._connection = self._companion.connection
        self._connection.send((number, order))

    def words(self, next_asset: Callable[[], AssetToRead | None], turn: threading.Lock) -> Iterator[_Word]:
        """What the worker says, up to its last word; its requests are served meanwhile."""
        try:
            while True:
                word = self._connection.recv()
                if isinstance(word, _NextAsset):
                    self._connection.send(next_asset())
                elif isinstance(word, _Turn):
                    with turn:
                        self._connection.send(None)
                        # The end of the turn, or the error that ended it.
                        word = self._connection.recv()
                    if not isinstance(word, _Turn):
                        yield word
                        return
                else:
                    yield word
                    if not isinstance(word, Progress):
                        return
        except (EOFError, OSError):
            yield InfrastructureError(
                f"a loading process ended by itself (exit code {self._companion.exit_code()}). The attempt's rows stay"
                " invisible and the next command removes them.",
                next_command="make status",
            )

    def end(self) -> None:
        self._companion.kill()


_Word = Progress | Landed | BaseException


class _NextAsset:
    """A worker's request for an asset; the answer None says that there is none."""


class _Turn:
    """A worker's request to load, answered when it may; sent again when it is done."""


def work(connection: Connection) -> None:
    """The worker's process."""
    try:
        number, order = connection.recv()
        connection.send(_work(connection, number, order))
    except (BrokenPipeError, EOFError):
        return  # the process that gave the work is gone
    except LoaderError as error:
        connection.send(error)
    except (OSError, psycopg2.Error) as error:
        # A full disk, a lost server: the process that gave the work tells it, which a traceback does not.
        said = (str(error).strip().splitlines() or [""])[0]
        connection.send(
            InfrastructureError(
                f"a loading process: {type(error).__name__}: {said}. The attempt's rows stay invisible and the next"
                " command removes them.",
                next_command="make status",
            )
        )


def _work(connection: Connection, number: int, order: Order) -> Landed:
    ruleset = load_same_ruleset(order.contracts, order.record_kind, order.terms.ruleset_sha256)

    def ask() -> AssetToRead | None:
        connection.send(_NextAsset())
        asset: AssetToRead | None = connection.recv()
        return asset

    @contextmanager
    def turn() -> Iterator[None]:
        connection.send(_Turn())
        connection.recv()
        yield
        connection.send(_Turn())

    loader = BronzeLoader(
        order.warehouse,
        order.attempt,
        order.working_root,
        ruleset.kind,
        load_format=order.load_format,
        lane=Lane(number, turn),
    )
    return land(read_assets(iter(ask, None), order.terms, ruleset), loader, connection.send)
