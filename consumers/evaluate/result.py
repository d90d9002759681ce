"""All that an evaluation found, as `--json` prints it and the page shows it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from consumers.evaluate.experiment import Contender, Served
from consumers.evaluate.reading import Read
from models.quality.evaluation import GAIN_AT

__all__ = ["Result"]


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
    artists, askable, asked, pairs
        Artists; those about which there is enough to ask; those asked about; their held-out listeners.
    until
        The split in time, Unix seconds; None: at random.
    share, seed
        Of what is held out; of chance.
    note
        Why it was split so, where that was not asked for.
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
    asked: int
    pairs: int
    until: float | None
    share: float
    seed: int
    note: str
    served: tuple[Served, ...]
    best: Served
    baselines: tuple[Contender, ...]
    missing: tuple[str, ...]
    seconds: float

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
            "artists_asked": self.asked,
            "pairs": self.pairs,
            "split": "random" if self.until is None else "time",
            "until": self.until,
            "share": self.share,
            "seed": self.seed,
            "note": self.note,
            "cohorts": _served(self.best)
            | {
                "list": [
                    asdict(cohort) for cohort in sorted(self.best.cohorts, key=lambda cohort: -cohort.members)
                ]
            },
            "contenders": [_contender(entry) for entry in (*self.best.contenders, *self.baselines)],
            "curve": [
                _served(served) | {"contenders": [_contender(entry) for entry in served.contenders]}
                for served in self.served
            ],
            "not_installed": list(self.missing),
            "seconds": round(self.seconds, 3),
        }


def _served(served: Served) -> dict[str, Any]:
    return {
        "wanted": served.wanted,
        "there": len(served.cohorts),
        "empty": served.empty,
        "largest_share": served.largest,
        "changed_share": served.restless,
    }


def _contender(entry: Contender) -> dict[str, Any]:
    quality = entry.quality
    return {
        "name": entry.name,
        "refrain": entry.ours,
        "variant": entry.variant,
        "audiences": [asdict(reach) for reach in quality.reach],
        "auc": asdict(quality.auc),
        "gain": [[share, round(float(found), 6)] for share, found in zip(GAIN_AT, quality.gain, strict=True)],
    }
