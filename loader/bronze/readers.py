"""Reading in processes of their own: while one load goes into the database, the next lines are judged.

Each reader asks for an asset, sends its chunks, then what it counted; it is never ahead by more than the few chunks
that fit into its queue, so memory stays bounded.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from loader.bronze.completion import AssetReading
from loader.bronze.reading import AssetToRead, Terms, read_assets
from loader.bronze.rows import Chunk
from loader.collector import collect_rarely
from loader.contract.ruleset import load_ruleset
from loader.errors import InfrastructureError, LoaderError

_CHUNKS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class _Ended:
    """A reader's last word. `error`: why it could not read on."""

    error: BaseException | None = None


@contextmanager
def read_in_processes(
    assets: Sequence[AssetToRead], terms: Terms, contracts: Path, *, process_count: int
) -> Iterator[Iterator[Chunk | AssetReading]]:
    """What `read_assets` yields, in another order, from `process_count` processes that begin at once.

    The iterator raises what a reader raised, and InfrastructureError when one was killed. The processes end with the
    block, and with this process however it ends.
    """
    remaining = iter(assets)
    guard = threading.Lock()
    answers: queue.Queue[_Answer] = queue.Queue(_CHUNKS_AHEAD * process_count)
    readers = [_Reader(terms, contracts) for _ in range(min(process_count, len(assets)))]

    def next_asset() -> AssetToRead | None:
        with guard:
            return next(remaining, None)

    def serve(reader: _Reader) -> None:
        for answer in reader.answers(next_asset):
            answers.put(answer)

    for reader in readers:
        threading.Thread(target=serve, args=(reader,), daemon=True).start()
    try:
        yield _gather(answers, len(readers))
    finally:
        for reader in readers:
            reader.end()
        # Lets threads go that wait to hand over what nobody wants any more.
        while not answers.empty():
            answers.get()


def _gather(answers: queue.Queue[_Answer], reader_count: int) -> Iterator[Chunk | AssetReading]:
    while reader_count:
        answer = answers.get()
        if isinstance(answer, _Died):
            raise answer.reader.death()
        if not isinstance(answer, _Ended):
            yield answer
            continue
        reader_count -= 1
        if answer.error is not None:
            raise answer.error


class _Reader:
    """The loading process's end of one reading process."""

    def __init__(self, terms: Terms, contracts: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_read, args=(theirs, terms, contracts), name="reader", daemon=True)
        self._process.start()
        theirs.close()

    def answers(self, next_asset: Callable[[], AssetToRead | None]) -> Iterator[_Answer]:
        try:
            while True:
                answer = self._connection.recv()
                if answer is None:
                    self._connection.send(next_asset())
                    continue
                yield answer
                if isinstance(answer, _Ended):
                    return
        except (EOFError, OSError):
            yield _Died(self)

    def death(self) -> InfrastructureError:
        """Why there is no answer any more. Joined by the thread that ends the processes, and by no other."""
        self._process.join()
        return InfrastructureError(
            f"a reading process ended by itself (exit code {self._process.exitcode}). The attempt's rows stay"
            " invisible and the next command removes them.",
            next_command="make status",
        )

    def end(self) -> None:
        self._process.terminate()
        self._process.join()
        self._connection.close()


@dataclass(frozen=True, slots=True)
class _Died:
    reader: _Reader


_Answer = Chunk | AssetReading | _Ended | _Died


def _read(connection: Connection, terms: Terms, contracts: Path) -> None:
    """The reading process: asks for an asset with None, until it gets None."""
    # Ctrl-C goes to the whole group of a terminal; the loading process decides.
    os.setpgid(0, 0)
    collect_rarely()
    try:
        for answer in read_assets(iter(lambda: _ask(connection), None), terms, load_ruleset(contracts)):
            connection.send(answer)
        connection.send(_Ended())
    except (BrokenPipeError, EOFError):
        return  # the loading process is gone
    except LoaderError as error:
        connection.send(_Ended(error))


def _ask(connection: Connection) -> AssetToRead | None:
    connection.send(None)
    asset: AssetToRead | None = connection.recv()
    return asset
