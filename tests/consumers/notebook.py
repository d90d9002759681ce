"""Listeners in a dictionary instead of Redis: what the properties of digesting are tested with.

It gives and takes what `stream.stores.listeners` does: a part of a row or the whole, tastes in single
precision, and tastes of another model not at all.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.listener import Click, Listener, Move, Rules
from models.model import Model
from models.update import Digest, digest
from stream.stores import taste_codec as tastes
from tests.consumers.small_model import small_model

__all__ = ["Notebook"]

NOW = 1_700_000_000.0


@dataclass
class Notebook:
    """Applies clicks as an ingester does, batch by batch."""

    rules: Rules
    model: Model | None = field(default_factory=small_model)
    listeners: dict[str, Listener] = field(default_factory=dict)
    tastes: dict[str, bytes] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)

    def apply(self, batch: Sequence[Click]) -> None:
        clicks: dict[str, list[Click]] = {}
        for click in batch:
            clicks.setdefault(click.user_id, []).append(click)
        self.digest(clicks)

    def digest(self, clicks: Mapping[str, Sequence[Click]]) -> None:
        found = [self._read(user, own) for user, own in clicks.items()]
        matrix = self._tastes(found) if self.model else None
        for entry in digest(found, matrix, list(clicks.values()), self.model, self.rules, NOW):
            self.moves += entry.moves
            if entry.changed:
                self._write(entry)

    def _read(self, user: str, clicks: Sequence[Click]) -> Listener:
        kept = self.listeners.get(user)
        if kept is None:
            return Listener(user)
        asked = {artist for click in clicks for artist in click.artist_ids}
        fresh = self.model is None or self.tastes.get(user, b"").startswith(self._head)
        whole = not fresh or len(kept.affinities) + len(asked) > self.rules.max_artists
        listener = copy.deepcopy(kept)
        listener.whole = whole
        if not whole:
            listener.affinities = {a: w for a, w in kept.affinities.items() if a in asked}
        listener.offsets = {p: kept.offsets[p] for p in {c.partition for c in clicks} if p in kept.offsets}
        return listener

    def _tastes(self, listeners: Sequence[Listener]) -> np.ndarray:
        assert self.model is not None
        rows = np.zeros((len(listeners), self.model.n_dims))
        for row, listener in enumerate(listeners):
            taste = self.tastes.get(listener.user_id, b"")
            if taste.startswith(self._head):
                rows[row] = tastes.unpack([taste], self.model.n_dims)[0]
        return rows

    @property
    def _head(self) -> bytes:
        assert self.model is not None
        return tastes.head(self.model.version, self.model.n_dims)

    def _write(self, entry: Digest) -> None:
        user = entry.listener.user_id
        before = self.listeners.get(user, Listener(user))
        assert before.rev == entry.listener.rev
        affinities = {a: w for a, w in before.affinities.items() if a not in entry.dropped}
        new = copy.deepcopy(entry.listener)
        new.affinities = affinities | entry.affinities
        new.offsets = before.offsets | entry.listener.offsets
        new.rev += 1
        if not entry.moves and before.rev:  # as write_listeners.lua: only a move changes these
            new.cohort, new.cohort_from = before.cohort, before.cohort_from
            new.cohort_since, new.moved = before.cohort_since, before.moved
        self.listeners[user] = new
        if entry.taste is not None:
            assert self.model is not None
            (self.tastes[user],) = tastes.pack(
                entry.taste[None, :], entry.listener.lately[None, :], self.model.version
            )

    def taste(self, user: str) -> np.ndarray:
        assert self.model is not None
        return tastes.unpack([self.tastes[user]], self.model.n_dims)[0]
