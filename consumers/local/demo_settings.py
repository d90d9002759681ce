"""What the demo runs with; a command that speaks to the demo's servers needs to know, too."""

from __future__ import annotations

from stream.settings import Settings

__all__ = ["demo_settings"]

FOLDER = "demo"
"""Within the data folder: the demo's own."""

PACE = {
    "cohorts": 32,
    "partitions": 4,
    "first_model_listeners": 1000,
    "publish_every": 10.0,
    "learn_clicks_after_minutes": 0.1,
    "told_a_day": 0,  # a release comes every three seconds
    "told_a_week": 0,
    "told_gap_minutes": 0.1,  # two releases: some of whom the next one suits are left out
    "told_artist_hours": 0.03,  # a day of the world's clock
    "wave_minutes": 0.06,  # all three waves of a release within some ten seconds
    "ab_policy": "taste",  # what learning who clicks brings is seen beside it
    "ab_share": 0.25,
    "bot_clicks_per_hour": 60,  # on the clock of the world, where a listener clicks 20 times a day
}
"""What suits a demo of a minute, where the user has not said otherwise."""


def demo_settings(settings: Settings) -> Settings:
    """Return the settings that a demo runs with.

    Examples
    --------
    >>> chosen = demo_settings(Settings(cohorts=12))
    >>> chosen.cohorts, chosen.publish_every, chosen.data.name
    (12, 10.0, 'demo')
    """
    chosen = {name: value for name, value in PACE.items() if name not in settings.model_fields_set}
    return settings.model_copy(update={**chosen, "data": settings.data / FOLDER})
