"""Erasures that were cut off, or meet damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loader.silver import BuildResult, run_dbt
from loader.silver.results import NodeResult
from loader.warehouse import Warehouse
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.sabotage.victims import SHOWN_TICKET, TICKET

_TICKET_GONE = f"delete from silver.ticket_fact where ticket_id = {TICKET}"
_EVENT_GONE = f"delete from bronze.raw_ticket_event where event_id = {SHOWN_TICKET}"
# Neither is of a day of its own: the erasure closes all the same, and what mends them comes after it.
_BUILT_GONE = "delete from silver.built_load where load_id = (select min(load_id) from silver.built_load)"
_MANIFEST_EDITED = "update ops.manifest set batch_id = 'batch-20260101-009'"
_CUSTOMER_GONE = (
    "delete from silver.customer_dim where customer_id = (select max(customer_id) from silver.customer_dim as last)"
)


def erasure_cut_off(at: str, *damage: str) -> Callable[[Place, pytest.MonkeyPatch], str]:
    """As on a full disk; `damage` is done behind it."""

    def dies(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        customer = place.value("select min(customer_id) from silver.customer_dim")
        place.knows({"<the same person>": customer})
        with pytest.MonkeyPatch.context() as cut:
            cut.setattr(f"loader.erasure.verb.{at}", dies)
            place.loader("erase", "--customer", customer, "--reason", "request 4711", "--mode", "execute")
        if damage:
            place.damage(*damage)
        return "make diagnose"

    return bring


def an_erasure_and_a_row_of_bronze_is_gone(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Its run reads the archive again, and does not bring the person back."""
    customer = place.value("select min(customer_id) from silver.customer_dim")
    place.loader("erase", "--customer", customer, "--reason", "request 4711", "--mode", "execute")
    place.damage(_EVENT_GONE)
    return "make build SELECT=reconcile"


def an_erasure_whose_silver_is_not_vacuumed(place: Place, patch: pytest.MonkeyPatch) -> str:
    """As on a full disk, on which somebody makes room."""
    failed = BuildResult("", (NodeResult("operation.omnisupport.vacuum_silver", "error", None, "No space left"),))

    def of_a_full_disk(warehouse: Warehouse, root: Path, arguments: list[str], **options: Any) -> BuildResult:
        return failed if arguments[0] == "run-operation" else run_dbt(warehouse, root, arguments, **options)

    patch.setattr("loader.erasure.removal.run_dbt", of_a_full_disk)
    place.when_typed(patch.undo)
    customer = place.value("select min(customer_id) from silver.customer_dim")
    return f"loader erase --customer {customer} --reason 'request 4711' --mode execute"


def an_erasure_and_a_model_that_cannot_be_built(place: Place, patch: pytest.MonkeyPatch) -> str:
    """It is cut off by what no erasure mends, and each one after it would be."""
    customer = place.value("select min(customer_id) from silver.customer_dim")
    place.knows({"<the same person>": customer})
    place.sql("revoke select on ops.ruleset from omni_transform")
    return f"loader erase --customer {customer} --reason 'request 4711' --mode execute"


SCENES: tuple[Scene, ...] = (
    Scene("an erasure cut off", erasure_cut_off("vacuum"), "closed"),
    Scene("an erasure cut off, a row of Silver gone", erasure_cut_off("_build", _TICKET_GONE), "closed"),
    Scene("an erasure cut off, a customer gone", erasure_cut_off("_build", _CUSTOMER_GONE), "closed"),
    Scene("an erasure cut off, a row of Bronze gone", erasure_cut_off("_build", _EVENT_GONE), "closed"),
    Scene("an erasure cut off, a built load gone", erasure_cut_off("_build", _BUILT_GONE), "closed"),
    Scene("an erasure cut off, a manifest edited", erasure_cut_off("_build", _MANIFEST_EDITED), "person"),
    Scene(
        "an erasure, and a model that cannot be built",
        an_erasure_and_a_model_that_cannot_be_built,
        "person",
        ("loader.erasure.verb:_unproved",),
    ),
    Scene(
        "an erasure whose Silver is not vacuumed",
        an_erasure_whose_silver_is_not_vacuumed,
        "closed",
        ("loader.erasure.removal:vacuum",),
    ),
    Scene("an erasure, and a row of Bronze gone", an_erasure_and_a_row_of_bronze_is_gone, "closed"),
)
