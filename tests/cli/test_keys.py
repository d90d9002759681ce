"""`refrain key`: which keys there are, and what is left when one is revoked."""

from __future__ import annotations

from tests.refrain_command import Refrain


def test_the_last_key_is_revoked_only_where_that_is_meant(refrain: Refrain) -> None:
    first, second = (refrain.asked("key", "add", name)["key_id"] for name in ("first", "second"))
    assert refrain.asked("key", "revoke", first) == {"revoked": first}
    refused = refrain.run("key", "revoke", second)
    assert refused.returncode == 2
    assert f"{second} is the last key" in refused.stderr
    assert [key["key_id"] for key in refrain.asked("key", "list")] == [second]
    assert refrain.asked("key", "revoke", second, "--last") == {"revoked": second}
    assert refrain.asked("key", "list") == []


def test_a_key_that_there_is_not_is_not_revoked(refrain: Refrain) -> None:
    only = refrain.asked("key", "add", "desk")["key_id"]
    refused = refrain.run("key", "revoke", "0123456789ab")
    assert refused.returncode == 2
    assert "there is no key '0123456789ab'" in refused.stderr
    assert [key["key_id"] for key in refrain.asked("key", "list")] == [only]
