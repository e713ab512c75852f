"""Reading in processes of their own: while one load goes into the database, the next lines are judged.

Each reader asks for an asset, sends its chunks, then what it counted. Readers are never ahead by more than the few
chunks that fit into one queue, so memory stays bounded.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from loader.bronze.completion import AssetReading
from loader.bronze.reading import AssetToRead, Terms, read_assets
from loader.bronze.rows import Chunk
from loader.companion import Companion
from loader.contract.ruleset import load_ruleset
from loader.errors import InfrastructureError, LoaderError, RefusedError

# For all readers together, some 10 MB each: enough to fill the next load while one is at work.
_CHUNKS_AHEAD = 6


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
    answers: queue.Queue[_Answer] = queue.Queue(_CHUNKS_AHEAD)
    readers = [_Reader(terms, contracts) for _ in range(min(process_count, len(assets)))]

    def next_asset() -> AssetToRead | None:
        with guard:
            return next(remaining, None)

    def serve(reader: _Reader) -> None:
        for answer in reader.answers(next_asset):
            answers.put(answer)

    threads = [threading.Thread(target=serve, args=(reader,), daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        yield _gather(answers, len(readers))
    finally:
        for reader in readers:
            reader.end()
        # Threads may wait to hand over what nobody wants any more.
        while any(thread.is_alive() for thread in threads):
            with suppress(queue.Empty):
                answers.get(timeout=0.05)


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
    """One reading process, as the loading one sees it."""

    def __init__(self, terms: Terms, contracts: Path) -> None:
        self._companion = Companion(read_on_request)
        self._connection = self._companion.connection
        self._connection.send((terms, contracts))

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
        """Why there is no answer any more."""
        return InfrastructureError(
            f"a reading process ended by itself (exit code {self._companion.exit_code()}). The attempt's rows stay"
            " invisible and the next command removes them.",
            next_command="make status",
        )

    def end(self) -> None:
        self._companion.kill()


@dataclass(frozen=True, slots=True)
class _Died:
    reader: _Reader


_Answer = Chunk | AssetReading | _Ended | _Died


def read_on_request(connection: Connection) -> None:
    """The reading process: gets its terms, then asks for an asset with None, until it gets None."""
    try:
        terms, contracts = connection.recv()
        ruleset = load_ruleset(contracts)
        if ruleset.sha256 != terms.ruleset_sha256:
            raise RefusedError(
                f"{contracts}: the contract changed since this run began (SHA-256 {ruleset.sha256}, expected"
                f" {terms.ruleset_sha256}). The attempt's rows stay invisible and the next command removes them.",
                next_command="make ingest",
            )
        for answer in read_assets(iter(lambda: _ask(connection), None), terms, ruleset):
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
