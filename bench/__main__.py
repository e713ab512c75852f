"""`python -m bench`: measure all routes in turn, print a table, write JSON and a plot."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from bench.exports import Exports, make_exports, split_exports
from bench.measure import BenchError, Measurement
from bench.releases import releases
from bench.report import Route, as_record, as_table, plot
from bench.routes import backfill, by_hand, planning, product, proved_by_hand, read_jsonl
from loader.config import Settings, load_settings
from loader.errors import LoaderError

# A small size has fixed costs only: these are far off what was ever seen, not what is aimed at.
_FAR_OFF = {
    "product / floor A": 30.0,
    "product / floor B": 20.0,
    "cpu, product / floor A": 30.0,
    "cpu, product / floor B": 20.0,
    "cpu, floor B / floor A": 4.0,
    "again / product": 1.2,
    "verify / product": 1.0,
    "rerun / product": 1.5,
    "backfill / product": 2.0,
    "product / dbt build": 2.0,
    "plan backfill / select 1": 4.0,
    # The bar itself: neither depends on the machine.
    "release / ingest of a day": 0.15,
    "rows stored / rows changed": 1.0,
    "restore of all / of a day": 3.0,
}
_PLANNED_PARTITIONS = 60
_LINES_PER_FILE = 5


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lines", type=click.IntRange(min=1), default=1_000_000, show_default=True, help="Size of the exports.")
@click.option("--partitions", type=click.IntRange(1, 365), default=30, show_default=True, help="Days, a file each.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Medians are over these.")
@click.option("--plain-lines", type=int, default=200_000, show_default=True, help="Lines for dlt's route; 0: not.")
@click.option("--plan-files", type=int, default=1_000, show_default=True, help="Files to plan over; 0: not.")
@click.option("--releases/--no-releases", "with_releases", default=True, help="Release, restore, ready as well.")
@click.option("--sizes", default="", help="Further sizes for the plot, one round each: 100000,300000.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/bench"), show_default=True)
@click.option("--work", type=click.Path(path_type=Path), help="Where exports are kept.  [default: .local/bench]")
@click.option("--check", is_flag=True, help="Exit 1 when a ratio is far off what was ever seen.")
def main(
    lines: int,
    partitions: int,
    rounds: int,
    plain_lines: int,
    plan_files: int,
    with_releases: bool,
    sizes: str,
    out: Path,
    work: Path | None,
    check: bool,
) -> int:
    """Compare the whole chain with the floors, dlt's own route, and dbt alone."""
    settings = load_settings()
    place = (work or settings.state_folder / "bench").resolve()
    out.mkdir(parents=True, exist_ok=True)
    routes = _measure(settings, place, lines, partitions, rounds)
    if plain_lines:
        click.echo("dlt read_jsonl …", err=True)
        exports = make_exports(place, settings.project_root, lines=lines, partitions=partitions)
        measured, count = read_jsonl(settings, exports, place / "work", line_limit=plain_lines)
        routes.append(Route("dlt read_jsonl", count, [measured]))
    if plan_files:
        routes += _measure_planning(settings, place, plan_files, 2 * rounds - 1)
    ratios = _ratios({route.name: route for route in routes})
    if with_releases and partitions > 1:
        of_releases, more = _measure_releases(settings, place, lines, partitions, rounds)
        routes += of_releases
        ratios |= more
    further = [_measure(settings, place, int(size), partitions, 1) for size in sizes.split(",") if size]

    click.echo(as_table([*routes, *(route for group in further for route in group)], ratios))
    given = {"lines": lines, "partitions": partitions, "rounds": rounds}
    everything = [*routes, *(route for group in further for route in group)]
    (out / "bench.json").write_text(as_record(everything, ratios, given))
    plot(everything, out / "bench.svg")
    click.echo(f"{out / 'bench.json'}, {out / 'bench.svg'}", err=True)
    complaints = far_off(ratios) if check else []
    if complaints:
        click.echo(f"far off: {', '.join(complaints)}\nnext: make bench   # which stage? see the table", err=True)
    return int(bool(complaints))


def _measure(settings: Settings, place: Path, lines: int, partitions: int, rounds: int) -> list[Route]:
    """The product and the floors in turn, so that a slow minute of the machine meets all of them."""
    click.echo(f"exports of {lines} lines …", err=True)
    exports: Exports = make_exports(place, settings.project_root, lines=lines, partitions=partitions)
    products, floors, proved = [], [], []
    for number in range(1, rounds + 1):
        click.echo(f"round {number} of {rounds}: product …", err=True)
        shutil.rmtree(place / "work", ignore_errors=True)
        products.append(product(settings, exports, place / "work"))
        _tell(products[-1].chain)
        click.echo(f"round {number} of {rounds}: floors …", err=True)
        floors.append(by_hand(settings, exports))
        _tell(floors[-1])
        proved.append(proved_by_hand(settings, exports, place / "work"))
        _tell(proved[-1])
    click.echo("backfill …", err=True)
    backfilled = backfill(settings, exports, place / "work")
    return [
        Route("product", lines, [measured.chain for measured in products]),
        Route("product, again", lines, [measured.again for measured in products]),
        Route("verify", lines, [measured.verify for measured in products]),
        Route("rerun", lines, [measured.rerun for measured in products]),
        Route("backfill", lines, [backfilled]),
        Route("floor A", lines, floors),
        Route("floor B", lines, proved),
        Route("dbt build", lines, [measured.dbt for measured in products]),
    ]


