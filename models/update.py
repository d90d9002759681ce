"""What clicks make of listeners: affinity, taste and cohort, click by click, for many listeners at once.

The steps of `update`, each over columns: skip clicks applied before and count the others, those that a
listener made within an hour together; add to affinities; turn that into changes of tastes; settle cohorts
after every click.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.active_days import KINDS, MS_A_DAY, Deeds
from models.affinity import DAY
from models.click_columns import ClickColumns, click_columns
from models.cohorts import settle
from models.listener import HEARD, PLAYS, Click, Move, Rules
from models.model import Model
from models.residents import BY_A_MODEL, UNKNOWN_OFFSET, Residents
from models.short_term import FADES, nearness
from models.taste import root

__all__ = ["Changes", "Settler", "set_moved", "update", "update_columns"]

Floats = npt.NDArray[np.float64]
Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOUR = 3600.0
LAST_DAY = 65_535  # that `DAY` holds: in the year 2149
PLAY_KINDS, HEARD_KINDS = (list(map(KINDS.index, sorted(actions))) for actions in (PLAYS, HEARD))
RESIDUE = 1e-6  # of a taste that is taken back: so little is left by rounding, it is no taste


@dataclass(eq=False)
class Changes:
    """What is to be written, and the moves whose member sets have to follow.

    Attributes
    ----------
    rows
        Shape (n,), the rows of `residents` that changed.
    described
        Shape (n,), whether cohort, last move, first click, bot and clock are to be written too: one of them
        changed.
    owner, artist, weight
        Affinities to set, grouped by owner: a place in `rows`, the artist's number, the stored weight.
    turned
        Rows whose clicks came from another source than before: all their offsets are to be written.
    dropped
        Row -> the numbers of artists that it no longer keeps.
    active
        Shape (n,), whether what the listener did day by day is to be written.
    heard, heard_by
        Songs heard, `song_number` each, that are to be added to those written apart from activity, the oldest
        first; grouped by a place in `rows`.
    waiting, waited
        Row -> clicks that now wait for their song; row -> clicks that have done so and are applied.
    event_ids
        Row -> what is remembered of the `event_id` of its clicks from now on (`stream.stores.event_ids`).
    gone
        Row -> fields that its record no longer has.
    moves
        Moves between cohorts, births among them; for a click that is delivered again, its move once more.
    now
        Unix seconds: since when the `waiting` wait.
    """

    rows: Ints
    described: Bools
    owner: Ints
    artist: Ints
    weight: Floats
    active: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))
    heard: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    heard_by: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    turned: set[int] = field(default_factory=set)
    dropped: dict[int, list[int]] = field(default_factory=dict)
    waiting: dict[int, list[Click]] = field(default_factory=dict)
    waited: dict[int, list[Click]] = field(default_factory=dict)
    event_ids: dict[int, bytes] = field(default_factory=dict)
    gone: dict[int, list[str]] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)
    now: float = 0.0


def update(
    residents: Residents,
    clicks: Sequence[Click],
    others: Sequence[str],
    model: Model | None,
    rules: Rules,
    now: float,
) -> Changes:
    """Apply clicks to listeners who are held.

    The result does not depend on how clicks are cut into batches: a cohort is settled after every click.

    Parameters
    ----------
    residents
        Holds every listener concerned; changed in place, but for `rev`.
    clicks
        In the order of each partition. One at or below the offset applied is skipped. One without artists
        waits for its song: it only counts as applied.
    others
        Listeners without a click who are to be migrated to the model.
    model
        The live model; None before the first: affinities are kept, cohorts stay "".
    now
        Unix seconds: when a listener who moves without a click has moved.
    """
    more = np.fromiter((residents.index[user] for user in others), np.int64, len(others))
    return update_columns(residents, click_columns(residents, clicks), more, model, rules, now)


def update_columns(
    residents: Residents,
    clicks: ClickColumns,
    others: Ints,
    model: Model | None,
    rules: Rules,
    now: float,
) -> Changes:
    """Apply clicks that are in columns, as `update` does; `others` are rows of `residents`."""
    batch = _Batch(residents, clicks, others)
    residents.touch(batch.row)
    if model is not None:
        residents.serve(model)
    places = _Places(residents, batch, model, now)
    _count(residents, batch, rules, model)
    pairs = _add(residents, batch, rules)
    if model is not None:
        _settle_all(residents, batch, places, _shifts(residents, batch, pairs), model, rules, now)
    return _changes(residents, batch, places, pairs, model, now)


@dataclass(frozen=True, eq=False)
class _Round:
    """A run of each of some listeners: clicks that follow each other, and differ in little.

    Attributes
    ----------
    row
        Shape (k,): whose each run is, no row twice.
    click, run
        Shape (n,): the clicks of all, in their order; and whose each is, a place in `row`, rising.
    """

    row: Ints
    click: Ints
    run: Ints

    def of(self, chosen: Bools) -> _Round:
        """Return it with some of its clicks alone, and those runs that have any of them."""
        clicks = np.bincount(self.run[chosen], minlength=len(self.row))
        has_any = clicks > 0
        return _Round(self.row[has_any], self.click[chosen], (np.cumsum(has_any) - 1)[self.run[chosen]])

    @property
    def first(self) -> Ints:
        """The place of each run's first click in `click`; there is one of each run."""
        return np.searchsorted(self.run, np.arange(len(self.row)))

    @property
    def last(self) -> Ints:
        """The place of each run's last click in `click`."""
        return np.searchsorted(self.run, np.arange(len(self.row)), side="right") - 1


