"""Command lines and settings that cannot be understood: what is told next must not be refused as well."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from tests.advice.place import Place
from tests.advice.scene import Bring, Scene

_OPTIONS = "loader.cli.recovery_options"
_REQUEST = "loader.ingest.request"
_DELIVERY = "loader.manifest.delivery"
_UNREACHABLE = "loader.warehouse.connection:Warehouse.unreachable"
_FILES = "loader.report_files"

# Words that are typed as they stand, the place that refuses them, and where that leads. A placeholder in what is told
# is a person's to fill: such a scene ends there.
_WORDS: tuple[tuple[str, str, str], ...] = (
    ("loader ingest --manifest ''", "loader.cli.options:request_of", "understood"),
    ("loader ingest --partition 17.4.2026", "loader.config:parse_partition", "understood"),
    ("loader ingest --partition 9999-12-31", f"{_REQUEST}:declared_input", "understood"),
    ("loader ingest --batch batch-20260417-001", f"{_REQUEST}:declared_input", "person"),
    ("loader ingest --input README.md --manifest a.json", f"{_REQUEST}:declared_input", "person"),
    ("loader ingest --input pyproject.toml", f"{_REQUEST}:declared_input", "understood"),
    ("loader ingest --limit 3", f"{_REQUEST}:refuse_limit_without_input", "person"),
    ("loader ingest --manifest nowhere.json", f"{_REQUEST}:_read", "person"),
    (
        "loader ingest --input dbt_project/models/overview.md --batch batch-20260417-001",
        "loader.manifest.implicit:require_file_of_kind",
        "understood",
    ),
    ("loader ingest --input pyproject.toml --batch monday", "loader.manifest.implicit:implicit_manifest", "understood"),
    (
        "loader ingest --input pyproject.toml --batch batch-20260417-001 --kind ocr_text_v1",
        "loader.manifest.implicit:_require_nothing_to_say",
        "person",
    ),
    (
        "loader ingest --input nowhere.jsonl --batch batch-20260417-001",
        "loader.manifest.implicit:implicit_manifest",
        "person",
    ),
    (
        "loader restore --partition 2026-04-17 --release 1 --as-of 2026-04-18T09:00:00Z --reason why",
        f"{_OPTIONS}:_request_of_restore",
        "understood",
    ),
    ("loader restore --partition 2026-04-17", f"{_OPTIONS}:_reason_of", "understood"),
    ("loader restore --all --reason why", f"{_OPTIONS}:_request_of_restore", "understood"),
    (
        "loader restore --partition 2026-04-17 --as-of yesterday --reason why",
        "loader.config:parse_instant",
        "understood",
    ),
    ("loader expire --reason why", f"{_OPTIONS}:_request_of_expire", "understood"),
    ("loader expire --older-than 30", f"{_OPTIONS}:_reason_of", "understood"),
    ("loader expire --older-than 9999-01-01 --reason why", f"{_OPTIONS}:_request_of_expire", "understood"),
    ("loader retry 01a20487 --latest", f"{_OPTIONS}:_request_of_run", "understood"),
    ("loader replay", f"{_OPTIONS}:_request_of_replay", "person"),
    ("loader backfill", f"{_OPTIONS}:_window_of", "understood"),
    ("loader backfill --from 2026-04-19 --to 2026-04-16", f"{_OPTIONS}:_window_of", "understood"),
    ("loader backfill --partition 9999-12-31", f"{_OPTIONS}:_window_of", "understood"),
    ("loader release", "loader.cli.release_commands:_days", "understood"),
    ("loader ready", "loader.cli.release_commands:_days", "understood"),
    ("loader hold --partition 2026-04-17", "loader.cli.release_commands:_reason", "understood"),
    ("loader ready --partition 2026-04-17 --kind tickets", "loader.release.by_hand:refuse_unknown_kind", "understood"),
    ("loader release --partition 2026-04-17 --accept-drift", "loader.cli.release_commands:_reason", "understood"),
    (
        "loader state reset --object cursor --source s --to 2026-04-17T00:00:00Z --reason ' '",
        "loader.cli.state_command:reset",
        "understood",
    ),
    (
        "loader state reset --object cursor --source s --to today --reason why",
        "loader.cli.state_command:_instant",
        "understood",
    ),
    (
        "loader state reset --object cursor --source s --to 2026-04-17T00:00:00Z --reason why",
        "loader.runs.state:reset_state",
        "understood",
    ),
    ("loader erase --person c", "loader.cli.erase_command:erase", "person"),
    ("loader erase --person c --plan p.json --reason why", "loader.cli.erase_command:erase", "person"),
    ("loader erase --person '' --reason why", "loader.erasure.planning:_refuse_unusable", "understood"),
    ("loader erase --person c --reason ' '", "loader.erasure.planning:_refuse_unusable", "person"),
    ("loader erase --person nobody --reason why", "loader.erasure.verb:plan_erasure", "understood"),
    ("loader erase --person c --plan nowhere.json", "loader.plans:read_plan", "understood"),
    ("loader apply nowhere.json", "loader.plans:read_plan", "understood"),
    ("loader apply contracts/manifest/manifest_v1.schema.json", "loader.plans:read_plan", "understood"),
    ("loader verify --run 01a20487-27bf-7d6f-88b2-ba02718ad2c7", "loader.runs.anchors:whole_id", "understood"),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --metadata said.json",
        "loader.manifest.said:_refused",
        "person",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --window-start 2026-04-17T00:00:00Z",
        "loader.cli.manifest_command:_window",
        "person",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --window-start x --window-end y",
        "loader.cli.manifest_command:_instant",
        "person",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --captured-at yesterday",
        "loader.cli.manifest_command:_instant",
        "person",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --contract tickets",
        "loader.manifest.build:_kind",
        "person",
    ),
    ("loader build --kind ticket_v1 --select ticket_fact", "loader.cli.build_command:selected", "understood"),
    ("loader kind check tickets", "loader.kinds.check:check_kinds", "understood"),
    (
        (
            "loader kind new delivery_v1 --schema contracts/manifest/manifest_v1.schema.json --silver delivery"
            " --key manifest_id --partition-by made_at"
        ),
        "loader.kinds.new:_refused",
        "understood",
    ),
    (
        "loader kind new visit_v1 --schema visit.json --key visit --partition-by day --silver visit --link ticket",
        "loader.cli.kind_command:spelled_link",
        "understood",
    ),
    ("loader verify --run 0", "loader.runs.anchors:whole_id", "understood"),
    ("loader history --after 99999", "loader.evidence.history:read_history", "understood"),
    ("loader changes --after 99999", "loader.release.following:follow", "understood"),
    ("loader diff 99", "loader.diff.sides:_versions", "understood"),
    ("loader trace nobody", "loader.trace.find:find_key", "understood"),
    ("loader trace --event nothing", "loader.trace.find:find_event", "understood"),
    ("loader trace --line tickets", "loader.trace.find:find_line", "understood"),
    ("loader trace --line nowhere.jsonl:1", "loader.trace.find:_one_file", "understood"),
    ("loader trace --line tickets-2026-04-16.jsonl:99999", "loader.trace.find:_no_line", "understood"),
    ("loader manifest --from nowhere --out m.json", "loader.manifest.build:_no_exports", "person"),
    (
        "loader manifest --from data/seed_manifests/exports --out data --order name",
        "loader.manifest.files:write_manifest",
        "person",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out pyproject.toml --order name",
        "loader.manifest.files:write_manifest",
        "person",
    ),
    ("loader manifest --from data/seed_manifests/exports --out m.json --batch monday", f"{_DELIVERY}:_batch", "person"),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --order name --license ''",
        "loader.manifest.build:_parsed",
        "understood",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out /proc/m.json --order name",
        "loader.manifest.files:_unwritable",
        "person",
    ),
    ("loader down", "loader.warehouse:stop_embedded", "understood"),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --order nowhere.txt",
        f"{_DELIVERY}:_order_by_list",
        "person",
    ),
    (
        "loader manifest --from data/seed_manifests/exports --out m.json --order pyproject.toml",
        f"{_DELIVERY}:_order_by_list",
        "person",
    ),
)


_VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("LOADER_REJECT_LIMIT", "many", "loader.config:load_settings"),
    ("LOADER_RAWZONE", "/mnt/archive", "loader.environment:require_plain"),
    ("LOADER_RAW_ZONE", "/mnt/archive\r", "loader.environment:require_plain"),
    ("PGHOSTADDR", "127.0.0.1", "loader.warehouse.connection:given_warehouse"),
    ("PGPORT", "http", "loader.warehouse.connection:given_warehouse"),
    ("PGDATABASE", "omni\r", "loader.warehouse.connection:given_warehouse"),
)


def _set(name: str, value: str) -> Bring:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        patch.setenv(name, value)
        return "loader status"

    return bring


def _two_manifests_of_one_id(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.seeds / "again.json").write_bytes(place.manifest.read_bytes() + b" ")
    return "loader ingest"


def _no_manifest(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.manifest.unlink()
    return "loader ingest"


def _names_that_nothing_orders(place: Place, patch: pytest.MonkeyPatch) -> str:
    for name in ("left", "right"):
        (place.root / "data" / "odd" / name).mkdir(parents=True)
        (place.root / "data" / "odd" / f"{name}.jsonl").write_bytes(b"{}")
    return "loader manifest --from data/odd --out m.json"


def _equal_times(place: Place, patch: pytest.MonkeyPatch) -> str:
    for path in place.exports.iterdir():
        os.utime(path, (0, 0))
    return "loader manifest --from data/seed_manifests/exports --out m.json --order mtime"


def _a_name_that_no_manifest_holds(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.exports / "a\nb.jsonl").write_bytes(b"{}")
    return "loader manifest --from data/seed_manifests/exports --out m.json --order name"


def _a_long_name(place: Place, patch: pytest.MonkeyPatch) -> str:
    folder = place.exports / ("n" * 200) / ("n" * 200)
    folder.mkdir(parents=True)
    (folder / f"{'n' * 200}.jsonl").write_bytes(b"{}")
    return "loader manifest --from data/seed_manifests/exports --out m.json --order name"


def _no_run_at_all(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.damage("delete from ops.ingest_run")
    return "loader retry"


def _a_newer_warehouse(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql("update ops.schema_version set version = 9999")
    return "loader status"


def _reports_at(path: str) -> Bring:
    def bring(place: Place, patch: pytest.MonkeyPatch) -> str:
        patch.setenv("LOADER_REPORT_DIR", path)
        return "loader hold --partition 2026-04-17 --reason why"

    return bring


def _a_server_that_does_not_answer(place: Place, patch: pytest.MonkeyPatch) -> str:
    patch.setenv("PGPORT", "1")
    return "loader status"


def _no_password(place: Place, patch: pytest.MonkeyPatch) -> str:
    """The server is up: it is not what has to be started."""
    empty = place.root.parent / "pgpass"
    empty.touch(mode=0o600)
    patch.setenv("PGPASSFILE", str(empty))
    # Roles log in themselves then.
    patch.delenv("PGUSER")
    return "loader status"


def _clocks_apart(place: Place, patch: pytest.MonkeyPatch) -> str:
    """By less than a second, which is too much here."""
    patch.setattr("loader.recovery.expire.FUTURE_TOLERANCE", timedelta(seconds=-1))
    return "loader expire --older-than 30 --reason why"


# What is told then takes seconds: an ingest, a release.
_LONG = (
    "loader ingest --partition 9999-12-31",
    "loader ingest --input pyproject.toml",
    "loader ingest --input pyproject.toml --batch monday",
    "loader release",
    "loader release --partition 2026-04-17 --accept-drift",
)

USAGE: tuple[Scene, ...] = (
    *(Scene(words, words, end, (place,), is_long=words in _LONG) for words, place, end in _WORDS),
    *(Scene(f"{name} is {value!r}", _set(name, value), "understood", (place,)) for name, value, place in _VARIABLES),
    Scene("two manifests of one id", _two_manifests_of_one_id, "person", (f"{_REQUEST}:_read",)),
    Scene("no manifest at all", _no_manifest, "person", (f"{_REQUEST}:_seed_manifests",)),
    Scene("names that nothing orders", _names_that_nothing_orders, "person", (f"{_DELIVERY}:_order",)),
    Scene("files of one time", _equal_times, "person", (f"{_DELIVERY}:_order_by_mtime",)),
    Scene("a name of two lines", _a_name_that_no_manifest_holds, "person", ("loader.manifest.draft:require_storable",)),
    Scene("no run at all", _no_run_at_all, "understood", ("loader.recovery.past:run_of",)),
    Scene("a newer warehouse", _a_newer_warehouse, "person", ("loader.warehouse.versions:due_migrations",)),
    Scene("reports where nobody writes", _reports_at("/proc/reports"), "person", (f"{_FILES}:_unwritable",)),
    Scene("reports at no text", _reports_at("/odd\udcff"), "understood", (f"{_FILES}:require_writable",)),
    Scene(
        "a server that does not answer",
        _a_server_that_does_not_answer,
        "person",
        (_UNREACHABLE,),
    ),
    Scene("no password", _no_password, "person", (_UNREACHABLE,)),
    Scene("clocks apart", _clocks_apart, "person", ("loader.recovery.expire:_refuse_clocks_apart",)),
    Scene(
        "a path that no text holds",
        "loader ingest --input 'odd\udcff.jsonl' --batch batch-20260417-001",
        "person",
        (f"{_REQUEST}:_require_storable",),
    ),
    Scene("a long name", _a_long_name, "person", ("loader.manifest.draft:require_source_id",)),
)
