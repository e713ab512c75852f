"""A thread beside a command: it says what the command waits for, and ends the wait when the command is interrupted.

A statement that works or waits holds the thread that asked for it, in C: nothing is printed meanwhile, and a signal is
only noted. So another thread looks every two seconds at what the sessions of this process are at
(loader/warehouse/activity.py). What takes ten seconds is named every ten seconds, who keeps it waiting sooner; and when
a signal has not been heard by then, the server cancels the statement, and it is.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_LINES = 10.0
# A wait that is worth a word.
_SECONDS_OF_WAITING = 3.0
# How long the interpreter may take to hear a signal where no statement keeps it.
_SECONDS_TO_HEAR = 0.5
_SECONDS_TO_END = 1.0
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_END = b"\0"


class Listener(Protocol):
    """What is told. `stage`: what the command is at, by its own words; `spoke`: when there was last a sign of life."""

    @property
    def stage(self) -> str: ...

    spoke: float

    def __call__(self, line: str, /) -> None: ...


# The watch over the command at work; None where nobody watches, as in a test that calls a command's function.
_watch: _Watch | None = None


@contextmanager
def watching(make: Callable[[], Listener]) -> Iterator[None]:
    """Watch until the end of the block, in the main thread, which alone hears signals. `make`: who is told, asked for
    when there is something to tell, unless somebody listens by then (`listening`)."""
    global _watch
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    watch = _watch = _Watch(make, ours)
    # One that is ignored, or somebody else's, stays so.
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    for number in [each for each in before if before[each] is signal.default_int_handler]:
        signal.signal(number, watch.hear)
    earlier = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    thread = threading.Thread(target=watch.run, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        _watch = None
        signal.set_wakeup_fd(earlier)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(theirs, _END)
        os.close(theirs)
        # A look that a server does not answer keeps no command from its end.
        thread.join(_SECONDS_TO_END)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` told, until the end of the block."""
    watch = _watch
    if watch is None:
        yield
        return
    before, watch.listener = watch.listener, listener
    try:
        yield
    finally:
        watch.listener = before


class _Watch:
    def __init__(self, make: Callable[[], Listener], signals: int) -> None:
        self.listener: Listener | None = None
        self._make = make
        self._signals = signals
        self._began = time.monotonic()
        self._heard = threading.Event()
        # When each session that is waited for was last named; seconds of time.monotonic().
        self._named: dict[int, float] = {}

    def hear(self, number: int, frame: FrameType | None) -> None:
        self._heard.set()
        signal.default_int_handler(number, frame)

    def run(self) -> None:
        while True:
            if not select.select([self._signals], [], [], _SECONDS_BETWEEN_LOOKS)[0]:
                self.look()
                continue
            numbers = os.read(self._signals, 64)
            if not numbers:
                return os.close(self._signals)
            if set(numbers).intersection(_INTERRUPTS):
                self._see_that_it_is_heard()
            if _END in numbers:
                return os.close(self._signals)

    def look(self) -> None:
        """Say what is at work, if nothing else has been said for long."""
        now = time.monotonic()
        listener = self.listener
        if now - (self._began if listener is None else listener.spoke) < _SECONDS_OF_WAITING:
            return
        # Not for every `--help`: it takes a database's driver with it.
        from loader.warehouse import at_work

        statements, blockers = at_work()
        long = [each for each in statements if each.seconds >= _SECONDS_OF_WAITING]
        if not long:
            return
        if listener is None:
            listener = self.listener = self._make()
        stage = listener.stage or "warehouse"
        for blocker in blockers:
            if now - self._named.get(blocker.pid, -_SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES:
                self._named[blocker.pid] = now
                listener(f"{stage}: {blocker.sentence}")
        if now - listener.spoke >= _SECONDS_BETWEEN_LINES:
            told = ", ".join(dict.fromkeys(f"{each.words} ({each.seconds:.0f} s)" for each in long))
            listener(f"{stage}: at work on {told}")

    def _see_that_it_is_heard(self) -> None:
        while not self._heard.wait(_SECONDS_TO_HEAR):
            from loader.warehouse import cancel_all

            cancel_all()
