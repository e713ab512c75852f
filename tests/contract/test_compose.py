"""infra/docker-compose.yml and its devbox without a container engine: the file against the Compose specification,
its promises (loopback, pinned images, no default secret), and those of its commands that run in a plain environment.

compose-spec.schema.json is the Compose specification's own schema (Apache-2.0), unchanged, from the package
check-jsonschema 0.39.0 on PyPI: check_jsonschema/builtin_schemas/vendor/compose-spec.json.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from loader.warehouse import Warehouse, placement
from loader.warehouse.binaries import find_binaries
from loader.warehouse.connection import given_warehouse
from loader.warehouse.server import SERVER_SETTINGS

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "infra" / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "infra" / "devbox.Dockerfile").read_text()
EXAMPLE = (ROOT / "infra" / "env" / ".env.example").read_text()
SCHEMA = json.loads(Path(__file__).with_name("compose-spec.schema.json").read_bytes())

# Each image at its full version and, where that has several, on a named Debian.
PINNED = (r"postgres:\d+\.\d+-[a-z]+", r"rclone/rclone:\d+\.\d+\.\d+", r"python:\d+\.\d+\.\d+-slim-[a-z]+")
# Where the server listens is the image's matter.
OF_THE_EMBEDDED_SERVER_ONLY = {"listen_addresses", "port", "unix_socket_permissions"}
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?:(?P<form>:[-?])(?P<word>[^}]*))?\}")


def strings(node: object) -> Iterator[str]:
    """Every value of the file that is text, in its order."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def resolve(node: Any, **values: str) -> Any:
    """`node` as the engine sees it: variables have these values, else their defaults, else "<NAME>"."""
    if isinstance(node, str):
        return VARIABLE.sub(
            lambda found: (
                values.get(found["name"]) or (found["word"] if found["form"] == ":-" else f"<{found['name']}>")
            ),
            node,
        )
    if isinstance(node, Mapping):
        return {name: resolve(value, **values) for name, value in node.items()}
    return [resolve(value, **values) for value in node] if isinstance(node, list) else node


def images() -> list[str]:
    named = [service["image"] for service in COMPOSE["services"].values() if "image" in service]
    return named + re.findall(r"^FROM\s+(.+)$", DOCKERFILE, re.MULTILINE)


def is_secret(name: str) -> bool:
    return bool(re.search(r"PASSWORD|SECRET|KEY", name))


def test_it_follows_the_compose_specification() -> None:
    """Prevents: a misspelt or misplaced key, found by the first person who has an engine."""
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(resolve(COMPOSE))] == []
    assert set(COMPOSE["services"]) == {"postgres", "s3", "devbox"}


def test_every_port_is_bound_to_loopback() -> None:
    """Prevents: the network around a developer reaches the database and the store."""
    published = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert len(published) == 2
    assert [port for port in published if not re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z0-9_]+:-\d+\}:\d+", port)] == []
    assert [name for name, service in COMPOSE["services"].items() if "network_mode" in service] == []


def test_every_image_is_pinned_to_a_full_version() -> None:
    """Prevents: two developers with one file and different servers; an image that comes from a host named here."""
    assert len(images()) == len(PINNED)
    assert [image for image in images() if not any(re.fullmatch(form, image) for form in PINNED)] == []


