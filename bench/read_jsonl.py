"""dlt's documented route for files of JSON lines: `python -m bench.read_jsonl FOLDER`, all defaults, keyed merge."""

from __future__ import annotations

import os
import sys

import dlt
from dlt.sources.filesystem import filesystem, read_jsonl


def main(folder: str) -> None:
    tickets = (filesystem(bucket_url=folder, file_glob="*.jsonl") | read_jsonl()).with_name("tickets")
    tickets.apply_hints(write_disposition="merge", primary_key="ticket_id")
    destination = dlt.destinations.postgres(credentials=os.environ["BENCH_DSN"])
    pipeline = dlt.pipeline("bench_read_jsonl", destination=destination, dataset_name="plain")
    pipeline.run(tickets).raise_on_failed_jobs()


if __name__ == "__main__":
    main(sys.argv[1])
