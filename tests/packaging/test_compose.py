"""docker-compose.yml against the Compose specification, and against the code that it starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

from stream.broker import docker, fetch_jars, properties
from stream.broker.java import find_java
from stream.settings import Settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
KAFKA = SERVICES["kafka"]["environment"]


def _help(*command: str) -> str:
    refrain = Path(sys.executable).with_name("refrain")
    answer = subprocess.run(
        [refrain, *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "200", "NO_COLOR": "1"},
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def _where_nothing_is_set(environment: dict[str, str]) -> dict[str, str]:
    """What a container gets whose variables have no value outside: ``${NAME:-default}``."""
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in environment.items()}


def _listeners(name: str) -> dict[str, str]:
    """Listener name -> "host:port"."""
    return dict(listener.split("://") for listener in KAFKA[name].split(","))


def test_it_is_as_the_compose_specification_says() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout


def test_every_process_of_refrain_is_there() -> None:
    assert {service["command"][0] for service in OURS.values()} == {
        *("ingest", "train", "work", "traits", "serve", "deliver")
    }


@pytest.mark.parametrize("name", OURS)
def test_its_command_exists(name: str) -> None:
    assert _help(*OURS[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_its_health_check_is_a_command_with_its_options(name: str) -> None:
    form, program, command, *options = OURS[name]["healthcheck"]["test"]
    assert (form, program) == ("CMD", "refrain")
    text = _help(command)
    assert all(option in text for option in options)
    assert options[options.index("--only") + 1] == OURS[name]["command"][0]


@pytest.mark.parametrize("name", OURS)
def test_its_settings_exist_and_are_allowed(name: str) -> None:
    environment = _where_nothing_is_set(OURS[name]["environment"])
    assert all(variable.startswith("REFRAIN_") for variable in environment)
    Settings(**{variable.removeprefix("REFRAIN_").lower(): value for variable, value in environment.items()})


@pytest.mark.parametrize("name", OURS)
def test_settings_of_a_file_reach_it_where_there_is_one(name: str) -> None:
    files = ["refrain.env", "deliver.env"] if name == "deliver" else ["refrain.env"]
    assert OURS[name]["env_file"] == [{"path": file, "required": False} for file in files]


def test_deliver_has_its_endpoint_from_outside() -> None:
    given = {"REFRAIN_DELIVER_URL": "${REFRAIN_DELIVER_URL:-}"}
    given |= {"REFRAIN_DELIVER_SECRET": "${REFRAIN_DELIVER_SECRET:-}"}
    assert given.items() <= OURS["deliver"]["environment"].items()
    # The others refuse it, as they have no endpoint: it cannot stand in the file of all.
    given = {"REFRAIN_DELIVER_COHORT_CHANGES": "${REFRAIN_DELIVER_COHORT_CHANGES:-false}"}
    assert given.items() <= OURS["deliver"]["environment"].items()


@pytest.mark.parametrize("name", ["serve", "deliver"])
def test_what_needs_a_key_or_an_endpoint_starts_only_when_asked_for(name: str) -> None:
    assert OURS[name]["profiles"]


def test_the_page_says_what_starts_only_when_asked_for() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    for name, service in OURS.items():
        for profile in service.get("profiles", ()):
            assert f"docker compose --profile {profile} up" in text, name
    assert "refrain.env" in text
    assert "deliver.env" in text


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_a_process_waits_until_its_servers_are_healthy(name: str) -> None:
    assert OURS[name]["depends_on"] == {
        "kafka": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }


@pytest.mark.parametrize("name", OURS)
def test_a_process_has_the_time_it_needs_to_end(name: str) -> None:
    assert int(OURS[name]["stop_grace_period"].removesuffix("s")) > 10


@pytest.mark.parametrize("name", OURS)
def test_processes_find_kafka_where_it_listens_for_them(name: str) -> None:
    address = OURS[name]["environment"]["REFRAIN_KAFKA"]
    host, port = address.split(":")
    assert host in SERVICES
    assert _listeners("KAFKA_ADVERTISED_LISTENERS")["PLAINTEXT"] == address
    assert _listeners("KAFKA_LISTENERS")["PLAINTEXT"] == f":{port}"


def test_this_machine_finds_kafka_where_it_is_published() -> None:
    [published] = SERVICES["kafka"]["ports"]
    host, outside, inside = published.split(":")
    assert _listeners("KAFKA_ADVERTISED_LISTENERS")["HOST"] == f"{host}:{outside}"
    assert _listeners("KAFKA_LISTENERS")["HOST"] == f":{inside}"


@pytest.mark.parametrize("name", OURS)
def test_processes_find_redis(name: str) -> None:
    assert OURS[name]["environment"]["REFRAIN_REDIS"] == "redis://redis:6379/0"
    assert SERVICES["redis"]["ports"] == ["127.0.0.1:6379:6379"]


@pytest.mark.parametrize("name", OURS)
def test_its_metrics_are_published_to_this_machine_for_ten_replicas(name: str) -> None:
    environment = OURS[name]["environment"]
    assert environment["REFRAIN_METRICS_HOST"] == "0.0.0.0"  # noqa: S104 - of the container
    [ports] = [
        port for port in OURS[name]["ports"] if port.endswith(f":{environment['REFRAIN_METRICS_PORT']}")
    ]
    first, last = ports.split(":")[1].split("-")
    assert int(last) - int(first) == 9


def test_no_two_processes_publish_the_same_ports() -> None:
    taken = [
        port.split(":")[1].partition("-") for each in SERVICES.values() for port in each.get("ports", [])
    ]
    ports = [port for first, _, last in taken for port in range(int(first), int(last or first) + 1)]
    assert len(ports) == len(set(ports))


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_kafka_is_the_one_that_refrain_up_starts() -> None:
    assert SERVICES["kafka"]["image"] == docker.image()
    node = properties.as_environment(
        properties.single_node(
            listen="", advertise="", controller="localhost:9093", logs="/var/lib/kafka/data"
        )
    )
    # Two doors where `refrain up` needs one.
    doors = {"KAFKA_LISTENERS", "KAFKA_ADVERTISED_LISTENERS", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"}
    assert {k: v for k, v in KAFKA.items() if k not in doors} == {
        k: v for k, v in node.items() if k not in doors
    }


def test_kafka_accepts_its_properties(tmp_path: Path) -> None:
    properties_file = tmp_path / "server.properties"
    names = {name.removeprefix("KAFKA_").replace("_", ".").lower(): value for name, value in KAFKA.items()}
    properties_file.write_text(properties.as_file(names | {"log.dirs": str(tmp_path / "logs")}))
    program = find_java()
    assert program is not None
    jars = fetch_jars(say=print)
    command = [
        program,
        "-cp",
        f"{jars}/*",
        "kafka.tools.StorageTool",
        "format",
        "--config",
        str(properties_file),
    ]
    answer = subprocess.run(
        [*command, "--cluster-id=5L6g3nShT-eMCtK--X86sw"], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_listener_has_a_protocol() -> None:
    protocols = dict(entry.split(":") for entry in KAFKA["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert protocols.keys() == _listeners("KAFKA_LISTENERS").keys()


@pytest.mark.parametrize("name", ["kafka", "redis"])
def test_data_outlive_the_container(name: str) -> None:
    [volume] = SERVICES[name]["volumes"]
    source, target = volume.split(":")
    assert source in COMPOSE["volumes"]
    assert target == {"kafka": KAFKA["KAFKA_LOG_DIRS"], "redis": "/data"}[name]


def test_redis_is_as_durable_as_the_one_that_refrain_up_starts() -> None:
    command = SERVICES["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options == {
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--auto-aof-rewrite-percentage": "50",
    }


def test_the_image_has_a_python_that_the_project_supports_and_no_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    found = re.search(r"FROM python:([\d.]+)", dockerfile)
    assert found is not None
    assert SpecifierSet(supported).contains(found[1])
    user = dockerfile.rindex("USER refrain")
    assert dockerfile.index("pip install") < user < dockerfile.index("ENTRYPOINT")


def test_the_image_has_the_wheel_and_none_of_its_source() -> None:
    *_, last = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    copied = re.findall(r"^COPY (.*)$", last, re.MULTILINE)
    assert copied == ["constraints.txt ./", "--from=build /wheel /wheel"]


@pytest.mark.parametrize("extras", ["", "[otel,schema-registry]"], ids=["no extras", "extras"])
def test_the_image_installs_its_wheel_with_the_extras_that_are_named(extras: str, tmp_path: Path) -> None:
    wheel, programs = tmp_path / "wheel" / "refrain_cohorts-1.0.0-py3-none-any.whl", tmp_path / "bin"
    wheel.parent.mkdir()
    wheel.touch()
    programs.mkdir()
    (programs / "pip").write_text('#!/bin/sh\necho "$@"\n')
    (programs / "pip").chmod(0o755)
    *_, command = re.findall(r"^RUN (pip install .*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    said = subprocess.run(
        ["sh", "-c", command.replace("/wheel", str(wheel.parent))],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "EXTRAS": extras.strip("[]")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.split() == ["install", "--constraint", "constraints.txt", f"{wheel}{extras}"]
    assert not wheel.exists()


def test_what_the_image_copies_exists_and_is_not_ignored() -> None:
    copied = [
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert set(copied) == kept
    assert all((ROOT / source).exists() for source in copied)
