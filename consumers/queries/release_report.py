"""What came of a release: who was told, who clicked, where, and what telling brought."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from consumers.queries.ctr_fields import ctr_fields
from consumers.queries.hash_fields import number_of
from consumers.queries.unknown_release import unknown_release
from models.click_rate import MIN_SENT
from models.control import USUAL
from models.quality.anytime import Outcomes, Uplift, uplift, uplift_within
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.releases import Releases, Response, State

__all__ = [
    "CohortResponse",
    "Difference",
    "PolicyReport",
    "ReleaseReport",
    "WaveReport",
    "clicks_until",
    "compared",
    "policy_reports",
    "read_release_report",
]

KINDS = ("sent", "clicked", "opted_out")


@dataclass(frozen=True)
class CohortResponse:
    """What came of a release in one cohort.

    Attributes
    ----------
    play_rate, predicted_ctr
        Predicted share of its members who play the artist, and who click; None where that is not known.
    ctr, ctr_low, ctr_high
        `consumers.queries.ctr_fields`.
    played, control_played
        How many of those who were told, and of its control group, have played the song in time.
    """

    cohort_id: str
    label: str
    play_rate: float | None
    predicted_ctr: float | None
    sent: int
    opened: int
    clicked: int
    opted_out: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    played: int
    control_played: int


@dataclass(frozen=True)
class WaveReport:
    """What came of one wave of a release.

    Attributes
    ----------
    wave
        From 1.
    told
        How many listeners are on its pages.
    ctr, ctr_low, ctr_high
        `consumers.queries.ctr_fields`.
    """

    wave: int
    told: int
    sent: int
    clicked: int
    opted_out: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


@dataclass(frozen=True)
class PolicyReport:
    """What came of a release for those who were told by one policy of an A/B test.

    Attributes
    ----------
    policy
        "usual", or the setting `ab_policy`.
    told
        How many listeners are on pages by it.
    ctr, ctr_low, ctr_high
        `consumers.queries.ctr_fields`.
    """

    policy: str
    told: int
    sent: int
    clicked: int
    opted_out: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None

    @classmethod
    def of(cls, policy: str, told: int, sent: int, clicked: int, opted_out: int) -> Self:
        """Return it with the CTR."""
        return cls(policy, told, sent, clicked, opted_out, **ctr_fields(clicked, sent))


@dataclass(frozen=True)
class Difference:
    """By how much more often listeners click who are told by the other policy of an A/B test.

    Attributes
    ----------
    usual, other
        CTR of each policy; of several releases a mean, in which each release weighs alike for both.
    difference
        That of the other less that of the usual one, in shares (0.01: one point).
    difference_low, difference_high
        Between these it is, however often one looks, with a probability of 95 %.
    """

    usual: float
    other: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True)
class ReleaseReport:
    """What came of a release so far.

    Attributes
    ----------
    state
        new, started, paused, planned, done; history where it was told before Refrain,
        and replayed.
    reason
        "done", or why nobody was told.
    relied_on
        What it was known by.
    planned_at
        Unix seconds; None before it is planned.
    audience, pages
        How many listeners are told, on how many pages.
    left_out
        Why others who would have been told are not -> how many.
    sent, not_sent, opened, clicked, dismissed, opted_out
        Listeners, as the notifier reports them.
    sent_implied
        Of `sent`, those of whom only something else was reported.
    expected_ctr, random_ctr
        Predicted CTR of the audience, and of as many listeners drawn at random; None before it is learned
        who clicks.
    held, held_until
        How many listeners are told when their quiet hours end, and when the first of these do.
    song_id
        The song whose plays count; "": the release named none, so that nothing is known of plays.
    plays_until
        When plays no longer count, in Unix seconds; None: it is not planned, or names no song.
    played, control, control_played
        Who of the told has played it, how many are in the control group, who of these has played it.
    uplift
        What telling brings; None where it cannot be known: no song, or no control group; nor while plays
        count: whoever has not played it so far may still.
    next_wave_at
        When the next wave is due, in Unix seconds; None: none is.
    aimed
        How many listeners it was planned for at first, where it goes out in waves.
    waves
        Those that are out; none where all are told at once.
    policies
        Of an A/B test, the usual policy first; else none.
    clicks_until
        Until when clicks still come, in Unix seconds, as of the last page so far or the next that is due;
        None: they are over, or nobody is told.
    difference
        None: no A/B test, or too few sent by one of the policies to say (`models.click_rate.MIN_SENT`).
    cohorts
        The highest CTR first, then those with too few sent to have one.
    """

    release_id: str
    title: str
    state: str
    reason: str
    relied_on: str
    planned_at: float | None
    audience: int
    pages: int
    left_out: Mapping[str, int]
    sent: int
    sent_implied: int
    not_sent: int
    opened: int
    clicked: int
    dismissed: int
    opted_out: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    expected_ctr: float | None
    random_ctr: float | None
    held: int
    held_until: float | None
    song_id: str
    plays_until: float | None
    played: int
    control: int
    control_played: int
    uplift: Uplift | None
    next_wave_at: float | None
    aimed: int | None
    waves: tuple[WaveReport, ...]
    policies: tuple[PolicyReport, ...]
    clicks_until: float | None
    difference: Difference | None
    cohorts: tuple[CohortResponse, ...]


async def read_release_report(redis: AnyRedis, settings: Settings, release_id: str) -> ReleaseReport:
    """Return what came of a release.

    Raises
    ------
    UnknownRelease
        Where no worker has met one of that id, or its days are over.
    """
    releases = Releases(redis, settings.release_seconds)
    about = await releases.about(release_id)
    if not about:
        raise unknown_release(settings, release_id)
    response = await releases.response(release_id)

    def count(field: str) -> int:
        return int(about.get(field, 0))

    policies = policy_reports(about, response)
    paused = about.get("state") == State.PAUSED
    # Earlier versions erased listeners of a control group, but not that they had played.
    control_played = min(count("control_played"), response.control)
    song, planned_at = about.get("song_id", ""), number_of(about, "planned_at")
    plays_until = planned_at + settings.played_within_seconds if song and planned_at else None
    now = time.time()
    known = song and response.control and count("audience") and now >= (plays_until or 0.0)
    plays = uplift(count("played"), count("audience"), control_played, response.control)
    return ReleaseReport(
        release_id=release_id,
        title=about.get("title", ""),
        state=about.get("state", "history"),
        reason=about.get("reason", ""),
        relied_on=about.get("relied_on", ""),
        planned_at=planned_at,
        audience=count("audience"),
        pages=count("pages"),
        left_out=json.loads(about.get("left_out", "{}")),
        sent=count("sent"),
        sent_implied=count("sent_implied"),
        not_sent=count("not_sent"),
        opened=count("opened"),
        clicked=count("clicked"),
        dismissed=count("dismissed"),
        opted_out=count("opted_out"),
        **ctr_fields(count("clicked"), count("sent")),
        expected_ctr=number_of(about, "expected_ctr"),
        random_ctr=number_of(about, "random_ctr"),
        held=count("held"),
        held_until=number_of(about, "held_until") if count("held") else None,
        song_id=song,
        plays_until=plays_until,
        played=count("played"),
        control=response.control,
        control_played=control_played,
        uplift=plays if known else None,
        next_wave_at=(number_of(about, "next_wave_at") or None) if paused else None,
        aimed=int(about["aimed"]) if "aimed" in about else None,
        waves=_waves(json.loads(about.get("told_by_wave", "[]")), response),
        policies=policies,
        clicks_until=clicks_until(about, settings, now),
        difference=compared([policies]),
        cohorts=await _cohorts(redis, response),
    )


def clicks_until(about: Mapping[str, str], settings: Settings, now: float) -> float | None:
    """Return until when clicks on a release come, of its hash; None: they are over, or nobody is told.

    It goes by the last page so far, or the next one that is due.
    """
    last = number_of(about, "last_page_at")
    if last is None and int(about.get("audience", 0)):
        last = number_of(about, "planned_at")  # earlier versions do not say when their pages were made
    if about.get("state") == State.PAUSED:  # the next pages come then, at the earliest
        more = (number_of(about, field) for field in ("next_wave_at", "held_until"))
        last = max(last or 0.0, *(at or 0.0 for at in more))
    if last is None:
        return None
    until = last + settings.played_within_seconds
    return until if until > now else None


def policy_reports(about: Mapping[str, str], response: Response) -> tuple[PolicyReport, ...]:
    """Return what came of a release by policy, of its hash and counts; none where there is no A/B test."""
    if "ab_policy" not in about:
        return ()
    told = json.loads(about.get("told_by_policy", "{}"))

    def report(policy: str) -> PolicyReport:
        sent, clicked, opted_out = (response.of_part(policy, kind) for kind in KINDS)
        return PolicyReport.of(policy, told.get(policy, 0), sent, clicked, opted_out)

    return report(USUAL), report(about["ab_policy"])


def compared(releases: Sequence[Sequence[PolicyReport]]) -> Difference | None:
    """Return by how much more often the second of two policies is clicked than the first.

    They are compared within each release: where the share of the other policy was changed between releases,
    it has more listeners of some, which may be clicked more often by either policy.
    """
    parts = [
        Outcomes(other.clicked, other.sent, usual.clicked, usual.sent)
        for usual, other in filter(None, releases)
        if usual.sent and other.sent
    ]
    found = uplift_within(parts)
    if min(sum(part.told for part in parts), sum(part.control for part in parts)) < MIN_SENT:
        return None
    if found.told is None or found.control is None:
        return None
    difference = found.told - found.control
    return Difference(found.control, found.told, difference, found.uplift_low, found.uplift_high)


def _waves(told: Sequence[int], response: Response) -> tuple[WaveReport, ...]:
    found = []
    for wave, number in enumerate(told, start=1):
        sent, clicked, opted_out = (response.of_part(str(wave), kind) for kind in KINDS)
        found.append(WaveReport(wave, number, sent, clicked, opted_out, **ctr_fields(clicked, sent)))
    return tuple(found)


async def _cohorts(redis: AnyRedis, response: Response) -> tuple[CohortResponse, ...]:
    by_cohort: dict[str, dict[str, int]] = defaultdict(dict)
    for field, number in response.counts.items():
        cohort, _, kind = field.partition(":")
        by_cohort[cohort][kind] = number
    abouts = await Cohorts(redis, Listeners(redis)).about_each(list(by_cohort))
    found = [
        CohortResponse(
            cohort_id=cohort,
            label=about.get("label", ""),
            play_rate=response.play_rate.get(cohort),
            predicted_ctr=response.predicted_ctr.get(cohort),
            sent=kinds.get("sent", 0),
            opened=kinds.get("opened", 0),
            clicked=kinds.get("clicked", 0),
            opted_out=kinds.get("opted_out", 0),
            **ctr_fields(kinds.get("clicked", 0), kinds.get("sent", 0)),
            played=kinds.get("played", 0),
            control_played=kinds.get("control_played", 0),
        )
        for (cohort, kinds), about in zip(by_cohort.items(), abouts, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: (each.ctr is None, -(each.ctr or 0), -each.sent)))
