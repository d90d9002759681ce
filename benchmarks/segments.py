"""Who has used a tag, foreseen from plays: Refrain's segments beside logistic regression and LightGBM.

Last.fm listening of 1,892 people (HetRec 2011), as clicks, ceil(log2(1 + plays)) each, through all of Refrain
but Kafka and Redis. A segment is a tag: who has used it for any artist. Every eighth of the tags that
at least 30 have used, from the most to the least used; ten splits each (five folds, drawn twice).

    python -m benchmarks.segments
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.hetrec import DATA, plays
from consumers.evaluate.segment_options import LabelFile, Trial
from consumers.evaluate.segment_trial import OURS, SegmentTried
from consumers.evaluate.segments import evaluate_segments, labels_plan
from consumers.replay.plan import Plan
from stream.files.options import FileOptions
from stream.settings import Settings

LEAST = 30  # listeners who have used a tag
EVERY = 8


def write_labels(path: Path) -> int:
    """Write the labels of all listeners in all segments; return how many segments there are."""
    _, listeners, _ = plays()
    used: dict[str, set[str]] = defaultdict(set)
    with gzip.open(DATA / "user_taggedartists.dat.gz", "rt") as lines:
        for line in lines:
            user, _, tag, *_ = line.split()
            used[tag].add(user)
    with gzip.open(DATA / "tags.dat.gz", "rt", encoding="latin1") as lines:
        names = dict(line.rstrip("\r\n").split("\t") for line in lines)
    often = sorted((tag for tag in used if len(used[tag]) >= LEAST), key=lambda tag: (-len(used[tag]), tag))
    chosen = often[::EVERY]
    with path.open("w", encoding="utf-8") as file:
        file.write("user_id\tsegment\tvalue\n")
        for tag in chosen:
            file.writelines(f"{user}\t{names[tag]}\t{int(user in used[tag])}\n" for user in listeners)
    return len(chosen)


def main() -> None:
    """Learn, measure, print."""
    if not DATA.is_dir():
        sys.exit(f"the data set is not here: {DATA}")
    options = FileOptions(
        mapping={"user_id": "//userID", "song_id": "artistID", "artist_ids": "artistID"},
        repeat="weight",
        scale="log2",
    )
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "labels.tsv"
        write_labels(labels)
        result = evaluate_segments(
            Plan("clicks", (DATA / "user_artists.dat.gz",), options),
            labels_plan((labels,), LabelFile(labels)),
            Trial(),
            Settings(cohorts=48),
        )
    tried = [each for each in result.segments if each.contenders]
    print(
        f"{len(tried)} segments of {result.listeners} listeners, "
        f"{result.splits} splits, {result.seconds:.0f} s"
    )
    for each in tried:
        found = ", ".join(
            f"{c.name}{' +clusters' if c.clusters else ''} {c.auc:.3f}" for c in each.contenders
        )
        print(f"   {each.segment} ({each.positives}): {found}")
    areas = by_way(tried)
    for (name, clusters), values in areas.items():
        print(
            f"{name}, {'with' if clusters else 'without'} clusters: "
            f"AUC {values.mean():.4f} ± {error(values):.4f}"
        )
    ours = areas[OURS, True]
    raw = max((areas[way].mean(), way) for way in areas if way[0] != OURS and not way[1])[1]
    best = max((areas[way].mean(), way) for way in areas if way[0] != OURS)[1]
    for what, way in (("on raw features", raw), ("with clusters or without", best)):
        ratios = ours / areas[way]
        print(f"against the best of both {what} ({way[0]}): {ratios.mean():.4f} ± {error(ratios):.4f}")


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
    main()
