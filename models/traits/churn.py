"""Who will not come back: P(no activity in the next days | what was done before), learned in one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy

from models.laplace import fade, learn_batch
from models.traits.random_features import UNITS, RandomFeatures
from models.traits.windows import with_between

__all__ = ["ENOUGH", "FORMAT", "ChurnModel"]

Floats = npt.NDArray[np.float64]

FORMAT = 1
MEMORY = 1_000_000.0
"""Examples after which an example counts 1/e: habits change."""
ENOUGH = 200
"""Examples that are learned before what is predicted is said of anybody."""
BATCH = 1000  # examples that are learned in one step
FIRST = 2000
"""Examples by which scales are fixed. Until there are so many, all are learned again each time."""
SPREAD = 0.3
"""Standard deviation that coefficients of columns of unit spread are assumed to have, about 0."""
SPREAD_OF_UNITS = 0.15
"""The same of random units, of which there are many: with twice as much, outliers among few examples are
drawn on to where they never were."""
SPREAD_OF_LEVEL = 3.0  # the same of the constant


class ChurnModel:
    """Bayesian logistic regression on random features (`models.traits.random_features`), batch by batch.

    What is known of its coefficients is a Gaussian, moved by each batch as far as that says
    (`models.laplace`), fading towards the prior with `MEMORY`: no example is needed twice, no step size.

    Parameters
    ----------
    names
        The columns of rows: those of windows get what lies between them (`models.traits.windows`).

    Attributes
    ----------
    examples, churned
        What it was learned from: listeners whose outcome is known, and how many did not come back.

    Examples
    --------
    >>> chance, model = np.random.default_rng(1), ChurnModel(["freq_P_last_7", "freq_P_last_30"])
    >>> plays = chance.poisson([[2.0, 9.0]], (4000, 2)).astype(float)
    >>> model.learn(plays, chance.random(4000) < np.where(plays[:, 0] > 0, 0.1, 0.6))
    >>> model.predict(np.array([[0.0, 9.0], [4.0, 9.0]])).round(1).tolist()
    [0.6, 0.1]
    >>> header, arrays = model.to_arrays()
    >>> ChurnModel.from_arrays(header, arrays).examples
    4000
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.examples, self.churned = 0, 0
        self._first = np.zeros((0, len(self.names) + 1))
        self._features: RandomFeatures | None = None
        self._mean, self._precision = np.zeros(0), np.zeros((0, 0))

    @property
    def finite(self) -> bool:
        """Whether all that is learned is numbers; else it has diverged, and no example brings it back."""
        return bool(np.isfinite(self._mean).all() and np.isfinite(self._precision).all())

    def learn(self, rows: Floats, churned: npt.ArrayLike) -> None:
        """Learn what became of listeners, in order.

        Parameters
        ----------
        rows
            Shape (n, d), what was known of them before; NaN where something is missing.
        churned
            Shape (n,), whether they did nothing in the days after.
        """
        y = np.asarray(churned, dtype=np.float64)
        if not len(y):
            return
        self.examples += len(y)
        self.churned += int(y.sum())
        if self.examples - len(y) < FIRST:
            self._first = np.vstack([self._first, np.column_stack([rows, y])])
            self._begin_anew()
        else:
            self._learn(rows, y)
        if self.examples >= FIRST:
            self._first = self._first[:0]

    def predict(self, rows: Floats) -> Floats:
        """Return how likely each is not to come back, 0 to 1, shape (n,); 0.5 before anything is learned."""
        if self._features is None:
            return np.full(len(rows), 0.5)
        made: Floats = np.empty(len(rows))
        for start in range(0, len(rows), BATCH):
            part = slice(start, start + BATCH)
            made[part] = scipy.special.expit(self._features.of(self._wide(rows[part])) @ self._mean)
        return made

    def to_arrays(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return a header that JSON can hold, and arrays: all there is to the model."""
        header = {
            "format": FORMAT,
            "names": list(self.names),
            "examples": self.examples,
            "churned": self.churned,
        }
        arrays: dict[str, npt.NDArray[Any]] = {"first": self._first}
        if self._features:
            upper = self._precision[np.triu_indices(len(self._precision))]
            arrays |= {"mean": self._mean, "precision": upper, **self._features.to_arrays()}
        return header, arrays

    @classmethod
    def from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make a model of what `to_arrays` gave.

        Raises
        ------
        ValueError
            When the format is another, parts are missing or do not fit, or it has diverged.
        """
        if header.get("format") != FORMAT:
            raise ValueError(f"a churn model of format {header.get('format')!r}; this reads format {FORMAT}")
        try:
            made = cls(header["names"])
            made.examples, made.churned = int(header["examples"]), int(header["churned"])
            made._first = arrays["first"].reshape(-1, len(made.names) + 1)
            if "mean" in arrays:
                made._features = RandomFeatures.from_arrays(arrays)
                made._mean = arrays["mean"]
                size = made._features.size
                upper = np.zeros((size, size))
                upper[np.triu_indices(size)] = arrays["precision"]
                made._precision = upper + np.triu(upper, 1).T
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"a churn model whose parts do not fit: {error}") from error
        if made._features and made._mean.shape != (made._features.size,):
            raise ValueError("a churn model whose coefficients are not as many as its features")
        if not made.finite:
            raise ValueError("a churn model that has diverged: its coefficients are no numbers")
        return made

    def _wide(self, rows: Floats) -> Floats:
        return with_between(self.names, np.asarray(rows, dtype=np.float64))[1]

    def _begin_anew(self) -> None:
        rows, y = self._first[:, :-1], self._first[:, -1]
        self._features = RandomFeatures.fit(self._wide(rows))
        self._mean, self._precision = np.zeros(self._features.size), self._prior
        self._learn(rows, y)

    @property
    def _prior(self) -> Floats:
        size = self._features.size if self._features else 0
        spreads = np.full(size, SPREAD)
        spreads[:1] = SPREAD_OF_LEVEL
        spreads[-UNITS:] = SPREAD_OF_UNITS
        return np.diag(spreads**-2.0)

    def _learn(self, rows: Floats, y: Floats) -> None:
        for start in range(0, len(y), BATCH):
            part = slice(start, start + BATCH)
            columns = self._features.of(self._wide(rows[part])) if self._features else np.zeros((0, 0))
            keep = float(np.exp(-len(columns) / MEMORY))
            faded = fade(self._mean, self._precision, self._prior, keep)
            self._mean, self._precision = learn_batch(*faded, columns, y[part])
