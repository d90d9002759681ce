"""`refrain forget`: erases a listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers.commands.frame import Json, command, print_json

if TYPE_CHECKING:
    from stream.connect import AnyRedis
    from stream.settings import Settings

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example="refrain forget u1")
    def forget(
        user_id: Annotated[str, typer.Argument(metavar="USER", help="The listener's id.")],
        as_json: Json = False,
    ) -> None:
        """Erase a listener: all that Redis holds of them, save that they have opted out.

        What they click later makes them known anew. Clicks in Kafka stay there until its retention ends.
        """
        from consumers.commands.session import ask

        found = ask(lambda redis, settings: _forget(redis, settings, user_id))
        print_json(found) if as_json else _say(found)


async def _forget(redis: AnyRedis, settings: Settings, user_id: str) -> dict[str, Any]:
    from stream.errors import UnknownListener
    from stream.stores.cohorts import Cohorts
    from stream.stores.listeners import Listeners
    from stream.stores.releases import Releases

    listeners = Listeners(redis, settings.max_artists)
    releases = Releases(redis, settings.release_seconds)
    _, artists = await listeners.strongest(user_id, 1)
    clicks = int((await listeners.about(user_id)).get("clicks", 0))
    # The record first: from then on nobody takes the listener for a member.
    there = await listeners.forget(user_id)
    cohorts = await Cohorts(redis, listeners).forget(user_id)
    told = await releases.forget(user_id)
    opted_out = user_id in await releases.opted_out([user_id])
    if not (there or cohorts or told):
        known = "; that they have opted out is remembered" if opted_out else ""
        raise UnknownListener(f"there is no listener {user_id!r}, so there is nothing to erase{known}")
    return {
        "user_id": user_id,
        "clicks": clicks,
        "artists": artists,
        "cohorts": [cohort for cohort in cohorts if cohort],
        "told_of_releases": told,
        "opt_out_kept": opted_out,
        "kafka_retention_days": settings.retention_days,
    }


def _say(found: dict[str, Any]) -> None:
    typer.echo(
        f"erased {found['user_id']}: {found['clicks']:,} clicks summed up in {found['artists']:,} artists, "
        f"the taste, membership of {', '.join(found['cohorts']) or 'no cohort'}, "
        f"having been told of {found['told_of_releases']:,} releases"
    )
    if found["opt_out_kept"]:
        typer.echo("kept: the id alone, among those who have opted out, so that they are told of nothing")
    typer.echo(
        "Kafka's topics hold what they held, until their retention ends it "
        f"({found['kafka_retention_days']:g} days where Refrain made them)"
    )
