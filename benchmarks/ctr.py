"""How often notified listeners click, by policy, in a simulated world of 100,000 listeners and 200 releases.

    python -m benchmarks.ctr --seeds 20 --jobs 2
    python -m benchmarks.ctr --learners

Each policy tells 5 % of the listeners of every release, two releases a day, in a world of its own that
starts out the same (`tests/world.py`, which states what is assumed). What Refrain sees of tastes is what its
own models make of simulated plays: artist vectors, cohorts, scores, play rates. Who clicks
is learned by the trainer of the service (`consumers.train.click_trainer`), with its judge, and at the times
that it would. The oracle knows how likely each listener is to click at that moment; it looks no further
ahead, and keeps to the same caps where there are any. Prints the figures of each world as it ends (JSON),
then their means with 95 % intervals.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from river import base, facto, linear_model, optim, preprocessing
from scipy.stats import rankdata

from consumers.train.click_trainer import ClickTrainer
from models import waves
from models.affinity import ForwardDecay
from models.audience import aim, best_rows, play_rates, score
from models.click_rate import COHORT_PRIOR, HALF_LIFE, LISTENER_PRIOR, shrunk_rate
from models.cohort_learner import CohortLearner
from models.ctr import FEATURES, CtrModel, features
from models.ctr_learner import CtrLearner
from models.taste import log_length, taste, unit
from stream.retry import Retry
from stream.stores import decisions
from stream.stores.ctr_models import Learned
from stream.stores.heartbeats import Heartbeat
from tests.world import DAY, HOUR, LOST, START, Outcome, Release, World

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LISTENERS, ARTISTS, SCENES = 100_000, 400, 20
RELEASES, SHARE = 200, 0.05
SAMPLE, COHORTS, DIMS = 20_000, 48, 32
LEARNED_AFTER, CORRECTED_AFTER = HOUR, DAY  # as settings are by default
WAVE = 2 * HOUR  # from wave to wave
A_DAY, A_WEEK, GAP = 1, 3, 12 * HOUR  # caps: notifications of a listener, and seconds between two
REMEMBERED = 8  # times of each listener's last notifications
CAPPED = "capped"

POLICIES = (
    "random",
    "most active",
    "taste alone",
    "taste alone, capped",
    "CTR",
    "CTR, capped",
    "CTR, capped, in waves",
    "oracle",
    "oracle, capped",
)


class Seen:
    """What Refrain knows of the listeners of a world: learned from their plays."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.names = [world.artist(at) for at in range(ARTISTS)]
        plays = world.plays(seed)
        learner = CohortLearner(n_cohorts=COHORTS, n_dims=DIMS, reservoir=SAMPLE, seed=seed)
        for start in range(0, SAMPLE, 1000):
            parts = [slice(*plays.indptr[row : row + 2]) for row in range(start, start + 1000)]
            rows = [([self.names[at] for at in plays.indices[part]], plays.data[part]) for part in parts]
            learner.learn_many(rows, range(start, start + 1000), clicks=1000, play_now=1.0)
        self.model = learner.snapshot(version=1, now=START)
        at = {name: column for column, name in enumerate(self.names)}
        self.plays = plays[:, [at[name] for name in self.model.artists]]
        raw = taste(self.plays, self.model.factors)
        self.tastes, self.strengths = unit(raw).astype(np.float32), log_length(raw).astype(np.float32)
        self.cohort = self.model.assign(raw)
        self.held = self.plays.tocsc()

    def release(self, release: Release) -> Seeing:
        """Score listeners for a release, as a worker does."""
        target = aim(self.model, [self.names[release.artist]])
        added = self.plays[:, target.beside] @ target.adds if len(target.beside) else 0.0
        closeness = self.tastes @ target.vector.astype(np.float32)
        scores = score(self.model, closeness, self.strengths, added)
        row = self.model.index[self.names[release.artist]]
        players = self.held.indices[self.held.indptr[row] : self.held.indptr[row + 1]]
        plays_artist = np.zeros(len(scores), dtype=np.bool_)
        plays_artist[players] = True
        return Seeing(scores, closeness, play_rates(self.model, target, scores), plays_artist)


@dataclass(frozen=True, eq=False)
class Seeing:
    """What Refrain knows of listeners and one release."""

    scores: npt.NDArray[np.float32]
    closeness: npt.NDArray[np.float32]
    play_rate: Floats
    plays_artist: Flags


@dataclass(eq=False)
class Sent:
    """Notifications of one wave."""

    at: float
    rows: npt.NDArray[np.float16]
    listeners: Ints
    predicted: Floats  # by the model that chose them
    known: Flags  # which are reported as sent
    arrives: Floats  # Unix seconds when each is reported clicked; infinite for never
    counted: Flags


