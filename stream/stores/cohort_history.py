"""What has become of cohorts over time: born, split, merged, died, and their size and label in between."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from models.model import Model
from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["CohortHistory", "Entry"]

KEPT = 200  # entries of a cohort: the first, and the latest
RESIZED = 0.1  # of its size, by which a cohort has grown or shrunk when that is worth an entry,
AT_LEAST = 10  # or so many listeners
DAY = 86_400.0  # seconds after which there is an entry all the same


@dataclass(frozen=True)
class Entry:
    """A line of a cohort's history.

    Attributes
    ----------
    at
        Unix seconds.
    version
        Of the model.
    event
        "born", "split" (others came out of it), "merged" (others went into it), "died"; "" where only size or
        label have changed.
    others
        Born: the cohort that it was split from, if any. Split, merged: the others. Died: where most members
        went, if anywhere.
    size
        Members then: none yet of one that is just born.
    label
        What it was called then.
    """

    at: float
    version: int
    event: str
    others: tuple[str, ...]
    size: int
    label: str


class CohortHistory:
    """The store of cohorts' histories."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def of(self, cohort: str) -> list[Entry]:
        """Return a cohort's history, the oldest entry first."""
        return [_entry(line) for line in await self._redis.zrange(keys.cohort_history(cohort), 0, -1)]

    async def latest(self, cohorts: Sequence[str], number: int) -> list[list[Entry]]:
        """Return the `number` latest entries of each cohort, the oldest first."""
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in cohorts:
            pipeline.zrange(keys.cohort_history(cohort), -number, -1)
        found = await pipeline.execute() if cohorts else []
        return [[_entry(line) for line in lines] for lines in found]

    async def record(self, model: Model, sizes: Mapping[str, int]) -> None:
        """Write what is new by a model. May be repeated.

        Parameters
        ----------
        sizes
            The cohorts that have lived up to now, and their members.
        """
        cohorts = list(dict.fromkeys([*model.cohort_ids, *sizes]))
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in cohorts:
            pipeline.zrange(keys.cohort_history(cohort), -1, -1)
        latest = {
            cohort: _entry(lines[0])
            for cohort, lines in zip(cohorts, await pipeline.execute(), strict=True)
            if lines
        }
        pipeline = self._redis.pipeline(transaction=False)
        for cohort, entries in _news(model, sizes, latest).items():
            lines = {json.dumps(asdict(entry), ensure_ascii=False): entry.version for entry in entries}
            pipeline.zadd(keys.cohort_history(cohort), lines)
            pipeline.zremrangebyrank(keys.cohort_history(cohort), 1, -KEPT)
        await pipeline.execute()


def _entry(line: bytes) -> Entry:
    fields = json.loads(line)
    return Entry(**fields | {"others": tuple(fields["others"])})


def _news(model: Model, sizes: Mapping[str, int], latest: Mapping[str, Entry]) -> dict[str, list[Entry]]:
    """Return what is to be written; nothing for cohorts where this model's is written already."""
    labels = dict(zip(model.cohort_ids, model.labels, strict=True))
    events = _events(model, sizes, latest)
    news = {}
    for cohort in dict.fromkeys([*labels, *sizes]):
        last = latest.get(cohort)
        if last is not None and last.version >= model.version:
            continue
        size = sizes.get(cohort, 0)
        label = labels.get(cohort, last.label if last else "")
        entries = [
            Entry(model.created_at, model.version, event, tuple(others), size, label)
            for event, others in events[cohort].items()
        ]
        quiet = Entry(model.created_at, model.version, "", (), size, label)
        if not entries and last is not None and cohort in labels and _worth_a_line(quiet, last):
            entries = [quiet]
        if entries:
            news[cohort] = entries
    return news


def _events(
    model: Model, sizes: Mapping[str, int], latest: Mapping[str, Entry]
) -> dict[str, dict[str, list[str]]]:
    """Return for each cohort the events of this model -> the other cohorts in them."""
    events: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for cohort, parent, born in zip(model.cohort_ids, model.parents, model.born.tolist(), strict=True):
        if cohort not in latest or born == model.created_at:
            events[cohort]["born"] += [parent] if parent else []
            if parent in sizes:
                events[parent]["split"].append(cohort)
    for cohort in sizes:
        last = latest.get(cohort)
        known = last is not None and last.event == "died" and last.version < model.version
        if cohort not in model.cohort_ids and not known:
            heir = model.heirs.get(cohort, "")
            while heir in model.heirs:
                heir = model.heirs[heir]
            events[cohort]["died"] += [heir] if heir else []
            if heir:
                events[heir]["merged"].append(cohort)
    return events


def _worth_a_line(entry: Entry, last: Entry) -> bool:
    moved = abs(entry.size - last.size)
    return (
        entry.label != last.label
        or moved >= max(RESIZED * last.size, AT_LEAST)
        or entry.at - last.at >= DAY
        or last.event == "died"  # an older model has brought it back
    )
