"""Traits of listeners, on every backend."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.stores.listeners import Listeners
from stream.stores.traits import Traits
from tests.stream.written import listener_of, put

MANY = 5_000  # segments: twice as many arguments as Lua passes


async def test_a_listener_has_more_traits_than_a_script_passes_arguments(
    redis: AnyRedis, listeners: Listeners
) -> None:
    traits = Traits(redis, listeners)
    await put(listeners, listener_of("u"))
    segments = {f"segment:{number}": number / MANY for number in range(MANY)}
    assert await traits.write({"u": segments, "nobody": segments}) == {"nobody"}
    assert await traits.about("u") == {name: str(value) for name, value in segments.items()}
    assert await traits.about("nobody") == {}


async def test_fields_are_dropped_from_everybodys_traits_and_no_others(
    redis: AnyRedis, listeners: Listeners
) -> None:
    traits, users = Traits(redis, listeners), [f"u{number}" for number in range(1_500)]
    await put(listeners, *map(listener_of, users))
    await traits.write({user: {"segment:a": 0.5, "churn": 0.1} for user in users})
    await traits.write({"u0": {"segment:b": 0.5}})
    assert await traits.drop_of_all(["segment:a", "segment:b"]) == len(users)
    assert await traits.drop_of_all(["segment:a", "segment:b"]) == 0
    assert await traits.read(users, ["segment:a", "segment:b", "churn"]) == [["", "", "0.1"]] * len(users)