def test_every_variable_stands_in_the_example() -> None:
    """Prevents: a variable that nobody finds, or a default that the example states otherwise."""
    described = dict(re.findall(r"^# ([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE, re.MULTILINE))
    used = [found for text in strings(COMPOSE) for found in VARIABLE.finditer(text)]
    assert {found["name"] for found in used} - set(described) == set()
    defaults = {found["name"]: found["word"] for found in used if found["form"] == ":-"}
    assert defaults == {name: described[name] for name in defaults}
    # Every other form ($NAME, ${NAME-…}) is read by the engine and not by this test.
    assert [text for text in strings(COMPOSE) if "$" in VARIABLE.sub("", text)] == []


def test_no_secret_has_a_default() -> None:
    """Prevents: a password that everybody knows, because nobody had to set one."""
    used = [found for text in strings(COMPOSE) for found in VARIABLE.finditer(text)]
    secrets = [found for found in used if is_secret(found["name"])]
    assert {found["name"] for found in secrets} == {"PGPASSWORD", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"}
    assert {(found["form"], bool(found["word"])) for found in secrets} == {(":?", True)}
    set_by_services = [
        (name, value)
        for service in COMPOSE["services"].values()
        for name, value in service["environment"].items()
        if is_secret(name)
    ]
    assert [name for name, value in set_by_services if re.search(r"\w", VARIABLE.sub("", value))] == []
    assert [line for line in EXAMPLE.splitlines() if re.match(r"# \w*(PASSWORD|SECRET|KEY)\w*=.", line)] == []


def test_data_is_kept_where_the_images_write_it() -> None:
    """Prevents: data that ends with its container, in a folder beside the mounted one."""
    named = dict(
        mount.split(":")
        for service in COMPOSE["services"].values()
        for mount in service["volumes"]
        if not mount.startswith(".")
    )
    workspace = COMPOSE["services"]["devbox"]["working_dir"]
    assert named == {"postgres": "/var/lib/postgresql", "s3": "/data", "venv": f"{workspace}/.venv"}
    assert set(named) == set(COMPOSE["volumes"])


def test_its_server_is_the_embedded_one() -> None:
    """Prevents: a proof on one PostgreSQL, work on another."""
    said = subprocess.run([find_binaries() / "postgres", "--version"], capture_output=True, text=True, check=True)
    assert re.findall(r"^postgres:([\d.]+)", "\n".join(images()), re.MULTILINE) == said.stdout.split()[-1:]
    settings = dict(option.removeprefix("--").split("=") for option in COMPOSE["services"]["postgres"]["command"][1:])
    # The embedded one takes a share of its machine.
    assert settings.pop("shared_buffers") == "256MB"
    assert settings | {"shared_buffers": SERVER_SETTINGS["shared_buffers"]} == {
        name: value for name, value in SERVER_SETTINGS.items() if name not in OF_THE_EMBEDDED_SERVER_ONLY
    }


def test_a_server_takes_its_commands_and_sorts_by_bytes(reachable_tmp_path: Path) -> None:
    """Prevents: an option that no PostgreSQL knows, or texts that sort otherwise than in the embedded server."""
    service = resolve(COMPOSE["services"]["postgres"])
    state_folder = reachable_tmp_path / ".local"
    state_folder.mkdir()
    place = placement.prepare(state_folder)
    data = place.socket_folder / "data"

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [place.binaries / program, *arguments],
            user=place.run_as.uid if place.run_as else None,
            group=place.run_as.gid if place.run_as else None,
            cwd="/",
            # As in the image: another locale than C.
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        made = run("initdb", "-D", str(data), "--no-sync", *service["environment"]["POSTGRES_INITDB_ARGS"].split())
        assert 'will be initialized with locale "C"' in made
        assert "Data page checksums are enabled" in made
        program, *options = service["command"]
        assert run(program, "-D", str(data), *options, "-C", "work_mem") == f"{64 * 1024}\n"
    finally:
        placement.remove_folders(state_folder)


def test_its_health_check_tells_a_server_from_none(database: Warehouse, tmp_path: Path) -> None:
    """Prevents: `up --wait` that never ends, or that ends before anybody can connect."""
    service = resolve(COMPOSE["services"]["postgres"], PGUSER=database.user, PGDATABASE=database.dbname)
    form, program, *arguments = service["healthcheck"]["test"]
    assert (form, program) == ("CMD", "pg_isready")

    def ask(host: str) -> tuple[int, str]:
        done = subprocess.run(
            [find_binaries() / program, *(host if word == "127.0.0.1" else word for word in arguments)],
            env={**os.environ, "PGPORT": str(database.port)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    assert ask(database.host) == (0, f"{database.host}:{database.port} - accepting connections\n")
    assert ask(str(tmp_path)) == (2, f"{tmp_path}:{database.port} - no response\n")


def test_the_store_is_served_with_its_keys_where_it_is_published() -> None:
    """Prevents: a store that lets anybody in, listens inside its container only, or writes beside its volume."""
    service = resolve(COMPOSE["services"]["s3"], S3_ACCESS_KEY_ID="id", S3_SECRET_ACCESS_KEY="secret")
    published = service["ports"][0].rpartition(":")[2]
    assert service["command"] == ["serve", "s3", f"--addr=:{published}", "/data"]
    # rclone reads the variable of a repeatable option as a line of CSV.
    assert list(csv.reader([service["environment"].pop("RCLONE_AUTH_KEY")])) == [["id,secret"]]
    assert service["environment"] == {
        "RCLONE_S3_PROVIDER": "Rclone",
        "RCLONE_S3_ENDPOINT": f"http://127.0.0.1:{published}",
        "RCLONE_S3_ACCESS_KEY_ID": "id",
        "RCLONE_S3_SECRET_ACCESS_KEY": "secret",
    }
    assert service["healthcheck"]["test"] == ["CMD", "rclone", "lsf", "--retries=1", "--low-level-retries=1", ":s3:"]


def test_the_devbox_finds_the_database() -> None:
    """Prevents: a devbox that starts a PostgreSQL of its own, or asks for a database that the service did not make."""
    services = resolve(COMPOSE["services"], PGUSER="somebody", PGDATABASE="somewhere", PGPASSWORD="p")
    devbox, made = services["devbox"]["environment"], services["postgres"]["environment"]
    port = services["postgres"]["ports"][0].rpartition(":")[2]
    assert given_warehouse(devbox) == Warehouse("postgres", int(port), made["POSTGRES_USER"], made["POSTGRES_DB"])
    assert devbox["PGPASSWORD"] == made["POSTGRES_PASSWORD"] == "p"
    assert services["devbox"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_the_devbox_runs_targets_of_the_makefile() -> None:
    """Prevents: a container that is built for minutes and then says that there is no such target, or no make."""
    program, *targets = COMPOSE["services"]["devbox"]["command"]
    declared = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert (program, [target for target in targets if target not in declared]) == ("make", [])
    (installed,) = re.findall(r"apt-get install (.*?) &&", DOCKERFILE)
    # make runs everything, and the evidence asks git for the commit.
    assert {word for word in installed.split() if not word.startswith("-")} == {"git", "make"}
