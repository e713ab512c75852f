"""What `make dagster` serves: assets of every kind that lands, the sensor, and a schedule that is off at first."""

from __future__ import annotations

import dagster as dg

from omni_dagster.assets import assets_of, partitions
from omni_dagster.command import Loader
from omni_dagster.elsewhere import sensor_of


def definitions(loader: Loader | None = None) -> dg.Definitions:
    """The kinds are those of the checkout when this is loaded."""
    asked = loader or Loader()
    days = partitions()
    kinds = [kind for kind in asked.look("kind", "list")["kinds"] if kind["is_landed"]]
    assets = {kind["kind"]: assets_of(kind, asked, days) for kind in kinds}
    # Kinds wait for none of each other: one process a kind, and the loader's lock lets one write.
    every_kind = dg.define_asset_job("every_kind", selection=dg.AssetSelection.assets(*assets.values()))
    daily = dg.build_schedule_from_partitioned_job(every_kind, name="yesterday", hour_of_day=6)
    return dg.Definitions(
        assets=[*assets.values()],
        jobs=[every_kind],
        schedules=[daily],
        sensors=[sensor_of(asked, assets, days)],
    )


defs = definitions()
