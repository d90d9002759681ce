"""Who is in which cohort and who clicked on what: counted exactly, on disk, however many there are."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter

__all__ = ["Clicks", "Counts", "Ledger"]

CACHE = "PRAGMA cache_size = -65536"  # KiB: what is sorted in memory at once

# Both are appended to and then sorted as a whole, by temporary files: an index that grows in no order would
# be read and written all over the disk.
CLICKS = """
    SELECT DISTINCT coalesce(root, clicks.user) AS listener, release
    FROM clicks LEFT JOIN roots ON roots.user = clicks.user
    ORDER BY listener, release
"""
LISTENERS = "SELECT user, cohort, max(rowid) FROM members GROUP BY user ORDER BY user"


@dataclass(frozen=True)
class Clicks:
    """How many listeners clicked on how many of some releases: times -> listeners, both from 1 on.

    Attributes
    ----------
    inside, everywhere
        Members of a cohort; listeners of all cohorts.
    """

    inside: Counter[int] = field(default_factory=Counter)
    everywhere: Counter[int] = field(default_factory=Counter)


@dataclass
class Counts:
    """What a ledger has counted.

    Attributes
    ----------
    sizes
        Cohort -> members.
    by_cohort
        Cohort -> clicks on the releases that should go to it.
    by_release
        Release -> clicks on it; `inside` are members of the cohort that it should go to.
    of_one
        Cohort -> members who clicked on the one release that was asked for.
    rows
        Clicks that were put in.
    counted
        Pairs of a release and a listener in a cohort who clicked on it.
    repeated
        Further clicks of the same listener on the same release.
    unknown_release
        Clicks on releases that were not put in.
    unplaced
        Pairs of a release and a listener in no cohort.
    """

    sizes: Counter[str] = field(default_factory=Counter)
    by_cohort: Mapping[str, Clicks] = field(default_factory=lambda: defaultdict(Clicks))
    by_release: Mapping[str, Clicks] = field(default_factory=lambda: defaultdict(Clicks))
    of_one: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    counted: int = 0
    repeated: int = 0
    unknown_release: int = 0
    unplaced: int = 0


class Ledger:
    """Takes in clicks and members, in any order, and counts who of a cohort clicked on the releases for it.

    They lie in a temporary file (`TMPDIR`); memory holds an entry a release.

    Parameters
    ----------
    targets
        Release -> the cohort that it should go to, or "".

    Examples
    --------
    >>> with Ledger({"r1": "c1"}) as ledger:
    ...     ledger.put_clicks([("r1", "ana"), ("r1", "ana"), ("r1", "bo"), ("r1", "cy"), ("r2", "bo")])
    ...     ledger.put_roots({"cy": "bo"})
    ...     ledger.put_members("c1", ["ana", "di"])
    ...     ledger.put_members("c2", ["bo"])
    ...     counts = ledger.count(of="r1")
    >>> counts.sizes, counts.by_release["r1"]
    (Counter({'c1': 2, 'c2': 1}), Clicks(inside=Counter({1: 1}), everywhere=Counter({1: 2})))
    >>> counts.of_one, counts.counted, counts.repeated, counts.unknown_release, counts.unplaced
    (Counter({'c1': 1, 'c2': 1}), 2, 2, 1, 0)
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._rows = self._unknown = 0
        self._db = sqlite3.connect("", isolation_level=None)  # "": a temporary file
        for statement in ("PRAGMA journal_mode = OFF", CACHE):
            self._db.execute(statement)
        self._db.execute("CREATE TABLE clicks (user TEXT, release TEXT)")
        self._db.execute("CREATE TABLE roots (user TEXT PRIMARY KEY, root TEXT) WITHOUT ROWID")
        self._db.execute("CREATE TABLE members (user TEXT, cohort TEXT)")
        self._db.execute("BEGIN")

    def put_clicks(self, clicks: Iterable[tuple[str, str]]) -> None:
        """Enter clicks: release and listener."""
        self._db.executemany("INSERT INTO clicks VALUES (?, ?)", self._known(clicks))

    def _known(self, clicks: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        for release, user in clicks:
            self._rows += 1
            if release in self._targets:
                yield user, release
            else:
                self._unknown += 1

    def clickers(self, number: int) -> Iterator[list[str]]:
        """Go through the ids of all clicks, each there once, so many at a time."""
        found = self._db.execute("SELECT DISTINCT user FROM clicks ORDER BY user")
        while rows := found.fetchmany(number):
            yield [user for (user,) in rows]

    def put_roots(self, roots: Mapping[str, str]) -> None:
        """Enter ids that are part of a listener, and who that is: their clicks are the listener's."""
        self._db.executemany("INSERT INTO roots VALUES (?, ?)", roots.items())

    def put_members(self, cohort: str, users: Iterable[str]) -> None:
        """Enter members of a cohort; who has moved meanwhile, and is in two, counts in the later one."""
        self._db.executemany("INSERT INTO members VALUES (?, ?)", ((user, cohort) for user in users))

    def count(self, of: str = "") -> Counts:
        """Count all that was put in.

        Parameters
        ----------
        of
            The one release of which the clicks of every cohort are counted.
        """
        counts = Counts(rows=self._rows, unknown_release=self._unknown)
        for cohort, releases in self._by_listener(counts.sizes):
            if not cohort:
                counts.unplaced += len(releases)
                continue
            counts.counted += len(releases)
            for release in releases:
                _add(counts.by_release[release], 1, inside=self._targets[release] == cohort)
            for target, times in Counter(map(self._targets.__getitem__, releases)).items():
                _add(counts.by_cohort[target], times, inside=target == cohort)
            counts.of_one[cohort] += of in releases
        counts.repeated = counts.rows - counts.unknown_release - counts.counted - counts.unplaced
        return counts

    def _by_listener(self, sizes: Counter[str]) -> Iterator[tuple[str, list[str]]]:
        """Go through the listeners who clicked: their cohort, "" where they are in none, and their releases.

        Both tables come in the order of the listeners and are gone through side by side. Counts members.
        """
        listeners, cursor = self._db.execute(LISTENERS), self._db.cursor()
        user, cohort = "", ""
        for clicker, pairs in itertools.groupby(cursor.execute(CLICKS), key=itemgetter(0)):
            while user < clicker:
                user, cohort, _ = next(listeners, AFTER_ALL)
                sizes[cohort] += 1
            yield cohort if user == clicker else "", [release for _, release in pairs]
        for _, cohort, _ in listeners:
            sizes[cohort] += 1
        del sizes[""]

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


AFTER_ALL = "\U0010ffff" * 257, "", 0
"""Comes after every listener: no id is as long."""


def _add(clicks: Clicks, times: int, *, inside: bool) -> None:
    clicks.everywhere[times] += 1
    clicks.inside[times] += inside
