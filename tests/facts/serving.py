"""Processes for tests whose library does what no committed file makes one do."""

from __future__ import annotations

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from loader.facts import Facts, FactsDefect, read_facts_here
from loader.facts.process import serve_with


def serve_misbehaving(connection: Connection) -> None:
    """What a file's first word says is done; any other file is read as it is."""
    serve_with(connection, _read)


def _read(path: Path, reader: str, asset_type: str) -> Facts | FactsDefect:
    word = path.read_bytes().split()[0].decode("ascii", "replace")
    match word:
        case "abort":
            os.abort()
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "grow":
            grown = []
            while True:
                grown.append(bytearray(2**20))
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "fault":
            raise OSError(5, "Input/output error")
        case "leave":
            sys.exit(0)
        case "print":
            print("content of the file", flush=True)
            os.write(2, b"content of the file\n")
        case "write":
            with open(path.with_suffix(".written"), "wb") as file:
                file.write(b"x")
        case _:
            pass
    return read_facts_here(path, reader, asset_type)
