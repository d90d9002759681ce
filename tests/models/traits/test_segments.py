from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from models.model import Model
from models.traits.segment_rows import HASHED, Known, groups, segment_rows
from models.traits.segments import LEARNED_FIRST, TRUSTED, SegmentModel, learn_segment
from tests.consumers.labelled_world import N, is_in, known_of, world_model

MODEL = world_model()


def learn(
    numbers: list[int], positive: list[bool] | None = None, before: SegmentModel | None = None
) -> tuple[SegmentModel, np.ndarray]:
    truth = np.array([is_in(number) for number in numbers] if positive is None else positive, dtype=bool)
    known = known_of(numbers, MODEL)
    counts = len(truth), int(truth.sum())
    nothing = np.full(len(truth), np.nan)
    return learn_segment(
        known, truth, nothing, MODEL, counts=counts, before=before or SegmentModel(), now=5.0
    )


def test_listeners_without_a_label_are_told_apart() -> None:
    model, _ = learn(list(range(300)))
    others = list(range(300, N))
    predicted = model.predict(known_of(others, MODEL), MODEL)
    truth = np.array([is_in(number) for number in others])
    assert predicted[truth].min() > predicted[~truth].max()


def test_what_was_predicted_before_is_judged_and_trusted() -> None:
    model, predicted = learn(list(range(300)))
    assert model.auc is not None
    assert model.auc.low > 0.9
    assert model.judged == (predicted != LEARNED_FIRST).sum() > 2 * TRUSTED
    assert model.doubt == ""


def test_labels_by_chance_are_not_trusted() -> None:
    chance = np.random.default_rng(1).random(300) < 0.3
    model, _ = learn(list(range(300)), chance.tolist())
    assert model.learned
    assert model.auc is not None
    assert model.auc.low < 0.5
    assert "no better than chance" in model.doubt


def test_labels_by_chance_that_come_after_many_were_read_in_part_are_not_trusted() -> None:
    order = np.random.default_rng(1).permutation(600)
    positive, first_numbers = order < 300, order.tolist()
    later_numbers = [number if number < 300 else number + 300 for number in first_numbers]
    counts, nothing = (60_000, 300), np.full(600, np.nan)
    first, predicted = learn_segment(
        known_of(first_numbers, MODEL),
        positive,
        nothing,
        MODEL,
        counts=counts,
        before=SegmentModel(),
        now=0.0,
    )
    # All in it keep what was predicted of them in blocks; the first model predicts the others, who are new.
    predicted[~positive] = np.nan
    second, _ = learn_segment(
        known_of(later_numbers, MODEL), positive, predicted, MODEL, counts=counts, before=first, now=0.0
    )
    assert first.auc is not None
    assert second.auc is not None
    assert first.auc.low < 0.5
    assert second.auc.low < 0.5


def test_labels_by_chance_are_not_trusted_where_the_share_in_them_falls() -> None:
    chance = np.random.default_rng(1).random(600) < np.linspace(0.9, 0.1, 600)
    model, _ = learn(list(range(600)), chance.tolist())
    assert model.auc is not None
    assert model.auc.low < 0.5


def test_labels_by_chance_are_not_trusted_where_the_share_falls_from_one_model_to_the_next() -> None:
    chance = np.random.default_rng(1).random(1200) < np.repeat([0.8, 0.2], 600)
    before, predicted = learn(list(range(600)), chance[:600].tolist())
    for end in (800, 1000, 1200):
        known = known_of(list(range(end)), MODEL)
        predicted = np.append(predicted, np.full(end - len(predicted), np.nan))
        counts = end, int(chance[:end].sum())
        before, predicted = learn_segment(
            known, chance[:end], predicted, MODEL, counts=counts, before=before, now=0.0
        )
    assert before.auc is not None
    assert before.auc.low < 0.5


def test_what_an_earlier_program_predicted_is_predicted_again() -> None:
    first, predicted = learn(list(range(200)))
    header, arrays = first.to_arrays()
    del header["base_rate"]
    earlier = SegmentModel.from_arrays(header, arrays)
    truth = np.array([is_in(number) for number in range(200)])
    nonsense = np.linspace(0.1, 0.9, 200)
    _, again = learn_segment(
        known_of(list(range(200)), MODEL), truth, nonsense, MODEL, counts=(200, 50), before=earlier, now=9.0
    )
    assert again.tolist() == predicted.tolist()