def _tell(measured: Measurement) -> None:
    cpu = f", {measured.cpu.seconds:.1f} CPU seconds" if measured.cpu else ""
    click.echo(f"  {measured.seconds:.1f} seconds{cpu}", err=True)


def _measure_releases(
    settings: Settings, place: Path, lines: int, partitions: int, rounds: int
) -> tuple[list[Route], dict[str, float]]:
    """What readers see: how long they wait for it, how long a step back takes, and what a late update stores."""
    click.echo("release, restore, ready …", err=True)
    exports = make_exports(place, settings.project_root, lines=lines, partitions=partitions)
    shutil.rmtree(place / "work", ignore_errors=True)
    found = releases(settings, exports, place / "work", rounds=rounds)
    routes = [
        Route("ingest of a day", lines, [found.one_day]),
        Route("ingest of a late update", found.changed_count, [found.late]),
        Route("restore of a day", lines, found.restore_day),
        Route("restore of all", lines, found.restore_all),
        Route("release by hand", lines, [found.release]),
        Route("ready", lines, found.ready),
        Route("customer_dim by customer", lines, [found.lookup]),
        Route("partition_status", lines, [found.status]),
    ]
    seconds = {route.name: route.seconds for route in routes}
    return routes, {
        "release / ingest of a day": found.gate_seconds / seconds["ingest of a day"],
        "rows stored / rows changed": found.stored_count / found.changed_count,
        "bytes stored / rows changed": found.stored_bytes / found.changed_count,
        "restore of all / of a day": seconds["restore of all"] / seconds["restore of a day"],
    }


def _measure_planning(settings: Settings, place: Path, files: int, rounds: int) -> list[Route]:
    """A backfill of 60 partitions is planned over files of five lines that are indexed."""
    click.echo(f"plan over {files} files …", err=True)
    whole = make_exports(place, settings.project_root, lines=files * _LINES_PER_FILE, partitions=_PLANNED_PARTITIONS)
    exports = split_exports(whole, settings.project_root, lines_per_file=_LINES_PER_FILE)
    plans, selects = planning(settings, exports, place / "work", rounds=rounds)
    return [Route("plan backfill", whole.line_count, plans), Route("select 1", 1, selects)]


def far_off(ratios: dict[str, float]) -> list[str]:
    """The ratios beyond what was ever seen, with their limits."""
    return [
        f"{name} {ratio:.2f}, at most {_FAR_OFF[name]}"
        for name, ratio in ratios.items()
        if name in _FAR_OFF and ratio > _FAR_OFF[name]
    ]


def _ratios(routes: dict[str, Route]) -> dict[str, float]:
    chain = routes["product"]
    ratios = {
        "product / floor A": chain.seconds / routes["floor A"].seconds,
        "product / floor B": chain.seconds / routes["floor B"].seconds,
        "cpu, product / floor A": chain.cpu_seconds / routes["floor A"].cpu_seconds,
        "cpu, product / floor B": chain.cpu_seconds / routes["floor B"].cpu_seconds,
        "cpu, floor B / floor A": routes["floor B"].cpu_seconds / routes["floor A"].cpu_seconds,
        "again / product": routes["product, again"].seconds / chain.seconds,
        "verify / product": routes["verify"].seconds / chain.seconds,
        "rerun / product": routes["rerun"].seconds / chain.seconds,
        "backfill / product": routes["backfill"].seconds / chain.seconds,
        "product / dbt build": chain.seconds / routes["dbt build"].seconds,
    }
    if "plan backfill" in routes:
        ratios["plan backfill / select 1"] = routes["plan backfill"].seconds / routes["select 1"].seconds
    if "dlt read_jsonl" in routes:
        ratios["rate of product / dlt read_jsonl"] = chain.lines_per_second / routes["dlt read_jsonl"].lines_per_second
    return ratios


if __name__ == "__main__":
    try:
        sys.exit(main(standalone_mode=False))
    except BenchError as error:
        sys.exit(f"bench: {error}\nnext: make bench   # when that is mended")
    except LoaderError as error:
        sys.exit(f"bench: {error.message}\nnext: {error.next_command}")
    except click.ClickException as error:
        error.show()
        sys.exit(2)
