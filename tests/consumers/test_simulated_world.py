"""A simulated world on the real servers: listeners click, are told and answer, while a worker is killed."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from stream.settings import Settings
from tests.consumers.desk import Desk
from tests.refrain_command import Refrain
from tests.waiting import wait_for
from tests.world import World

LISTENERS, RELEASES, AUDIENCE = 1500, 9, 700
A_DAY = 3
PEACE = {
    "first_model_listeners": 500,
    "cohorts": 8,
    "control": 0.1,
    "told_a_day": A_DAY,
    "told_a_week": 0,
    "first_wave": 0.3,
    "wave_minutes": 0.03,
    "learn_clicks_after_minutes": 0.02,
    "publish_every": 1.0,
}


@dataclass
class Notifier:
    """Tells the world's listeners what Refrain emits, and reports what they do: some twice, some never."""

    world: World
    desk: Desk
    releases: dict[str, Any] = field(default_factory=dict)
    pages: set[tuple[str, int]] = field(default_factory=set)
    reported: set[tuple[str, str, str]] = field(default_factory=set)
    """Release, listener and kind of each report that was sent."""

    def notify(self) -> None:
        """Tell whoever is on pages that have come since."""
        for name, answer in self.desk.answers().items():
            for page in answer.pages:
                if (name, page["page"]) not in self.pages:
                    self.pages.add((name, page["page"]))
                    self._tell(name, page["user_ids"])

    def _tell(self, name: str, users: list[str]) -> None:
        release, rows = self.releases[name], np.array([int(user[1:]) for user in users])
        now = time.time()
        reports = list(self.world.feedback(release, self.world.notify(release, rows, now), now))
        self.reported |= {(name, report.listener, report.kind) for report in reports}
        self.desk.log.send(
            "feedback",
            [
                {"release_id": name, "user_id": report.listener, "kind": report.kind, "ts": now}
                for report in reports
            ],
        )

    def counts(self, name: str) -> dict[str, int]:
        """What Redis has to say of a release, by what was reported: who did anything was sent it."""
        kinds: dict[str, set[str]] = defaultdict(set)
        for release, user, kind in self.reported:
            if release == name:
                kinds[kind].add(user)
                kinds["sent"].add(user)
        return {kind: len(users) for kind, users in kinds.items()}


def clicks_of(world: World) -> list[dict[str, Any]]:
    """All that its listeners played in the last month."""
    random, now = np.random.default_rng(7), time.time()
    plays = world.plays().tocoo()
    rows = np.repeat(np.arange(plays.nnz), plays.data.astype(int))
    ages = random.random(len(rows)) * 30 * 86_400
    return [
        {
            "user_id": world.listener(plays.row[at]),
            "song_id": f"song of {plays.col[at]}",
            "artist_ids": [world.artist(plays.col[at])],
            "ts": now - age,
        }
        for at, age in zip(rows.tolist(), ages.tolist(), strict=True)
    ]


@pytest.fixture
def world() -> World:
    return World(LISTENERS, 60, 6, seed=3)


def test_whatever_happens_counts_are_the_truth_and_everybody_is_left_in_peace(
    settings: Settings, desk: Desk, refrain: Refrain, world: World
) -> None:
    refrain.start("ingest", **PEACE)
    refrain.start("train", **PEACE)
    desk.log.send("clicks", clicks_of(world))
    members = lambda: sum(int(size) for _, size in desk.db.zrange("cohorts", 0, -1, withscores=True))  # noqa: E731
    wait_for(lambda: members() > 0.9 * LISTENERS, "everybody to be in a cohort")
    victim = refrain.start("work", **PEACE)
    refrain.start("work", **PEACE)

    notifier, out_before = Notifier(world, desk), dict[str, set[str]]()
    for number, release in enumerate(world.releases(RELEASES)):
        name = release.id
        notifier.releases[name] = release
        out_before[name] = desk.db.smembers("opted-out")
        artist = world.artist(release.artist)
        desk.publish(name, artist, max_audience=AUDIENCE)
        wait_for(lambda name=name: desk.answer(name).pages or desk.answer(name).summaries, "the audience")
        notifier.notify()
        desk.log.wait_until_caught_up("work", "feedback")
        if number == RELEASES // 2:
            victim.kill()  # between two waves, as a rule
            refrain.start("work", **PEACE)

    def all_out() -> bool:
        notifier.notify()
        return all(answer.summaries for answer in desk.answers().values()) and len(desk.answers()) == RELEASES

    wait_for(all_out, "all releases to be out")
    notifier.notify()
    desk.log.wait_until_caught_up("work", "feedback")

    answers = desk.answers()
    told = {name: answer.told for name, answer in answers.items()}  # fails where somebody is told twice
    times = Counter(user for users in told.values() for user in users)
    assert max(times.values()) == A_DAY
    for name, users in told.items():
        assert not users & set(desk.db.hkeys(f"release:{{{name}}}:control"))
        assert not users & out_before[name]
        found = desk.counts(f"release:{{{name}}}")
        found.pop("ctr", None)
        assert found == notifier.counts(name)
        assert answers[name].summary["users"] == len(users)
    waves = [answer.summary.get("waves", 1) for answer in answers.values()]
    assert max(waves) > 1, "it was learned who clicks"
    reasons = Counter[str]()
    for answer in answers.values():
        reasons.update(answer.summary.get("left_out") or {})
    assert reasons["told often enough today"] > 0
    assert reasons["control group"] > 0
