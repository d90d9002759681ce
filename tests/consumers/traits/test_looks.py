from __future__ import annotations

from consumers.traits.looks import LOOK_SECONDS, Looks
from tests.consumers.traits.bureau import Bureau


async def test_while_there_is_nobody_to_look_at_the_next_look_is_not_put_off(bureau: Bureau) -> None:
    looks = Looks(bureau.stores.listeners, bureau.stores.cohorts.drawn, 2000)
    assert await looks.look(bureau.now) is None
    assert looks.due(bureau.now + 1)
    await bureau.click("u", 0, 40)
    assert await looks.look(bureau.now + 1) is None
    assert not looks.due(bureau.now + LOOK_SECONDS)
    users, _ = await looks.look(bureau.now + 1 + LOOK_SECONDS) or ([], None)
    assert users == ["u"]
