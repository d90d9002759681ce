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
        from consumers.commands.look_tables import show_cohorts
        from consumers.commands.session import ask

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
        from consumers.commands.look_tables import show_cohort
        from consumers.commands.session import ask

        found = ask(lambda redis, settings: _cohort(redis, settings, cohort_id, top))
        print_json(found) if as_json else show_cohort(found)

    @command(app, panel=PANEL, example="refrain user u1")
    def user(
        user_id: Annotated[str, typer.Argument(metavar="USER", help="The listener's id.")],
        top: Top = 10,
        as_json: Json = False,
    ) -> None:
        """Show one listener: the cohort, the artists, the clicks."""
        from consumers.commands.look_tables import show_user
        from consumers.commands.session import ask

        found = ask(lambda redis, settings: _user(redis, settings, user_id, top))
        print_json(found) if as_json else show_user(found)


async def _cohorts(redis: AnyRedis, settings: Settings) -> dict[str, Any]:
    from consumers.commands.waiting import no_model
    from stream.cohorts import Cohorts
    from stream.listeners import Listeners

    store = Cohorts(redis, Listeners(redis, settings.max_artists))
    sizes = await store.sizes()
    if not sizes:
        raise await no_model(redis, settings)
    found = [_described(cohort, await store.about(cohort), size) for cohort, size in sizes.items()]
    return {"cohorts": found, "listeners": sum(sizes.values()), "in_no_cohort": await store.unplaced()}


async def _cohort(redis: AnyRedis, settings: Settings, cohort: str, top: int) -> dict[str, Any]:
    from consumers.commands.waiting import no_model
    from stream.catalogue import Catalogue
    from stream.cohorts import Cohorts
    from stream.errors import UnknownCohort
    from stream.listeners import Listeners

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
    from models.affinity import ForwardDecay
    from stream.catalogue import Catalogue
    from stream.cohorts import Cohorts
    from stream.errors import UnknownListener
    from stream.guards import guard_decay
    from stream.listeners import Listeners
    from stream.releases import Releases

    listeners = Listeners(redis, settings.max_artists)
    about = await listeners.about(user_id)
    opted_out = user_id in await Releases(redis, settings.release_days * 86_400).opted_out([user_id])
    if not about.get("rev"):
        known = " (who has opted out, which is remembered)" if opted_out else ""
        raise UnknownListener(
            f"there is no listener {user_id!r}{known}: either they have not clicked yet, or no ingester "
            "has read it; `refrain doctor` says how far behind they are"
        )
    decay = ForwardDecay(half_life=settings.half_life)
    await guard_decay(redis, decay)
    strongest, kept = await listeners.strongest(user_id, top)
    names = await Catalogue(redis).names([artist for artist, _ in strongest])
    cohort = about.get("cohort", "")
    label = (await Cohorts(redis, listeners).about(cohort)).get("label", "") if cohort else ""
    now = time.time()
    return {
        "user_id": user_id,
        "cohort": cohort,
        "label": label,
        "cohort_since": float(about["cohort_since"]) if cohort else None,
        "bot": about.get("bot") == "1",
        "opted_out": opted_out,
        "clicks": int(about["clicks"]),
        "first_seen": float(about["first_seen"]),
        "last_seen": float(about["last_seen"]),
        "artists_kept": kept,
        "artists": [
            {"artist_id": a, "name": names[a], "weight": round(decay.read(stored, now), 4)}
            for a, stored in strongest
        ],
    }