def test_the_auc_is_of_predictions_made_before_not_after() -> None:
    # Learned by heart, labels by chance would be predicted well.
    chance = np.random.default_rng(2).random(200) < 0.5
    model, predicted = learn(list(range(200)), chance.tolist())
    after = model.predict(known_of(list(range(200)), MODEL), MODEL)
    assert np.corrcoef(after, chance)[0, 1] > 0.1
    judged = predicted != LEARNED_FIRST
    assert abs(np.corrcoef(predicted[judged], chance[judged])[0, 1]) < 0.2


def test_with_three_positives_the_prior_is_predicted_and_it_is_said_why() -> None:
    numbers = [0, 4, 8, *(n for n in range(60) if not is_in(n))]
    model, _ = learn(numbers)
    predicted = model.predict(known_of([300, 301], MODEL), MODEL)
    assert predicted.tolist() == [model.prior] * 2
    assert model.prior == pytest.approx(3.5 / (len(numbers) + 1))
    assert "3 of" in model.doubt


def test_without_labels_nothing_is_learned_and_half_is_predicted() -> None:
    model, predicted = learn([])
    assert not model.learned
    assert len(predicted) == 0
    assert model.predict(known_of([1], MODEL), MODEL).tolist() == [0.5]


def test_a_listener_of_whom_nothing_is_known_is_predicted_the_prior() -> None:
    model, _ = learn(list(range(200)))
    nobody = Known([([], [])], np.zeros((1, MODEL.n_dims)), np.array([-1]))
    assert model.predict(nobody, MODEL).tolist() == [model.prior]


def test_a_listener_with_one_click_on_an_artist_nobody_knows_is_predicted_something() -> None:
    model, _ = learn(list(range(200)))
    newcomer = Known([(["unheard"], [1.0])], np.zeros((1, MODEL.n_dims)), np.array([-1]))
    assert 0 < model.predict(newcomer, MODEL)[0] < 1


def test_of_very_many_labels_the_share_in_all_of_them_is_predicted() -> None:
    numbers = list(range(300))
    truth = np.array([is_in(number) for number in numbers])
    known, nothing = known_of(numbers, MODEL), np.full(300, np.nan)
    usual, _ = learn(numbers)
    rare, _ = learn_segment(
        known, truth, nothing, MODEL, counts=(100_000, 100), before=SegmentModel(), now=0.0
    )
    shift = logit(rare.predict(known, MODEL)) - logit(usual.predict(known, MODEL))
    np.testing.assert_allclose(shift, logit(100 / 100_000) - logit(75 / 300), rtol=1e-6)


def test_of_a_rare_segment_that_is_hard_to_tell_few_who_are_not_in_it_become_members() -> None:
    scene, others = [n for n in range(2000) if is_in(n)], [n for n in range(2000) if not is_in(n)]
    # Of those in it 60 % play the first scene, of the others 30 %.
    numbers = [*scene[:180], *others[:120], *scene[180:270], *others[120:330]]
    order = np.random.default_rng(1).permutation(600)
    known = known_of([numbers[at] for at in order], MODEL)
    model, _ = learn_segment(
        known, order < 300, np.full(600, np.nan), MODEL, counts=(60_000, 300), before=SegmentModel(), now=0.0
    )
    not_in_it = known_of([*scene[300:360], *others[400:540]], MODEL)
    members = model.predict(not_in_it, MODEL) >= model.threshold
    assert members.mean() < 0.1


def test_where_all_labels_are_read_those_of_unknown_listeners_change_only_what_is_said_of_these() -> None:
    numbers = list(range(300))
    truth = np.array([is_in(number) for number in numbers])
    known, nothing = known_of(numbers, MODEL), np.full(300, np.nan)
    alone, _ = learn(numbers)
    among, _ = learn_segment(
        known, truth, nothing, MODEL, counts=(3000, 75), read=(3000, 75), before=SegmentModel(), now=5.0
    )
    assert among.predict(known, MODEL) == pytest.approx(alone.predict(known, MODEL))
    assert among.threshold == alone.threshold
    nobody = Known([([], [])], np.zeros((1, MODEL.n_dims)), np.array([-1]))
    assert among.predict(nobody, MODEL) == pytest.approx(0.025, abs=0.001)


def test_of_labels_that_were_read_in_part_the_share_among_known_listeners_is_estimated() -> None:
    numbers = list(range(300))
    truth = np.array([is_in(number) for number in numbers])
    known, nothing = known_of(numbers, MODEL), np.full(300, np.nan)
    # All 300 that are in it were read, 75 of whom are known; of 40,000 others 450, half of whom are.
    model, _ = learn_segment(
        known, truth, nothing, MODEL, counts=(40_300, 300), read=(750, 300), before=SegmentModel(), now=5.0
    )
    assert model.base_rate == pytest.approx(75 / (75 + 20_000))


