"""Each error of Redis and Kafka is retried, reported or fatal, by one table."""

from __future__ import annotations

import inspect

import pytest
from aiokafka import errors as aiokafka
from kafka import errors as kafka_python
from redis import exceptions as redis

from stream.error_policy import Action, case_of
from stream.errors import Refused, Unreachable

RETRIED = [
    redis.ConnectionError("Error 111 connecting to db:6379. Connection refused."),
    redis.TimeoutError("Timeout reading from db:6379"),
    redis.BusyLoadingError("Redis is loading the dataset in memory"),
    redis.ClusterDownError("CLUSTERDOWN The cluster is down"),
    redis.RedisClusterException("Redis Cluster cannot be connected."),
    redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
    redis.ResponseError("OOM command not allowed script: 5f, on @user_script:1."),
    redis.ResponseError("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN."),
    redis.ResponseError("Script attempted to access a non local key in a cluster node script: 5f"),
    redis.ReadOnlyError("You can't write against a read only replica."),
    aiokafka.KafkaConnectionError("away"),
    aiokafka.KafkaTimeoutError(),
    aiokafka.NotLeaderForPartitionError(),
    aiokafka.KafkaError("Unable to get cluster metadata over all known brokers"),
    kafka_python.KafkaConnectionError("away"),
    kafka_python.KafkaTimeoutError(),
    ConnectionRefusedError(111, "refused"),
    Unreachable("no Kafka broker answers"),
]
REPORTED = [
    redis.AuthenticationError("invalid username-password pair"),
    redis.NoPermissionError("this user has no permissions"),
    redis.ResponseError("NOAUTH Authentication required."),
    aiokafka.SaslAuthenticationFailed(),
    aiokafka.TopicAuthorizationFailedError("clicks"),
    aiokafka.GroupAuthorizationFailedError("refrain-ingest"),
    aiokafka.UnsupportedVersionError(),
    aiokafka.MessageSizeTooLargeError(),
    kafka_python.ClusterAuthorizationFailedError(),
    kafka_python.SaslAuthenticationFailedError(),
    kafka_python.UnsupportedVersionError(),
]
FATAL = [
    redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"),
    redis.DataError("Invalid input of type: 'NoneType'"),
    aiokafka.ProducerClosed(),
    aiokafka.OutOfOrderSequenceNumber(),
    aiokafka.KafkaError("Unexpected error during batch delivery"),
    kafka_python.KafkaConfigurationError("no such option"),
    Refused("Redis does not let us in"),
    KeyError("x"),
]


@pytest.mark.parametrize("error", RETRIED, ids=repr)
def test_what_passes_by_waiting_is_retried(error: Exception) -> None:
    assert case_of(error).action is Action.RETRY


@pytest.mark.parametrize("error", REPORTED, ids=repr)
def test_what_only_a_person_can_mend_is_reported_with_a_hint(error: Exception) -> None:
    assert case_of(error).action is Action.REPORT
    assert case_of(error).hint


@pytest.mark.parametrize("error", FATAL, ids=repr)
def test_all_else_is_fatal(error: Exception) -> None:
    assert case_of(error).action is Action.FAIL


def test_whatever_a_kafka_client_calls_retriable_is_retried() -> None:
    for client in (aiokafka, kafka_python):
        for _, kind in inspect.getmembers(client, inspect.isclass):
            if issubclass(kind, client.KafkaError) and kind.retriable:
                assert case_of(kind()).action is Action.RETRY, kind
