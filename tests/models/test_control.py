from __future__ import annotations

import numpy as np
import pytest

from models.control import Groups

USERS = [f"u{n}" for n in range(20_000)]


@pytest.mark.parametrize("share", [0.01, 0.05, 0.5])
def test_as_many_are_drawn_as_asked_for(share: float) -> None:
    for groups in (Groups("s", control=share), Groups("s", holdout=share)):
        drawn = sum(groups.of("r", user) != "" for user in USERS) / len(USERS)
        assert abs(drawn - share) < 4 * np.sqrt(share * (1 - share) / len(USERS))


def test_each_release_draws_others_and_the_holdout_is_always_the_same() -> None:
    groups = Groups("s", control=0.2, holdout=0.2)
    first, second = ([groups.of(release, user) for user in USERS] for release in ("r1", "r2"))
    held = [group == "holdout" for group in first]
    assert held == [group == "holdout" for group in second]
    control, again = ([g == "control" for g in groups] for groups in (first, second))
    assert control != again
    both = sum(a and b for a, b in zip(control, again, strict=True)) / len(USERS)
    assert abs(both - 0.8 * 0.2 * 0.2) < 0.01, "one draw says nothing of the other"


def test_another_salt_draws_others() -> None:
    one, other = ([Groups(salt, control=0.3).of("r", user) for user in USERS] for salt in ("s", "t"))
    assert one != other


def test_where_no_share_is_set_nobody_is_drawn() -> None:
    assert {Groups("s").of("r", user) for user in USERS} == {""}


def test_the_draw_is_the_same_on_every_machine() -> None:
    groups = Groups("refrain", control=0.5)
    assert [groups.of("r1", f"u{n}") for n in range(6)] == EXPECTED


EXPECTED = ["", "", "", "control", "", ""]
