"""The one table of what is done about an error of Redis or Kafka: retried, reported, or fatal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aiokafka import errors as aiokafka
from kafka import errors as kafka_python
from redis import exceptions as redis
from redis.asyncio.sentinel import MasterNotFoundError

from stream.errors import NotDurable, NotWritten, Refused, Unreachable

__all__ = ["Action", "Case", "case_of", "takes_no_writes"]


class Action(Enum):
    """What is done about an error."""

    RETRY = "it passes by waiting"
    REPORT = "it stays until a person mends it: the process ends with a sentence"
    FAIL = "the client is of no use any more, or Refrain is wrong: the process ends with the traceback"


@dataclass(frozen=True)
class Case:
    """A row of the table: errors of these types, whose text has `sign` in it.

    Parameters
    ----------
    fact
        What the error says of the server, in a few words.
    hint
        What a person can do about it; empty where it is only waited for.
    """

    types: tuple[type[Exception], ...]
    action: Action
    fact: str
    hint: str = ""
    sign: str = ""

    def covers(self, error: BaseException) -> bool:
        """Say whether this row is about this error."""
        return isinstance(error, self.types) and self.sign in str(error)


REDIS = (redis.RedisError, redis.RedisClusterException)
KAFKA = (aiokafka.KafkaError, kafka_python.KafkaError)

FULL = "Redis takes no more writes"
SCRIPT = "Another program's script runs there for long; `redis-cli script kill` ends it."
REPLICAS = "What comes waits in Kafka until REFRAIN_REDIS_REPLICAS of them have what was written."
DISK = "What comes waits in Kafka until its append-only file has what was written. Is its disk full?"
MEMORY = "Give it memory (maxmemory) or disk; what comes waits in Kafka."
PRIMARY = "REFRAIN_REDIS is to name the primary, not a replica."
SENTINELS = "REFRAIN_REDIS is redis+sentinel://HOST:26379,HOST:26379/NAME/0, with their NAME for the primary."
RIGHTS = "Its user lacks a right: docs/redis.md and scripts/redis-users.acl say which Refrain needs."
CREDENTIALS = "Put user and password into REFRAIN_REDIS, as redis://USER:PASSWORD@HOST:PORT/0."


def _refused(sign: str, hint: str) -> Case:
    # redis-py has types for some refusals, and takes their first word away; from within a script for none.
    return Case(REDIS, Action.RETRY, FULL, hint, sign)


# The first row that covers an error is the one that counts.
TABLE = (
    Case((Refused,), Action.FAIL, "a server refuses"),  # what the rows below have made of a client's error
    Case((NotDurable,), Action.RETRY, "Redis has failed over or was restarted", sign="another"),
    Case((NotDurable,), Action.RETRY, "Redis's replicas are behind or away", REPLICAS, sign="replicas"),
    Case((NotDurable,), Action.RETRY, "Redis's disk is behind", DISK),
    Case((NotWritten,), Action.RETRY, "a file cannot be written"),
    # Redis: who we are. Two of them are ConnectionErrors to redis-py.
    Case(
        (
            redis.AuthenticationError,
            redis.AuthenticationWrongNumberOfArgsError,
            redis.AuthorizationError,
        ),
        Action.REPORT,
        "Redis does not let us in",
        CREDENTIALS,
    ),
    Case(REDIS, Action.REPORT, "Redis does not let us in", CREDENTIALS, sign="NOAUTH"),
    Case(REDIS, Action.REPORT, "Redis does not let us in", CREDENTIALS, sign="WRONGPASS"),
    Case((redis.NoPermissionError,), Action.REPORT, "Redis does not allow it", RIGHTS),
    Case(REDIS, Action.REPORT, "Redis does not allow it", RIGHTS, sign="NOPERM"),
    # Redis: it answers, and refuses for now.
    _refused("OOM", MEMORY),
    _refused("maxmemory", MEMORY),
    _refused("MISCONF", MEMORY),
    _refused("READONLY", PRIMARY),
    _refused("read only replica", PRIMARY),
    _refused("NOREPLICAS", "Its replicas are away."),
    _refused("CLUSTERDOWN", "Its cluster is incomplete."),
    _refused("LOADING", "It is still reading its data."),
    # From within a script, which a node began whose slot is on its way to another.
    Case(REDIS, Action.RETRY, "a Redis Cluster moves a slot", sign="non local key"),
    # Redis: it is away.
    Case(REDIS, Action.RETRY, "Redis does not answer", SCRIPT, sign="BUSY Redis"),
    Case((MasterNotFoundError,), Action.RETRY, "no Sentinel names a primary", SENTINELS),
    Case(
        (
            redis.ConnectionError,
            redis.TimeoutError,
            redis.ClusterError,
            redis.TryAgainError,
            redis.RedisClusterException,
        ),
        Action.RETRY,
        "Redis does not answer",
    ),
    Case(REDIS, Action.FAIL, "Redis refuses"),
    # Kafka: who we are, and what it can do.
    Case(
        (
            aiokafka.AuthenticationFailedError,
            aiokafka.AuthenticationMethodNotSupported,
            aiokafka.SaslAuthenticationFailed,
            aiokafka.UnsupportedSaslMechanismError,
            aiokafka.IllegalSaslStateError,
            kafka_python.SaslAuthenticationFailedError,
            kafka_python.UnsupportedSaslMechanismError,
            kafka_python.IllegalSaslStateError,
        ),
        Action.REPORT,
        "Kafka does not let us in",
        "REFRAIN_KAFKA_USERNAME, _PASSWORD, _SASL_MECHANISM and _SECURITY_PROTOCOL say who asks, and how.",
    ),
    Case(
        (
            aiokafka.TopicAuthorizationFailedError,
            aiokafka.GroupAuthorizationFailedError,
            aiokafka.ClusterAuthorizationFailedError,
            aiokafka.TransactionalIdAuthorizationFailed,
            kafka_python.AuthorizationError,
        ),
        Action.REPORT,
        "Kafka does not allow it",
        "scripts/kafka-acls gives each process the rights (ACLs) that it needs (docs/kafka.md).",
    ),
    Case(
        (
            aiokafka.IncompatibleBrokerVersion,
            aiokafka.UnsupportedVersionError,
            kafka_python.UnsupportedVersionError,
        ),
        Action.REPORT,
        "this Kafka is too old",
        "Refrain needs Kafka 2.8 or newer.",
    ),
    Case(
        (
            aiokafka.MessageSizeTooLargeError,
            aiokafka.RecordListTooLargeError,
            kafka_python.MessageSizeTooLargeError,
            kafka_python.RecordListTooLargeError,
        ),
        Action.REPORT,
        "Kafka takes no message of this size",
        "Raise max.message.bytes of the topic; `refrain doctor` says which one differs.",
    ),
    Case(
        (aiokafka.InvalidReplicationFactorError, kafka_python.InvalidReplicationFactorError),
        Action.RETRY,  # brokers that are just starting count, too
        "Kafka has fewer brokers than REFRAIN_REPLICATION asks for",
        "Start more brokers, or lower REFRAIN_REPLICATION.",
    ),
    # Kafka: it is away, or not itself for a moment.
    Case(
        (
            # The clients' own `retriable` is False for these.
            aiokafka.KafkaTimeoutError,
            aiokafka.KafkaUnavailableError,
            aiokafka.BrokerNotAvailableError,
            aiokafka.ReplicaNotAvailableError,
            aiokafka.UnrecognizedBrokerVersion,  # asked of a broker that is just going away
            aiokafka.RebalanceInProgressError,
            aiokafka.IllegalGenerationError,
            aiokafka.UnknownMemberIdError,
            aiokafka.ConcurrentTransactions,
            aiokafka.UnknownError,
            kafka_python.BrokerNotAvailableError,
            kafka_python.UnrecognizedBrokerVersion,
            kafka_python.RebalanceInProgressError,
            kafka_python.UnknownError,
        ),
        Action.RETRY,
        "Kafka does not answer",
    ),
    # aiokafka has no type for this one.
    Case(KAFKA, Action.RETRY, "Kafka does not answer", sign="Unable to get cluster metadata"),
    Case((Unreachable, OSError), Action.RETRY, "a server does not answer"),
)
RETRIABLE = Case(KAFKA, Action.RETRY, "Kafka does not answer")
FATAL = Case((Exception,), Action.FAIL, "an error")


def case_of(error: BaseException) -> Case:
    """Return the row of the table that an error falls under.

    Examples
    --------
    >>> case_of(redis.ReadOnlyError("You can't write against a read only replica.")).hint
    'REFRAIN_REDIS is to name the primary, not a replica.'
    >>> case_of(aiokafka.TopicAuthorizationFailedError("clicks")).action.name
    'REPORT'
    >>> case_of(KeyError("x")).action.name
    'FAIL'
    """
    for case in TABLE:
        if case.covers(error):
            return case
    # What the clients themselves call retriable, is.
    return RETRIABLE if isinstance(error, KAFKA) and error.retriable else FATAL


def takes_no_writes(error: BaseException) -> bool:
    """Say whether Redis answers, and refuses a write for now.

    Examples
    --------
    >>> takes_no_writes(redis.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."))
    True
    >>> takes_no_writes(redis.ConnectionError("refused"))
    False
    """
    return case_of(error).fact == FULL
