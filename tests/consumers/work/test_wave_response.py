"""What waves that are out say of those that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest

from consumers.work.wave_response import WaveResponse
from stream.stores.releases import Response
from stream.wire.events import Page

CTR, COHORT = np.full(40, 0.1), np.repeat([0, 1], 20)
COHORTS = ("c1", "c2")


def page(cohort: str, number: int, ctr: float = 0.1, wave: int = 1) -> Page:
    return Page(
        release_id="r1",
        page=0,
        user_ids=[f"{cohort} {n}" for n in range(number)],
        cohort_ids=[cohort] * number,
        scores=[0.5] * number,
        ctrs=[ctr] * number,
        wave=wave,
        model_version=1,
        emitted_at=5.0,
    )


def factors(
    counts: dict[str, int],
    come: float | Sequence[float] = 1.0,
    *pages: Page,
    reports_sent: bool = True,
    before: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> list[float]:
    told = pages or (page("c1", 500), page("c2", 500))
    response = Response(counts, {}, 0, reports_sent=reports_sent)
    shares = [come] * len(told) if isinstance(come, float) else come
    found = WaveResponse.of(told, response, shares, before).factors(COHORTS, CTR, COHORT, 20)
    assert len(found) == len(COHORTS)
    return [float(factor) for factor in found]


def test_where_nothing_is_reported_all_is_as_predicted() -> None:
    assert factors({}) == pytest.approx([1.0, 1.0])


def test_a_cohort_that_clicks_as_predicted_stays() -> None:
    counts = {"c1:sent": 500, "c1:clicked": 50, "c2:sent": 500, "c2:clicked": 50}
    assert factors(counts) == pytest.approx([1.0, 1.0])


def test_a_cohort_that_clicks_more_rises_and_one_that_clicks_less_falls() -> None:
    more, less = factors({"c1:sent": 500, "c1:clicked": 100, "c2:sent": 500, "c2:clicked": 10})
    assert more > 1.7
    assert less < 0.4


def test_clicks_that_have_not_come_yet_are_not_missed() -> None:
    counts = {"c1:sent": 500, "c1:clicked": 25, "c2:sent": 500, "c2:clicked": 25}
    assert factors(counts, 0.5) == pytest.approx([1.0, 1.0])
    assert max(factors(counts)) < 0.8


def test_a_cohort_of_a_later_wave_is_not_taken_for_one_that_clicks_less() -> None:
    pages = (page("c1", 500), page("c2", 500, wave=2))
    counts = {"c1:sent": 500, "c1:clicked": 40, "c2:sent": 500, "c2:clicked": 25}
    assert factors(counts, (0.8, 0.5), *pages) == pytest.approx([1.0, 1.0])
    first, second = factors(counts, 0.5, *pages)
    assert first > 1.4 * second, "by one share for both"


def test_pages_of_which_nothing_is_reported_yet_take_nothing_from_those_before() -> None:
    counts = {"c1:sent": 500, "c1:clicked": 40, "c2:sent": 500, "c2:clicked": 40}
    pages = (page("c1", 500), page("c2", 500), page("c1", 900, wave=2), page("c2", 900, wave=2))
    assert factors(counts, (0.8, 0.8, 0.01, 0.01), *pages) == pytest.approx([1.0, 1.0])


def test_who_was_not_sent_it_is_not_expected_to_have_clicked_on_any_page() -> None:
    counts = {"c1:sent": 500, "c1:not_sent": 500, "c1:clicked": 30, "c2:sent": 500, "c2:clicked": 40}
    pages = (page("c1", 500), page("c2", 500), page("c1", 500, wave=2))
    assert factors(counts, (0.8, 0.8, 0.4), *pages) == pytest.approx([1.0, 1.0])


def test_who_is_not_reported_as_sent_yet_is_not_expected_to_have_clicked() -> None:
    counts = {"c1:sent": 100, "c1:clicked": 10, "c2:sent": 100, "c2:clicked": 10}
    assert factors(counts) == pytest.approx([1.0, 1.0])


def test_of_a_notifier_that_reports_clicks_only_all_on_the_pages_were_sent_it() -> None:
    counts = {"c1:sent": 50, "c1:clicked": 50, "c2:sent": 50, "c2:clicked": 50}
    assert factors(counts, reports_sent=False) == pytest.approx([1.0, 1.0])


def test_of_one_that_reports_who_opened_too_all_on_the_pages_were_sent_it() -> None:
    counts = {"c1:sent": 200, "c1:opened": 200, "c1:clicked": 50, "c2:sent": 60, "c2:clicked": 50}
    assert factors(counts, reports_sent=False) == pytest.approx([1.0, 1.0])


def test_what_an_earlier_wave_showed_is_not_forgotten_where_its_pages_expected_it() -> None:
    pages = (page("c1", 100), page("c2", 100), page("c1", 300, 0.2, wave=2), page("c2", 300, wave=2))
    counts = {"c1:sent": 400, "c1:clicked": 80, "c2:sent": 400, "c2:clicked": 40}
    twice, usual = factors(counts, 1.0, *pages, before={"2": {"c1": 2.0, "c2": 1.0}})
    assert twice > 1.6 * usual
    forgotten, _ = factors(counts, 1.0, *pages)
    assert forgotten < 1.4


def test_cohorts_that_are_no_more_count_for_the_release() -> None:
    pages = (page("gone", 1000),)
    clicked = factors({"gone:sent": 1000, "gone:clicked": 300}, 1.0, *pages)
    assert min(clicked) > 1.5
