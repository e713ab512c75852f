"""While one statement works or waits, the command says so, and an interrupt ends it at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from loader.cli import waits
from loader.status import read_status
from loader.warehouse import Role, Warehouse


class Heard:
    stage = "release"

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.spoke = time.monotonic()

    def __call__(self, line: str, /) -> None:
        self.lines.append(line)
        self.spoke = time.monotonic()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """In a hundredth of the time."""
    for name, seconds in (("BETWEEN_LOOKS", 0.02), ("BETWEEN_LINES", 0.1), ("OF_WAITING", 0.03), ("TO_HEAR", 0.05)):
        monkeypatch.setattr(waits, f"_SECONDS_{name}", seconds)
    return Heard()


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """A shell's background job, and whatever it starts, ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def once(is_so: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """`act` in another thread as soon as `is_so`, at the latest after 20 seconds."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not is_so() and time.monotonic() < deadline:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_long_statement_is_named_again_and_again_and_ends_with_the_interrupt(
    database: Warehouse, heard: Heard
) -> None:
    """Prevents 114 seconds of silence, and a command that hears of Ctrl-C when its statement has ended."""
    before = signal.getsignal(signal.SIGINT)
    with closing(database.connect()) as session, once(lambda: len(heard.lines) > 1, interrupt):
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt), waits.watching(lambda: heard):
            session.cursor().execute("select pg_sleep(60)")
        assert time.monotonic() - began < 20
    assert {line.rpartition(" (")[0] for line in heard.lines} == {"release: at work on select pg_sleep"}
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_is_heard_cancels_no_statement(database: Warehouse, heard: Heard) -> None:
    """Prevents an end that cannot be recorded: what records it is a statement, too."""
    with closing(database.connect()) as session, pytest.raises(ZeroDivisionError), waits.watching(lambda: heard):
        try:
            interrupt()
            time.sleep(10)
        except KeyboardInterrupt:
            session.cursor().execute("select pg_sleep(0.5)")
            raise ZeroDivisionError from None


def test_status_that_waits_names_whom_it_waits_for_and_ends_when_it_is_told(database: Warehouse, heard: Heard) -> None:
    """A session of the transform role keeps what a view is made of: status waited without a word, and for ever."""
    with closing(database.acting_as(Role.TRANSFORM).connect(application_name="a client")) as other:
        other.cursor().execute("create table reconcile.reconcile_partition (partition_key date)")
        other.cursor().execute("create table reconcile.reconcile_finding (partition_key date)")
        other.commit()
        other.cursor().execute("lock table reconcile.reconcile_partition in access exclusive mode")
        with (
            once(lambda: bool(heard.lines), interrupt),
            pytest.raises(KeyboardInterrupt),
            waits.watching(lambda: heard),
        ):
            read_status(database, None)
        pid = other.get_backend_pid()
    assert heard.lines[0].startswith(f"release: waits for session {pid} (")
    assert "a client, idle in transaction" in heard.lines[0]
    assert heard.lines[0].endswith(", which keeps reconcile.reconcile_partition")