def test_it_goes_on_under_a_model_with_other_cohorts() -> None:
    model, _ = learn(list(range(300)))
    other = world_model(version=2)
    predicted = model.predict(known_of(list(range(300, N)), other), other)
    assert np.isfinite(predicted).all()


def test_it_is_the_same_after_it_was_packed() -> None:
    model, _ = learn(list(range(300)))
    again = SegmentModel.from_arrays(*model.to_arrays())
    known = known_of(list(range(300, N)), MODEL)
    np.testing.assert_allclose(again.predict(known, MODEL), model.predict(known, MODEL), rtol=1e-4)
    assert (again.auc, again.threshold, again.doubt) == (model.auc, model.threshold, model.doubt)


def test_a_packed_one_of_another_format_is_refused() -> None:
    header, arrays = SegmentModel().to_arrays()
    with pytest.raises(ValueError, match="format"):
        SegmentModel.from_arrays(header | {"format": 99}, arrays)


def test_who_was_predicted_once_is_not_predicted_again() -> None:
    first, predicted = learn(list(range(200)))
    known = known_of(list(range(200)), MODEL)
    truth = np.array([not is_in(number) for number in range(200)])
    _, again = learn_segment(known, truth, predicted, MODEL, counts=(200, 150), before=first, now=9.0)
    assert again.tolist() == predicted.tolist()


def test_shares_of_activity_are_learned_from() -> None:
    numbers = list(range(300))
    truth = np.random.default_rng(3).random(300) < 0.4
    hours = np.where(truth[:, None], [0.9, 0.1], [0.1, 0.9])
    plain = known_of(numbers, MODEL)
    known = Known(plain.affinities, plain.tastes, plain.cohorts, {"hour": hours})
    nothing = np.full(300, np.nan)
    model, _ = learn_segment(
        known, truth, nothing, MODEL, counts=(300, int(truth.sum())), before=SegmentModel(), now=0.0
    )
    assert model.auc is not None
    assert model.auc.low > 0.9
    assert np.isfinite(model.predict(plain, MODEL)).all()  # where nothing is known of hours


@pytest.mark.parametrize("n_dims", [2, 8])
@pytest.mark.parametrize("clusters", [True, False])
def test_what_hours_say_stays_when_tastes_get_other_dimensions(n_dims: int, clusters: bool) -> None:
    numbers = list(range(300))
    truth = np.random.default_rng(3).random(300) < 0.4
    hours = np.where(truth[:, None], np.eye(24)[9], np.eye(24)[21])
    plain = known_of(numbers, MODEL)
    known = Known(plain.affinities, plain.tastes, plain.cohorts, {"hour": hours})
    nothing, counts = np.full(300, np.nan), (300, int(truth.sum()))
    segment, _ = learn_segment(
        known, truth, nothing, MODEL, counts=counts, before=SegmentModel(), now=0.0, clusters=clusters
    )

    def by_hours(model: Model) -> list[float]:
        nobody = np.zeros((2, model.n_dims)), np.array([-1, -1]), {"hour": np.eye(24)[[9, 21]]}
        return segment.predict(Known([([], [])] * 2, *nobody), model).tolist()

    assert by_hours(world_model(n_dims=n_dims)) == pytest.approx(by_hours(MODEL))


def test_tastes_of_other_dimensions_say_nothing() -> None:
    segment, _ = learn(list(range(300)))
    other = world_model(n_dims=8)
    known = known_of([301], other)
    turned = Known(known.affinities, -known.tastes, known.cohorts)
    segment = replace(segment, clusters=False, coefficients=segment.coefficients[: HASHED + 5])
    assert segment.predict(turned, other) == pytest.approx(segment.predict(known, other))


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=12))
def test_a_row_is_the_same_however_far_affinities_have_faded(weights: list[float]) -> None:
    artists = [f"a{at}" for at in range(len(weights))]
    rows = [
        segment_rows(
            Known([(artists, [scale * w for w in weights])], np.zeros((1, MODEL.n_dims)), np.array([-1])),
            MODEL,
        )
        for scale in (1.0, 1e-40)
    ]
    np.testing.assert_allclose(rows[0].toarray(), rows[1].toarray(), atol=1e-9)


def test_no_listener_is_a_feature() -> None:
    known = known_of([1], MODEL)
    assert segment_rows(known, MODEL).shape[1] == max(part.stop for part in groups(4, 4, {}).values())
    assert segment_rows(known, MODEL).shape[1] < HASHED + 20
