"""Where a browser finds the page."""

from __future__ import annotations

from stream.settings import Settings

__all__ = ["web_address"]


def web_address(settings: Settings) -> str:
    """Return the page's address.

    Examples
    --------
    >>> web_address(Settings(web_host="::1", web_port=80))
    'http://[::1]:80'
    """
    host = f"[{settings.web_host}]" if ":" in settings.web_host else settings.web_host
    return f"http://{host}:{settings.web_port}"
