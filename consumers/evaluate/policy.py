"""A policy judged by the log of another one, from files to its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from consumers.evaluate.offline_options import Offline
from consumers.evaluate.policy_file import PolicyFile, read_policy
from models.encoding import encode
from models.quality.off_policy import (
    Overlap,
    PolicyLog,
    PolicyValue,
    TooLittleOverlap,
    doubly_robust,
    ips,
    logged,
    snips,
)
from models.quality.reward_model import cross_fitted
from stream.errors import NoOverlap, WrongUse
from stream.files.columns import plain
from stream.files.observations import (
    Needed,
    Observations,
    number,
    probability,
    propensity,
    read_observations,
    truth,
)
from stream.files.options import Layout, RowOptions
from stream.files.reading import Tally

__all__ = ["PolicyResult", "judge"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FEW_REWARDED = 30  # rows with a reward


def _reward(text: str) -> float:
    try:
        return truth(text)
    except ValueError:
        return number(text)


PROPENSITY = Needed(propensity, "the probability with which the log's policy chose what it chose")
REWARD = Needed(_reward, "what came of it: 1 clicked, 0 not, or any number")
ACTION = Needed(plain, "what was chosen")
TARGET = Needed(
    probability,
    "the probability with which the policy to be judged would have chosen what was chosen",
    otherwise="Or --target FILE has it of all actions.",
)
USER = Needed(plain, "whose rows may depend on each other", optional=True)


@dataclass(frozen=True)
class PolicyResult:
    """What a policy would have earned.

    Attributes
    ----------
    files
        What was read.
    tally
        What became of the rows.
    users
        Listeners, where the log names them: then the intervals are over listeners, else over rows.
    actions
        Different actions, where the log names them.
    overlap
        How far the log tells about the policy.
    rewarded
        Rows with a reward.
    interval
        "gamma" where each reward is 0 or 1, else "normal".
    reward_model
        What the model of rewards in DR goes by: columns, and the action where all probabilities are known.
    logged
        The mean reward in the log.
    estimates
        Name -> the mean reward of the policy: IPS, SNIPS, DR.
    """

    files: tuple[str, ...]
    tally: Tally
    users: int | None
    actions: int | None
    overlap: Overlap
    rewarded: int
    interval: str
    reward_model: tuple[str, ...]
    logged: PolicyValue
    estimates: dict[str, PolicyValue]

    @property
    def notes(self) -> list[str]:
        """What is to be known beside the figures, a sentence each."""
        found = []
        if self.rewarded < FEW_REWARDED:
            found.append(f"Only {self.rewarded} rows have a reward: these figures say little.")
        if not self.reward_model:
            found.append(
                "The model of rewards in DR goes by nothing: --features names columns that were known "
                "before, --target FILE the probabilities of all actions."
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "files": list(self.files),
            "rows": self.tally.rows,
            "left_out": self.tally.left_out,
            "bad": dict(self.tally.bad),
            "users": self.users,
            "actions": self.actions,
            "rewarded": self.rewarded,
            "overlap": asdict(self.overlap),
            "interval": self.interval,
            "reward_model": list(self.reward_model),
            "logged": asdict(self.logged),
            "policy": {name: asdict(value) for name, value in self.estimates.items()},
            "notes": self.notes,
        }


def judge(files: Sequence[Path], options: RowOptions, offline: Offline, seed: int) -> PolicyResult:
    """Judge a policy by a log.

    Raises
    ------
    NoOverlap
        Where the log tells too little about it.
    RefrainError
        Where files cannot be read so.
    """
    if offline.target and "target" in {*options.mapping, *options.constants}:
        raise WrongUse("the policy to be judged has a file (--target) and a field (target): choose one")
    policy = _policy(options, offline)
    fields = {"propensity": PROPENSITY, "reward": REWARD, "user_id": USER}
    fields |= {"action": ACTION} if policy else {"target": TARGET, "action": ACTION._replace(optional=True)}
    on = policy.on if policy else ()
    found = read_observations(files, options, fields, tuple(dict.fromkeys((*offline.features, *on))))
    targets, unseen, choices = _chosen(found, policy)
    log = PolicyLog(
        np.array(found.fields["propensity"]), targets, np.array(found.fields["reward"]), _units(found)
    )
    overlap = log.overlap(unseen)
    try:
        overlap.check()
    except TooLittleOverlap as error:
        raise NoOverlap(str(error), hint=error.hint) from error
    names, columns = encode({name: found.features[name] for name in offline.features})
    context = csr_matrix(columns) if names else csr_matrix((len(targets), 0))
    model = (context, context)
    if choices:
        model = tuple(hstack([context, part], format="csr") for part in choices)
    predicted, expected = cross_fitted(*model, log.rewards, log.units, seed)
    return PolicyResult(
        files=tuple(str(path) for path in files),
        tally=found.tally,
        users=int(log.units.max()) + 1 if "user_id" in found.fields else None,
        actions=len(set(found.fields["action"])) if "action" in found.fields else None,
        overlap=overlap,
        rewarded=int(np.count_nonzero(log.rewards)),
        interval="gamma" if log.binary else "normal",
        reward_model=(*(("action",) if choices else ()), *(offline.features if names else ())),
        logged=logged(log),
        estimates={"IPS": ips(log), "SNIPS": snips(log), "DR": doubly_robust(log, predicted, expected)},
    )


def _policy(options: RowOptions, offline: Offline) -> PolicyFile | None:
    if offline.target is None:
        return None
    layout = Layout(columns=offline.target_columns, encoding=options.encoding, mend=options.mend)
    return read_policy(offline.target, layout, offline.target_map, offline.target_on)


def _chosen(
    found: Observations, policy: PolicyFile | None
) -> tuple[Floats, float, tuple[csr_matrix, csr_matrix] | None]:
    """Return the targets, the share of actions unseen; and where it is known, what was and would be chosen.

    The latter two have shape (n, actions): 1 for the action that was logged; the policy's probabilities.
    """
    if policy is None:
        return np.array(found.fields["target"]), 0.0, None
    chosen: list[str] = found.fields["action"]
    seen = dict.fromkeys(chosen)
    actions = tuple(dict.fromkeys((*seen, *policy.actions)))
    contexts = list(zip(*(found.features[name] for name in policy.on), strict=True)) or [()] * len(chosen)
    would = policy.of_rows(contexts, actions)
    number = {action: at for at, action in enumerate(actions)}
    at = np.array([number[action] for action in chosen])
    did = csr_matrix((np.ones(len(at)), (np.arange(len(at)), at)), shape=would.shape)
    targets: Floats = np.minimum(np.asarray(would[np.arange(len(at)), at], dtype=np.float64).ravel(), 1.0)
    return targets, float(would[:, len(seen) :].sum()) / len(at), (did, would)


def _units(found: Observations) -> Ints:
    if "user_id" not in found.fields:
        return np.arange(len(found.fields["reward"]))
    number: dict[str, int] = {}
    return np.array([number.setdefault(user, len(number)) for user in found.fields["user_id"]])
