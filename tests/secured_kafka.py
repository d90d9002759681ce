"""A Kafka that wants a password over TLS on one port, and a client's certificate on another."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from stream.broker.child import Child
from stream.broker.class_archive import archive_path, making, using
from stream.broker.java import fetch_jars, find_java
from stream.broker.ports import LOCALHOST, free_port
from stream.broker.properties import as_file, single_node
from stream.broker.ready import wait_for_kafka

__all__ = ["PASSWORD", "USER", "SecuredKafka", "secured_kafka", "unsigned_token"]

USER, PASSWORD = "refrain", "a b%c=d'é"
LOG = """<Configuration status="ERROR">
  <Appenders>
    <File name="authorizer" fileName="authorizer.log"><PatternLayout pattern="%m%n"/></File>
    <Console name="output" target="SYSTEM_OUT"><PatternLayout pattern="%m%n%throwable{short}"/></Console>
  </Appenders>
  <Loggers>
    <Logger name="kafka.authorizer.logger" level="DEBUG" additivity="false">
      <AppenderRef ref="authorizer"/>
    </Logger>
    <Root level="ERROR"><AppenderRef ref="output"/></Root>
  </Loggers>
</Configuration>
"""


@dataclass(frozen=True)
class SecuredKafka:
    """Where it is, and what its clients need.

    Attributes
    ----------
    inner
        The port that takes anybody, and lets them do all.
    sasl_ssl, ssl
        The port that wants a password (PLAIN, SCRAM-SHA-512) or a token; the one that wants a certificate.
    ca, client, other_ca
        PEM files: who has signed the server's certificate; a client's certificate and key; somebody else.
    authorizer_log
        What the authorizer allowed, by which ACL, and what it denied.
    """

    inner: str
    sasl_ssl: str
    ssl: str
    ca: Path
    client: Path
    other_ca: Path
    authorizer_log: Path


@contextmanager
def secured_kafka(home: Path) -> Iterator[SecuredKafka]:
    """Run it in a folder, for the tests of a module."""
    ca = trustme.CA()
    _write(ca.issue_cert(LOCALHOST), home / "server.pem")
    _write(ca.issue_cert("refrain@example.org"), home / "client.pem")
    ca.cert_pem.write_to_path(str(home / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(home / "other.pem"))
    inner, sasl_ssl, ssl, controller = (f"{LOCALHOST}:{free_port()}" for _ in range(4))
    listeners = f"PLAINTEXT://{inner},SASL_SSL://{sasl_ssl},SSL://{ssl}"
    properties = {
        **single_node(listen=inner, advertise=inner, controller=controller, logs="logs"),
        "listeners": f"{listeners},CONTROLLER://{controller}",
        "advertised.listeners": listeners,
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", "SASL_SSL:SASL_SSL", "SSL:SSL"]
        ),
        # Who comes in plaintext, with the certificate or as USER may do all; others what ACLs allow.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:{USER}",
        "ssl.principal.mapping.rules": f"RULE:^.*$/{USER}/",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": "server.pem",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": "ca.pem",
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
        # Takes tokens that nobody signed: what is tested is how they get there.
        "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": (
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
            'unsecuredLoginStringClaim_sub="broker";'
        ),
        "listener.name.sasl_ssl.plain.sasl.jaas.config": (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_{USER}="{_escaped(PASSWORD)}";'
        ),
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
    }
    (home / "server.properties").write_text(as_file(properties), encoding="ascii")
    (home / "log4j2.xml").write_text(LOG)
    java, jars = str(find_java()), fetch_jars(say=lambda _: None)
    archive = archive_path(java, jars)
    run = [java, "-Xmx512m", "-Dlog4j2.configurationFile=log4j2.xml", "-cp", f"{jars}/*"]
    scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    storage = ["format", "--config", "server.properties", "--cluster-id", "c" * 22, "--add-scram", scram]
    with making(archive) as options:
        format_it = [*run, *options, "kafka.tools.StorageTool", *storage]
        subprocess.run(format_it, cwd=home, check=True, capture_output=True)
    with Child(
        "Kafka",
        [*run, *using(archive), "kafka.Kafka", "server.properties"],
        cwd=home,
        log=home / "output.log",
    ):
        wait_for_kafka(inner, timeout=120)
        yield SecuredKafka(
            inner,
            sasl_ssl,
            ssl,
            home / "ca.pem",
            home / "client.pem",
            home / "other.pem",
            home / "authorizer.log",
        )


def unsigned_token(user: str, seconds: float = 3600.0) -> str:
    """A token that this Kafka takes for a user's."""
    now = time.time()
    claims = {"sub": user, "iat": now, "exp": now + seconds}
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def _write(cert: trustme.LeafCert, path: Path) -> None:
    """Write key and certificates; Kafka reads keys in PKCS #8 only."""
    key = serialization.load_pem_private_key(cert.private_key_pem.bytes(), password=None)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + b"".join(each.bytes() for each in cert.cert_chain_pems))


def _escaped(text: str) -> str:
    """Return text as a properties file has it, which is Latin-1."""
    return "".join(sign if sign.isascii() else f"\\u{ord(sign):04x}" for sign in text)
