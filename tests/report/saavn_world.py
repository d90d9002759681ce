"""A made-up history in the layout of a Saavn export: four files without headers, known scenes."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["FANS_CLICK", "OTHERS_CLICK", "SCENES", "World", "write_world"]

SCENES = 8
ARTISTS = 20  # a scene
SONGS = 120  # a scene
LISTENERS = 2400
CLICKS = 15  # a listener
NOTIFICATIONS = 24
NO_SONG = 0.01  # of the clicks: fewer than a replay refuses a file for
# So far apart that chance tells no cohort of fifty from its scene.
FANS_CLICK, OTHERS_CLICK = 0.45, 0.02
BEGIN = datetime(2018, 8, 1, tzinfo=UTC).timestamp()
DAYS = 31


@dataclass(frozen=True)
class World:
    """The four files, and the truth behind them.

    Attributes
    ----------
    scene_of
        Listener or notification -> scene.
    artists_of
        Notification -> artists.
    clicked
        Notification -> listeners who clicked on it.
    """

    clicks: Path
    metadata: Path
    notifications: Path
    notification_clicks: Path
    scene_of: dict[str, int]
    artists_of: dict[str, list[str]]
    clicked: dict[str, set[str]]


def write_world(folder: Path, seed: int = 1) -> World:
    """Write the four files of a history."""
    rng = random.Random(seed)  # noqa: S311 - listeners made up, no secret
    songs = {
        f"s{scene}-{number}": [_artist(scene, n) for n in rng.sample(range(ARTISTS), rng.choice((1, 1, 2)))]
        for scene in range(SCENES)
        for number in range(SONGS)
    }
    scene_of = {f"{rng.getrandbits(128):032x}": number % SCENES for number in range(LISTENERS)}
    artists_of = {
        str(9553 + n): [_artist(n % SCENES, a) for a in rng.sample(range(ARTISTS), rng.randint(1, 3))]
        for n in range(NOTIFICATIONS)
    }
    clicked = {
        name: {
            user
            for user, scene in scene_of.items()
            if rng.random() < (FANS_CLICK if scene == n % SCENES else OTHERS_CLICK)
        }
        for n, name in enumerate(artists_of)
    }
    return World(
        _write(folder / "saavn_sample100mb.csv", _clicks(rng, scene_of)),
        _write(folder / "saavn_newmetadata_part-00000", _several_rows(rng, songs)),
        _write(folder / "saavn_notification_actor.csv", _several_rows(rng, artists_of)),
        _write(folder / "saavn_notification_clicks_part-00000", _notification_clicks(rng, clicked)),
        scene_of | {name: n % SCENES for n, name in enumerate(artists_of)},
        artists_of,
        clicked,
    )


def _artist(scene: int, number: int) -> str:
    return str(400_000 + 1000 * scene + number)


def _day(ts: float) -> str:
    return f"{datetime.fromtimestamp(ts, UTC):%Y%m%d}"


def _clicks(rng: random.Random, scene_of: dict[str, int]) -> list[str]:
    rows = []
    for user, scene in scene_of.items():
        for _ in range(CLICKS):
            of = scene if rng.random() < 0.9 else rng.randrange(SCENES)
            song = "(null)" if rng.random() < NO_SONG else f"s{of}-{rng.randrange(SONGS)}"
            ts = int(BEGIN + rng.random() * DAYS * 86_400)
            rows.append(f"{user},{ts},{song},{_day(ts)}")
    rng.shuffle(rows)
    return rows


def _several_rows(rng: random.Random, artists_of: dict[str, list[str]]) -> list[str]:
    """A row for each artist, those of one song or notification not beside each other."""
    rows = [f"{name},{artist}" for name, artists in artists_of.items() for artist in artists]
    rng.shuffle(rows)
    return rows


def _notification_clicks(rng: random.Random, clicked: dict[str, set[str]]) -> list[str]:
    rows = [
        f"{name},{user},{_day(BEGIN + rng.random() * DAYS * 86_400)}"
        for name, users in clicked.items()
        for user in sorted(users)
    ]
    again = rng.sample(rows, 100)  # some click twice
    strangers = [f"{next(iter(clicked))},stranger-{n},20180826" for n in range(50)]
    elsewhere = [f"1,{user},20180826" for user in sorted(next(iter(clicked.values())))[:30]]
    rows += again + strangers + elsewhere
    rng.shuffle(rows)
    return rows


def _write(path: Path, rows: Iterable[str]) -> Path:
    path.write_text("".join(f"{row}\n" for row in rows))
    return path
