"""How likely each listener is to click on a notification of a release: the model that is served."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy

__all__ = ["FEATURES", "FORMAT", "CtrModel", "design", "features", "prior_precision"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.floating[Any]]

FORMAT = 1

TYPICAL: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "log_play_rate": (-3.5, 1.5),
        "plays_artist": (0.3, 0.5),
        "activity": (0.0, 1.0),
        "cohort_ctr": (0.0, 0.4),
        "listener_ctr": (0.0, 0.6),
        "listener_sent": (1.5, 1.0),
        "sent_day": (0.3, 0.4),
        "sent_week": (0.8, 0.6),
        "hours_since_sent": (4.0, 1.2),
        "hour_sin": (0.0, 0.7),
        "hour_cos": (0.0, 0.7),
        "weekend": (0.3, 0.45),
        "release_age": (0.2, 0.4),
        "artist_listeners": (6.0, 1.5),
        "closeness": (0.4, 0.25),
    }
)
"""Each feature's name -> about its mean and its standard deviation. They are fixed, in place of those of a
running scaler: a scale that moves would change what is already learned."""

FEATURES: tuple[str, ...] = tuple(TYPICAL)
"""The columns of `features`, in order. What is learned hangs on it: only ever add to its end."""

LONGEST = 28 * 24.0  # hours since the last notification that count; never is as long ago
LEAST_RATE = 1e-9
PRIOR_SPREAD = 0.3
"""Standard deviation that coefficients of features of unit spread are assumed to have, about 0 (but 1 for the
log of the play rate)."""
PRIOR_SPREAD_OF_LEVEL = 3.0  # the same of the constant: plays and clicks differ by a factor up to e^6


def features(
    *,
    play_rate: npt.ArrayLike,
    plays_artist: npt.ArrayLike = False,
    activity: npt.ArrayLike = 0.0,
    ctr: float = 0.1,
    cohort_ctr: npt.ArrayLike | None = None,
    listener_ctr: npt.ArrayLike | None = None,
    listener_sent: npt.ArrayLike = 0.0,
    sent_day: npt.ArrayLike = 0.0,
    sent_week: npt.ArrayLike = 0.0,
    hours_since_sent: npt.ArrayLike = np.inf,
    local_hour: npt.ArrayLike = 12.0,
    weekday: npt.ArrayLike = 0,
    release_age_hours: npt.ArrayLike = 0.0,
    artist_listeners: npt.ArrayLike = 0.0,
    closeness: npt.ArrayLike = 0.0,
) -> Singles:
    """Return what is known of listeners the moment a release is decided on, a row a listener.

    Each argument is one number for all, or shape (n,).

    Parameters
    ----------
    play_rate
        0 to 1 (`models.audience.play_rates`). The log of it is the first column.
    plays_artist
        Whether the listener still plays an artist of the release.
    activity
        log2 of the length of the listener's taste less that of a listener in the middle
        (`models.model.Model.strength`): how much more active the listener is.
    ctr
        The global click-through rate, 0 to 1.
    cohort_ctr, listener_ctr
        Shrunk click-through rates of the listener's cohort, and of the listener
        (`models.click_rate.shrunk_rate`); the columns are their log-odds less those of `ctr`. `ctr` if None.
    listener_sent
        Notifications that the listener's rate goes by, faded.
    sent_day, sent_week
        Notifications sent to the listener in the last 24 hours, and 7 days.
    hours_since_sent
        Hours since the last one; infinite, or NaN, where there was none. All from 28 days are alike.
    local_hour
        Hour of the day where the listener is, 0 to 24.
    weekday
        Where the listener is, 0 for Monday to 6.
    release_age_hours
        Hours since the release came out.
    artist_listeners
        How many listeners play the release's artists.
    closeness
        -1 to 1, the cosine of the listener's taste and the release: the play rate without activity and
        neighbours.

    Returns
    -------
    Shape (n, 15), columns `FEATURES`; exact enough in half precision to learn from.

    Examples
    --------
    >>> rows = features(play_rate=[0.5, 0.01], local_hour=[18.0, 6.0], sent_day=[0, 3])
    >>> rows.shape
    (2, 15)
    >>> rows[:, FEATURES.index("hour_sin")].tolist()
    [-1.0, 1.0]
    """
    level = _log_odds(ctr)
    hour = 2 * np.pi / 24.0 * np.asarray(local_hour, dtype=np.float64)
    hours = np.nan_to_num(np.asarray(hours_since_sent, dtype=np.float64), nan=LONGEST, posinf=LONGEST)
    columns: tuple[npt.ArrayLike, ...] = (
        np.log(np.maximum(np.asarray(play_rate, dtype=np.float64), LEAST_RATE)),
        plays_artist,
        np.nan_to_num(np.asarray(activity, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0),
        0.0 if cohort_ctr is None else _log_odds(cohort_ctr) - level,
        0.0 if listener_ctr is None else _log_odds(listener_ctr) - level,
        np.log1p(listener_sent),
        np.log1p(sent_day),
        np.log1p(sent_week),
        np.log1p(np.clip(hours, 0.0, LONGEST)),
        np.sin(hour),
        np.cos(hour),
        np.asarray(weekday) >= 5,  # noqa: PLR2004 - Saturday
        np.log1p(np.maximum(np.asarray(release_age_hours, dtype=np.float64), 0.0) / 24.0),
        np.log1p(artist_listeners),
        closeness,
    )
    sizes = {np.size(column) for column in columns}
    n = max(sizes) if 0 not in sizes else 0
    rows = np.empty((n, len(columns)), dtype=np.float32)
    for at, column in enumerate(columns):
        rows[:, at] = column
    return rows


def design(rows: Numbers, means: Floats, scales: Floats) -> Floats:
    """Return what coefficients are multiplied by, (n, 1 + d): 1, and features of about unit spread."""
    columns = np.empty((len(rows), 1 + rows.shape[1]))
    columns[:, 0] = 1.0
    columns[:, 1:] = (rows - means) / scales
    return columns


def prior_precision() -> Floats:
    """Return the precision of coefficients before anything is learned, shape (1 + d, 1 + d)."""
    spreads = [PRIOR_SPREAD_OF_LEVEL] + [PRIOR_SPREAD] * len(FEATURES)
    return np.diag(np.array(spreads) ** -2.0)


@dataclass(frozen=True, eq=False)
class CtrModel:
    """Predicts click-through rates: logistic regression that starts from the play rate.

        log-odds = log(play rate) + b_0 + sum_j b_j (x_j - mean_j) / scale_j

    With nothing learned all b are 0: listeners rank by their play rates, and by nothing else. With something
    learned b_1 changes by which power of the play rate clicks rise.

    Attributes
    ----------
    version
        1, 2, ...: larger is later; 0 where nothing is learned.
    created_at
        Unix seconds.
    examples, clicks
        What it was learned from: notifications whose outcome is known, and how many were clicked.
    coefficients
        Shape (1 + d,), b; b_0 first.
    precision
        Shape (1 + d, 1 + d), how sure they are: the inverse of their covariance.
    means, scales
        Shape (d,), `TYPICAL`.
    early, clicked
        Of releases that went out in waves, how many clicks had come when the second wave was due, and how
        many in the end; fading, and begun with a guess.
    validation
        How well the models before it predicted (`models.ctr_learner.CtrLearner.figures`).

    Examples
    --------
    >>> CtrModel().predict(features(play_rate=[0.01, 0.2])).round(3).tolist()
    [0.01, 0.167]
    >>> header, arrays = CtrModel(version=3).to_arrays()
    >>> CtrModel.from_arrays(header, arrays).version
    3
    """

    version: int = 0
    created_at: float = 0.0
    examples: int = 0
    clicks: int = 0
    coefficients: Floats = field(default_factory=lambda: np.zeros(1 + len(FEATURES)))
    precision: Floats = field(default_factory=prior_precision)
    means: Floats = field(default_factory=lambda: np.array([mean for mean, _ in TYPICAL.values()]))
    scales: Floats = field(default_factory=lambda: np.array([scale for _, scale in TYPICAL.values()]))
    early: float = 12.0
    clicked: float = 20.0
    validation: Mapping[str, float] = field(default_factory=dict)

    @property
    def so_soon(self) -> float:
        """Share of all clicks that have come when the next wave is due."""
        return min(self.early / self.clicked, 1.0)

    def come_after(self, waves: float) -> float:
        """Return the share of all clicks that have come some time after a notification.

            1 - (1 - s)^log2(1 + t), s = `so_soon`

        which is s when the next wave is due (t = 1). Clicks that have not come yet become fewer by a power
        of the time, (1 + t)^-a: by an exponential law hardly any would come late, and some come a day later.

        Parameters
        ----------
        waves
            t: how long after, as a multiple of the time from wave to wave.

        Examples
        --------
        >>> [round(CtrModel().come_after(waves), 2) for waves in (0, 1, 2, 3)]
        [0.0, 0.6, 0.77, 0.84]
        """
        return 1.0 - math.pow(1.0 - self.so_soon, math.log2(1.0 + max(waves, 0.0)))

    def log_odds(self, rows: Numbers) -> Floats:
        """Return what listeners are ranked by, shape (n,), for `features` (n, d); see `predict`."""
        slopes = self.coefficients[1:] / self.scales
        level = self.coefficients[0] - float(slopes @ self.means)
        learned = rows.astype(np.float32, copy=False) @ slopes.astype(np.float32)
        odds: Floats = rows[:, 0].astype(np.float64) + learned + level
        return odds

    def predict(self, rows: Numbers) -> Floats:
        """Return predicted click-through rates, 0 to 1, shape (n,), for `features` (n, d).

        With nothing learned they rise strictly with the play rate, as far as single precision tells play
        rates apart.
        """
        rates: Floats = scipy.special.expit(self.log_odds(rows))
        return rates

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return a header that JSON can hold, and arrays: all there is to the model."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        header = {name: value for name, value in values.items() if name not in arrays}
        header |= {
            "format": FORMAT,
            "features": list(FEATURES[: len(self.means)]),
            "validation": dict(self.validation),
        }
        return header, arrays

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make a model of what `to_arrays` gave.

        Features that were added since count for nothing until they are learned.

        Raises
        ------
        ValueError
            When the format is another, its features are not those of this program, or parts do not fit.
        """
        if header.get("format") != FORMAT:
            found = header.get("format")
            raise ValueError(f"a CTR model of format {found!r}; this program reads format {FORMAT}")
        known = tuple(header.get("features", ()))
        if known != FEATURES[: len(known)] or not known:
            raise ValueError(f"a CTR model of features that this program does not know: {known}")
        try:
            values = {entry.name: header[entry.name] for entry in fields(cls) if entry.name in header}
            values |= {name: np.asarray(arrays[name], dtype=np.float64) for name in ARRAYS}
        except KeyError as error:
            raise ValueError(f"a CTR model with parts missing: {error}") from error
        size = len(known)
        shapes = dict(zip(ARRAYS, ((1 + size,), (1 + size, 1 + size), (size,), (size,)), strict=True))
        for name, shape in shapes.items():
            if values[name].shape != shape or not np.isfinite(values[name]).all():
                raise ValueError(f"a CTR model whose {name} are not {shape} finite numbers")
        return cls(**_with_new_features(values))


ARRAYS = ("coefficients", "precision", "means", "scales")


def _with_new_features(values: dict[str, Any]) -> dict[str, Any]:
    blank = CtrModel()
    for name in ARRAYS:
        grown = getattr(blank, name).copy()
        grown[tuple(slice(0, length) for length in values[name].shape)] = values[name]
        values[name] = grown
    return values


def _log_odds(rate: npt.ArrayLike) -> Floats:
    odds: Floats = scipy.special.logit(np.clip(np.asarray(rate, dtype=np.float64), 1e-6, 1.0 - 1e-6))
    return odds
