"""A release whose pages are fixed, as the tests of its store and of feedback begin with it."""

from __future__ import annotations

from collections.abc import Sequence

from stream.connect import AnyRedis
from stream.stores.releases import Asked, Fixable, Releases, State
from stream.wire.events import Page, Release, encode

NOW = 1000.0
RELEASE = Release(release_id="r1", artist_ids=["ana"], title="Sól")


def page(number: int, *users: str, cohort: str = "c1", release: str = "r1") -> Page:
    return Page(
        release_id=release,
        page=number,
        user_ids=list(users),
        cohort_ids=[cohort] * len(users),
        scores=[0.5] * len(users),
        model_version=3,
        emitted_at=NOW,
    )


PAGES = (page(0, "a", "b"), page(1, "c", cohort="c2"))
CTR = {"c1": 0.2, "c2": 0.1}
ABOUT = {"artist_ids": '["ana"]', "title": "Sól", "planned_at": NOW, "reason": "done", "relied_on": "artists"}


def asked(release: Release = RELEASE, offset: int = 7, source: str = "0") -> Asked:
    return Asked(release, source, offset, published_at=NOW - 1)


async def claim(
    releases: Releases, holder: str, now: float = NOW, event: Asked | None = None
) -> State | None:
    return await releases.claim(event or asked(), holder, now, 5.0)


async def fix(releases: Releases, *pages: Page, holder: str = "w1") -> int | None:
    found = await releases.fix_pages([Fixable(page, encode(page), ABOUT) for page in pages], holder)
    return found and found.pages


async def end_plan(releases: Releases, pages: Sequence[Page], holder: str = "w1") -> bool:
    totals = {
        "audience": sum(len(page.user_ids) for page in pages),
        "pages": len(pages),
        "cohorts": len({cohort for page in pages for cohort in page.cohort_ids}),
    }
    return await releases.end_plan(pages[0].release_id if pages else "r1", holder, {**ABOUT, **totals})


async def planned(
    releases: Releases, pages: Sequence[Page] = PAGES, release: Release = RELEASE, offset: int = 7
) -> None:
    assert await claim(releases, "w1", event=asked(release, offset)) == State.NEW
    for each in pages:
        assert await fix(releases, each)
    await releases.predict(release.release_id, CTR)
    assert await end_plan(releases, pages)


async def fixed(releases: Releases) -> list[bytes]:
    return (await releases.left_by("r1")).pages


async def about(redis: AnyRedis, key: str) -> dict[str, str]:
    return {k.decode(): v.decode() for k, v in (await redis.hgetall(key)).items()}
