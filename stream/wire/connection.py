"""How every client here connects to Kafka: where, over TLS or not, and as whom."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from stream.errors import SettingsError
from stream.settings import Settings

__all__ = ["connection", "security"]


def connection(settings: Settings) -> dict[str, Any]:
    """Return where and how clients of aiokafka and of kafka-python connect; both call the options the same.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read.
    """
    return {"bootstrap_servers": settings.kafka.split(","), **security(settings)}


def security(settings: Settings) -> dict[str, Any]:
    """Return the part of `connection` that is about TLS and passwords; empty where neither is asked for.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read.
    """
    if settings.kafka_security_protocol == "plaintext":
        return {}
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol.upper()}
    if settings.kafka_security_protocol.endswith("ssl"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security_protocol.startswith("sasl"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism.upper()
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=_file(settings.kafka_ca_file))
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("kafka_ca_file", settings.kafka_ca_file, error) from error
    if settings.kafka_cert_file:
        try:
            context.load_cert_chain(settings.kafka_cert_file, _file(settings.kafka_key_file))
        except (OSError, ssl.SSLError) as error:
            raise _unreadable("kafka_cert_file", settings.kafka_cert_file, error) from error
    return context


def _file(path: Path | None) -> str | None:
    return str(path) if path else None


def _unreadable(name: str, path: Path | None, error: Exception) -> SettingsError:
    return SettingsError(
        f"REFRAIN_{name.upper()}: {path} cannot be used ({error})",
        hint="It must be a PEM file that this process may read; the key may stand in the certificate's file.",
    )
