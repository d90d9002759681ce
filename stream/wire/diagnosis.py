"""Why no broker answers: what a connection by hand finds, as clients of Kafka hide it."""

from __future__ import annotations

import socket
import ssl

from stream.errors import Unreachable
from stream.settings import Settings
from stream.wire.connection import security, token_source

__all__ = ["first_reachable", "knock", "why_no_answer"]

SECONDS = 2.0
START = "Is it running? REFRAIN_KAFKA says where; `refrain up` starts one where none is given."
LET_IN = (
    "REFRAIN_KAFKA_USERNAME, REFRAIN_KAFKA_PASSWORD and REFRAIN_KAFKA_SASL_MECHANISM are to be those that "
    "the broker knows."
)
PROTOCOL = "Set REFRAIN_KAFKA_SECURITY_PROTOCOL to ssl or sasl_ssl: this port speaks TLS."
CERTIFICATE = "REFRAIN_KAFKA_CA_FILE is to hold the certificate of who signed the broker's."
TOKENS = (
    "REFRAIN_KAFKA_TOKEN_FILE, or REFRAIN_KAFKA_TOKEN_URL with REFRAIN_KAFKA_USERNAME (the client's id) and "
    "REFRAIN_KAFKA_PASSWORD (its secret), are to give a token that the broker takes."
)
TICKET = "`klist` shows it; `kinit` gets one; REFRAIN_KAFKA_KERBEROS_SERVICE is the broker's primary."
NO_TLS = "Set REFRAIN_KAFKA_SECURITY_PROTOCOL to plaintext or sasl_plaintext, or name a port that speaks TLS."


def why_no_answer(settings: Settings) -> tuple[str, str]:
    """Return what is wrong with the first server that takes a connection, and what to do.

    Where none does, it is what is wrong with the last.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read.
    """
    context = security(settings).get("ssl_context")
    found = "", START
    for server in settings.kafka.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), SECONDS) as opened:
                return _ask(opened, host, context, settings)
        except (OSError, ValueError) as error:
            found = str(error), START
    return found


def knock(settings: Settings) -> None:
    """See that a server takes a connection: a client of Kafka's takes two seconds to say that none does.

    Raises
    ------
    Unreachable
        Where none does.
    """
    reachable, problem = first_reachable(settings.kafka)
    if reachable is None:
        raise Unreachable(f"no Kafka broker answers at {settings.kafka} ({problem})", hint=START)


def first_reachable(bootstrap: str) -> tuple[str | None, str]:
    """Return the first of these addresses that takes a connection, or what keeps us from every one.

    Cheaper than a Kafka client, which also logs each refusal and forgets to close its socket (kafka-python
    3.0).
    """
    problems = []
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), SECONDS):
                return address.strip(), ""
        except ValueError:
            problems.append(f"{address!r} is no host:port")
        except OSError as error:
            problems.append(f"{address.strip()}: {error.strerror or error}")
    return None, ", ".join(problems)


def _ask(
    opened: socket.socket, host: str, context: ssl.SSLContext | None, settings: Settings
) -> tuple[str, str]:
    if context is None and _speaks_tls(opened):
        return "it speaks TLS", PROTOCOL
    try:
        if context is not None:
            context.wrap_socket(opened, server_hostname=host).close()
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted: {error.verify_message}", CERTIFICATE
    except OSError as error:  # ssl.SSLError is one
        return f"no TLS with it: {error}", NO_TLS
    if settings.kafka_security_protocol.startswith("sasl"):
        return _refused(settings)
    return "it takes connections and does not answer", START


def _refused(settings: Settings) -> tuple[str, str]:
    if source := token_source(settings):
        try:
            source()
        except OSError as error:
            return str(error), TOKENS
        return "it does not take our token", TOKENS
    if settings.kafka_sasl_mechanism == "gssapi":
        return "it does not take our Kerberos ticket", TICKET
    return f"it does not let {settings.kafka_username} in", LET_IN


def _speaks_tls(opened: socket.socket) -> bool:
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        anybody.wrap_socket(opened).close()
    except OSError:
        return False
    return True