class Memory:
    """What a trainer reads and writes, in the place of Redis: decisions, what came of them, what serves.

    Attributes
    ----------
    now
        The time by the trainer's clock, in Unix seconds.
    served
        The CTR model that serves.
    """

    def __init__(self, world: World) -> None:
        self.now, self.served = START, CtrModel()
        self._world = world
        self._waves: dict[str, list[Sent]] = {}
        self._due: dict[str, float] = {}

    def tell(self, name: str, wave: Sent) -> None:
        """Remember a wave of a release until it is learned."""
        self._waves.setdefault(name, []).append(wave)
        self._due[name] = wave.at + LEARNED_AFTER

    @property
    def next_due(self) -> float:
        """When a release is to be learned next; infinite while none is."""
        return min(self._due.values(), default=np.inf)

    async def due(self, now: float) -> list[str]:
        """As `stream.stores.decisions.Decisions`."""
        return sorted((name for name, at in self._due.items() if at <= now), key=self._due.__getitem__)

    async def outcome(self, name: str) -> decisions.Outcome:
        """As `stream.stores.decisions.Decisions`."""
        several = self._waves[name]
        first, clicked = several[0], [wave.arrives <= self.now for wave in several]
        in_waves = len(several) > 1
        return decisions.Outcome(
            tuple(self._world.listener(row) for wave in several for row in wave.listeners.tolist()),
            np.concatenate([wave.rows for wave in several]).astype(np.float32),
            np.concatenate([wave.known | yes for wave, yes in zip(several, clicked, strict=True)]),
            np.concatenate(clicked),
            len(first.listeners) if in_waves else 0,
            int((first.arrives <= several[1].at).sum()) if in_waves else 0,
            first.at,
        )

    async def learn_again(self, name: str, at: float) -> None:
        """As `stream.stores.decisions.Decisions`."""
        self._due[name] = at

    async def drop(self, name: str) -> None:
        """As `stream.stores.decisions.Decisions`."""
        del self._due[name], self._waves[name]

    async def keep(self, learned: Learned) -> None:
        """As `stream.stores.ctr_models.CtrModels`; nothing dies here."""

    async def current(self) -> int:
        """As `stream.stores.ctr_models.CtrModels`."""
        return self.served.version

    async def load(self, version: int) -> CtrModel:
        """As `stream.stores.ctr_models.CtrModels`."""
        return self.served

    async def publish(self, model: CtrModel) -> None:
        """As `stream.stores.ctr_models.CtrModels`."""
        self.served = model

    async def kept(self, write: Callable[[], Awaitable[None]]) -> None:
        """As `stream.stores.durability.Durability`."""
        await write()


@dataclass(eq=False)
class Ledger:
    """What happened so far under one policy."""

    sent: Ints = field(default_factory=lambda: np.zeros(RELEASES, dtype=np.int64))
    clicked: Ints = field(default_factory=lambda: np.zeros(RELEASES, dtype=np.int64))
    opted_out: int = 0

    def ctr(self, first: int = 0) -> float:
        """Return clicked over sent from a release on."""
        return float(self.clicked[first:].sum() / max(self.sent[first:].sum(), 1))


class Policy:
    """One way to choose whom to tell, in a world of its own."""

    def __init__(self, name: str, seen: Seen, seed: int) -> None:
        self.name, self.kind = name, name.split(",", maxsplit=1)[0]
        self.capped, self.in_waves = CAPPED in name, "waves" in name
        self.seen, self.world = seen, seen.world.twin(seed)
        self.random = np.random.default_rng([seed, 5])
        self.ledger = Ledger()
        n = self.world.n_listeners
        self._times = np.full((REMEMBERED, n), -np.inf, dtype=np.float32)  # hours since the start
        self._next = np.zeros(n, dtype=np.int64)

    def tell(self, number: int, release: Release, seeing: Seeing) -> None:
        """Tell listeners of a release."""
        rows = best_rows(self._scores(release, seeing), int(SHARE * self.world.n_listeners))
        self._send(number, release, rows, release.at)

    def _scores(self, release: Release, seeing: Seeing) -> Floats:
        at = release.at
        if self.kind == "random":
            scores = self.random.random(self.world.n_listeners)
        elif self.kind == "most active":
            scores = self.seen.strengths.astype(np.float64)
        elif self.kind == "oracle":
            scores = self.world.click_probability(release, at)
        else:
            scores = seeing.scores.astype(np.float64)
        return np.where(self._may(at), scores, -np.inf)

    def _may(self, at: float) -> Flags:
        may = ~self.world.opted_out
        if self.capped:
            day, week, last = self._recently(at)
            may &= (day < A_DAY) & (week < A_WEEK) & (last >= GAP / HOUR)
        return may

    def _recently(self, at: float) -> tuple[Ints, Ints, Floats]:
        """Return each listener's notifications of the last day and week, and hours since the last."""
        since = np.float32((at - START) / HOUR) - self._times
        return (since < 24).sum(axis=0), (since < 7 * 24).sum(axis=0), since.min(axis=0)

    def _send(self, number: int, release: Release, rows: Ints, at: float) -> Outcome:
        outcome = self.world.notify(release, rows, at)
        self._times[self._next[rows] % REMEMBERED, rows] = (at - START) / HOUR
        self._next[rows] += 1
        self.ledger.sent[number] += len(rows)
        self.ledger.clicked[number] += int(outcome.clicked.sum())
        self.ledger.opted_out += int(outcome.opted_out.sum())
        return outcome


