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
NOWHERE = 0.05  # how near a centre is that is next to nothing


def nearness(taste: Floats, lately: Floats) -> Floats:
    """Say how near listeners are to cohorts: by all that they play, and by the last of it where that is new.

    The last clicks have a say only where they are strange to the cohort that the taste is nearest to: where
    another cohort is nearer to them by `STRANGE`, and their full `SAY` from `SURELY` on. They have none
    where they are far from all cohorts (`NOWHERE`): the shortest centre is the nearest then, which says
    nothing. A listener who goes on as before stays where they were, however their last ten clicks happened
    to fall.

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
    nearest = lately.max(axis=1, initial=-1.0)
    strangeness = nearest - lately[rows, taste.argmax(axis=1)]
    say = SAY * np.clip((strangeness - STRANGE) / (SURELY - STRANGE), 0.0, 1.0) * (nearest > NOWHERE)
    near: Floats = taste + say[:, None] * lately
    return near
