"""Member sets, sizes and indexes made again where they are not what listeners' own records say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from consumers.runtime.wiring import Stores
from models.listener import last_move
from models.traits.lifecycle import STAGES
from models.traits.where import STAGE
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.scan import members, with_key
from stream.stores.waiting import PUT_BACK, WaitingClick

__all__ = ["Repairs", "repair_sets"]


@dataclass(frozen=True)
class Repairs:
    """What was not as listeners' records say, and is now.

    Attributes
    ----------
    listeners
        Records that were looked at.
    missing
        Listeners who were not in the set of their cohort.
    strays
        Members of a set whose record names another cohort, or who have none.
    sizes
        Cohorts whose size was not that of their set, or that were not among the living.
    stages
        Listeners who were not in the set of their stage, or in one that is not theirs.
    waiting_clicks
        Listeners and songs of whom the index did not say that a click waits.
    opted_out
        Listeners and artists of whom the artist's set did not say that the listener has opted out.
    """

    listeners: int
    missing: int
    strays: int
    sizes: int
    stages: int
    waiting_clicks: int
    opted_out: int

    @property
    def found(self) -> dict[str, int]:
        """What was not as it should be, each kind with how many."""
        return {kind: number for kind, number in asdict(self).items() if kind != "listeners" and number}


async def repair_sets(redis: AnyRedis, settings: Settings) -> Repairs:
    """Look at every listener's record, and let all that follows from it follow.

    Processes may go on meanwhile: who moves just then is looked at once more, as after every move. May be
    repeated, and broken off.
    """
    stores = Stores.on(redis, settings)
    sizes = await _wrong_sizes(stores)
    listeners, missing, lived_in = await _missing(redis, stores)
    sizes += await _unlisted(stores, lived_in)
    strays = await _strays(stores)
    stages = await _stages(redis, stores)
    waiting = await _waiting(redis, stores)
    opted_out = await _opted_out(redis, stores)
    return Repairs(listeners, missing, strays, sizes, stages, waiting, opted_out)


async def _wrong_sizes(stores: Stores) -> int:
    """Write sizes that are not those of the sets; return how many these were. Later moves keep them right."""
    written = await stores.cohorts.sizes()
    about = dict(zip(written, await stores.cohorts.about_each(list(written)), strict=True))
    held = {cohort: await stores.cohorts.listeners([cohort]) for cohort in written}
    wrong = [
        cohort
        for cohort, size in written.items()
        if held[cohort] != size or held[cohort] != int(about[cohort].get("size", 0))
    ]
    await stores.cohorts.resize(wrong)
    return len(wrong)


async def _missing(redis: AnyRedis, stores: Stores) -> tuple[int, int, set[str]]:
    """Put listeners where their records say; return how many they are, how many were not, where."""
    listeners, missing, lived_in = 0, 0, set[str]()
    async for users in with_key(redis, keys.user):
        placed = {each.user_id: each for each in await stores.listeners.placed(users) if each.rev}
        of_cohort: dict[str, list[str]] = defaultdict(list)
        for user, listener in placed.items():
            of_cohort[listener.cohort].append(user)
        sets = {cohort: (keys.cohort_users(cohort), own) for cohort, own in of_cohort.items()}
        absent = await _absent(redis, sets)
        await stores.cohorts.follow([last_move(placed[user]) for own in absent.values() for user in own])
        missing += sum(map(len, absent.values()))
        listeners += len(placed)
        lived_in |= of_cohort.keys() - {""}
    return listeners, missing, lived_in


async def _unlisted(stores: Stores, lived_in: Collection[str]) -> int:
    """Enter cohorts that listeners are in among the living; return how many were not there."""
    listed = await stores.cohorts.sizes()
    # Not one whose listeners have all moved on since they were met: nothing would take it off again.
    unlisted = [
        cohort for cohort in lived_in if cohort not in listed and await stores.cohorts.listeners([cohort])
    ]
    await stores.cohorts.resize(unlisted)
    return len(unlisted)


async def _strays(stores: Stores) -> int:
    strays = 0
    for cohort in await stores.cohorts.all():
        async for users in stores.cohorts.members(cohort):
            placed = await stores.listeners.placed(users)
            gone = [each.user_id for each in placed if not each.rev]
            elsewhere = [each for each in placed if each.rev and each.cohort != cohort]
            await stores.cohorts.follow([last_move(each)._replace(origin=cohort) for each in elsewhere])
            await stores.cohorts.leave(cohort, gone)
            strays += len(gone) + len(elsewhere)
    return strays


async def _stages(redis: AnyRedis, stores: Stores) -> int:
    wrong = 0
    async for users in with_key(redis, keys.user_traits):
        wrong += await _settle_stages(stores, users)
    for stage in STAGES:
        async for users in members(redis, keys.stage_users(stage)):
            said = await stores.traits.read(users, [STAGE])
            wrong += await _settle_stages(
                stores, [user for user, (theirs,) in zip(users, said, strict=True) if not theirs]
            )
    return wrong


async def _settle_stages(stores: Stores, users: Sequence[str]) -> int:
    """Put listeners into the set of the stage that their traits say; return how many were not there."""
    number = 0
    while users:
        said = await stores.traits.read(users, [STAGE])
        stage_of = {user: stage for user, (stage,) in zip(users, said, strict=True)}
        held = await stores.traits.holding(users)
        wrong = [user for user in users if held[user] != ({stage_of[user]} if stage_of[user] else set())]
        number = number or len(wrong)
        # Looked at once more: `refrain traits` may have given one another stage meanwhile.
        await stores.traits.place({user: stage_of[user] for user in wrong})
        users = wrong
    return number


async def _waiting(redis: AnyRedis, stores: Stores) -> int:
    """Enter into the index whose clicks wait for which song; say of songs that are there that they came."""
    missing, known = 0, await stores.waiting.songs()
    async for users in with_key(redis, keys.user_waiting):
        of_song: dict[str, dict[str, WaitingClick]] = defaultdict(dict)
        for user, own in (await stores.waiting.clicks(users)).items():
            for each in own:
                of_song[PUT_BACK if each.click.artist_ids else each.click.song_id][user] = each
        sets = {song: (keys.waiting_song(song), own) for song, own in of_song.items()}
        absent = await _absent(redis, sets) | {s: list(own) for s, own in of_song.items() if s not in known}
        late = [of_song[song][user] for song, own in absent.items() for user in own]
        if late:
            expected = [
                each.click._replace(song_id=song) for song in absent for each in of_song[song].values()
            ]
            await stores.waiting.expect(expected, max(each.since for each in late))
        await stores.waiting.come({*await stores.catalogue.artists_of(of_song), *of_song.keys() & {PUT_BACK}})
        missing += len(late)
    return missing


async def _opted_out(redis: AnyRedis, stores: Stores) -> int:
    missing = 0
    async for users in with_key(redis, keys.user_opted_out):
        of_artist: dict[str, list[str]] = defaultdict(list)
        for user, artists in (await stores.opted_out.artists_of(users)).items():
            for artist in artists:
                of_artist[artist].append(user)
        absent = await _absent(
            redis, {artist: (keys.artist_opted_out(artist), own) for artist, own in of_artist.items()}
        )
        for artist, own in absent.items():
            await stores.opted_out.add_of_artists({user: [artist] for user in own})
            missing += len(own)
    return missing


async def _absent(redis: AnyRedis, sets: Mapping[str, tuple[str, Collection[str]]]) -> dict[str, list[str]]:
    """Return who is not in a set that they should be in; a set that lacks nobody is left out.

    Parameters
    ----------
    sets
        What a set is of -> its key, and who should be in it.
    """
    pipeline = redis.pipeline(transaction=False)
    for key, users in sets.values():
        pipeline.smismember(key, list(users))
    answers = await pipeline.execute() if sets else []
    absent = {
        name: [user for user, there in zip(users, flags, strict=True) if not there]
        for (name, (_, users)), flags in zip(sets.items(), answers, strict=True)
    }
    return {name: users for name, users in absent.items() if users}