class Learning(Policy):
    """Ranks by predicted CTR, and learns from what comes back."""

    def __init__(self, name: str, seen: Seen, seed: int) -> None:
        super().__init__(name, seen, seed)
        n = self.world.n_listeners
        memory = self.memory = Memory(self.world)
        stores, retry = cast("Any", memory), Retry(asyncio.Event())
        self.heartbeat = Heartbeat(stores, "train")
        self.trainer = ClickTrainer(
            stores, stores, stores, self.heartbeat, retry, CORRECTED_AFTER, lambda: memory.now
        )
        self.decay = ForwardDecay(HALF_LIFE, START)
        self.counts = np.zeros((2, n))  # sent and clicked, stored with forward decay
        self.waiting: list[Sent] = []
        self.predicted: list[Floats] = []
        self.found: list[Floats] = []
        self.stream: list[npt.NDArray[np.float16]] = []
        self.seconds, self.events = 0.0, 0

    def tell(self, number: int, release: Release, seeing: Seeing) -> None:
        """Tell listeners of a release, in one wave or several."""
        places = int(SHARE * self.world.n_listeners)
        self.hear(release.at)
        model = self.model
        if not self.in_waves:
            rows = self.features(release, seeing, release.at)
            odds = np.where(self._may(release.at), model.log_odds(rows), -np.inf)
            chosen = best_rows(odds, places)
            self._sent(number, release, chosen[np.isfinite(odds[chosen])], rows, release.at)
            return
        k, told, at = COHORTS, 0, release.at
        sent: list[tuple[Ints, Floats, Sent]] = []
        while size := waves.wave_size(places, told):
            rows = self.features(release, seeing, at)
            may = self._may(at)
            for listeners, _, _ in sent:
                may[listeners] = False
            candidates = np.flatnonzero(may)
            ctr, cohort = model.predict(rows[candidates]), self.seen.cohort[candidates]
            totals = np.zeros((3, k))
            for listeners, predicted, wave in sent:
                where, come = self.seen.cohort[listeners], model.come_after((at - wave.at) / WAVE)
                totals[0] += come * np.bincount(where, minlength=k)
                totals[1] += np.bincount(where, wave.arrives <= at, k)
                totals[2] += come * np.bincount(where, predicted, k)
            posterior = waves.Cohorts.of(ctr, cohort, size, *totals)
            if not sent:
                propensities = waves.explore(ctr, cohort, posterior, size, self.random)
            else:
                updated = np.minimum(ctr * posterior.factor[cohort], 1.0)
                propensities = np.zeros(len(ctr))
                propensities[best_rows(updated, size)] = 1.0
            at_rows = waves.choose(propensities, self.random)
            if not len(at_rows):
                break
            chosen = candidates[at_rows]
            wave = self._sent(number, release, chosen, rows, at)
            sent.append((wave.listeners, wave.predicted, wave))
            told += len(chosen)
            at += WAVE

    def features(self, release: Release, seeing: Seeing, at: float) -> npt.NDArray[np.float32]:
        """Make what is known of every listener, as a worker does."""
        sent, clicked = self.decay.read(self.counts[0], at), self.decay.read(self.counts[1], at)
        own = shrunk_rate(clicked.sum(), sent.sum(), 0.1, COHORT_PRIOR)
        of_cohorts = [np.bincount(self.seen.cohort, what, COHORTS) for what in (clicked, sent)]
        day, week, last = self._recently(at)
        return features(
            play_rate=seeing.play_rate,
            plays_artist=seeing.plays_artist,
            activity=self.seen.strengths - self.seen.model.strength,
            ctr=float(own),
            cohort_ctr=shrunk_rate(*of_cohorts, own, COHORT_PRIOR)[self.seen.cohort],
            listener_ctr=shrunk_rate(clicked, sent, own, LISTENER_PRIOR),
            listener_sent=sent,
            sent_day=day,
            sent_week=week,
            hours_since_sent=last,
            local_hour=self.world.local_hour(at),
            weekday=self.world.weekday(at),
            release_age_hours=(at - release.at) / HOUR,
            artist_listeners=float(seeing.plays_artist.sum()),
            closeness=seeing.closeness,
        )

    def hear(self, now: float) -> None:
        """Take in all feedback that has come by now, and learn from it."""
        started = time.process_time()
        for sent in self.waiting:
            came = ~sent.counted & (sent.arrives <= now)
            self.counts[1, sent.listeners[came]] += self.decay.stored(1.0, sent.at)
            sent.counted |= came
            self.events += int(came.sum())
        self.waiting = [sent for sent in self.waiting if sent.at + 8 * DAY > now]
        with asyncio.Runner() as runner:
            while self.memory.next_due <= now:
                self.memory.now = self.memory.next_due
                runner.run(self.trainer.step())
        self.seconds += time.process_time() - started

    @property
    def model(self) -> CtrModel:
        """The CTR model that serves."""
        return self.memory.served

    def _sent(
        self, number: int, release: Release, chosen: Ints, rows: npt.NDArray[np.float32], at: float
    ) -> Sent:
        outcome = self._send(number, release, chosen, at)
        reported = outcome.clicked & (self.random.random(len(chosen)) >= LOST)
        arrives = np.where(reported, at + outcome.delay, np.inf)
        self.counts[0, chosen] += self.decay.stored(1.0, at)
        counted = np.zeros(len(chosen), dtype=np.bool_)
        kept = rows[chosen].astype(np.float16)
        known = self.random.random(len(chosen)) >= LOST
        wave = Sent(at, kept, chosen, self.model.predict(kept), known, arrives, counted)
        self.waiting.append(wave)
        self.memory.tell(release.id, wave)
        self.predicted.append(wave.predicted[known])
        self.found.append(np.isfinite(arrives[known]).astype(np.float64))
        self.stream.append(kept[known])
        self.events += int(known.sum())
        return wave


