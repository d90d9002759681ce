"""Some listeners' history, with all that a click may have, as files and as events."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["BEGAN", "BOT", "UNTIL", "history", "write_jsonl"]

DAY = 86_400.0
UNTIL = float(int(time.time())) - 2 * DAY
BEGAN = UNTIL - 150 * DAY
BOT = "bot"
ACTIONS = ["play"] * 8 + ["complete", "like", "download", "search", "skip", "skip"]
CITIES, DEVICES = ["Oslo", "Łódź", "東京", "Rio", "Perth", "Bonn"], ["ar", "ip"]


def history(number: int, seed: int = 1) -> list[dict[str, Any]]:
    """Clicks in the order of their times; a fifth of the listeners have most of them.

    Songs 0 to 19 are those of `tests.consumers.crowd.put_songs`; the catalogue has no others, so clicks on
    20 to 23 may wait.
    """
    rng = random.Random(seed)  # noqa: S311 - listeners made up, no secret
    times = sorted(BEGAN + (UNTIL - BEGAN) * rng.random() for _ in range(number))
    clicks = [_click(rng, at, ts) for at, ts in enumerate(times)]
    clicks += [_play(BOT, UNTIL - 10 * DAY + 20 * at, song="song 1") for at in range(1200)]
    # Of one time: those that come first in the file come first.
    clicks += [_play("u1", UNTIL, song=f"song {at}") for at in range(5)]
    return sorted(clicks, key=lambda click: click["ts"])


def _play(user: str, ts: float, song: str) -> dict[str, Any]:
    return {"user_id": user, "song_id": song, "ts": ts, "artist_ids": ["artist of the bot"]}


def _click(rng: random.Random, at: int, ts: float) -> dict[str, Any]:
    user = rng.randrange(10) if rng.random() < 0.7 else rng.randrange(50)
    artists = [f"artist {int(rng.paretovariate(0.7)) % 300}" for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    click: dict[str, Any] = {"user_id": f"u{user}", "ts": round(ts, 3), "action": rng.choice(ACTIONS)}
    if click["action"] != "search" or rng.random() < 0.5:
        click["song_id"] = f"song {rng.randrange(60)}"
    if rng.random() < 0.9:
        click["artist_ids"] = artists
    elif "song_id" in click:
        click["song_id"] = f"song {rng.randrange(24)}"
    for field, chance, value in (
        ("ms_played", 0.8, rng.randrange(400_000)),
        ("utc_offset_min", 0.5, 60 * (user % 13 - 6) + rng.choice([0, 0, 0, 60])),
        ("city", 0.3, CITIES[min(user % 6 + rng.randrange(3), 5)]),
        ("device", 0.9, rng.choice(DEVICES)),
        ("event_id", 0.4, f"e{at - rng.randrange(3)}"),
    ):
        if rng.random() < chance:
            click[field] = value
    return click


def write_jsonl(folder: Path, clicks: Sequence[dict[str, Any]], files: int = 3) -> list[Path]:
    """Write clicks into files, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    step = -(-len(clicks) // files)
    paths = []
    for number, part in enumerate(_parts(clicks, step)):
        path = folder / f"part-{number}.jsonl"
        path.write_text("".join(json.dumps(click) + "\n" for click in part), encoding="utf-8")
        paths.append(path)
    return paths


def _parts(clicks: Sequence[dict[str, Any]], step: int) -> Iterator[Sequence[dict[str, Any]]]:
    for at in range(0, len(clicks), step):
        yield clicks[at : at + step]
