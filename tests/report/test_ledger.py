from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from consumers.report.ledger import Ledger

USERS = st.sampled_from(["ana", "bo", "Cy", "Ünï", "\U0001f3b5", "di"])
RELEASES = st.sampled_from(["r1", "r2", "r3", "elsewhere"])
COHORTS = st.sampled_from(["c1", "c2"])
TARGETS = {"r1": "c1", "r2": "c1", "r3": ""}


@given(st.lists(st.tuples(RELEASES, USERS)), st.lists(st.tuples(COHORTS, USERS)))
def test_it_counts_what_going_through_everything_counts(
    clicks: list[tuple[str, str]], members: list[tuple[str, str]]
) -> None:
    with Ledger(TARGETS) as ledger:
        ledger.put_clicks(clicks)
        for cohort, user in members:
            ledger.put_members(cohort, [user])
        counts = ledger.count(of="r2")
    place = {user: cohort for cohort, user in members}  # the later one counts
    pairs = {(release, user) for release, user in clicks if release in TARGETS}
    counted = {(release, user) for release, user in pairs if user in place}
    assert counts.sizes == Counter(place.values())
    assert (counts.rows, counts.counted, counts.unplaced) == (len(clicks), len(counted), len(pairs - counted))
    assert counts.unknown_release == sum(release not in TARGETS for release, _ in clicks)
    assert counts.repeated == len(clicks) - counts.unknown_release - len(pairs)
    for release, target in TARGETS.items():
        clickers = [user for r, user in counted if r == release]
        assert counts.by_release[release].everywhere.total() == len(clickers)
        assert counts.by_release[release].inside.total() == sum(place[user] == target for user in clickers)
    assert counts.of_one == Counter(place[user] for release, user in counted if release == "r2")
    times = Counter(user for release, user in counted if TARGETS[release] == "c1")
    assert +counts.by_cohort["c1"].everywhere == Counter(times.values())
    assert +counts.by_cohort["c1"].inside == Counter(n for user, n in times.items() if place[user] == "c1")


def test_those_who_click_are_gone_through_once_each_so_many_at_a_time() -> None:
    with Ledger(TARGETS) as ledger:
        ledger.put_clicks([("r1", "cy"), ("r2", "ana"), ("r1", "ana"), ("r1", "bo"), ("elsewhere", "di")])
        found = []
        for users in ledger.clickers(2):
            found.append(users)
            ledger.put_roots({users[-1]: "ana"})
        ledger.put_members("c1", ["ana"])
        counts = ledger.count()
    assert found == [["ana", "bo"], ["cy"]]
    assert (counts.counted, counts.repeated, counts.unplaced) == (2, 2, 0)