def calibration_error(predicted: Floats, found: Floats) -> float:
    """Return the mean difference of predicted and found CTR over tenths by what was predicted."""
    tenths = np.array_split(np.argsort(predicted, kind="stable"), 10)
    return float(sum(abs((found[t] - predicted[t]).sum()) for t in tenths) / len(found))


def play(seed: int, names: Sequence[str] = POLICIES) -> list[Policy]:
    """Run policies in one world, each in a twin of its own."""
    world = World(LISTENERS, ARTISTS, SCENES, seed)
    seen = Seen(world, seed)
    policies = [(Learning if name.startswith("CTR") else Policy)(name, seen, seed) for name in names]
    for number, release in enumerate(world.releases(RELEASES, seed=seed)):
        seeing = seen.release(release)
        for policy in policies:
            policy.tell(number, release, seeing)
    return policies


def run(seed: int) -> dict[str, dict[str, float]]:
    """Run all policies in one world; return figures by policy."""
    figures: dict[str, dict[str, float]] = {}
    for policy in play(seed):
        ledger = policy.ledger
        figures[policy.name] = {
            "CTR": 100 * ledger.ctr(),
            "late CTR": 100 * ledger.ctr(RELEASES // 2),
            "opt-outs": 1000.0 * ledger.opted_out / float(ledger.sent.sum()),
        }
        if isinstance(policy, Learning):
            predicted, found = np.concatenate(policy.predicted), np.concatenate(policy.found)
            figures[policy.name] |= {
                "calibration error": calibration_error(predicted, found),
                "AUC": float(policy.heartbeat.led["ctr auc"]),
                "refused": float(policy.heartbeat.counters.get("ctr refused", 0)),
                "CPU": 1e6 * policy.seconds / policy.events,
            }
    print(json.dumps(figures), flush=True)
    return figures


def show(found: Sequence[dict[str, dict[str, float]]]) -> None:
    """Print the means over seeds, with 95 % intervals, and the table of what is to be reached."""

    def over(ratio: Callable[[dict[str, dict[str, float]]], float]) -> str:
        values = np.array([ratio(one) for one in found])
        half = 1.96 * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        return f"{values.mean():.3f} ± {half:.3f}"

    columns = ("CTR", "late CTR", "opt-outs", "calibration error", "AUC", "refused", "CPU")
    print(
        "| policy | CTR % | releases 101-200 | opt-outs per 1,000 | calibration error | AUC "
        "| models refused | µs an event |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in POLICIES:
        cells = [over(lambda f, n=name, c=c: f[n][c]) if c in found[0][name] else "" for c in columns]
        print(f"| {name} | {' | '.join(cells)} |")
    learning = [name for name in POLICIES if name.startswith("CTR")]
    print(f"\n| {len(found)} seeds | {' | '.join(learning)} | reach | aim |\n|{'---|' * (len(learning) + 3)}")
    rows: tuple[tuple[str, Callable[[dict[str, dict[str, float]], str], float], str], ...] = (
        ("CTR against random", lambda f, n: f[n]["CTR"] / f["random"]["CTR"], "5 | 7"),
        (
            "against the oracle under the same caps, releases 101-200",
            lambda f, n: f[n]["late CTR"] / f[f"oracle{', capped' * (CAPPED in n)}"]["late CTR"],
            "0.8 | 0.9",
        ),
        (
            "against taste alone, releases 101-200",
            lambda f, n: f[n]["late CTR"] / f["taste alone"]["late CTR"],
            "1.15 | 1.3",
        ),
        (
            "opt-outs per thousand sent, against taste alone without caps",
            lambda f, n: f[n]["opt-outs"] / f["taste alone"]["opt-outs"],
            "0.5 | 0.33",
        ),
        ("calibration error", lambda f, n: f[n]["calibration error"], "0.02 | 0.01"),
    )
    for title, ratio, wanted in rows:
        cells = [over(lambda f, n=name, r=ratio: r(f, n)) for name in learning]
        print(f"| {title} | {' | '.join(cells)} | {wanted} |")


def compare(seed: int) -> None:
    """Print how well and how fast learners predict each wave before they learn any of it."""
    (policy,) = (one for one in play(seed, ["CTR, capped"]) if isinstance(one, Learning))
    found = np.concatenate(policy.found)
    print("| learner | log loss | AUC | calibration error | examples/s |\n|---|---|---|---|---|")
    batches = CtrLearner()
    started, said = time.process_time(), []
    for rows, clicked in zip(policy.stream, policy.found, strict=True):
        said.append(batches.model().predict(rows))
        batches.learn(rows, clicked)
    seconds = time.process_time() - started
    _line("Laplace's approximation, 1,000 a batch (kept)", np.concatenate(said), found, seconds)
    logistic, steps = linear_model.LogisticRegression, (0.01, 0.001, 0.0001)
    rivers: dict[str, base.Classifier] = {
        f"logistic regression, SGD {x}": logistic(optim.SGD(x)) for x in steps
    }
    rivers["logistic regression, AdaGrad 0.05"] = logistic(optim.AdaGrad(0.05))
    for step in (optim.AdaGrad(0.05), optim.SGD(0.001)):
        machine = facto.FMClassifier(n_factors=4, seed=1, weight_optimizer=step)
        rivers[f"factorization machine, 4 factors, {step}"] = machine
    for name, classifier in rivers.items():
        pipeline = preprocessing.StandardScaler() | classifier
        started, said = time.process_time(), []
        for rows, clicked in zip(policy.stream, policy.found, strict=True):
            many = [dict(zip(FEATURES, row, strict=True)) for row in rows.astype(float).tolist()]
            said.append(np.array([pipeline.predict_proba_one(row).get(True, 0.5) for row in many]))
            for row, yes in zip(many, clicked.tolist(), strict=True):
                pipeline.learn_one(row, yes > 0)
        _line(f"River: StandardScaler, {name}", np.concatenate(said), found, time.process_time() - started)


def _line(name: str, predicted: Floats, found: Floats, seconds: float) -> None:
    p = np.clip(predicted, 1e-6, 1 - 1e-6)
    loss = -np.mean(found * np.log(p) + (1 - found) * np.log(1 - p))
    ranks = rankdata(predicted)
    yes = found.sum()
    auc = (ranks[found > 0].sum() - yes * (yes + 1) / 2) / (yes * (len(found) - yes))
    error = calibration_error(predicted, found)
    print(f"| {name} | {loss:.4f} | {auc:.4f} | {error:.4f} | {len(found) / seconds:,.0f} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="worlds; the more, the surer")
    parser.add_argument("--jobs", type=int, default=1, help="worlds at a time")
    parser.add_argument("--learners", action="store_true", help="compare learners on one world instead")
    arguments = parser.parse_args()
    if arguments.learners:
        compare(seed=1)
        return
    with ProcessPoolExecutor(arguments.jobs) as pool:
        show(list(pool.map(run, range(1, arguments.seeds + 1))))


if __name__ == "__main__":
    main()
