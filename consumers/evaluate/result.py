"""All that an evaluation found, as `--json` prints it and the page shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from consumers.evaluate.experiment import Artist, Contender, Served
from consumers.evaluate.installed import EXTRA
from consumers.evaluate.reading import Read
from models.quality.evaluation import GAIN_AT
from models.quality.paired import Advantage, advantages

__all__ = ["AT", "Result"]

AT = 1  # which size of audience is shown where there is room for one: 5 %
FEW = 20  # artists


@dataclass(frozen=True, eq=False)
class Result:
    """What was evaluated, and what came of it.

    Attributes
    ----------
    files
        What was read.
    read
        What was in them.
    listeners, listeners_in_all
        Listeners looked at; an estimate of all there are, where these are a sample.
    artists, askable
        Artists; those about which there is enough to ask.
    asked
        Those asked about, in the order in which figures are by artist.
    until
        The split in time, Unix seconds; None: at random.
    share, seed
        Of what is held out; of chance.
    note
        What is to be known of clicks' times and of the split; "" where nothing is.
    served
        Refrain, by number of cohorts; `best` is the one that the rest is about.
    baselines
        What it is compared with.
    missing
        Libraries of baselines that are not installed.
    seconds
        How long it took.
    """

    files: tuple[str, ...]
    read: Read
    listeners: int
    listeners_in_all: int
    artists: int
    askable: int
    asked: tuple[Artist, ...]
    until: float | None
    share: float
    seed: int
    note: str
    served: tuple[Served, ...]
    best: Served
    baselines: tuple[Contender, ...]
    missing: tuple[str, ...]
    seconds: float

    @property
    def audience(self) -> Contender:
        """Refrain's audience, as it is emitted."""
        return self.best.contenders[0]

    @property
    def others(self) -> tuple[Contender, ...]:
        """All that the audience is compared with."""
        return (*self.best.contenders[1:], *self.baselines)

    @property
    def rival(self) -> Contender:
        """The best baseline; Refrain's cohorts where no baseline is measured."""
        return max(self.baselines or self.others, key=lambda entry: entry.quality.reach[AT].lift.value)

    @cached_property
    def ahead(self) -> dict[str, tuple[Advantage, ...]]:
        """How far the audience is ahead of each of the others, by their names, for each size."""
        return {
            entry.name: advantages(self.audience.quality, entry.quality, self.seed) for entry in self.others
        }

    @property
    def pairs(self) -> int:
        """Pairs to be found."""
        return self.audience.quality.pairs

    @property
    def few(self) -> bool:
        """Whether there are too few artists to ask about for an interval to say much."""
        return len(self.asked) < FEW

    @property
    def caution(self) -> str:
        """Where figures say little, that they do; else nothing."""
        if not self.few:
            return ""
        return (
            f"Only {len(self.asked)} artist{'s' if len(self.asked) > 1 else ''} can be asked about: these "
            "figures say little, whatever the interval. More clicks, or --split random, ask about more."
        )

    @property
    def notes(self) -> list[str]:
        """All that is to be known beside the figures, a sentence each."""
        absent = [f"Not compared with {name}: {EXTRA}" for name in self.missing]
        return [note for note in (self.note, self.caution, *absent) if note]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "files": list(self.files),
            "clicks": self.read.clicks,
            "clicks_without_artist": self.read.nameless,
            "rows": self.read.tally.rows,
            "left_out": self.read.tally.left_out,
            "bad": dict(self.read.tally.bad),
            "listeners": self.listeners,
            "listeners_in_all": self.listeners_in_all,
            "artists": self.artists,
            "artists_askable": self.askable,
            "artists_asked": len(self.asked),
            "pairs": self.pairs,
            "split": "random" if self.until is None else "time",
            "until": self.until,
            "share": self.share,
            "seed": self.seed,
            "note": self.note,
            "notes": self.notes,
            "cohorts": _served(self.best)
            | {
                "list": [
                    asdict(cohort) for cohort in sorted(self.best.cohorts, key=lambda cohort: -cohort.members)
                ]
            },
            "contenders": [
                _contender(entry, self.ahead.get(entry.name)) for entry in (self.audience, *self.others)
            ],
            "by_artist": self._by_artist(),
            "curve": [
                _served(served) | {"contenders": [_contender(entry) for entry in served.contenders]}
                for served in self.served
            ],
            "not_installed": list(self.missing),
            "seconds": round(self.seconds, 3),
        }

    def _by_artist(self) -> list[dict[str, Any]]:
        lifts = {
            entry.name: entry.quality.lift_by_artist.round(3).tolist()
            for entry in (self.audience, *self.others)
        }
        return [
            asdict(artist) | {"lift": {name: rows[row] for name, rows in lifts.items()}}
            for row, artist in enumerate(self.asked)
        ]


def _served(served: Served) -> dict[str, Any]:
    return {
        "wanted": served.wanted,
        "there": len(served.cohorts),
        "empty": served.empty,
        "largest_share": served.largest,
        "changed_share": served.restless,
        "calibration_error": served.calibration_error,
    }


def _contender(entry: Contender, ahead: tuple[Advantage, ...] | None = None) -> dict[str, Any]:
    """Return a contender; `ahead` says how far Refrain's audience is ahead of it."""
    quality = entry.quality
    found = {
        "name": entry.name,
        "refrain": entry.ours,
        "variant": entry.variant,
        "audiences": [asdict(reach) for reach in quality.reach],
        "auc": asdict(quality.auc),
        "gain": [[share, round(float(found), 6)] for share, found in zip(GAIN_AT, quality.gain, strict=True)],
    }
    return found if ahead is None else found | {"refrain_ahead": [asdict(advantage) for advantage in ahead]}
