"""Which Kafka `refrain up` uses, and its start."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from stream.broker.child import Child
from stream.broker.class_archive import archive_path, making, using
from stream.broker.docker import docker_answers, start_in_docker
from stream.broker.folder import DataFolder
from stream.broker.java import APT, JAVA_NEEDED, fetch_jars, find_java, java_version, kafka_version
from stream.broker.own import OwnServer
from stream.broker.ports import LOCALHOST, free_port, free_port_again
from stream.broker.properties import as_file, single_node
from stream.errors import CannotStart

__all__ = ["choose", "start"]

_LOG4J = Path(__file__).with_name("log4j2.xml")


def choose(wanted: str, last: str) -> str:
    """How the broker is to run: "docker" or "java".

    Parameters
    ----------
    wanted
        The setting: "auto", "docker" or "java".
    last
        How it ran on this data folder before, "" for never. It stays so: the other way's broker would be
        empty, and count its offsets from 0 again, while Redis knows the old ones.

    Raises
    ------
    CannotStart
        Where that is missing on this machine: it says what to install. Or where `wanted` is not `last`.
    """
    if wanted != "auto" and last not in ("", wanted):
        raise CannotStart(
            f"this data folder's Kafka runs with {last} (REFRAIN_BROKER={last}), not with {wanted}",
            hint="Name another folder with REFRAIN_DATA to begin again.",
        )
    kind = last or wanted
    if kind != "java" and docker_answers():
        return "docker"
    if kind == "docker":
        raise CannotStart(
            "no Docker engine answers (`docker info` fails)",
            hint="Start it, or set REFRAIN_BROKER=java and, with REFRAIN_DATA, a new data folder.",
        )
    _check_java()
    return "java"


def _check_java() -> str:
    java = find_java()
    way_out = (
        f"Install Java {JAVA_NEEDED} or newer and Maven (Debian, Ubuntu: {APT}), start Docker, "
        "or give a broker with REFRAIN_KAFKA."
    )
    if java is None:
        raise CannotStart("there is no Kafka, and no Java to run one", hint=way_out)
    version = java_version(java)
    if version is None or version < JAVA_NEEDED:
        found = "does not run" if version is None else f"is version {version}"
        raise CannotStart(
            f"Kafka {kafka_version()} needs Java {JAVA_NEEDED}, and {java} {found}", hint=way_out
        )
    return java


def start(broker: str, folder: DataFolder, *, say: Callable[[str], None]) -> OwnServer:
    """Start a Kafka on free ports of 127.0.0.1, on the port of the run before if that is free.

    It is not ready yet: :func:`stream.broker.ready.wait_for_kafka` waits for that.
    """
    port = free_port_again(folder.last.kafka if folder.last else "")
    address = f"{LOCALHOST}:{port}"
    if broker == "docker":
        child = start_in_docker(folder, port=port, say=say)
        return OwnServer(address, child, f"Kafka {kafka_version()} on {address} (Docker)")
    java = _check_java()
    child = _start_java(java, fetch_jars(say=say), folder, address=address)
    about = (
        f"Kafka {kafka_version()} on {address} (Java {java_version(java)}), data in {folder.path / 'kafka'}"
    )
    return OwnServer(address, child, about)


def _start_java(java: str, jars: Path, folder: DataFolder, *, address: str) -> Child:
    home = folder.subfolder("kafka")
    # Kafka runs in its folder and all paths are relative to it: a folder may have any name and may be moved.
    properties = single_node(
        listen=address, advertise=address, controller=f"{LOCALHOST}:{free_port()}", logs="logs"
    )
    (home / "server.properties").write_text(as_file(properties), encoding="ascii")
    shutil.copy(_LOG4J, home / "log4j2.xml")
    run = [java, "-Xms128m", "-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true"]
    # The quick compiler alone: the start takes half the processor time, and so do the next million records.
    run += ["-XX:TieredStopAtLevel=1"]
    run += ["-Dlog4j2.configurationFile=log4j2.xml", "-cp", f"{jars}/*"]
    archive = archive_path(java, jars)
    if not (home / "logs" / "meta.properties").exists():
        with making(archive) as options:
            _format([*run, *options], home)
    return Child(
        "Kafka",
        [*run, *using(archive), "kafka.Kafka", "server.properties"],
        cwd=home,
        log=home / "output.log",
        keep_open=[folder.lock],
    )


def _format(run: list[str], home: Path) -> None:
    """Give the empty folder a cluster id, which it keeps."""
    cluster = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")  # the form Kafka asks for
    storage = [*run, "kafka.tools.StorageTool", "format", "--config", "server.properties"]
    answer = subprocess.run(
        [*storage, f"--cluster-id={cluster}"], cwd=home, capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise CannotStart(f"Kafka cannot make its data folder {home}: {answer.stdout}{answer.stderr}")
