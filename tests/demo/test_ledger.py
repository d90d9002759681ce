from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import cast

from consumers.demo.feed import Feed
from consumers.demo.ledger import Entry, Ledger, Tally
from consumers.demo.notifier import Notifier
from consumers.demo.world import World
from stream.wire.consumer import Consumer
from stream.wire.events import Page, Summary, encode
from stream.wire.record import Record
from stream.wire.sender import Message, Sender

WORLD = World(5, began_at=0.0, n_listeners=1000)
LISTENERS = WORLD.people.listeners


class _Sent(list[Message]):
    """A sender that keeps what it is given."""

    async def deliver(self, messages: Iterable[Message]) -> None:
        self.extend(messages)


def _page(
    number: int,
    users: Sequence[str],
    ctrs: list[float] | None = None,
    policies: list[str] | None = None,
    wave: int | None = None,
) -> Page:
    return Page(
        release_id="r",
        page=number,
        user_ids=list(users),
        cohort_ids=["c1"] * len(users),
        scores=[0.5] * len(users),
        ctrs=ctrs,
        policies=policies,
        wave=wave,
        model_version=1,
        emitted_at=0.0,
    )


async def _entry(*events: Page | Summary) -> Entry:
    """Return the entry of a release after a notifier has read these events."""

    async def records() -> AsyncIterator[Record]:
        for offset, event in enumerate(events):
            yield Record("audiences", 0, offset, b"r", encode(event))

    ledger, sender = Ledger(started_at=0.0), cast(Sender, _Sent())
    entry = ledger.publish(*WORLD.music.release("r", max_audience=400), now=0.0)
    feed = Feed(sender, WORLD, ledger, run="1")
    await Notifier(cast(Consumer, records()), sender, WORLD, feed, ledger).run(lambda: 1.0)
    return entry


async def test_told_and_clicked_are_counted_by_policy_and_at_random() -> None:
    policies = ["usual", "usual", "usual", "taste"] * 100
    entry = await _entry(_page(0, LISTENERS[:400], [0.1] * 400, policies))
    assert (entry.usual.told, entry.by_taste.told, entry.at_random.told) == (300, 100, 400)
    assert entry.audience == entry.usual + entry.by_taste
    assert 0 < entry.audience.clicked < 100


async def test_before_it_is_learned_who_clicks_everybody_is_told_by_taste() -> None:
    entry = await _entry(_page(0, LISTENERS[:50], policies=["usual"] * 50))
    assert (entry.usual.told, entry.by_taste.told) == (0, 50)


async def test_without_an_ab_test_everybody_is_told_by_the_usual_policy_once_it_is_learned() -> None:
    entry = await _entry(_page(0, LISTENERS[:50], [0.1] * 50))
    assert (entry.usual.told, entry.by_taste.told) == (50, 0)


async def test_pages_of_later_waves_are_added_to_the_same_entry() -> None:
    waves = [_page(n, LISTENERS[n * 50 : n * 50 + 50], [0.1] * 50, wave=n + 1) for n in range(3)]
    entry = await _entry(*waves[:2])
    assert (entry.usual.told, entry.wave, entry.reason) == (100, 2, "")
    summary = Summary(release_id="r", pages=3, users=150, cohorts=1, reason="done", waves=3)
    entry = await _entry(*waves, summary)
    assert (entry.usual.told, entry.at_random.told, entry.wave, entry.reason) == (150, 150, 3, "done")


async def test_an_audience_that_goes_out_at_once_is_in_no_wave() -> None:
    assert (await _entry(_page(0, LISTENERS[:50]))).wave is None


def test_the_latest_releases_are_a_ledger_of_their_own() -> None:
    ledger = Ledger(started_at=0.0)
    for number in range(30):
        entry = ledger.publish(*WORLD.music.release(f"r{number}", max_audience=10), now=0.0)
        entry.add("taste" if number < 15 else "usual", Tally(10, 1))
    assert (ledger.usual, ledger.by_taste) == (Tally(150, 15), Tally(150, 15))
    assert (ledger.latest(20).usual, ledger.latest(20).by_taste) == (Tally(150, 15), Tally(50, 5))
