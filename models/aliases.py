"""What a listener played under several ids of one artist, as of one artist; and given back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from models.listener import Aliased, Listener

__all__ = ["settled"]

RESIDUE = 1e-9  # of a weight that is taken back: so little is left by rounding


def settled(listener: Listener, artist_of: Callable[[str], str]) -> Listener:
    """Return a listener whose affinities are of artists, none of an alias; the same one where they are.

    Forward-decayed weights add up, so that nothing depends on when it is done. What is added is remembered,
    and given back to the alias where it is none any more, or is one of another artist.

    Parameters
    ----------
    artist_of
        Returns the artist that an id stands for: mostly itself.

    Examples
    --------
    >>> listener = Listener("u", affinities={"Bo": 1.0, "BO": 2.0})
    >>> joined = settled(listener, lambda artist: {"BO": "Bo"}.get(artist, artist))
    >>> joined.affinities, joined.aliased
    ({'Bo': 3.0}, {'BO': Aliased(artist='Bo', weight=2.0)})
    >>> settled(joined, lambda artist: artist).affinities
    {'Bo': 1.0, 'BO': 2.0}
    """
    back = [alias for alias, held in listener.aliased.items() if artist_of(alias) != held.artist]
    if not back and all(artist_of(artist) == artist for artist in listener.affinities):
        return listener
    weights, aliased = dict(listener.affinities), dict(listener.aliased)
    for alias in back:
        artist, weight = aliased.pop(alias)
        weights[alias] = weights.get(alias, 0.0) + weight
        if artist in weights:  # else it was among the weakest meanwhile, and is not kept
            weights[artist] -= weight
            if abs(weights[artist]) <= RESIDUE * abs(weight):
                del weights[artist]
    for alias in list(weights):
        if (artist := artist_of(alias)) != alias:
            weight = weights.pop(alias)
            weights[artist] = weights.get(artist, 0.0) + weight
            before = aliased[alias].weight if alias in aliased else 0.0
            aliased[alias] = Aliased(artist, before + weight)
    return replace(listener, affinities=weights, aliased=aliased)
