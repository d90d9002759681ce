"""What the doctor looks at in the catalogue: which songs are waited for."""

from __future__ import annotations

from consumers.doctor.check import Check
from consumers.terminal.format import counted
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.waiting import Waiting

__all__ = ["WAITING", "check_waiting"]

WAITING = "waiting clicks"
"""The name of the check."""
NAMED = 3  # songs


async def check_waiting(redis: AnyRedis, settings: Settings) -> list[Check]:
    """Count the clicks that wait for a song; nothing is said where none does."""
    waiting = Waiting(redis)
    songs = await waiting.songs()
    missing = songs.keys() - (await Catalogue(redis).artists_of(songs)).keys()
    clicks, number = await waiting.count(missing)
    if not clicks:
        return []
    names = ", ".join(sorted(missing)[:NAMED])
    wait = "waits" if clicks == 1 else "wait"
    said = f"{counted(clicks, 'click')} {wait} for {counted(number, 'song')} ({names})"
    return [Check.fine(WAITING, f"{said}, for {settings.song_wait_hours:g} hours at most")]
