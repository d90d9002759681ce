"""A running service as a script or a notebook asks it: plain calls, answers as objects or data frames."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from consumers.queries.audience import Preview, preview_audience
from consumers.queries.cohort import Cohort, read_cohort
from consumers.queries.cohorts import CohortSummary, list_cohorts
from consumers.queries.lifecycle import Lifecycle, read_lifecycle
from consumers.queries.listener import ListenerView, read_listener
from consumers.queries.listeners import ListedListener, list_listeners
from consumers.queries.models import Snapshot, list_models
from consumers.queries.recommend import RecommendedSong, recommend
from consumers.queries.release_report import ReleaseReport, read_release_report
from consumers.queries.release_request import ReleaseRequest, release_event
from consumers.queries.releases import ReleaseSummary, list_releases
from consumers.queries.segments import SegmentSummary, list_segments
from consumers.runtime.session import redis_session
from stream.connect import AnyRedis
from stream.errors import WrongUse
from stream.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Refrain", "Rows", "to_frame"]

T = TypeVar("T")
PAGE = 1000  # listeners


def to_frame(rows: Iterable[Any]) -> pd.DataFrame:
    """Return a data frame of dataclasses: a row each, a column a field.

    Raises
    ------
    WrongUse
        Where pandas is not installed; it says how to.
    """
    if find_spec("pandas") is None:
        raise WrongUse(
            "a data frame needs pandas, which is not installed: pip install 'refrain-cohorts[notebook]'"
        )
    import pandas as pd

    return pd.DataFrame([asdict(row) for row in rows])


class Rows(Sequence[T], Generic[T]):
    """Answers of one kind, as a sequence or as a data frame."""

    def __init__(self, rows: Iterable[T]) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Rows[T]: ...
    def __getitem__(self, at: int | slice) -> T | Rows[T]:
        return Rows(self._rows[at]) if isinstance(at, slice) else self._rows[at]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Rows({self._rows!r})"

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame: a row each, a column a field; see `to_frame`."""
        return to_frame(self._rows)


class Refrain:
    """A service that runs, asked through its Redis. Changes nothing.

    Works where an event loop runs already, as in a notebook: it has a thread of its own. To be closed, or
    used in a ``with`` block.

    Parameters
    ----------
    settings
        Where Redis is, and how the service is set; None: from the environment (``REFRAIN_REDIS``) and
        ``refrain.toml``.

    Raises
    ------
    Unreachable
        From every call, where Redis does not answer.

    Examples
    --------
    ::

        with Refrain() as refrain:
            refrain.cohorts().to_frame().sort_values("ctr")
            refrain.audience(["Radiohead"], max_audience=500).by_size
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load_settings()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="refrain", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End its thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def cohorts(self, top: int | None = None) -> Rows[CohortSummary]:
        """Return the `top` largest cohorts, or all; see `consumers.queries.cohorts.list_cohorts`."""
        return Rows(self._ask(lambda redis: list_cohorts(redis, self._settings, top)).cohorts)

    def cohort(self, cohort_id: str, top: int = 10) -> Cohort:
        """Return a cohort and `top` artists; see `consumers.queries.cohort.read_cohort`."""
        return self._ask(lambda redis: read_cohort(redis, self._settings, cohort_id, top))

    def listeners(self, cohort_id: str | None = None, limit: int = PAGE) -> Rows[ListedListener]:
        """Return the first `limit` listeners by id; see `consumers.queries.listeners.list_listeners`."""

        async def whole(redis: AnyRedis) -> list[ListedListener]:
            found = list[ListedListener]()
            after: str | None = ""
            while after is not None and len(found) < limit:
                wanted = min(PAGE, limit - len(found))
                page = await list_listeners(redis, self._settings, cohort_id, wanted, after)
                found += page.listeners
                after = page.after
            return found

        return Rows(self._ask(whole))

    def listener(self, user_id: str, top: int = 10) -> ListenerView:
        """Return a listener; see `consumers.queries.listener.read_listener`."""
        return self._ask(lambda redis: read_listener(redis, self._settings, user_id, top, time.time()))

    def songs(self, user_id: str, top: int = 10) -> Rows[RecommendedSong]:
        """Return songs for a listener; see `consumers.queries.recommend.recommend`."""
        answer = self._ask(lambda redis: recommend(redis, self._settings, user_id, top, time.time()))
        return Rows(answer.songs)

    def audience(self, artists: Sequence[str] = (), *, first: int = 10, **asked: Any) -> Preview:
        """Return the audience that a release would have.

        Parameters
        ----------
        artists
            Ids or names.
        first
            How many listeners to name.
        asked
            Further fields of `consumers.queries.release_request.ReleaseRequest`.
        """
        request = ReleaseRequest(tuple(artists), **asked)

        async def plan(redis: AnyRedis) -> Preview:
            event, _ = await release_event(redis, "preview", request)
            return await preview_audience(redis, self._settings, event, first)

        return self._ask(plan)

    def releases(self, top: int = 20) -> Rows[ReleaseSummary]:
        """Return the `top` latest releases; see `consumers.queries.releases.list_releases`."""
        return Rows(self._ask(lambda redis: list_releases(redis, self._settings, top)))

    def report(self, release_id: str) -> ReleaseReport:
        """Say what came of a release; see `consumers.queries.release_report.read_release_report`."""
        return self._ask(lambda redis: read_release_report(redis, self._settings, release_id))

    def models(self) -> Rows[Snapshot]:
        """Return the snapshots that are kept; see `consumers.queries.models.list_models`."""
        return Rows(self._ask(lambda redis: list_models(redis, self._settings)).models)

    def lifecycle(self, weeks: int = 4) -> Lifecycle:
        """Say in which stage listeners are; see `consumers.queries.lifecycle.read_lifecycle`."""
        return self._ask(lambda redis: read_lifecycle(redis, self._settings, weeks, time.time()))

    def segments(self) -> Rows[SegmentSummary]:
        """Return what is predicted by labels; see `consumers.queries.segments.list_segments`."""
        return Rows(self._ask(lambda redis: list_segments(redis, self._settings)))

    def _ask(self, question: Callable[[AnyRedis], Awaitable[T]]) -> T:
        async def whole() -> T:
            async with redis_session(self._settings) as redis:
                return await question(redis)

        return asyncio.run_coroutine_threadsafe(whole(), self._loop).result()
