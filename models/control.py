"""Who is not told, so that what telling brings can be seen: the same listeners for everybody who asks."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

__all__ = ["USUAL", "Groups"]

USUAL = "usual"
"""In an A/B test, the policy by which listeners are told who are not in its other arm."""

BITS = 64


@dataclass(frozen=True)
class Groups:
    """Draws listeners by a salted hash of their ids: no state, and no draw depends on another.

    Parameters
    ----------
    salt
        Another salt draws other listeners.
    control
        Share of a release's audience that is not told of it, 0 to 1; drawn separately for each release.
    holdout
        Share of all listeners who are told of no release, 0 to 1.

    Examples
    --------
    >>> groups = Groups("salt", control=0.1, holdout=0.01)
    >>> drawn = [groups.of("r1", f"u{n}") for n in range(10_000)]
    >>> drawn.count("control"), drawn.count("holdout")
    (996, 86)
    """

    salt: str = ""
    control: float = 0.0
    holdout: float = 0.0

    def of(self, release_id: str, user_id: str) -> str:
        """Return "holdout", "control", or "" where the listener may be told."""
        if self.holdout and _share(self.salt, "", user_id) < self.holdout:
            return "holdout"
        if self.control and _share(self.salt, release_id, user_id) < self.control:
            return "control"
        return ""

    def is_in_other_arm(self, user_id: str, share: float) -> bool:
        """Say whether a listener is in the other arm of an A/B test, which holds this share of all."""
        return _share(self.salt, "A/B", "", user_id) < share


def _share(*parts: str) -> float:
    """Return a number from 0 to below 1 that looks random, and is always the same for the same parts."""
    # No id has a NUL in it, so that no two lists of parts make one text.
    digest = blake2b("\0".join(parts).encode(), digest_size=BITS // 8).digest()
    return int.from_bytes(digest) / 2.0**BITS
