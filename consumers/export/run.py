"""One run of `refrain export`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec

from consumers.export.compaction import compact
from consumers.export.erasure import erase
from consumers.export.folder import Folder
from consumers.export.manifest import Manifest
from consumers.export.moves import TOPIC, Moves
from consumers.export.of_cohorts import rows_of_cohorts
from consumers.export.of_listeners import Rows, rows_of_everybody, rows_of_listeners
from consumers.export.of_releases import rows_of_releases
from consumers.export.tables import TABLES
from consumers.export.writer import Writer, is_new_file
from consumers.runtime.wiring import Stores, limits_of
from stream.connect import AnyRedis
from stream.errors import CannotStart, WrongUse
from stream.settings import Settings
from stream.stores import keys
from stream.stores.lease import Lease, alone
from stream.wire.topic_watch import TopicShape, topic_shapes
from stream.wire.topics import open_admin

__all__ = ["Exported", "export"]

CLOCKS_APART = 300.0
"""Seconds by which a Redis's clock may be behind that of the one before: so much is looked at once more."""
CHUNK = 500  # listeners who are looked at once more
PASSED_ON = "stages", "activity"
"""Tables whose rows become those of the listener that an id is part of."""


@dataclass(frozen=True)
class Exported:
    """What a run has written.

    Attributes
    ----------
    run
        Its number.
    rows
        Table -> row versions that are new.
    erased
        Rows that were taken out, as their listeners were erased.
    lost
        Changes of cohort that Kafka deleted before they were exported.
    joined
        Small files that were joined to larger ones.
    seconds
        How long it took.
    """

    run: int
    rows: dict[str, int] = field(default_factory=dict)
    erased: int = 0
    lost: int = 0
    joined: int = 0
    seconds: float = 0.0


async def export(
    redis: AnyRedis, settings: Settings, name: str, *, delta: bool = False, compact: bool = False
) -> Exported:
    """Write what has changed since the last run.

    A run that breaks off leaves the export as the one before left it: the manifest comes last.

    Parameters
    ----------
    name
        A folder, or an address such as ``s3://bucket/refrain``.
    delta
        Whether the tables are to be Delta tables, too. Once they are, each run keeps them so.
    compact
        Whether small files are joined to larger ones then.

    Raises
    ------
    WrongUse
        Where they are, and what writes their logs is not installed.
    CannotStart
        Where another run is at work, or this one was held up for so long that another may be.
    NotWritten
        Where a file cannot be read or written.
    BadFile
        Where there is a manifest that cannot be used.
    Unreachable
        Where Kafka does not answer.
    """
    async with alone(redis, "export", keys.EXPORT_LEASE) as lease:
        began = await Stores.on(redis, settings).erased.now()
        run = _Run(redis, settings, Folder(name), lease, delta, began)
        manifest, done = await run.whole()
        return await run.compacted(manifest, done) if compact else done


