"""How Faust connects to Kafka: the same as all other clients, in its own words."""

from __future__ import annotations

from typing import Any

import faust

from stream.settings import Settings
from stream.wire.connection import security

__all__ = ["faust_credentials"]


def faust_credentials(settings: Settings) -> Any:
    """Return Faust's `broker_credentials`; None where neither TLS nor a password is asked for.

    Raises
    ------
    SettingsError
        Where a certificate or a key cannot be read, or a package is missing.
    """
    options = security(settings)
    context = options.get("ssl_context")
    if tokens := options.get("sasl_oauth_token_provider"):
        return faust.OAuthCredentials(oauth_cb=tokens, ssl_context=context)
    if service := options.get("sasl_kerberos_service_name"):
        return faust.GSSAPICredentials(kerberos_service_name=service, ssl_context=context)
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None
