"""Records and rejects per day in files that no run has indexed: they are read for a plan, and nothing is kept of them.

Processes share the files when there is much to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from multiprocessing.connection import Connection, wait
from pathlib import Path

from loader.bronze import judged_lines
from loader.companion import Companion
from loader.contract import AcceptedRecord
from loader.errors import InfrastructureError, LoaderError
from loader.facts import FactsReader
from loader.gate import AssetRefusedError, inspect_file, inspect_record, open_within
from loader.kinds import Ruleset, asset_type_of, framed, load_same_ruleset
from loader.reader import ContentChangedError, Framed
from loader.recovery.sources import Source
from loader.recovery.unindexed import Days

# Bytes on disk from which starting processes (a second of imports) is worth it.
SHARED_FROM = 64 * 1024**2


def counted_days(sources: Sequence[Source], ruleset: Ruleset, contracts: Path, process_count: int) -> list[Days]:
    """The days of each file, in their order; of a file that cannot be read nothing is counted: the gate will say why.

    Raises InfrastructureError when one of the processes was killed.
    """
    processes = min(process_count, len(sources))
    if processes < 2 or sum(map(_size, sources)) < SHARED_FROM:
        return [_days(source, ruleset) for source in sources]
    found: list[Days] = [{}] * len(sources)
    remaining = iter(enumerate(sources))
    companions = [Companion(serve) for _ in range(processes)]
    try:
        busy = {companion.connection: next(remaining) for companion in companions}
        for connection, (_, source) in busy.items():
            _send(connection, (contracts, ruleset.contract_ref, ruleset.sha256))
            _send(connection, source)
        while busy:
            for connection in _ready(busy):
                number, _ = busy.pop(connection)
                found[number] = _answer(connection)
                if (following := next(remaining, None)) is not None:
                    _send(connection, following[1])
                    busy[connection] = following
    finally:
        for companion in companions:
            companion.kill()
    return found


def serve(connection: Connection) -> None:
    """The process that counts: a file comes, its days go."""
    with suppress(EOFError, BrokenPipeError):
        try:
            ruleset = load_same_ruleset(*connection.recv())
            while True:
                connection.send(_days(connection.recv(), ruleset))
        except LoaderError as error:
            connection.send(error)


def _ready(busy: dict[Connection, tuple[int, Source]]) -> Iterator[Connection]:
    for connection in wait(list(busy)):
        assert isinstance(connection, Connection)
        yield connection


def _send(connection: Connection, message: object) -> None:
    # A process that is gone is told by the answer that does not come.
    with suppress(OSError):
        connection.send(message)


def _answer(connection: Connection) -> Days:
    try:
        answer: Days | LoaderError = connection.recv()
    except (EOFError, OSError) as error:
        raise InfrastructureError(
            "a process that read for the plan ended by itself; nothing was started", next_command="make status"
        ) from error
    if isinstance(answer, LoaderError):
        raise answer
    return answer


def _size(source: Source) -> int:
    with suppress(AssetRefusedError, OSError):
        return source.located().stat().st_size
    return 0


def _days(source: Source, ruleset: Ruleset) -> Days:
    records: Counter[date] = Counter()
    rejects: Counter[date] = Counter()
    landing = ruleset.landing
    with suppress(AssetRefusedError, ContentChangedError), FactsReader() as reader:
        path, facts = source.located(), None
        with open_within(path, source.roots) as file:
            if landing.facts is None:
                found = inspect_file(file, path)
            else:
                wanted = landing.facts, asset_type_of(source.declaration)
                found, facts = inspect_record(file, path, wanted, reader, {})
        if found.defect is None:
            content = Framed(path, found.content_encoding, found.fingerprint)
            if landing.facts is not None:
                content = framed(content, landing, source.declaration, facts)
            for _, judged in judged_lines(content, ruleset):
                if isinstance(judged, AcceptedRecord):
                    records[judged.partition_key] += 1
                elif judged is not None and judged.partition_key is not None:
                    rejects[judged.partition_key] += 1
    return {day: (records[day], rejects[day]) for day in records.keys() | rejects.keys()}
