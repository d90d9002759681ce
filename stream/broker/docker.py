"""Kafka in Docker: the image of the Apache project."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256

from stream.broker.child import Child
from stream.broker.folder import DataFolder
from stream.broker.java import kafka_version
from stream.broker.ports import LOCALHOST
from stream.broker.properties import as_environment, single_node
from stream.errors import CannotStart

__all__ = ["docker_answers", "image", "start_in_docker"]

_VOLUME = "/var/lib/kafka/data"


def image() -> str:
    """The image's name and version."""
    return f"apache/kafka:{kafka_version()}"


def docker_answers() -> bool:
    """Whether there is a Docker engine that we may use."""
    if shutil.which("docker") is None:
        return False
    try:
        return _docker("info", timeout=10.0).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def start_in_docker(folder: DataFolder, *, port: int, say: Callable[[str], None]) -> Child:
    """Run the image, with its data in a volume that belongs to this data folder.

    The container ends with us, as every child does. Should that fail (the engine holds it, not we), the next
    start removes it: its name is the folder's too, and the folder is ours.
    """
    if _docker("image", "inspect", image()).returncode != 0:
        say(f"fetching {image()} with Docker (only this once)")
        pulled = _docker("pull", "--quiet", image())
        if pulled.returncode != 0:
            raise CannotStart(f"Docker cannot fetch {image()}: {pulled.stderr.strip()}")
    name = f"refrain-kafka-{sha256(str(folder.path.resolve()).encode()).hexdigest()[:12]}"
    _docker("rm", "--force", name)
    properties = single_node(
        listen=":9092", advertise=f"{LOCALHOST}:{port}", controller="localhost:9093", logs=_VOLUME
    )
    environment = {**as_environment(properties), "KAFKA_HEAP_OPTS": "-Xms128m -Xmx512m"}
    command = ["docker", "run", "--rm", "--name", name, "--publish", f"{LOCALHOST}:{port}:9092"]
    command += ["--volume", f"{name}:{_VOLUME}"]
    for variable, value in environment.items():
        command += ["--env", f"{variable}={value}"]
    home = folder.subfolder("kafka")
    return Child("Kafka", [*command, image()], cwd=home, log=home / "output.log", keep_open=[folder.lock])


def _docker(*arguments: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=timeout
    )
