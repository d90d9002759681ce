"""Conditions on traits as events and people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.traits.lifecycle import STAGES
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import Release, encode
from stream.wire.parsing import parse
from stream.wire.record import Record
from stream.wire.where import parse_where, read_where, where_json

NUMBERS = st.sampled_from(
    ["churn", "zero_week", "segment:rap", "segment:hip hop", "segment:rock and roll", "segment:age:<18"]
)
BOUNDS = st.one_of(
    st.fixed_dictionaries({}, optional={"min": st.floats(0, 0.4), "max": st.floats(0.5, 1)}),
    st.fixed_dictionaries({}, optional={"above": st.floats(0, 0.4), "below": st.floats(0.5, 1)}),
).filter(bool)
STAGE = st.lists(st.sampled_from(STAGES), min_size=1, unique=True)
CONDITIONS = st.builds(
    lambda stages, numbers: ({"stage": stages} if stages else {}) | numbers,
    st.one_of(st.none(), STAGE),
    st.dictionaries(NUMBERS, BOUNDS, max_size=3),
)
OPERATORS = {"min": ">=", "max": "<=", "above": ">", "below": "<"}


@given(CONDITIONS)
def test_conditions_go_through_an_event_unchanged(conditions: dict[str, object]) -> None:
    assert where_json(read_where(conditions)) == conditions
    event = Release(release_id="r", artist_ids=["a"], where=conditions)
    assert Release.model_validate_json(encode(event)) == event


@given(CONDITIONS.filter(bool))
def test_what_is_typed_means_the_same(conditions: dict[str, object]) -> None:
    parts = []
    for trait, said in conditions.items():
        if isinstance(said, dict):
            parts += [f"{trait}{OPERATORS[name]}{bound!r}" for name, bound in said.items()]
        elif isinstance(said, list):
            parts.append(f"stage = {'|'.join(said)}")
    assert parse_where("  AND ".join(parts)) == read_where(conditions)


def test_a_stage_may_be_ruled_out() -> None:
    said = where_json(parse_where("stage!=gone and stage!=dormant"))["stage"]
    assert said == [stage for stage in STAGES if stage not in ("gone", "dormant")]


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"chrun": {"min": 0.1}}, "there is no trait 'chrun', the nearest is churn"),
        ({"segment:": {"min": 0.1}}, "there is no trait 'segment:'"),
        ({"churn": 0.8}, 'churn takes bounds, such as {"min": 0.2, "max": 0.8}'),
        ({"churn": {}}, "churn takes bounds"),
        ({"churn": {"least": 0.1}}, "churn takes bounds"),
        ({"churn": {"max": 1.5}}, "churn is a number, 0 to 1, not 1.5"),
        ({"churn": {"max": True}}, "churn is a number, 0 to 1, not True"),
        ({"churn": {"min": float("nan")}}, "churn is a number, 0 to 1, not nan"),
        ({"expected_week": {"min": -1}}, "expected_week is a number, 0 or more, not -1"),
        ({"churn": {"min": 0.5, "max": 0.4}}, "nobody can meet churn"),
        ({"stage": "lost"}, "there is no stage 'lost'; stages are new, regular"),
        ({"stage": []}, 'stage takes stages, such as ["regular", "fading"]'),
        ({"stage": {"min": 1}}, "stage takes stages"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(conditions: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as refused:
        read_where(conditions)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("churn", "'churn' is no condition: a trait, one of = != > >= < <=, a value"),
        ("churn>0.7 or stage=new", "'0.7 or stage=new' is no number"),
        ("churn>high", "'high' is no number"),
        ("churn=0.5", "churn is compared with > >= < <=, not with ="),
        ("stage>new", "stages are equal or not"),
        ("stage=new and stage=gone", "no stage meets all that is said of stage"),
        ("churn>0.1 and churn>0.2", "churn> is said twice"),
        ("chrun>0.7", "there is no trait 'chrun', the nearest is churn"),
    ],
)
def test_what_is_typed_wrongly_is_refused_with_the_way_out(text: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_where(text)
    assert said in str(refused.value)


def test_a_release_with_conditions_that_cannot_be_is_a_dead_letter() -> None:
    value = b'{"release_id": "r", "artist_ids": ["a"], "where": {"chrun": {"max": 0.8}}}'
    letter = parse(Release, Record("releases", 0, 0, b"r", value))
    assert isinstance(letter, DeadLetter)
    assert letter.reason == Reason.BAD_VALUE
    assert letter.detail.startswith("where: ")
    assert "the nearest is churn" in letter.detail


def test_conditions_may_come_as_a_text() -> None:
    event = Release.model_validate({"release_id": "r", "artist_ids": ["a"], "where": "churn<=0.8"})
    assert event.where == read_where({"churn": {"max": 0.8}})
