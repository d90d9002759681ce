from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from models.traits.segment_reasons import reasons
from models.traits.segments import SegmentModel, learn_segment
from tests.consumers.labelled_world import is_in, known_of, world_model

MODEL = world_model()


@pytest.fixture(scope="module")
def segment() -> SegmentModel:
    """What is learned of the first scene; activity speaks for it, too."""
    numbers = list(range(300))
    truth = np.array([is_in(number) for number in numbers])
    learned, _ = learn_segment(
        known_of(numbers, MODEL),
        truth,
        np.full(300, np.nan),
        MODEL,
        counts=(300, int(truth.sum())),
        before=SegmentModel(),
        now=0.0,
    )
    learned.coefficients[learned.groups()["activity"]] = 2.0
    return learned


def test_artists_of_the_segment_speak_for_it_and_others_against_it(segment: SegmentModel) -> None:
    artists = reasons(segment, MODEL).artists
    inside = [odds for artist, odds in artists.items() if artist.startswith("a")]
    outside = [odds for artist, odds in artists.items() if artist.startswith("b")]
    assert min(inside) > 1 > max(outside)


@pytest.mark.parametrize("doublings", [-42.0, 42.0])
def test_what_speaks_for_a_segment_does_not_depend_on_how_far_affinities_have_grown(
    segment: SegmentModel, doublings: float
) -> None:
    # Stored weights 2^84 times as large are tastes 2^42 times as long.
    later = replace(MODEL, strength=MODEL.strength + doublings)
    found, usual = reasons(segment, later), reasons(segment, MODEL)
    assert found.artists == pytest.approx(usual.artists)
    assert found.cohorts == pytest.approx(usual.cohorts)


def test_activity_speaks_neither_for_an_artist_nor_against_it(segment: SegmentModel) -> None:
    without = replace(segment, coefficients=segment.coefficients.copy())
    without.coefficients[without.groups()["activity"]] = 0.0
    found, expected = reasons(segment, MODEL), reasons(without, MODEL)
    assert found.artists == pytest.approx(expected.artists)
    assert found.cohorts == pytest.approx(expected.cohorts)


def test_labels_of_unknown_listeners_do_not_change_what_speaks_for_a_segment(segment: SegmentModel) -> None:
    among = replace(segment, labelled=3000, prior=0.025)
    assert reasons(among, MODEL).artists == reasons(segment, MODEL).artists


def test_what_an_earlier_program_learned_is_compared_with_the_prior(segment: SegmentModel) -> None:
    assert segment.base_rate is not None
    earlier = replace(segment, base_rate=None, prior=segment.base_rate)
    assert reasons(earlier, MODEL).artists == reasons(segment, MODEL).artists


def test_where_the_usual_activity_is_not_known_there_are_reasons_all_the_same(segment: SegmentModel) -> None:
    unknown = replace(MODEL, strength=math.nan)
    assert reasons(segment, unknown).artists == pytest.approx(reasons(segment, MODEL).artists)


def test_of_an_unlearned_segment_nothing_speaks() -> None:
    assert reasons(SegmentModel(), MODEL) == ({}, {})
