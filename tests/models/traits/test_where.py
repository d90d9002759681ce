"""Conditions on traits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.traits.lifecycle import STAGES
from models.traits.where import HOLDS, Condition, Where

VALUES = st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=20)


@given(VALUES)
def test_who_has_no_such_trait_falls_out(values: list[float]) -> None:
    found = Where((Condition("churn", least=0.0),)).failing({"churn": np.array(values, dtype=float)})
    assert ((found == HOLDS) == ~np.isnan(np.array(values, dtype=float))).all()


def test_a_listener_in_no_stage_falls_out_of_every_stage() -> None:
    assert Where((Condition("stage", STAGES),)).failing({"stage": np.array(["", "new"])}).tolist() == [
        0,
        HOLDS,
    ]


def test_of_several_conditions_the_first_that_fails_is_named() -> None:
    where = Where((Condition("stage", ("new",)), Condition("churn", above=0.5)))
    columns = {"stage": np.array(["gone", "new", "gone", "new"]), "churn": np.array([0.1, 0.1, 0.9, 0.9])}
    assert where.failing(columns).tolist() == [0, 1, 0, HOLDS]


def test_least_and_most_are_allowed_themselves_above_and_below_are_not() -> None:
    values = {"churn": np.array([0.2, 0.5, 0.8])}
    assert Where((Condition("churn", least=0.2, most=0.8),)).failing(values).tolist() == [HOLDS] * 3
    assert Where((Condition("churn", above=0.2, below=0.8),)).failing(values).tolist() == [0, HOLDS, 0]


@pytest.mark.parametrize(
    ("condition", "possible"),
    [
        (Condition("churn", least=0.5, most=0.5), True),
        (Condition("churn", least=0.5, below=0.5), False),
        (Condition("churn", above=0.5, most=0.5), False),
        (Condition("churn", least=0.6, most=0.5), False),
        (Condition("churn"), True),
        (Condition("stage", ("new",)), True),
        (Condition("stage"), False),
    ],
)
def test_bounds_that_leave_nothing_are_known(condition: Condition, possible: bool) -> None:
    assert condition.possible == possible
