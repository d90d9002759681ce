"""Pictures of every page over a demo: light, dark, on a phone. `python docs/screenshots.py [SECONDS]`

They go to build/screenshots, which git ignores. With an address the pages of a service that runs are drawn.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote, urlencode
from urllib.request import urlopen

from page_picture import SECONDS, SETTLED, chromium

from benchmarks.demo import demo

FOLDER = Path(__file__).parents[1] / "build" / "screenshots"
LOOKS = {
    "light": {"viewport": {"width": 1180, "height": 760}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1180, "height": 760}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
}


def paths(address: str) -> dict[str, str]:
    """Return what is drawn: name -> path. Cohort, listener, release and artist are those there are."""

    def asked(path: str) -> object:
        with urlopen(f"{address}/api/v1{path}") as answer:  # noqa: S310 - of this machine
            return json.load(answer)

    found = {name.strip("/") or "now": name for name in ("/", "/cohorts", "/releases", "/models", "/health")}
    found["lifecycle"] = "/lifecycle"
    cohorts = asked("/cohorts")["cohorts"]  # type: ignore[index]
    cohort = quote(cohorts[0]["cohort_id"], safe="")
    found["cohort"] = f"/cohorts/{cohort}"
    listeners = asked(f"/cohorts/{cohort}/listeners?limit=1")["listeners"]  # type: ignore[index]
    found["listener"] = f"/listener?{urlencode({'id': listeners[0]['user_id']})}"
    found["desk"] = f"/desk?{urlencode({'artists': asked('/artists?name=a')[0]['artist_id']})}"  # type: ignore[index]
    for number, release in enumerate(asked("/releases?top=2"), 1):  # type: ignore[arg-type,var-annotated]
        found[f"release-{number}"] = f"/release?{urlencode({'id': release['release_id']})}"
    return found


def draw(address: str) -> None:
    """Write the pictures."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for look, how in LOOKS.items():
            page = browser.new_page(**how)
            for name, path in paths(address).items():
                page.goto(address + path)
                page.wait_for_timeout(SETTLED)
                page.screenshot(path=FOLDER / f"{name}-{look}.png", full_page=True)
            page.close()


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    with nullcontext(sys.argv[2]) if len(sys.argv) > 2 else demo(seconds) as at:  # noqa: PLR2004 - the second
        draw(at)
    sys.stdout.write(f"{FOLDER}\n")
