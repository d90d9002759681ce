"""Who is in a segment, predicted from plays: Refrain's segments beside logistic regression and LightGBM.

Clicks go through all of Refrain but Kafka and Redis; ten splits of the labels (five folds, drawn twice). The
data sets, and what the labels are:

- HetRec: Last.fm listening of 1,892 people, ceil(log2(1 + plays)) clicks each. Who has used a tag for any
  artist; every eighth of the tags that at least 30 have used, from the most to the least used.
- Deezer: genres that 5,000 people like. Who likes a genre; every eighth, of which nobody's click is told, so
  that it is predicted from the other genres alone.
- nowplaying: 10,000 sessions of seven tracks. In which a track was played; every eighth of those that 30 or
  more have, of which no click is told.
- Sparkify: a month of 96 made-up listeners. Who paid at the end of it, and who is a woman.

::

    python -m benchmarks.segments [NAME...]    (default all)
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.hetrec import DATA
from benchmarks.shapes import GENRES, SESSIONS, SPARKIFY, hetrec_plays, some_listeners, sparkify_plays
from consumers.evaluate.segment_options import LabelFile, Trial
from consumers.evaluate.segment_trial import OURS, SegmentTried
from consumers.evaluate.segments import evaluate_segments, labels_plan
from consumers.replay.plan import Plan
from stream.files.options import FileOptions
from stream.settings import Settings

LEAST = 30  # listeners in a segment
EVERY = 8
COHORTS = 48

Clicks = list[tuple[str, str, int]]
"""Listener, artist, how often."""
Segments = dict[str, set[str]]
"""Segment -> who is in it."""


def hetrec() -> tuple[Clicks, Segments]:
    """Return plays, and who has used which tag."""
    used: Segments = defaultdict(set)
    with gzip.open(DATA / "user_taggedartists.dat.gz", "rt") as lines:
        for line in lines:
            user, _, tag, *_ = line.split()
            used[tag].add(user)
    with gzip.open(DATA / "tags.dat.gz", "rt", encoding="latin1") as lines:
        names = dict(line.rstrip("\r\n").split("\t") for line in lines)
    clicks = [(user, artist, times) for user, artist, _, times in hetrec_plays(0)]
    return clicks, {names[tag]: used[tag] for tag in some_of(used)}


def held_out(path: Path, listeners: int) -> tuple[Clicks, Segments]:
    """Return who plays what, but for some artists, and who plays these."""
    plays = [(user, artist) for user, artist, _, _ in some_listeners(path, listeners, seed=0)]
    fans: Segments = defaultdict(set)
    for user, artist in plays:
        fans[artist].add(user)
    labels = {artist: fans[artist] for artist in some_of(fans)}
    return [(user, artist, 1) for user, artist in plays if artist not in labels], labels


def sparkify() -> tuple[Clicks, Segments]:
    """Return plays, and who paid in the end and who is a woman."""
    found: Segments = {"paid": set(), "woman": set()}
    with gzip.open(SPARKIFY, "rt", encoding="utf-8") as lines:
        for event in map(json.loads, lines):
            for segment, there in (("paid", event["level"] == "paid"), ("woman", event["gender"] == "F")):
                (found[segment].add if there else found[segment].discard)(event["userId"])
    return [(user, artist, times) for user, artist, _, times in sparkify_plays(0)], found


def some_of(segments: Mapping[str, set[str]]) -> list[str]:
    """Return every eighth of the segments with enough listeners, the largest first."""
    often = (name for name, users in segments.items() if len(users) >= LEAST)
    return sorted(often, key=lambda name: (-len(segments[name]), name))[::EVERY]


SETS: Mapping[str, tuple[Callable[[], tuple[Clicks, Segments]], Path]] = {
    "HetRec": (hetrec, DATA),
    "Deezer": (lambda: held_out(GENRES, 5_000), GENRES),
    "nowplaying": (lambda: held_out(SESSIONS, 10_000), SESSIONS),
    "Sparkify": (sparkify, SPARKIFY),
}
"""Name -> clicks and segments, and where they are read from."""


def main(chosen: Iterable[str]) -> None:
    """Learn, measure, print."""
    for name in chosen or SETS:
        read, path = SETS[name]
        if path.exists():
            measure(name, *read())
        else:
            print(f"{name}: left out, as the data set is not here: {path}")


def measure(name: str, clicks: Clicks, segments: Segments) -> None:
    """Print the AUC of each way to learn, and of Refrain's over that of the best other."""
    with tempfile.TemporaryDirectory() as folder:
        plays, labels = Path(folder) / "plays.tsv", Path(folder) / "labels.tsv"
        rows = "".join(f"{user}\t{artist}\t{artist}\t{times}\n" for user, artist, times in clicks)
        plays.write_text("user_id\tsong_id\tartist_ids\ttimes\n" + rows, encoding="utf-8")
        everyone = list(dict.fromkeys(user for user, _, _ in clicks))
        rows = "".join(
            f"{user}\t{segment}\t{int(user in there)}\n"
            for segment, there in segments.items()
            for user in everyone
        )
        labels.write_text("user_id\tsegment\tvalue\n" + rows, encoding="utf-8")
        result = evaluate_segments(
            Plan("clicks", (plays,), FileOptions(repeat="times")),
            labels_plan((labels,), LabelFile(labels)),
            Trial(),
            Settings(cohorts=COHORTS),
        )
    tried = [each for each in result.segments if each.contenders]
    print(
        f"{name}: {len(tried)} segments of {result.listeners} listeners, "
        f"{result.splits} splits, {result.seconds:.0f} s"
    )
    for each in tried:
        found = ", ".join(
            f"{c.name}{' +clusters' if c.clusters else ''} {c.auc:.3f}" for c in each.contenders
        )
        print(f"   {each.segment} ({each.positives}): {found}")
    areas = by_way(tried)
    for (way, clusters), values in areas.items():
        print(
            f"{way}, {'with' if clusters else 'without'} clusters: "
            f"AUC {values.mean():.4f} ± {error(values):.4f}"
        )
    ours = areas[OURS, True]
    raw = max((areas[way].mean(), way) for way in areas if way[0] != OURS and not way[1])[1]
    best = max((areas[way].mean(), way) for way in areas if way[0] != OURS)[1]
    for what, way in (("on raw features", raw), ("with clusters or without", best)):
        ratios = ours / areas[way]
        print(
            f"against the best of both {what} ({way[0]}): {ratios.mean():.4f} ± {error(ratios):.4f}",
            flush=True,
        )


def by_way(tried: list[SegmentTried]) -> dict[tuple[str, bool], np.ndarray]:
    """Return for each way to learn its AUC in each split, the mean over segments."""
    ways = [(each.name, each.clusters) for each in tried[0].contenders]
    return {
        way: np.mean([segment.contenders[at].by_split for segment in tried], axis=0)
        for at, way in enumerate(ways)
    }


def error(values: np.ndarray) -> float:
    """Return the standard error of the mean over splits."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main(sys.argv[1:])
