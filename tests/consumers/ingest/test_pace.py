from __future__ import annotations

import pytest

from consumers.ingest.pace import BUSY_SECONDS, LONGEST_REST, SHARE, STARTING_SECONDS, Pace


def test_while_nobody_clicks_the_sweep_does_not_rest() -> None:
    pace = Pace()
    assert [pace.rest(took=0.01, clicks=700, now=float(now)) for now in range(5)] == [0.0] * 5


def test_while_clicks_come_the_sweep_takes_its_share_of_the_time() -> None:
    pace, now, worked = Pace(), 0.0, 0.0
    pace.rest(took=0.01, clicks=0, now=now)
    for chunk in range(1, 100):
        now += 0.01
        worked += 0.01
        now += pace.rest(took=0.01, clicks=5 * chunk, now=now)
    assert worked / now == pytest.approx(SHARE, rel=0.01)


def test_what_a_chunk_waited_for_clicks_is_not_rested_for() -> None:
    pace = Pace()
    pace.rest(took=0.01, clicks=0, now=0.0)
    assert pace.rest(took=0.4, clicks=9, now=0.4) == pytest.approx(0.09)


def test_when_clicks_have_ended_it_goes_on_at_full_speed() -> None:
    pace = Pace()
    pace.rest(took=0.01, clicks=0, now=0.0)
    assert pace.rest(took=0.01, clicks=9, now=1.0) > 0
    assert pace.rest(took=0.01, clicks=9, now=1.0 + BUSY_SECONDS) > 0
    assert pace.rest(took=0.01, clicks=9, now=1.1 + BUSY_SECONDS) == 0.0


def test_no_rest_is_so_long_that_the_lease_ends() -> None:
    pace = Pace()
    pace.rest(took=5.0, clicks=0, now=0.0)
    assert pace.rest(took=5.0, clicks=9, now=5.0) == LONGEST_REST


def test_while_the_process_starts_the_sweep_leaves_time_to_clicks_that_wait() -> None:
    pace = Pace(began=10.0)
    assert pace.rest(took=0.01, clicks=0, now=10.1) == pytest.approx(0.09)
    assert pace.rest(took=0.01, clicks=0, now=10.0 + STARTING_SECONDS) == pytest.approx(0.09)
    assert pace.rest(took=0.01, clicks=0, now=10.1 + STARTING_SECONDS) == 0.0
