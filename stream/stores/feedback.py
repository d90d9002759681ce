"""What came of releases: feedback counted for the release, the cohort and the listener, each event once."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgpack

from models.affinity import ForwardDecay
from models.click_rate import HALF_LIFE, MIN_SENT
from models.listener import OffsetSource
from stream.connect import AnyRedis
from stream.retry import Clock
from stream.stores import keys
from stream.stores.merges import Merges
from stream.stores.opted_out import OptedOut
from stream.stores.scripts import Call, Script, call_all
from stream.stores.told import Heed, Told
from stream.wire.events import Feedback

__all__ = ["FADING", "FeedbackCounts", "Heard"]

FADING = ForwardDecay(HALF_LIFE)
"""By which the counts fade that CTRs are learned from."""


class Heard(NamedTuple):
    """A feedback event and its place in Kafka."""

    feedback: Feedback
    source: OffsetSource
    offset: int


class FeedbackCounts:
    """The counts of feedback.

    An event is known by its place in Kafka. It counts for the release first, which says for which cohort and
    as what it counts there: once more where it is delivered again. The cohort passes over offsets that it has
    counted; the listener's record knows each release by name.

    Parameters
    ----------
    keep_seconds
        For how long a release is remembered.
    clock
        Unix seconds.
    """

    def __init__(
        self,
        redis: AnyRedis,
        keep_seconds: float,
        opted_out: OptedOut,
        told: Told,
        clock: Clock = time.time,
    ) -> None:
        self._redis = redis
        self._keep = int(keep_seconds)
        self._opted_out = opted_out
        self._told = told
        self._clock = clock
        self._merges = Merges(redis)
        self._count_release, self._count_cohort = Script("count_release"), Script("count_cohort")

    async def count(self, heard: Sequence[Heard]) -> int:
        """Count feedback; who opted out is remembered. Who did so of an artist alone dismissed the release.

        What comes of one id of a listener counts as of the id that was told.

        Returns
        -------
        How many events count: the others came before, or from listeners who were not told.
        """
        await self._opt_out([h.feedback for h in heard], {})
        # Only now: whoever merges an id meanwhile finds its opt-outs, or we find whose part it is.
        roots = await self._merges.roots({h.feedback.user_id for h in heard})
        await self._opt_out([h.feedback for h in heard if h.feedback.user_id in roots], roots)
        ids = await self._merges.ids({roots.get(user := h.feedback.user_id, user) for h in heard})
        by_release: dict[str, list[Heard]] = defaultdict(list)
        for entry in heard:
            by_release[entry.feedback.release_id].append(entry)
        counted: list[tuple[Heard, str, list[str]]] = []
        artists: dict[str, list[str]] = {}
        for release_id, entries in by_release.items():
            told = await self._as_told(release_id, entries, roots, ids)
            found, artists[release_id] = await self._count_for(release_id, told, roots)
            counted += found
        await self._count_for_cohorts(counted)
        await self._told.mark(
            [self._heed(entry.feedback, kinds, roots, artists) for entry, _, kinds in counted]
        )
        return len(counted)

    async def _opt_out(self, feedback: Sequence[Feedback], roots: Mapping[str, str]) -> None:
        out = [each for each in feedback if each.kind == "opted_out"]
        users = {each.user_id: roots.get(each.user_id, each.user_id) for each in out}
        await self._opted_out.add([users[each.user_id] for each in out if not each.artist_ids])
        of_artists: dict[str, list[str]] = defaultdict(list)
        for each in out:
            if each.artist_ids:
                of_artists[users[each.user_id]] += each.artist_ids
        await self._opted_out.add_of_artists(of_artists)

    async def _as_told(
        self,
        release_id: str,
        entries: Sequence[Heard],
        roots: Mapping[str, str],
        ids: Mapping[str, Sequence[str]],
    ) -> list[Heard]:
        """Name in events of who has several ids the one that was told of a release, or drawn for control."""
        found = list(entries)
        for at, entry in enumerate(entries):
            named = entry.feedback.user_id
            root = roots.get(named, named)
            if not ids[root]:
                continue
            theirs = list(dict.fromkeys([named, root, *ids[root]]))
            for key in (keys.release_told(release_id), keys.release_control(release_id)):
                cohorts = await self._redis.hmget(key, theirs)
                told = [user for user, cohort in zip(theirs, cohorts, strict=True) if cohort is not None]
                if told:
                    found[at] = entry._replace(
                        feedback=entry.feedback.model_copy(update={"user_id": told[0]})
                    )
                    break
        return found

    async def _count_for(
        self, release_id: str, entries: Sequence[Heard], roots: Mapping[str, str]
    ) -> tuple[list[tuple[Heard, str, list[str]]], list[str]]:
        """Count events for their release.

        Returns
        -------
        Those that count, for which cohort, and as what; whom the release is by.
        """
        written = [
            keys.release(release_id), keys.release_told(release_id), keys.release_seen(release_id),
            keys.release_counts(release_id), keys.release_control(release_id),
            keys.release_parts(release_id), keys.release_part_counts(release_id),
        ]  # fmt: skip
        told = await self._told_before(entries, roots)
        events = [
            (h.feedback.user_id, _counts_as(h.feedback), f"{h.source}:{h.offset}", cohort)
            for h, cohort in zip(entries, told, strict=True)
        ]
        packed = msgpack.packb(events, use_bin_type=False)
        kept = written[2:4] + written[6:] + (written[:1] if any(told) else [])
        found, artists, *_ = await call_all(
            self._redis,
            [
                Call(self._count_release, written, [packed, MIN_SENT]),
                Call("HGET", written[:1], ["artist_ids"]),
                *(Call("EXPIRE", [key], [self._keep]) for key in kept),
            ],
        )
        counted = [(entry, each) for entry, each in zip(entries, found, strict=True) if each]
        return [
            (entry, cohort.decode(), [kind.decode() for kind in kinds]) for entry, (cohort, *kinds) in counted
        ], json.loads(artists or b"[]")

    async def _count_for_cohorts(self, counted: Sequence[tuple[Heard, str, list[str]]]) -> None:
        by_cohort: dict[str, list[tuple[str | int | float, ...]]] = defaultdict(list)
        for entry, cohort, kinds in counted:
            place = (entry.source, entry.offset, FADING.stored(1.0, self._at(entry.feedback)))
            by_cohort[cohort].append((*place, *kinds))
        calls = [
            Call(self._count_cohort, [keys.cohort(cohort)], [msgpack.packb(sorted(events)), MIN_SENT])
            for cohort, events in by_cohort.items()
        ]
        if calls:
            await call_all(self._redis, calls)

    async def _told_before(self, entries: Sequence[Heard], roots: Mapping[str, str]) -> list[str]:
        """Return the cohort that each listener of history is in now; "" for events that are no history."""
        users = sorted({h.feedback.user_id for h in entries if h.feedback.history})
        pipeline = self._redis.pipeline(transaction=False)
        for user in users:
            pipeline.hget(keys.user(roots.get(user, user)), "cohort")
        found = dict(zip(users, await pipeline.execute(), strict=True)) if users else {}
        return [
            (found.get(h.feedback.user_id) or b"").decode() if h.feedback.history else "" for h in entries
        ]

    def _heed(
        self,
        feedback: Feedback,
        kinds: Sequence[str],
        roots: Mapping[str, str],
        artists: Mapping[str, Sequence[str]],
    ) -> Heed:
        at = self._at(feedback)
        return Heed(
            roots.get(feedback.user_id, feedback.user_id),
            feedback.release_id,
            at,
            FADING.stored(1.0, at),
            kinds,
            artists[feedback.release_id],
        )

    def _at(self, feedback: Feedback) -> float:
        """Return when it happened: not before 1970, and not in the future, where counts would never fade."""
        return min(max(feedback.ts, 0.0), self._clock())


def _counts_as(feedback: Feedback) -> str:
    return "dismissed" if feedback.artist_ids else feedback.kind
