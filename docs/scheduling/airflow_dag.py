"""A day as an Airflow task: its exit code decides between skip, fail and retry."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import dag, task

CHECKOUT = "/srv/omnisupport-elt"


def run(*words: str) -> None:
    """Raises AirflowSkipException where there is no line of the day, AirflowFailException where trying again says the
    same, and AirflowException, which Airflow tries again, where nothing is known of the data."""
    command = [f"{CHECKOUT}/.venv/bin/loader", *words, "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    print(done.stderr)
    if done.returncode == 0:
        return
    said = json.loads(done.stdout)
    reason = f"exit code {done.returncode}: {said.get('error') or said.get('problems')}. Next: {said['next_command']}"
    if "no_lines_for_partition" in said.get("reason_codes", ()):
        raise AirflowSkipException(reason)
    if done.returncode in (3, 4):
        raise AirflowException(reason)
    raise AirflowFailException(reason)


@dag(
    schedule="@daily",
    start_date=datetime(2026, 3, 1, tzinfo=UTC),
    catchup=True,
    # The loader's lock lets one write; more would wait at it.
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def omnisupport():
    @task
    def ingest(kind: str, ds: str = "") -> None:
        run("ingest", "--partition", ds, "--kind", kind, "--lock-timeout", "3600")

    @task
    def ready(ds: str = "") -> None:
        run("ready", "--partition", ds)

    ingest.expand(kind=["ticket_v1", "ticket_comment_v1"]) >> ready()


omnisupport()
