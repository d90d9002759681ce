"""The example of docs/deliver.md checks what is really posted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from consumers.deliver.release_files import file_name
from consumers.deliver.signature import signed_headers
from stream.webhook_secret import webhook_keys

PAGE = (Path(__file__).parents[2] / "docs" / "deliver.md").read_text(encoding="utf-8")
OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"
BODY = b'{"type":"audience.page"}'


def is_signed() -> Callable[[str, dict[str, str], bytes], bool]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)  # noqa: S102 - of our own page
    return found["is_signed"]


def headers(secret: str, at: float) -> dict[str, str]:
    return signed_headers(webhook_keys(secret), "msg_1", int(at), BODY)


def test_the_example_takes_what_is_signed_with_its_secret_and_nothing_else() -> None:
    check, now = is_signed(), time.time()
    assert check(OLD, headers(OLD, now), BODY)
    assert not check(NEW, headers(OLD, now), BODY)
    assert not check(OLD, headers(OLD, now), BODY + b" ")
    assert not check(OLD, headers(OLD, now) | {"webhook-id": "msg_2"}, BODY)
    assert not check(OLD, headers(OLD, now - 3600), BODY)


def test_while_a_secret_is_replaced_both_are_good() -> None:
    check, both = is_signed(), headers(f"{OLD}\n{NEW}", time.time())
    assert check(OLD, both, BODY)
    assert check(NEW, both, BODY)


def test_the_name_of_a_file_is_the_one_of_the_page() -> None:
    assert f"`{file_name('a/b')}`" in PAGE
