"""Every error a user can meet.

::

    RefrainError                 something a person can mend: says what is wrong, its hint says how
    ├── SettingsError            a setting cannot be used
    ├── WrongUse                 a command was asked for something it cannot do
    ├── BadFile                  a file of history cannot be read
    ├── Unreachable              Kafka or Redis does not answer
    │   ├── Refused              it answers, and does not allow what is asked
    │   └── NotDurable           Redis's file or its replicas do not have what was written
    ├── DecayChanged             Redis holds affinities of another half-life
    ├── ClusterChanged           Redis holds what came from another Kafka
    ├── SnapshotUnusable         a snapshot cannot be loaded
    │   ├── SnapshotDamaged      its bytes are not what was written
    │   │   └── SnapshotPartial  some of them are not there
    │   ├── SnapshotTooNew       it was written by a newer Refrain
    │   └── UnknownSnapshot      there is none of this version, or none any more
    ├── NoModel                  nothing is learned yet
    ├── NoOverlap                a log tells too little about a policy
    ├── NoAbTest                 no release was told by two policies
    ├── NotMigrated              listeners are not migrated to a model
    ├── NotErased                a listener is erased in part only
    ├── NotMerged                no ingester has merged two listeners in time
    ├── NotAliased               no ingester has read an alias of an artist in time
    ├── NotWritten               a file cannot be written
    ├── NoAudience               no audience came in time
    ├── UnknownListener          no such listener
    ├── NoTaste                  a listener of whom nothing is known that they like
    ├── UnknownCohort            no such cohort
    ├── UnknownRelease           no such release
    ├── UnknownSegment           no such segment
    ├── UnknownArtist            no such artist; carries the nearest names
    ├── AmbiguousArtist          a name that several artists have; carries who they are
    ├── UnknownSong              no such song in the catalogue
    └── CannotStart              what is needed is not on this machine
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "AmbiguousArtist",
    "BadFile",
    "CannotStart",
    "ClusterChanged",
    "DecayChanged",
    "NoAbTest",
    "NoAudience",
    "NoModel",
    "NoOverlap",
    "NoTaste",
    "NotAliased",
    "NotDurable",
    "NotErased",
    "NotMerged",
    "NotMigrated",
    "NotWritten",
    "RefrainError",
    "Refused",
    "SettingsError",
    "SnapshotDamaged",
    "SnapshotPartial",
    "SnapshotTooNew",
    "SnapshotUnusable",
    "UnknownArtist",
    "UnknownCohort",
    "UnknownListener",
    "UnknownRelease",
    "UnknownSegment",
    "UnknownSnapshot",
    "UnknownSong",
    "Unreachable",
    "WrongUse",
]


class RefrainError(Exception):
    """Something a person can mend.

    Parameters
    ----------
    message
        What is wrong, and where.
    hint
        What to do about it; empty where the message leaves no choice.

    Examples
    --------
    >>> error = RefrainError("there is no Redis", hint="Install it, or set REFRAIN_REDIS.")
    >>> str(error), error.hint
    ('there is no Redis', 'Install it, or set REFRAIN_REDIS.')
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(hint)  # stands in a traceback, too


class SettingsError(RefrainError):
    """A setting cannot be used."""


class WrongUse(RefrainError):
    """A command was asked for something that it cannot do."""


class BadFile(RefrainError):
    """A file of history cannot be read, or nothing in it can be used."""


class Unreachable(RefrainError):
    """Kafka or Redis does not answer at its address."""


class Refused(Unreachable):
    """Kafka or Redis answers, and does not allow what is asked: that does not pass by waiting."""


class NotDurable(Unreachable):
    """What was written may be lost with the Redis that answered: its file or its replicas lack it."""


class DecayChanged(RefrainError):
    """Redis holds affinities that were stored with another half-life or landmark."""


class ClusterChanged(RefrainError):
    """Redis holds what came from another cluster of Kafka."""


class SnapshotUnusable(RefrainError):
    """A snapshot cannot be loaded."""


class SnapshotDamaged(SnapshotUnusable):
    """A snapshot's bytes are not those that were written."""


class SnapshotPartial(SnapshotDamaged):
    """A snapshot is there in part only: it may just be written."""


class UnknownSnapshot(SnapshotUnusable):
    """No snapshot of that version is kept."""


class SnapshotTooNew(SnapshotUnusable):
    """A snapshot was written in a format that this Refrain does not know yet."""


class NoModel(RefrainError):
    """No model is published yet, so there are no cohorts."""


class NoOverlap(RefrainError):
    """The policy that a log was written by, and the one that it is to judge, choose too differently."""


class NoAbTest(RefrainError):
    """None of the latest releases was told by two policies."""


class NotMigrated(RefrainError):
    """Listeners are not migrated to the model that was asked for."""


class NotErased(RefrainError):
    """Redis failed while a listener was being erased; the message says what is left of them."""


class NotMerged(RefrainError):
    """A merge, or its undoing, is published, and no ingester has done it in time."""


class NotAliased(RefrainError):
    """An alias of an artist, or its undoing, is published, and no ingester has done it in time."""


class NotWritten(RefrainError):
    """A file cannot be written: no room, no right, no folder."""


class NoAudience(RefrainError):
    """The audience of a release has not come in time."""


class UnknownListener(RefrainError):
    """Redis has no listener of that id."""


class NoTaste(RefrainError):
    """Nothing is known of a listener that they like."""


class UnknownCohort(RefrainError):
    """Redis has no cohort of that id."""


class UnknownRelease(RefrainError):
    """Redis has no release of that id."""


class UnknownSegment(RefrainError):
    """There are no labels of this segment."""


class UnknownArtist(RefrainError):
    """Neither the model nor the catalogue has an artist of that id or name.

    Attributes
    ----------
    typed
        The id or name.
    near
        Names that look most like it.
    """

    def __init__(self, message: str, *, hint: str = "", typed: str = "", near: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.typed, self.near = typed, near


class AmbiguousArtist(RefrainError):
    """Several artists have a name: only an id says which of them is meant.

    Attributes
    ----------
    typed
        The name.
    called
        Id of each artist -> name, who has the most listeners first.
    """

    def __init__(
        self, message: str, *, hint: str = "", typed: str = "", called: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.typed, self.called = typed, dict(called or {})


class UnknownSong(RefrainError):
    """The catalogue has no song of that id."""


class CannotStart(RefrainError):
    """Something that Refrain needs is missing on this machine."""
