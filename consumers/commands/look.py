"""`refrain cohorts`, `cohort`, `user`: who is in which cohort, and what it is made of."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers.commands.frame import Json, command, print_json

if TYPE_CHECKING:
    from stream.connect import AnyRedis
    from stream.settings import Settings

__all__ = ["add"]

PANEL = "Look"

Top = Annotated[int, typer.Option("--top", min=1, help="How many artists.")]


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, panel=PANEL, example="refrain cohorts")
    def cohorts(as_json: Json = False) -> None:
        """List the cohorts, the largest first, and how many listeners wait for one."""
        from consumers.commands.session import ask
        from consumers.terminal.cohort_tables import show_cohorts

        found = ask(_cohorts)
        print_json(found) if as_json else show_cohorts(found)

    @command(app, panel=PANEL, example="refrain cohort c12")
    def cohort(
        cohort_id: Annotated[
            str, typer.Argument(metavar="COHORT", help="Its id, as `refrain cohorts` shows it.")
        ],
        top: Top = 10,
        as_json: Json = False,
    ) -> None:
        """Show one cohort: size, history, the artists that set it apart, what came of releases there."""
        from consumers.commands.session import ask
        from consumers.terminal.cohort_tables import show_cohort

        found = ask(lambda redis, settings: _cohort(redis, settings, cohort_id, top))
        print_json(found) if as_json else show_cohort(found)

    @command(app, panel=PANEL, example="refrain user u1")
    def user(
        user_id: Annotated[str, typer.Argument(metavar="USER", help="The listener's id.")],
        top: Top = 10,
        as_json: Json = False,
    ) -> None:
        """Show one listener: the cohort and why this one, the artists, the clicks."""
        from consumers.commands.session import ask
        from consumers.terminal.cohort_tables import show_user

        found = ask(lambda redis, settings: _user(redis, settings, user_id, top))
        print_json(found) if as_json else show_user(found)


async def _cohorts(redis: AnyRedis, settings: Settings) -> dict[str, Any]:
    from consumers.queries.no_model import no_model
    from stream.stores.cohorts import Cohorts
    from stream.stores.listeners import Listeners

    store = Cohorts(redis, Listeners(redis, settings.max_artists))
    sizes = await store.sizes()
    if not sizes:
        raise await no_model(redis, settings)
    found = [_described(cohort, await store.about(cohort), size) for cohort, size in sizes.items()]
    return {"cohorts": found, "listeners": sum(sizes.values()), "in_no_cohort": await store.unplaced()}


async def _cohort(redis: AnyRedis, settings: Settings, cohort: str, top: int) -> dict[str, Any]:
    from consumers.queries.no_model import no_model
    from stream.errors import UnknownCohort
    from stream.stores.catalogue import Catalogue
    from stream.stores.cohorts import Cohorts
    from stream.stores.listeners import Listeners

    store = Cohorts(redis, Listeners(redis, settings.max_artists))
    sizes = await store.sizes()
    about = await store.about(cohort)
    if not about:
        if not sizes:
            raise await no_model(redis, settings)
        raise UnknownCohort(
            f"there is no cohort {cohort!r}; `refrain cohorts` lists the {len(sizes)} there are"
        )
    apart = await store.apart(cohort, top)
    names = await Catalogue(redis).names([artist for artist, _ in apart])
    return _described(cohort, about, sizes.get(cohort, 0)) | {
        "living": cohort in sizes,
        "parent": about.get("parent") or None,
        "history": [asdict(entry) for entry in await store.history.of(cohort)],
        "artists": [{"artist_id": a, "name": names[a], "times_more": round(ratio, 3)} for a, ratio in apart],
    }


def _described(cohort: str, about: dict[str, str], size: int) -> dict[str, Any]:
    return {
        "cohort_id": cohort,
        "label": about.get("label", ""),
        "size": size,
        "sent": int(about.get("sent", 0)),
        "opened": int(about.get("opened", 0)),
        "clicked": int(about.get("clicked", 0)),
        "ctr": float(about["ctr"]) if about.get("ctr") else None,
        "born": float(about["born"]) if about.get("born") else None,
        "model_version": int(about["model_version"]) if about.get("model_version") else None,
    }


async def _user(redis: AnyRedis, settings: Settings, user_id: str, top: int) -> dict[str, Any]:
    from consumers.queries.cohort_why import why_cohort
    from consumers.queries.listener import see
    from consumers.runtime.live_model import LiveModel
    from stream.stores.catalogue import Catalogue
    from stream.stores.cohorts import Cohorts
    from stream.stores.listeners import Listeners
    from stream.stores.snapshots import Snapshots

    live = LiveModel(Snapshots(redis))
    await live.refresh()
    model = live.model
    seen = await see(redis, settings, user_id, model)
    listener, catalogue = seen.listener, Catalogue(redis)
    strongest = list(listener.affinities.items())[:top]
    names = await catalogue.names([artist for artist, _ in strongest])
    cohorts = Cohorts(redis, Listeners(redis, settings.max_artists))
    now = time.time()
    return {
        "user_id": user_id,
        "cohort": listener.cohort,
        "label": (await cohorts.about(listener.cohort)).get("label", "") if listener.cohort else "",
        "cohort_since": listener.cohort_since if listener.cohort else None,
        "why": await why_cohort(seen, model, catalogue) if model else None,
        "bot": listener.bot,
        "opted_out": seen.opted_out,
        "clicks": listener.clicks,
        "first_seen": listener.first_seen,
        "last_seen": listener.last_seen,
        "artists_kept": len(listener.affinities),
        "artists": [
            {"artist_id": a, "name": names[a], "weight": round(seen.rules.decay.read(stored, now), 4)}
            for a, stored in strongest
        ],
    }
