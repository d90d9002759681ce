"""What is made of the clicks of listeners, before anything is written."""

from __future__ import annotations

import pyarrow as pa
import pytest

from consumers.history.columns import EVENTS, of_events
from consumers.history.listeners import Loaded, Songs, made_of
from models.affinity import ForwardDecay
from models.listener import HISTORY, Rules
from tests.consumers.history.years import UNTIL


def test_event_ids_are_looked_at_without_making_each_click_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    each_twice = [
        {
            "user_id": f"u{at % 3}",
            "song_id": "s",
            "artist_ids": ["ana"],
            "ts": UNTIL + at,
            "event_id": f"e{at // 6}",
        }
        for at in range(60)
    ]
    loaded = Loaded.of(of_events(pa.Table.from_pylist(each_twice, schema=EVENTS), 0))

    def refuse(*_: object) -> None:
        raise AssertionError("a click is made")

    monkeypatch.setattr("consumers.history.listeners._Clicks.__getitem__", refuse)
    rules = Rules(ForwardDecay())
    made = made_of(loaded, Songs({}), rules, UNTIL, HISTORY, activity=False, most_event_ids=64)
    assert made.residents.clicks[made.changes.rows].tolist() == [10, 10, 10]
    assert {len(held) for held in made.changes.event_ids.values()} == {80}
