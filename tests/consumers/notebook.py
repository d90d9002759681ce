"""Listeners in a dictionary instead of Redis: what the properties of updates are tested with.

It gives and takes what `stream.stores.listeners` does, in half precision what that has in half precision.
With `resident`, listeners stay in memory from batch to batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.listener import Click, Listener, Move, Rules
from models.model import Model
from models.residents import Residents
from models.update import Changes, update
from stream.stores import taste_codec
from tests.consumers.small_model import small_model

__all__ = ["Notebook"]

NOW = 1_700_000_000.0
DESCRIBED = ("cohort", "cohort_from", "cohort_since", "moved", "first_seen", "bot", "utc_offset_min")


@dataclass
class Notebook:
    """Applies clicks as an ingester does, batch by batch."""

    rules: Rules
    model: Model | None = field(default_factory=small_model)
    resident: bool = False
    listeners: dict[str, Listener] = field(default_factory=dict)
    tastes: dict[str, bytes] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    held: Residents = field(default_factory=Residents)

    def apply(self, batch: Sequence[Click]) -> None:
        self._update(batch, [])

    def migrate(self, users: Sequence[str]) -> None:
        self._update([], users)

    def _update(self, clicks: Sequence[Click], others: Sequence[str]) -> None:
        users = dict.fromkeys([*(click.user_id for click in clicks), *others])
        if not self.resident:
            self.held = Residents()
        missing = [user for user in users if user not in self.held.index]
        self.held.add([self._read(user) for user in missing], self.model)
        changes = update(self.held, clicks, others, self.model, self.rules, NOW)
        self.moves += changes.moves
        for at, row in enumerate(changes.rows.tolist()):
            self._write(row, changes.owner == at, changes)

    def _read(self, user: str) -> Listener:
        return self.listeners.get(user, Listener(user))

    def _write(self, row: int, own: np.ndarray, changes: Changes) -> None:
        """Write only what the changes name, as the store does."""
        new = self.held.listener(row)
        before = self.listeners.get(new.user_id, Listener(new.user_id))
        assert before.rev == new.rev
        names = self.held.artists.names
        gone = {names[artist] for artist in changes.dropped.get(row, ())}
        kept = {artist: weight for artist, weight in before.affinities.items() if artist not in gone}
        pairs = zip(changes.artist[own].tolist(), changes.weight[own].tolist(), strict=True)
        new.affinities = kept | {names[artist]: weight for artist, weight in pairs}
        if not changes.described[changes.rows == row].item():
            for name in DESCRIBED:
                setattr(new, name, getattr(before, name))
        if row not in changes.turned:
            now = self.held.sources.names[self.held.source[row]]
            new.offsets = before.offsets | {now: new.offsets[now]}
        new.rev = self.held.rev[row] = before.rev + 1
        if self.model is not None:
            at = np.array([row])
            columns = self.held.taste[at], self.held.exponent[at], self.held.short_term[at]
            (packed,) = taste_codec.pack(*columns, self.model.version)
            self.tastes[new.user_id] = packed
            new.made_by, new.short_term = taste_codec.version(packed), taste_codec.short_term(packed)
        self.listeners[new.user_id] = new

    def taste(self, user: str) -> np.ndarray:
        assert self.model is not None
        return taste_codec.unpack([self.tastes[user]], self.model.n_dims)[0]
