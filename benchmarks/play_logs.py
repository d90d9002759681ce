"""Made-up logs of a music service in the layout of Music Box: a file a day of plays, searches and downloads.

python -m benchmarks.play_logs FOLDER [--rows 1000000] [--days 20] [--listeners 40000] [--tar]
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

__all__ = ["write_logs"]

FIRST_DAY = date(2024, 3, 1)
ARTISTS = 20_000
SONGS_EACH = 12
KINDS = {"play": 0.9, "search": 0.06, "down": 0.04}
"""File of each day -> share of the rows."""

PLAIN = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")


def write_logs(
    folder: Path,
    rows: int,
    days: int,
    listeners: int,
    *,
    tar: bool = False,
    kinds: tuple[str, ...] = ("play",),
) -> list[Path]:
    """Write logs of about so many rows, and return the files.

    Parameters
    ----------
    tar
        Whether each file is packed, in a tar.gz of its own.
    kinds
        Which files there are of each day: ``play``, ``search``, ``down``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    of_all = sum(KINDS[kind] for kind in kinds)
    paths = []
    for day in range(days):
        for kind in kinds:
            number = round(rows / days * KINDS[kind] / of_all)
            paths.append(
                _write(folder, FIRST_DAY + timedelta(day), kind, _rows(day, kind, number, listeners), tar)
            )
    return paths


def _rows(day: int, kind: str, number: int, listeners: int) -> pa.Table:
    random = np.random.default_rng([day, list(KINDS).index(kind)])
    # A tenth of the listeners have half of the plays; each has a scene, and goes beyond it now and then.
    drawn = random.beta(0.6, 2.2, size=number) * listeners
    user = drawn.astype(np.int64)
    scene = user * 7919 % (ARTISTS // 50)
    artist = np.where(
        random.random(number) < 0.8,
        scene * 50 + random.zipf(1.5, number) % 50,
        random.zipf(1.2, number) % ARTISTS,
    )
    song = artist * SONGS_EACH + random.integers(SONGS_EACH, size=number)
    listener = pa.array(np.char.add("1", np.char.zfill((user * 104_729 % 10**8).astype(str), 8)))
    device = pa.array(np.where(user % 3 == 0, "ip", "ar"))
    title = pa.array(np.char.add("title of ", song.astype(str)))
    singer = pa.array(np.char.add("singer ", artist.astype(str)))
    length = 150 + song % 150
    played = np.minimum(random.exponential(200.0, number).astype(np.int64), length)
    nothing = pa.array(np.zeros(number, dtype=np.int64))
    if kind == "search":
        seconds = np.sort(random.integers(86_400, size=number))
        at = np.datetime64(FIRST_DAY + timedelta(day), "s") + seconds
        times = pa.array(np.char.replace(at.astype(str), "T", " "))
        return pa.table(
            [listener, device, times, pa.array(np.char.add("singer%20", artist.astype(str)))], list("abcd")
        )
    songs = pa.array(song + 1_000_000)
    if kind == "down":
        return pa.table([listener, device, songs, title, singer, nothing], list("abcdef"))
    columns = [listener, device, songs, nothing, title, singer, pa.array(played), pa.array(length), nothing]
    return pa.table(columns, list("abcdefghi"))


def _write(folder: Path, day: date, kind: str, rows: pa.Table, tar: bool) -> Path:
    name = f"{day:%Y%m%d}_{kind}.log" if kind == "play" else f"{day:%Y%m%d}_1_{kind}.log"
    if not tar:
        csv.write_csv(rows, folder / name, PLAIN)
        return folder / name
    text = io.BytesIO()
    csv.write_csv(rows, text, PLAIN)
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=6) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = text.tell()
        text.seek(0)
        archive.addfile(entry, text)
    return path


def _main() -> Iterator[str]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--listeners", type=int, default=40_000)
    parser.add_argument("--tar", action="store_true")
    asked = parser.parse_args()
    written = write_logs(
        asked.folder, asked.rows, asked.days, asked.listeners, tar=asked.tar, kinds=tuple(KINDS)
    )
    yield f"{len(written)} files, {sum(path.stat().st_size for path in written) / 1e6:,.0f} MB"


if __name__ == "__main__":
    for line in _main():
        print(line)