class _Batch:
    """Clicks in columns, in the order in which they came; `_order` puts each listener's together."""

    def __init__(self, residents: Residents, clicks: ClickColumns, others: Ints) -> None:
        number = len(clicks)
        self.clicks = clicks.clicks
        self.row, self.source, self.offset = clicks.row, clicks.source, clicks.offset
        self.ts, self.weight, self.waited = clicks.ts, clicks.weight, clicks.waited
        self.utc_offset_min, self.ms_played = clicks.utc_offset_min, clicks.ms_played
        self.artist, self.artists = clicks.artist, clicks.artists
        self.waits, self.repeated = clicks.waits, clicks.repeated
        self.is_play = np.isin(clicks.kind, PLAY_KINDS)
        self.heard = clicks.song
        self.heard_song = np.isin(clicks.kind, HEARD_KINDS) & (clicks.song >= 0)
        self.deeds = self._deeds(clicks) if residents.activity is not None else None
        self.rows, at = np.unique(np.concatenate([self.row, others]), return_inverse=True)
        self.at = at[:number]
        self._order = np.argsort(self.at, kind="stable")
        self.applied = np.zeros(number, dtype=bool)
        self.fresh = np.zeros(number, dtype=bool)
        self.bot = np.zeros(number, dtype=bool)
        self.again: list[Move] = []
        self.turned: set[int] = set()

    def _deeds(self, clicks: ClickColumns) -> Deeds:
        minutes = np.where(self.utc_offset_min == UNKNOWN_OFFSET, 0, self.utc_offset_min)
        here = np.maximum(self.ts + 60.0 * minutes, 0.0)
        # More than a day in one go is no time that somebody listened, but another unit.
        plausible = (self.ms_played > 0) & (self.ms_played <= MS_A_DAY)
        return Deeds(
            np.minimum(here // DAY, LAST_DAY).astype(np.int64),
            (here % DAY // HOUR).astype(np.int64),
            clicks.kind,
            np.where(plausible, self.ms_played, 0).astype(np.int64),
            np.where(self.is_play & (clicks.song >= 0), clicks.song >> 26, -1),
            clicks.city,
            clicks.device,
        )

    def weighs(self, rules: Rules) -> Bools:
        """Which of the counted clicks change affinities: no play that was too short."""
        short = self.is_play & (self.ms_played >= 0) & (self.ms_played < rules.least_ms_played)
        weighs: Bools = self.counted & ~short
        return weighs

    @property
    def counted(self) -> Bools:
        """Which clicks are applied, do not wait for their song, and were not counted before."""
        counted: Bools = self.applied & ~self.waits & ~self.repeated
        return counted

    def rounds(self) -> Iterator[Ints]:
        """Yield each listener's first click, then the second of those who have one, and so on."""
        for places in _rounds(self.at[self._order]):
            yield self._order[places]

    def rounds_of_runs(self) -> Iterator[_Round]:
        """Yield each listener's first run, then the second of those who have one, and so on.

        The clicks of a run have one source, their offsets rise, and their times do not fall; they are of one
        hour, day, clock, city and device. All of them have waited, or none; all wait or are `repeated`, or
        none. The first of them may have been applied before, and those behind not.
        """
        if not len(self.row):
            return
        order = self._order
        ts, offset = self.ts[order], self.offset[order]
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = (offset[1:] <= offset[:-1]) | (ts[1:] < ts[:-1])
        alike = [self.at, self.source, self.waited, self.waits | self.repeated, self.ts // HOUR]
        alike.append(self.utc_offset_min)
        if deeds := self.deeds:
            alike += [deeds.day, deeds.hour, deeds.city, deeds.device]
        for column in alike:
            ordered = column[order]
            begins[1:] |= ordered[1:] != ordered[:-1]
        starts = np.flatnonzero(begins)
        lengths = np.diff(starts, append=len(order))
        for runs in _rounds(self.at[order[starts]]):
            length = lengths[runs]
            run = np.repeat(np.arange(len(runs)), length)
            within = np.arange(len(run)) - np.repeat(np.cumsum(length) - length, length)
            yield _Round(self.row[order[starts[runs]]], order[starts[runs][run] + within], run)


class _Places:
    """Where listeners were before the batch, and what is not of this model."""

    def __init__(self, residents: Residents, batch: _Batch, model: Model | None, now: float) -> None:
        rows = batch.rows
        self.cohort, self.bot = residents.cohort[rows].copy(), residents.bot[rows].copy()
        self.first_seen = residents.first_seen[rows].copy()
        self.utc_offset_min = residents.utc_offset_min[rows].copy()
        self.source, self.offset = residents.moved_source[rows].copy(), residents.moved_offset[rows].copy()
        self.stale = np.zeros(len(rows), dtype=bool)
        if model is None:
            return
        foreign = residents.made_by[rows] != model.version
        self.stale = foreign & (residents.rev[rows] != 0)
        self.tastes = residents.tastes(rows)
        if foreign.any():
            self.tastes[foreign] = residents.sums(rows[foreign])
        # Gone back to an earlier model: who was moved by a later one returns to where they were, and settles
        # from there. Who is near two cohorts would else stay in the one that the later model chose.
        back = rows[
            self.stale
            & (residents.moved_source[rows] == BY_A_MODEL)
            & (residents.moved_offset[rows] > model.version)
        ]
        residents.cohort[back], residents.cohort_since[back] = residents.cohort_from[back], now
        residents.moved_offset[back] = model.version

    def moved(self, residents: Residents, rows: Ints) -> Bools:
        """Say who has moved since; also who was born, and who left and came back: the record says when."""
        changed: Bools = residents.cohort[rows] != self.cohort
        changed |= residents.moved_source[rows] != self.source
        changed |= residents.moved_offset[rows] != self.offset
        return changed


def _rounds(owner: Ints) -> Iterator[Ints]:
    """Yield the places of each owner's first, then of the second of those who have one; `owner` rises."""
    if not len(owner):
        return
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    rank = np.arange(len(owner)) - np.repeat(starts, np.diff(starts, append=len(owner)))
    by_rank = np.argsort(rank, kind="stable")
    yield from np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])


def _count(residents: Residents, batch: _Batch, rules: Rules, model: Model | None) -> None:
    """Skip what is applied already; count the others, see who is a bot, and remember the offsets."""
    for runs in batch.rounds_of_runs():
        row, click, first = runs.row, runs.click, runs.first
        batch.turned |= _turn_to(residents, row, batch.source[click[first]])
        new = batch.offset[click] > residents.offset[row][runs.run]
        waited = batch.waited[click]
        _note_repeats(residents, batch, click[~(new | waited)], model)
        last = batch.offset[click[runs.last]]
        ahead = ~waited[first]
        residents.offset[row[ahead]] = np.maximum(residents.offset[row[ahead]], last[ahead])
        applied = new | waited
        batch.applied[click[applied]] = True
        if (counted := applied & ~(batch.waits | batch.repeated)[click]).any():
            _see(residents, batch, runs.of(counted), rules)


def _turn_to(residents: Residents, row: Ints, source: Ints) -> set[int]:
    """Let `source` and `offset` be of the sources that clicks come from; return who had another."""
    first = residents.source[row] < 0
    residents.source[row[first]], residents.offset[row[first]] = source[first], -1
    other = residents.source[row] != source
    for at, now in zip(row[other].tolist(), source[other].tolist(), strict=True):
        offsets = residents.other_offsets.setdefault(at, {})
        offsets[int(residents.source[at])] = int(residents.offset[at])
        residents.source[at], residents.offset[at] = now, offsets.pop(now, -1)
    return set(row[other].tolist())


def _note_repeats(residents: Residents, batch: _Batch, chosen: Ints, model: Model | None) -> None:
    # Delivered again, and the last that moved the listener: whether the member sets and the change's event
    # followed is not known, so both are done again.
    row = batch.row[chosen]
    last = (residents.moved_source[row] == batch.source[chosen]) & (
        residents.moved_offset[row] == batch.offset[chosen]
    )
    batch.again += [residents.last_move(each, model) for each in row[last].tolist()]


def _see(residents: Residents, batch: _Batch, runs: _Round, rules: Rules) -> None:
    row, click, run, first, last = runs.row, runs.click, runs.run, runs.first, runs.last
    ts, clock = batch.ts[click], batch.utc_offset_min[click[last]]
    born, seen = residents.clicks[row] == 0, residents.last_seen[row]
    begin = click[first[born]]
    set_moved(residents, row[born], batch.ts[begin], batch.source[begin], batch.offset[begin])
    batch.fresh[click] = ts >= (seen - DAY)[run]  # what comes late says nothing of now
    said = (clock != UNKNOWN_OFFSET) & (ts[last] >= seen)
    residents.utc_offset_min[row[said]] = clock[said]
    residents.clicks[row] += last + 1 - first
    residents.first_seen[row] = np.minimum(residents.first_seen[row], ts[first])
    residents.last_seen[row] = np.maximum(seen, ts[last])
    hour = (ts[first] // HOUR).astype(np.int64)
    later = hour > residents.hour[row]
    residents.hour[row[later]], residents.hour_clicks[row[later]] = hour[later], 0
    # An hour long past adds no click, and cannot make a bot.
    added = (hour == residents.hour[row])[run] * (np.arange(1, len(click) + 1) - first[run])
    in_hour = residents.hour_clicks[row][run] + added
    residents.hour_clicks[row] = in_hour[last]
    bot = residents.bot[row][run] | (in_hour > rules.bot_clicks_per_hour)
    if residents.activity is not None and batch.deeds is not None:
        plays, ms = residents.activity.record(row, batch.deeds, click, run)
        bot |= (plays > rules.bot_plays_per_day) | (ms > MS_A_DAY)
    batch.bot[click], residents.bot[row] = bot, bot[last]


def set_moved(
    residents: Residents, row: Ints, ts: Floats | float, source: Ints | int, offset: Ints | int
) -> None:
    """Note when listeners moved, and what moved them (`Residents.moved_source`)."""
    residents.cohort_since[row] = ts
    residents.moved_source[row], residents.moved_offset[row] = source, offset


@dataclass(eq=False)
class _Pairs:
    """What clicks do to artists: pair p changes the root of `artist[p]` by `root[p]`, in click `click[p]`.

    `drops` are such pairs, too: artists that a click pushes out. `slot` is where in the pool a pair's artist
    is, -1 where its listener's were rewritten whole: `bounded` has what of those changed.
    """

    click: Ints
    artist: Ints
    root: Floats
    slot: Ints
    drops: list[tuple[int, int, float]] = field(default_factory=list)
    bounded: dict[int, list[int]] = field(default_factory=dict)
    dropped: dict[int, list[int]] = field(default_factory=dict)


def _add(residents: Residents, batch: _Batch, rules: Rules) -> _Pairs:
    """Add what applied clicks weigh to affinities."""
    click = np.repeat(np.arange(len(batch.row)), batch.artists)
    weighs = batch.weighs(rules)[click]
    click, artist = click[weighs], batch.artist[weighs]
    added = np.array(rules.decay.stored_singly(batch.weight.tolist(), batch.ts.tolist()))[click]
    row = batch.row[click]
    pairs = _Pairs(click, artist, np.zeros(len(click)), _slots(residents, row, artist))
    if outgrown := _outgrown(residents, batch, pairs, rules.max_artists):
        order = np.argsort(row, kind="stable")
        first, end = (np.searchsorted(row[order], outgrown, side).tolist() for side in ("left", "right"))
        for each, begin, stop in zip(outgrown, first, end, strict=True):
            _add_bounded(residents, pairs, each, order[begin:stop], added, rules.max_artists)
    usual = np.flatnonzero(~np.isin(row, list(pairs.bounded))) if pairs.bounded else np.arange(len(row))
    _make_slots(residents, row[usual], pairs, usual)
    pairs.root[usual] = _add_up(residents, pairs.slot[usual], added[usual])
    return pairs


def _outgrown(residents: Residents, batch: _Batch, pairs: _Pairs, max_artists: int) -> list[int]:
    """Return the rows that would keep more artists than they may."""
    missing = pairs.slot < 0
    at, artist = batch.at[pairs.click[missing]], pairs.artist[missing]
    # First a look that costs no sorting: with each new artist counted as often as it comes, who stays below
    # the bound does so for certain. Mostly that is everybody.
    near = residents.count[batch.rows] + np.bincount(at, minlength=len(batch.rows)) > max_artists
    of_near = near[at]
    at, news = np.unique(np.unique(at[of_near] << 32 | artist[of_near]) >> 32, return_counts=True)
    rows = batch.rows[at]
    over: list[int] = rows[residents.count[rows] + news > max_artists].tolist()
    return over


def _make_slots(residents: Residents, row: Ints, pairs: _Pairs, at: Ints) -> None:
    """Give slots to those pairs, of these rows, whose artist is new to the listener."""
    slot = pairs.slot[at]
    missing = np.flatnonzero(slot < 0)
    if not len(missing):
        return
    keys, which = np.unique(row[missing] << 32 | pairs.artist[at[missing]], return_inverse=True)
    rows, news = np.unique(keys >> 32, return_counts=True)
    begin, count = residents.begin[row], residents.count[rows]
    residents.make_room(rows, count + news)
    slot += np.where(slot < 0, 0, residents.begin[row] - begin)
    within = np.arange(len(keys)) - np.repeat(np.cumsum(news) - news, news)
    made = np.repeat(residents.begin[rows] + count, news) + within
    residents.artist[made], residents.weight[made] = keys & 0xFFFFFFFF, 0.0
    residents.count[rows] += news
    slot[missing] = made[which]
    pairs.slot[at] = slot


def _slots(residents: Residents, row: Ints, artist: Ints) -> Ints:
    """Return where in the pool each row's artist is, -1 where it is not."""
    places, owner = residents.places(row, residents.count[row])
    hits = np.flatnonzero(residents.artist[places] == artist[owner])
    slot = np.full(len(row), -1, dtype=np.int64)
    slot[owner[hits]] = places[hits]
    return slot


def _add_up(residents: Residents, slot: Ints, added: Floats) -> Floats:
    """Add to weights, in order where one slot comes several times; return by how much each root grew."""
    roots = np.zeros(len(slot))
    order = np.argsort(slot, kind="stable")
    starts = np.flatnonzero(np.diff(slot[order], prepend=-1))
    repeat = np.arange(len(slot)) - np.repeat(starts, np.diff(starts, append=len(slot)))
    order = order[np.argsort(repeat, kind="stable")]
    for at in np.split(order, np.cumsum(np.bincount(repeat))[:-1]) if len(slot) else ():
        old = residents.weight[slot[at]]
        new = old + added[at]
        residents.weight[slot[at]] = new
        roots[at] = root(new) - root(old)
    return roots


def _add_bounded(
    residents: Residents, pairs: _Pairs, row: int, at: Ints, added: Floats, max_artists: int
) -> None:
    """Add for a listener whose weakest artists have to go, click by click."""
    before = residents.affinities(row)
    weights = dict(before)
    names = residents.artists.names
    # The weakest first; what has another weight by now is passed over.
    weakest = [(weight, names[artist], artist) for artist, weight in weights.items()]
    heapq.heapify(weakest)
    for place, click in zip(at.tolist(), pairs.click[at].tolist(), strict=True):
        artist = int(pairs.artist[place])
        old = weights.get(artist, 0.0)
        weights[artist] = new = old + float(added[place])
        heapq.heappush(weakest, (new, names[artist], artist))
        pairs.root[place] = _root(new) - _root(old)
        last = place + 1 == len(pairs.click) or pairs.click[place + 1] != click
        while last and len(weights) > max_artists:
            weight, _, artist = heapq.heappop(weakest)
            if weights.get(artist) == weight:
                pairs.drops.append((click, artist, -_root(weights.pop(artist))))
    residents.replace(row, weights)
    pairs.slot[at] = -1
    pairs.bounded[row] = [artist for artist in dict.fromkeys(pairs.artist[at].tolist()) if artist in weights]
    pairs.dropped[row] = [artist for artist in before if artist not in weights]


def _root(stored: float) -> float:
    # models.taste.root for one number: NumPy takes ten times as long for it.
    return math.sqrt(stored) if stored > 0 else 0.0


@dataclass(eq=False)
class _Shifts:
    """How each click changes its listener's taste, and what it adds to the short term; shape (clicks, d)."""

    taste: Floats
    short_term: Floats


def _shifts(residents: Residents, batch: _Batch, pairs: _Pairs) -> _Shifts:
    click, artist, changed = pairs.click, pairs.artist, pairs.root
    heard = (batch.weight * batch.fresh)[click]
    if pairs.drops:
        clicks, artists, roots = (np.array(column) for column in zip(*pairs.drops, strict=True))
        order = np.argsort(np.concatenate([click, clicks]), kind="stable")
        click, artist = np.concatenate([click, clicks])[order], np.concatenate([artist, artists])[order]
        changed = np.concatenate([changed, roots])[order]
        heard = np.concatenate([heard, np.zeros(len(clicks))])[order]
    columns = residents.model_columns(artist)
    known = columns >= 0
    click, columns, number = click[known], columns[known], len(batch.row)
    return _Shifts(
        residents.weighted(click, columns, changed[known], number),
        residents.weighted(click, columns, heard[known], number),
    )


def _settle_all(
    residents: Residents,
    batch: _Batch,
    places: _Places,
    shifts: _Shifts,
    model: Model,
    rules: Rules,
    now: float,
) -> None:
    """Let tastes follow each click, and settle cohorts after it."""
    rows, tastes = batch.rows, places.tastes
    short = residents.short_term[rows]
    settler = Settler(residents, rows, model, rules.margin)
    is_counted = batch.counted
    fades = np.where(batch.fresh & (batch.artists > 0) & batch.weighs(rules), FADES, 1.0)[:, None]
    clicked = np.zeros(len(rows), dtype=bool)
    for chosen in batch.rounds():
        counted = chosen[is_counted[chosen]]
        at = batch.at[counted]
        clicked[at] = True
        if len(counted):
            tastes[at] = _moved_on(tastes[at], shifts.taste[counted])
            short[at] = fades[counted] * short[at] + shifts.short_term[counted]
            moved = settler.settle(at, tastes[at], short[at], batch.bot[counted])
            each = counted[moved]
            set_moved(residents, rows[at[moved]], batch.ts[each], batch.source[each], batch.offset[each])
    # No click of theirs counts, so only a new model can move them.
    met = np.flatnonzero(places.stale & ~clicked)
    if len(met):
        moved = settler.settle(met, tastes[met], short[met], residents.bot[rows[met]])
        set_moved(residents, rows[met[moved]], now, BY_A_MODEL, model.version)
    residents.set_taste(rows, tastes)
    residents.short_term[rows] = short
    residents.made_by[rows] = model.version


class Settler:
    """Settles listeners, given by their places in `rows`, and notes in `residents` where they are."""

    def __init__(self, residents: Residents, rows: Ints, model: Model, margin: float) -> None:
        self._residents, self._rows, self._model, self._margin = residents, rows, model, margin
        number = {cohort: at for at, cohort in enumerate(model.cohort_ids)}
        self._places = np.array([residents.cohorts.place(cohort) for cohort in model.cohort_ids])
        numbers = np.array([number.get(name, -1) for name in residents.cohorts.names], dtype=np.int64)
        self._current = numbers[residents.cohort[rows]]

    def settle(self, at: Ints, tastes: Floats, short_term: Halves, bots: Bools) -> Bools:
        """Return who is in another cohort than before; bots, and who likes nothing, are in none."""
        lately = self._model.similarity(short_term.astype(np.float64))
        near = nearness(self._model.similarity(tastes), lately)
        settled = settle(near, self._current[at], self._margin)
        settled[~tastes.any(axis=1)] = -1
        self._current[at] = settled
        cohort = np.where(bots | (settled < 0), 0, self._places[settled])
        row = self._rows[at]
        moved: Bools = cohort != self._residents.cohort[row]
        self._residents.cohort[row] = cohort
        return moved


def _moved_on(tastes: Floats, shifts: Floats) -> Floats:
    added = tastes + shifts
    scale = np.maximum(np.abs(tastes).max(axis=1), np.abs(shifts).max(axis=1))
    added[np.abs(added).max(axis=1) <= RESIDUE * scale] = 0.0
    return added


def _changes(
    residents: Residents, batch: _Batch, places: _Places, pairs: _Pairs, model: Model | None, now: float
) -> Changes:
    rows = batch.rows
    changed = places.stale.copy()
    changed[batch.at[batch.applied]] = True
    moved = places.moved(residents, rows)
    residents.cohort_from[rows[moved]] = places.cohort[moved]
    moves = batch.again + [residents.last_move(row, model) for row in rows[moved].tolist()]
    described = moved | (residents.rev[rows] == 0)
    for name in ("bot", "first_seen", "utc_offset_min"):
        described |= getattr(residents, name)[rows] != getattr(places, name)
    described, rows = described[changed], rows[changed]
    owner, artist, weight = _touched(residents, batch, pairs, rows)
    columns = rows, described, owner, artist, weight, *_recorded(residents, batch, rows)
    changes = Changes(*columns, batch.turned, pairs.dropped, moves=moves, now=now)
    waits = batch.waits & ~batch.repeated
    for at in np.flatnonzero(batch.applied & (waits | batch.waited)).tolist():
        into = changes.waiting if waits[at] else changes.waited
        into.setdefault(int(batch.row[at]), []).append(batch.clicks[at])
    return changes


def _recorded(residents: Residents, batch: _Batch, rows: Ints) -> tuple[Bools, Ints, Ints]:
    """Note songs heard; return whose activity has changed, and which songs to write apart; see `Changes`."""
    active = np.zeros(len(rows), dtype=bool)
    if residents.activity is None:
        nothing = np.zeros(0, dtype=np.int64)
        return active, nothing, nothing
    counted = np.flatnonzero(batch.counted)
    owner = np.searchsorted(rows, batch.row[counted])
    active[owner] = True
    # What was skipped, or searched for, may well be recommended.
    was_heard = batch.heard_song[counted]
    owner, counted = owner[was_heard], counted[was_heard]
    order = np.argsort(owner, kind="stable")
    return active, *residents.activity.hear(rows, batch.heard[counted[order]], owner[order])


def _touched(residents: Residents, batch: _Batch, pairs: _Pairs, rows: Ints) -> tuple[Ints, Ints, Floats]:
    """Return owner, artist and weight of each affinity that has changed, grouped by owner."""
    used = pairs.slot >= 0
    slot, first = np.unique(pairs.slot[used], return_index=True)
    row, artist, weight = batch.row[pairs.click[used]][first], residents.artist[slot], residents.weight[slot]
    of_bounded = [
        (each, artist, kept[artist])
        for each, artists in pairs.bounded.items()
        for kept in [residents.affinities(each)]
        for artist in artists
    ]
    if of_bounded:
        rows_of, artists_of, weights_of = (np.array(column) for column in zip(*of_bounded, strict=True))
        row, artist = np.concatenate([row, rows_of]), np.concatenate([artist, artists_of])
        weight = np.concatenate([weight, weights_of])
    owner = np.searchsorted(rows, row)
    order = np.argsort(owner, kind="stable")
    return owner[order], artist[order].astype(np.int64), weight[order]
