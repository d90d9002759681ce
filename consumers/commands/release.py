"""`refrain release` and `refrain audience`: publish a release, or see beforehand whom it would reach."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from consumers.commands.frame import Json, command, print_json
from stream.errors import WrongUse

if TYPE_CHECKING:
    from stream.connect import AnyRedis
    from stream.settings import Settings
    from stream.wire.events import Release

__all__ = ["add"]

PANEL = "Feed and ask"
WAIT = 30.0  # seconds

Artists: TypeAlias = Annotated[
    list[str],
    typer.Option("--artist", metavar="ARTIST", help="Who made it, an id or a name. May be repeated."),
]
Featuring: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--featuring", metavar="ARTIST", help="Counts where few know the artists yet."),
]
SimilarTo: TypeAlias = Annotated[
    list[str] | None, typer.Option("--similar-to", metavar="ARTIST", help="So do these. May be repeated.")
]
Genres: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--genre", metavar="GENRE", help="So do artists of these. May be repeated."),
]
Label: TypeAlias = Annotated[
    str | None, typer.Option("--label", metavar="LABEL", help="So do the artists of a record label.")
]
MaxAudience: TypeAlias = Annotated[
    int | None, typer.Option("--max-audience", metavar="N", min=1, help="Listeners at most.")
]
MinCtr: TypeAlias = Annotated[
    float | None,
    typer.Option("--min-ctr", metavar="SHARE", min=0, max=1, help="Leave out cohorts that promise less."),
]


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(
        app,
        panel=PANEL,
        example='refrain release r1 --artist Raftaar --title "Naya Daur" --max-audience 500 --wait\n'
        "refrain release r2 --artist newcomer --similar-to Raftaar --similar-to Badshah",
    )
    def release(
        release_id: Annotated[str, typer.Argument(metavar="ID", help="A release is announced once.")],
        artist: Artists,
        featuring: Featuring = None,
        similar_to: SimilarTo = None,
        genre: Genres = None,
        label: Label = None,
        title: Annotated[str | None, typer.Option("--title", help="For people.")] = None,
        song: Annotated[str | None, typer.Option("--song", metavar="SONG", help="The song's id.")] = None,
        max_audience: MaxAudience = None,
        min_ctr: MinCtr = None,
        wait: Annotated[bool, typer.Option("--wait", help="Print the audience as it comes.")] = False,
        timeout: Annotated[
            float | None,
            typer.Option(
                "--timeout", metavar="SECONDS", min=0.1, help="How long --wait waits; 30 if not said."
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Publish a release. Its audience goes to the topic audiences; of one id nobody is told twice."""
        from consumers.commands.release_wait import publish
        from consumers.commands.session import ask
        from consumers.local.servers import connected_settings
        from consumers.terminal.release import Teller
        from stream.wire.events import Page, Summary

        if timeout is not None and not wait:
            raise WrongUse("--timeout says how long --wait waits: say both, or neither")

        async def about(redis: AnyRedis, settings: Settings) -> dict[str, str]:
            from stream.stores.releases import Releases

            return await Releases(redis, settings.release_seconds).about(release_id)

        async def prepare(redis: AnyRedis, settings: Settings) -> tuple[Release, dict[str, str]]:
            event = await _event(
                redis,
                release_id=release_id,
                artist_ids=artist,
                featuring=featuring,
                similar_to=similar_to,
                genres=genre,
                label=label,
                title=title,
                song_id=song,
                max_audience=max_audience,
                min_ctr=min_ctr,
                ts=time.time(),
            )
            return event, await about(redis, settings)

        event, known = ask(prepare, kafka=True)
        tell = Teller(as_json=as_json)
        # One that came to nobody is answered anew; of any other the audience may be out already.
        out = bool(known) and (known.get("state"), known.get("audience")) != ("done", "0")
        wait_for = (timeout or WAIT) if wait else None

        def tell_part(part: Page | Summary, seconds: float) -> None:
            last = isinstance(part, Summary)
            tell.page(part, seconds, ask(about).get("relied_on", "") if last else None)

        publish(
            connected_settings(),
            event,
            wait_for=wait_for,
            out=out,
            published=lambda: tell.published(event, known),
            tell=tell_part,
        )

    @command(
        app,
        panel=PANEL,
        example="refrain audience --artist Raftaar --max-audience 500\n"
        "refrain audience --artist Raftaar --why u1",
    )
    def audience(
        artist: Artists,
        featuring: Featuring = None,
        similar_to: SimilarTo = None,
        genre: Genres = None,
        label: Label = None,
        max_audience: MaxAudience = None,
        min_ctr: MinCtr = None,
        first: Annotated[int, typer.Option("--first", min=0, help="How many listeners to show.")] = 10,
        why: Annotated[
            str | None, typer.Option("--why", metavar="USER", help="Why this listener is in it, or is not.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Show the audience that a release would have: size, cohorts, predicted CTR. Tells nobody."""
        from consumers.commands.session import ask
        from consumers.queries.release_why import show_why
        from consumers.terminal.release import show_audience

        async def plan(redis: AnyRedis, settings: Settings) -> dict[str, Any]:
            event = await _event(
                redis,
                release_id="preview",
                artist_ids=artist,
                featuring=featuring,
                similar_to=similar_to,
                genres=genre,
                label=label,
                max_audience=max_audience,
                min_ctr=min_ctr,
            )
            return await _preview(redis, settings, event, first, why)

        found = ask(plan)
        if as_json:
            print_json(found)
        elif why is not None:
            show_why(found["why"])
        else:
            show_audience(found)


async def _event(redis: AnyRedis, **fields: Any) -> Release:
    """Return the event; artists are named by id or name, those that it goes by must be known."""
    from pydantic import ValidationError

    from consumers.queries.artists import known_artists
    from stream.wire.events import Release, why

    others = ("featuring", "similar_to")
    for name in others:
        fields[name] = await known_artists(redis, fields[name] or ())
    may_be_new = any(fields[name] for name in (*others, "genres", "label"))
    fields["artist_ids"] = await known_artists(redis, fields["artist_ids"], may_be_new=may_be_new)
    fields["genres"] = fields["genres"] or []
    try:
        return Release(**fields)
    except ValidationError as error:
        reason, detail = why(error)
        raise WrongUse(f"this is no release: {reason.value} ({detail})") from error


async def _preview(
    redis: AnyRedis, settings: Settings, event: Release, first: int, why: str | None
) -> dict[str, Any]:
    from consumers.queries.listener import see
    from consumers.queries.no_model import no_model
    from consumers.queries.release_why import why_listener
    from consumers.work.member_cache import MemberCache
    from consumers.work.planner import Planner, cut
    from stream.stores.catalogue import Catalogue
    from stream.stores.cohorts import Cohorts
    from stream.stores.listeners import Listeners
    from stream.stores.releases import Releases
    from stream.stores.snapshots import Snapshots

    store = Snapshots(redis)
    version = await store.current()
    if version is None:
        raise await no_model(redis, settings)
    listeners = Listeners(redis, settings.max_artists)
    cohorts = Cohorts(redis, listeners)
    releases = Releases(redis, settings.release_seconds)
    planner = Planner(
        MemberCache(listeners, cohorts),
        cohorts,
        Catalogue(redis),
        releases,
        settings.candidates,
        settings.max_audience,
    )
    model = await store.load(version)
    seen = await see(redis, settings, why, model) if why is not None else None
    began = time.perf_counter()
    draft = await planner.draft(event, model)
    audience = cut(event, model, draft, time.time())
    seconds = time.perf_counter() - began
    ranked = [
        (score, user, page.cohort_id)
        for page in audience.pages
        for user, score in zip(page.user_ids, page.scores, strict=True)
    ]
    ranked.sort(key=lambda entry: -entry[0])
    told: dict[str, int] = {}
    for _, _, cohort in ranked:
        told[cohort] = told.get(cohort, 0) + 1
    sizes = await cohorts.sizes()
    answer = {"why": await why_listener(redis, settings, event, model, draft, seen)} if seen else {}
    return {
        "artist_ids": event.artist_ids,
        "listeners": audience.users,
        "pages": len(audience.pages),
        "reason": audience.reason,
        "relied_on": audience.relied_on,
        "predicted_ctr": sum(audience.ctr[c] * n for c, n in told.items()) / len(ranked) if ranked else None,
        "model_version": version,
        "planned_in_ms": round(1000 * seconds, 1),
        "cohorts": [
            {
                "cohort_id": cohort,
                "label": (await cohorts.about(cohort)).get("label", ""),
                "size": sizes.get(cohort, 0),
                "told": number,
                "predicted_ctr": audience.ctr[cohort],
            }
            for cohort, number in sorted(told.items(), key=lambda entry: -audience.ctr[entry[0]])
        ],
        "first": [
            {"user_id": user, "cohort_id": cohort, "score": score} for score, user, cohort in ranked[:first]
        ],
        **answer,
    }
