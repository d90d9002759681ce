"""How a Kafka of our own is set up: one node that is broker and controller (KRaft)."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["as_environment", "as_file", "single_node"]


def single_node(*, listen: str, advertise: str, controller: str, logs: str) -> dict[str, str]:
    """The properties of a single node.

    Parameters
    ----------
    listen, advertise
        "host:port" it listens on for clients, and the one it tells them.
    controller
        "host:port" of its controller, which only it connects to.
    logs
        The folder of its data.

    Examples
    --------
    >>> p = single_node(listen=":9092", advertise="127.0.0.1:20001", controller=":9093", logs="/data")
    >>> p["advertised.listeners"]
    'PLAINTEXT://127.0.0.1:20001'
    """
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        # Not kept with the data (as a dynamic quorum's addresses are), so that the ports may change between
        # runs.
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{listen},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{advertise}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": logs,
        # A topic that came into being by a mistyped name would have neither our partitions nor our retention.
        "auto.create.topics.enable": "false",
        # One node holds all replicas there are.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Internal topics of 50 partitions each are for clusters; a few make the first consumer group quick.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        # A broker that was killed is let in again once its session has ended: by default after nine seconds.
        # At this interval it asks to be let in, and then whether it may answer clients.
        "broker.session.timeout.ms": "2500",
        "broker.heartbeat.interval.ms": "100",
        # Killed, it reads the last segment of every partition whole before it answers: 1 GB by default. Each
        # segment takes two memory maps, of which Linux gives a process 65,530: so they are not smaller still.
        "log.segment.bytes": "33554432",
        # A group of one process need not wait for others to join.
        "group.initial.rebalance.delay.ms": "0",
    }


def as_file(properties: Mapping[str, str]) -> str:
    """The text of a server.properties file."""
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def as_environment(properties: Mapping[str, str]) -> dict[str, str]:
    """The environment that the apache/kafka image reads.

    Examples
    --------
    >>> as_environment({"node.id": "1"})
    {'KAFKA_NODE_ID': '1'}
    """
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}