class _Run:
    def __init__(
        self,
        redis: AnyRedis,
        settings: Settings,
        folder: Folder,
        lease: Lease,
        delta: bool,
        began: float,
    ) -> None:
        self._redis, self._settings, self._folder, self._lease = redis, settings, folder, lease
        self._stores = Stores.on(redis, settings)
        self._began = began
        self._since = time.monotonic()
        self._delta = delta

    async def whole(self) -> tuple[Manifest, Exported]:
        before = await asyncio.to_thread(Manifest.read, self._folder)
        self._delta = await asyncio.to_thread(self._is_delta)
        run = before.run + 1
        erased = await self._stores.erased.since(0.0)
        news = {who: at for who, at in erased.items() if at >= before.erased_read_at - CLOCKS_APART}
        erasure = await asyncio.to_thread(erase, self._folder, before, news, run)
        kept = before.with_files(erasure.gone, erasure.new)
        writers = {
            name: await asyncio.to_thread(Writer, self._folder, table, kept, run, self._began)
            for name, table in TABLES.items()
        }
        await self._all(writers, kept)
        moves = await self._moves(writers["memberships"], before, erased)
        new = [file for writer in writers.values() for file in await asyncio.to_thread(writer.close)]
        manifest = replace(
            kept.with_files((), new),
            run=run,
            exported_at=self._began,
            erased_read_at=self._began,
            topic_id=moves[1],
            offsets=moves[0].offsets,
        )
        await self._replace(before, manifest)
        rows = {name: writer.rows for name, writer in writers.items()}
        return manifest, Exported(
            run, rows, erasure.rows, moves[0].lost, seconds=time.monotonic() - self._since
        )

    async def compacted(self, before: Manifest, done: Exported) -> Exported:
        """Join small files."""
        manifest = await asyncio.to_thread(compact, self._folder, before)
        joined = set(before.files) - set(manifest.files)
        if joined:
            await self._replace(before, manifest, data_change=False)
        return replace(done, joined=len(joined), seconds=time.monotonic() - self._since)

    async def _replace(self, before: Manifest, manifest: Manifest, *, data_change: bool = True) -> None:
        """Let the export consist of other files."""
        await self._still_alone(before)
        await asyncio.to_thread(manifest.write, self._folder)
        if self._delta:
            from consumers.export.delta import follow  # noqa: PLC0415 - an extra

            await asyncio.to_thread(follow, self._folder, manifest, data_change=data_change)
        await asyncio.to_thread(self._clear, manifest)

    def _is_delta(self) -> bool:
        """Whether logs are to follow: a log that did not would name files that are deleted."""
        if not self._delta and not any(self._folder.files(f"{name}/_delta_log") for name in TABLES):
            return False
        if find_spec("deltalake") is None:
            raise WrongUse(
                f"{self._folder.name}: Delta tables need deltalake, which is not installed",
                hint="pip install 'refrain-cohorts[delta]'",
            )
        return True

    def _clear(self, manifest: Manifest) -> None:
        """Delete what is in no manifest: of a run that broke off, or with somebody in it who was erased."""
        ours = {each.file for each in manifest.files}
        for name in TABLES:
            for file in self._folder.files(name):
                if file not in ours and is_new_file(file):  # others' files may lie there, too
                    self._folder.remove(file)

    async def _still_alone(self, before: Manifest) -> None:
        now = await asyncio.to_thread(Manifest.read, self._folder)
        if not await self._lease.hold() or now != before:
            raise CannotStart(
                f"another run has exported to {self._folder.name} meanwhile",
                hint="Run it again: this one has changed nothing.",
            )

    async def _all(self, writers: dict[str, Writer], kept: Manifest) -> None:
        async for rows in rows_of_everybody(self._stores, limits_of(self._settings), self._began):
            await _add(writers, rows)
        # Who moved from one set to another while these were read may have been in neither.
        lost = {row["user_id"] for name in ("listeners", "traits") for row in writers[name].missing()}
        await self._look_again(writers, lost)
        await self._end_merged(writers)
        known = await asyncio.to_thread(self._known_cohorts, kept)
        await _add(writers, await rows_of_cohorts(self._stores, known))
        async for rows in rows_of_releases(self._redis, self._stores, self._began):
            await _add(writers, rows)
        for name, table in TABLES.items():
            if table.ends:
                writers[name].end(await asyncio.to_thread(writers[name].missing))

    async def _look_again(self, writers: dict[str, Writer], users: Collection[str]) -> None:
        """Add rows of listeners that were not there when they were read."""
        segments, limits = sorted(await self._stores.segments.predicted()), limits_of(self._settings)
        for some in _chunks(sorted(users)):
            found = await rows_of_listeners(self._stores, some, segments, limits, self._began)
            await _add(writers, found)

    async def _end_merged(self, writers: dict[str, Writer]) -> None:
        """End what counts for another listener by now; what theirs does not hold stays with the id."""
        gone = await asyncio.to_thread(writers["listeners"].missing)
        roots = await self._stores.merges.roots([row["user_id"] for row in gone])
        await self._look_again(writers, {*roots.values()})  # a merge may have come after they were read
        for name in PASSED_ON:
            writers[name].end(await asyncio.to_thread(writers[name].passed_on, roots))

    def _known_cohorts(self, kept: Manifest) -> set[str]:
        tables = [self._folder.table(each.file, ["cohort_id"]) for each in kept.of("cohorts")]
        return {cohort for table in tables for cohort in table["cohort_id"].to_pylist()}

    async def _moves(self, writer: Writer, before: Manifest, erased: dict[str, float]) -> tuple[Moves, str]:
        def ask() -> TopicShape:
            with open_admin(self._settings) as admin:
                return topic_shapes(admin, [TOPIC]).get(TOPIC) or TopicShape("", 0)

        topic_id, partitions = await asyncio.to_thread(ask)
        begin = before.offsets if before.topic_id == topic_id else {}
        moves = Moves(self._settings, partitions, begin, erased)
        async for rows in moves.rows():
            await asyncio.to_thread(writer.add, rows)
        return moves, topic_id


async def _add(writers: dict[str, Writer], rows: Rows) -> None:
    for name, some in rows.items():
        await asyncio.to_thread(writers[name].add, some)


def _chunks(users: Sequence[str]) -> list[Sequence[str]]:
    return [users[at : at + CHUNK] for at in range(0, len(users), CHUNK)]
