"""A release whose song is known already points where that song's own listeners are."""

from __future__ import annotations

from dataclasses import replace

from models.audience import Target
from models.songs import SongModel
from models.taste import unit

__all__ = ["towards_song"]


def towards_song(target: Target, songs: SongModel, song_id: str) -> Target:
    """Return where a release of a song points: between its artists and its own listeners.

    s w_song + (1 - s) w_target at unit length, s = n / (n + `models.song_vectors.FANS`) for n listeners in
    the sample who have played the song. What neighbours of the artists add stays as it is.

    Parameters
    ----------
    target
        Of the release by its artists and whom they are like (`models.audience.aim`).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_matrix
    >>> songs = SongModel(
    ...     version=1, created_at=0.0, n_listeners=3, plays=3, songs=("s1", "s2"),
    ...     directions=np.eye(2, dtype="f2"), levels=np.ones(2, dtype="f4"), listeners=np.array([3, 0]),
    ...     artists=("ana",), made_by=csr_matrix(np.ones((2, 1))), beside=csr_matrix((1, 2)),
    ...     to_audience=np.eye(2), strength=0.0, activity=0.5,
    ... )
    >>> artists = Target(np.array([0.0, 1.0]), "artists", ("ana",))
    >>> found = towards_song(artists, songs, "s1")
    >>> found.vector.round(2).tolist(), found.relied_on
    ([0.71, 0.71], 'song, artists')
    >>> towards_song(artists, songs, "s2").relied_on
    'artists'
    """
    row = songs.index.get(song_id)
    if row is None or not songs.listeners[row]:
        return target
    share = songs.trust(row)
    own = songs.towards(row)
    if not target.vector.any():
        return replace(target, vector=own, relied_on="song")
    names = ["song", target.relied_on] if share >= 1.0 - share else [target.relied_on, "song"]
    return replace(
        target, vector=unit(share * own + (1.0 - share) * target.vector), relied_on=", ".join(names)
    )
