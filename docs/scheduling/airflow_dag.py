"""A day as an Airflow task: its exit code decides between skip, fail and retry."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

CHECKOUT = "/srv/omnisupport-elt"


def run(*words: str) -> None:
    """Raises AirflowSkipException where there is no line of the day, AirflowFailException where trying again says the
    same, and AirflowException, which Airflow tries again, where nothing is known of the data."""
    command = [f"{CHECKOUT}/.venv/bin/loader", *words, "--json"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    print(done.stderr)
    if done.returncode == 0:
        return
    try:
        said = json.loads(done.stdout)
    except ValueError:
        # It was killed, or could not begin.
        raise AirflowException(f"exit code {done.returncode}, and no answer") from None
    reason = f"exit code {done.returncode}: {said.get('error') or said.get('problems')}. Next: {said['next_command']}"
    if said.get("status") == "not_available":
        raise AirflowSkipException(reason)
    if done.returncode in (3, 4):
        raise AirflowException(reason)
    raise AirflowFailException(reason)


@dag(
    # Each morning the day before. "@daily" would mean the day that has just begun: since Airflow 3 a run of it has the
    # date on which it starts.
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime(2026, 3, 1, tzinfo=UTC),
    catchup=True,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=3)},
)
def omnisupport():
    # The loader's lock lets one write; more would hold a worker each and wait at it.
    @task(max_active_tis_per_dag=1)
    def ingest(kind: str, ds: str | None = None) -> None:
        run("ingest", "--partition", ds, "--kind", kind, "--lock-timeout", "3600")

    # Also where nobody delivered a line of one of the kinds.
    @task(trigger_rule="none_failed_min_one_success")
    def ready(ds: str | None = None) -> None:
        run("ready", "--partition", ds)

    ingest.expand(kind=["ticket_v1", "ticket_comment_v1"]) >> ready()


omnisupport()
