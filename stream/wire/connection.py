"""How every client here connects to Kafka: where, over TLS or not, and as whom."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stream.errors import SettingsError
from stream.settings import Settings
from stream.wire.oauth import BlockingTokens, Tokens, TokenSource, credentials_tokens, file_tokens

__all__ = ["blocking_connection", "connection", "security", "token_source"]


def connection(settings: Settings) -> dict[str, Any]:
    """Return where and how clients of aiokafka connect.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read, or a package is missing.
    """
    return {"bootstrap_servers": settings.kafka.split(","), **security(settings)}


def blocking_connection(settings: Settings) -> dict[str, Any]:
    """Return where and how clients of kafka-python connect.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read, or a package is missing.
    """
    return {"bootstrap_servers": settings.kafka.split(","), **security(settings, blocking=True)}


def security(settings: Settings, *, blocking: bool = False) -> dict[str, Any]:
    """Return the part of `connection` that is about TLS and passwords; empty where neither is asked for.

    Parameters
    ----------
    blocking
        For kafka-python. The options are the same, but for what gives tokens.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read, or a package is missing.
    """
    if settings.kafka_security_protocol == "plaintext":
        return {}
    options: dict[str, Any] = {"security_protocol": settings.kafka_security_protocol.upper()}
    if settings.kafka_security_protocol.endswith("ssl"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security_protocol.startswith("sasl"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism.upper()
        options |= _credentials(settings, BlockingTokens if blocking else Tokens)
    return options


def token_source(settings: Settings) -> TokenSource | None:
    """Return where tokens come from; None where none is asked for."""
    if settings.kafka_token_file:
        return file_tokens(settings.kafka_token_file)
    if settings.kafka_token_url:
        return credentials_tokens(
            settings.kafka_token_url,
            settings.kafka_username,
            settings.kafka_password.get_secret_value(),
            settings.kafka_token_scope,
            settings.kafka_ca_file,
        )
    return None


def _credentials(settings: Settings, tokens: type[Tokens] | type[BlockingTokens]) -> dict[str, Any]:
    if source := token_source(settings):
        return {"sasl_oauth_token_provider": tokens(source)}
    if settings.kafka_sasl_mechanism == "gssapi":
        if find_spec("gssapi") is None:
            raise SettingsError(
                "REFRAIN_KAFKA_SASL_MECHANISM=gssapi needs the package gssapi, which is not installed",
                hint="`pip install 'refrain-cohorts[gssapi]'`, which compiles it with Kerberos's headers "
                "(Debian: `apt install libkrb5-dev krb5-user gcc`).",
            )
        return {"sasl_kerberos_service_name": settings.kafka_kerberos_service}
    return {
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password.get_secret_value(),
    }


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
