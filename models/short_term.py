"""A taste has a memory of weeks; what somebody plays lately tells sooner that they have changed scene."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FADES", "nearness"]

Floats = npt.NDArray[np.float64]

FADES = 0.9
"""What a click leaves of the clicks before it in a listener's short memory: it holds some ten of them."""

STRANGE = 0.2
SURELY = 0.3
SAY = 4.0


def nearness(taste: Floats, lately: Floats) -> Floats:
    """Say how near listeners are to cohorts: by all that they play, and by the last of it where that is new.

    The last clicks have a say only where they are strange to the cohort that the taste is nearest to: where
    another cohort is nearer to them by `STRANGE`, and their full `SAY` from `SURELY` on. That cohort must be
    nearer by as much than a centre of length 0, too: last clicks that are far from all cohorts are the
    nearest to the shortest centre, which says nothing. A listener who goes on as before stays where they
    were, however their last ten clicks happened to fall.

    Parameters
    ----------
    taste, lately
        Shape (n, k): the similarity of listeners' tastes, and of their last clicks, to each cohort
        (`Model.similarity`); a row of zeros in `lately` is nobody's last clicks.

    Returns
    -------
    Shape (n, k), larger is nearer; `taste` itself where the last clicks have no say.

    Notes
    -----
    On HetRec Last.fm, where listeners take on another's plays, the median is 16 clicks until they are in that
    one's cohort, 282 by the taste alone; of those who go on as before one in fifty is elsewhere meanwhile.

    Examples
    --------
    >>> taste = np.array([[0.6, 0.1], [0.6, 0.1]])
    >>> nearness(taste, lately=np.array([[0.5, 0.6], [0.0, 0.8]]))
    array([[0.6, 0.1],
           [0.6, 3.3]])
    """
    rows = np.arange(len(taste))
    # 0 is how near a centre of length 0 would be: what is no nearer to any cohort belongs to none.
    strangeness = lately.max(axis=1, initial=-1.0) - np.maximum(lately[rows, taste.argmax(axis=1)], 0.0)
    say = SAY * np.clip((strangeness - STRANGE) / (SURELY - STRANGE), 0.0, 1.0)
    near: Floats = taste + say[:, None] * lately
    return near
