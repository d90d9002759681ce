"""Made-up clicks as Refrain's own events, an object a line: as who archives the topic of clicks has them.

Many listeners have but a few, at times to the millisecond; one song in six is of two artists, and each click
has an `event_id`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

__all__ = ["write_events"]

FIRST = 1_704_067_200  # Unix seconds: 2024-01-01
SECONDS_A_FILE = 3 * 86_400
ARTISTS = 20_000
SONGS_EACH = 12
FEATURED = 6
TOGETHER = 100_000  # rows


def write_events(folder: Path, rows: int, files: int, listeners: int) -> list[Path]:
    """Write so many clicks, in so many files one after the other, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(files):
        path = folder / f"clicks-{number:03}.jsonl"
        with path.open("w", encoding="utf-8") as file:
            left, first = rows // files, FIRST + number * SECONDS_A_FILE
            while left:
                count = min(left, TOGETHER)
                file.writelines(_lines(number, left, count, listeners, first))
                left -= count
        paths.append(path)
    return paths


def _lines(number: int, left: int, count: int, listeners: int, first: float) -> list[str]:
    random = np.random.default_rng([number, left])
    # Half of the listeners come once or twice, a hundredth have a tenth of the clicks.
    user = (random.beta(0.5, 3.0, size=count) ** 1.5 * listeners).astype(np.int64)
    scene = user * 7919 % (ARTISTS // 50)
    of_scene = scene * 50 + random.zipf(1.5, count) % 50
    artist = np.where(random.random(count) < 0.8, of_scene, random.zipf(1.2, count) % ARTISTS)
    song = artist * SONGS_EACH + random.integers(SONGS_EACH, size=count)
    at = np.round(first + np.sort(random.integers(SECONDS_A_FILE * 1000, size=count)) / 1000, 3)
    ms = random.integers(1_000, 300_000, count)
    columns = (user, song, artist, at, ms, random.integers(1 << 62, size=count))
    return [
        json.dumps(
            {
                "user_id": f"u{user:08}",
                "song_id": f"s{song}",
                "artist_ids": [f"a{artist}", f"a{artist // 2}"] if song % FEATURED == 0 else [f"a{artist}"],
                "ts": at,
                "ms_played": ms,
                "device": "tv" if user % 3 == 0 else "phone",
                "event_id": f"{event:016x}",
            }
        )
        + "\n"
        for user, song, artist, at, ms, event in zip(*(each.tolist() for each in columns), strict=True)
    ]
