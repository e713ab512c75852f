"""The memory that parallel workers share: where a small /dev/shm would stop them, and what is said where one did."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loader.warehouse.server import shared_memory_settings, with_full_device

FULL = (
    'dbt could not build ticket_fact: Database Error could not resize shared memory segment "/PostgreSQL.1" to 8388608'
    " bytes: No space left on device. Bronze holds what this run landed."
)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is Linux's")
def test_a_server_shares_memory_in_files_where_the_device_is_missing_or_small(tmp_path: Path) -> None:
    """A container's /dev/shm of 2 MB, or Docker's of 64, ends a query that workers share."""
    assert shared_memory_settings(tmp_path, 0) == {}
    mapped = {"dynamic_shared_memory_type": "mmap"}
    assert shared_memory_settings(tmp_path, 2**62) == mapped
    assert shared_memory_settings(tmp_path / "none") == mapped


@pytest.mark.parametrize("is_embedded", [True, False])
def test_a_full_device_of_shared_memory_is_named_with_a_command_that_helps(is_embedded: bool) -> None:
    """No space left on device, next: make status: an operator looks at disks that have room."""
    told = with_full_device(FULL, is_embedded=is_embedded)
    assert told is not None
    message, next_command = told
    assert message.startswith(FULL)
    assert "/dev/shm" in message and "dynamic_shared_memory_type" in message
    assert next_command.startswith("make down && make up" if is_embedded else "psql -c")


def test_a_full_disk_is_not_taken_for_it() -> None:
    assert with_full_device('could not extend file "base/1": No space left on device', is_embedded=True) is None
