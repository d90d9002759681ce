"""Every Redis key of Refrain, once: first its type, then what it holds.

The functions make the keys of one thing, the constants name what there is once. The braces keep what belongs
to one listener, cohort or release in one slot of a Redis Cluster. docs/contract.md says what other programs
may rely on; a test holds the two together.

Examples
--------
>>> user_artists("u1"), cohort_users(""), MODELS
('user:{u1}:artists', 'cohort:{}:users', 'models')
"""

from __future__ import annotations

# Listeners


def user(user_id: str) -> str:
    """Hash: cohort, counters, offsets applied and revision of a listener."""
    return f"user:{{{user_id}}}"


def user_artists(user_id: str) -> str:
    """Sorted set: artist -> forward-decayed weight."""
    return f"user:{{{user_id}}}:artists"


def user_taste(user_id: str) -> str:
    """String: the packed taste vector (`stream.stores.taste_codec`)."""
    return f"user:{{{user_id}}}:taste"


def user_activity(user_id: str) -> str:
    """String: what a listener did day by day, and heard last, packed (`stream.stores.activity_codec`)."""
    return f"user:{{{user_id}}}:activity"


def user_heard(user_id: str) -> str:
    """String: the songs heard lately, 4 bytes each (`models.active_days.song_number`, little-endian)."""
    return f"user:{{{user_id}}}:heard"


def user_event_ids(user_id: str) -> str:
    """String: the `event_id` of the clicks that counted last, 8 bytes each (`stream.stores.event_ids`)."""
    return f"user:{{{user_id}}}:event-ids"


def user_traits(user_id: str) -> str:
    """Hash: what a listener is about to do: trait -> value, and the version and time of its model."""
    return f"user:{{{user_id}}}:traits"


def user_waiting(user_id: str) -> str:
    """Hash: ``SOURCE:OFFSET`` -> a click that waits for its song, packed."""
    return f"user:{{{user_id}}}:waiting"


def user_redriven(user_id: str) -> str:
    """Set: dead letters of the listener's clicks that `refrain redrive` has put back."""
    return f"user:{{{user_id}}}:redriven"


def user_opted_out(user_id: str) -> str:
    """Set: artists of whom the listener wants to hear of no release."""
    return f"user:{{{user_id}}}:opted-out"


def user_into(user_id: str) -> str:
    """Hash: the listener that this id is part of, since when, and how far they are joined."""
    return f"user:{{{user_id}}}:into"


def user_parts(user_id: str) -> str:
    """String: what was there of an id that is part of another listener, packed, while that may be undone."""
    return f"user:{{{user_id}}}:parts"


def user_ids(user_id: str) -> str:
    """Set: ids that are part of the listener, or were to be."""
    return f"user:{{{user_id}}}:ids"


def user_undone(user_id: str) -> str:
    """Set: merges of this id that were undone, by their `merge_id`."""
    return f"user:{{{user_id}}}:undone"


def recommended(user_id: str) -> str:
    """String: the songs recommended last, as JSON; expires."""
    return f"recommended:{{{user_id}}}"


OPTED_OUT = "opted-out"
"""Set: listeners who are in no audience any more."""

OPTED_OUT_LATELY = "listeners:opted-out"
"""Stream: listeners who opted out, each once they are in the set, the latest last; not the whole of them."""

MERGED_LATELY = "merged:lately"
"""Stream: ids that became part of another listener, or are none any more, the latest last."""

KAFKA_CLUSTER = "kafka-cluster"
"""String: the id of the cluster of Kafka that all this came from."""

EXPIRED = "listeners:expired"
"""Sorted set: listener who is being erased as dormant -> since when, Unix seconds."""

EXPIRED_TOLD = "listeners:expired-told"
"""Sorted set: listener who was erased as dormant -> until when what they were told counts, Unix seconds."""

HISTORY = "history"
"""Hash: partition of `clicks` -> the offset that it was at when history was loaded from files; of each load
but the first ``LOAD:`` stands before it (`stream.stores.history.load_source`). ``unfinished`` -> the number
of the load that began last, until it has ended as it should."""

ERASED = "listeners:erased"
"""Sorted set: hash of the id of a listener who was erased -> when, Unix seconds (`stream.stores.erased`)."""

EXPORT_LEASE = "export:lease"
"""String: who runs `refrain export`; expires."""

DECAY = "decay"
"""Hash: half-life and landmark that affinities were stored with."""

BEGUN = "database-begun"
"""String: when the first process began with this database, Unix seconds."""


# Segments


def segment(segment: str) -> str:
    """Hash: labels, AUC, threshold, version and time of a segment's model."""
    return f"segment:{{{segment}}}"


def segment_users(segment: str) -> str:
    """Sorted set: listener above the threshold -> how likely they are in the segment."""
    return f"segment:{{{segment}}}:users"


def segment_model(segment: str) -> str:
    """String: what is learned of a segment, packed (`stream.stores.segments`)."""
    return f"segment:{{{segment}}}:model"


def segment_labels(segment: str) -> str:
    """Hash: listener -> value of their latest label."""
    return f"segment:{{{segment}}}:labels"


def segment_labelled(segment: str, value: str) -> str:
    """Sorted set: listener whose latest label has this value -> its time, Unix seconds."""
    return f"segment:{{{segment}}}:labelled:{value}"


def segment_values(segment: str) -> str:
    """Hash: value that labels have had -> how often one was given or taken."""
    return f"segment:{{{segment}}}:values"


def segment_predicted(segment: str) -> str:
    """Hash: labelled listener -> what was predicted of them before they were learned from."""
    return f"segment:{{{segment}}}:foreseen"


def segment_forgotten(segment: str) -> str:
    """Hash: clock -> what it showed when the segment was forgotten (`stream.stores.segments.Came`)."""
    return f"segment:{{{segment}}}:forgotten"


SEGMENTS = "segments"
"""Set: segments that there are labels of."""


# Cohorts


def cohort(cohort_id: str) -> str:
    """Hash: size, label, birth and feedback counts of a cohort."""
    return f"cohort:{{{cohort_id}}}"


def cohort_users(cohort_id: str) -> str:
    """Set: members; of the cohort "" those who wait for a cohort, and bots."""
    return f"cohort:{{{cohort_id}}}:users"


def cohort_artists(cohort_id: str) -> str:
    """Sorted set: artist -> how many times more the cohort plays it than everyone does."""
    return f"cohort:{{{cohort_id}}}:artists"


def cohort_history(cohort_id: str) -> str:
    """Sorted set: JSON entries of what has become of the cohort -> model version."""
    return f"cohort:{{{cohort_id}}}:history"


COHORTS = "cohorts"
"""Sorted set: living cohort -> size."""


# Traits


def stage_users(stage: str) -> str:
    """Set: listeners in a stage of `models.traits.lifecycle`."""
    return f"stage:{{{stage}}}:users"


NEXT_WEEK = "traits:next-week"
"""String: what is learned of the next week, packed (`stream.stores.next_week_model`)."""

TRAITS_LEASE = "traits:lease"
"""String: the process that keeps traits current; expires."""


# The catalogue


def song(song_id: str) -> str:
    """Hash: artists, genres, title, label, duration and release date of a song."""
    return f"song:{{{song_id}}}"


SONGS_NEW = "songs:new"
"""Sorted set: song, one of the latest or of the next -> when it is released, or was entered, Unix seconds."""

SONGS_GONE = "songs:gone"
"""Sorted set: song that was taken off the catalogue -> when, Unix seconds."""


def artist(artist_id: str) -> str:
    """Hash: name and estimated number of listeners of an artist."""
    return f"artist:{{{artist_id}}}"


def artist_opted_out(artist_id: str) -> str:
    """Set: listeners who want to hear of no release of the artist."""
    return f"artist:{{{artist_id}}}:opted-out"


def artist_genres(artist_id: str) -> str:
    """Set: genres, in small letters, that the artist has songs of."""
    return f"artist:{{{artist_id}}}:genres"


def genre_artists(genre: str) -> str:
    """Set: artists with songs of a genre; genres that differ in case only are one."""
    return f"genre:{{{genre.casefold()}}}:artists"


def label_artists(label: str) -> str:
    """Set: artists with songs on a record label."""
    return f"label:{{{label}}}:artists"


def waiting_song(song_id: str) -> str:
    """Set: listeners with clicks that wait for a song."""
    return f"waiting:{{{song_id}}}"


SONGS_OF_NO_LENGTH = "songs:no-length"
"""Set: songs that the catalogue says are 0 ms long."""

WAITING = "waiting"
"""Sorted set: song that clicks wait for -> when one last began to, Unix seconds."""

WAITING_CAME = "waiting:came"
"""Set: songs that came while clicks waited for them, until those are applied."""

WAITING_LEASE = "waiting:lease"
"""String: the ingester that applies clicks which waited."""

ARTIST_ALIASES = "aliases:artists"
"""Hash: id that stands for another artist -> that artist; ``{changes}`` -> how often it has changed."""

ARTIST_NAMES = "artist-names"
"""Hash: name, or an id that clicks name, in small letters, as it is and without accents -> artist."""

ARTIST_NAMESAKES = "artist-namesakes"
"""Sorted set: name of `ARTIST_NAMES` that several artists have, a line break, one of them; all of score 0."""


REDRIVEN = "redriven"
"""Sorted set: dead letter, of no click, that `refrain redrive` has put back -> when, Unix seconds."""

REDRIVE_LEASE = "redrive:lease"
"""String: who runs `refrain redrive`; expires."""


# Releases


def release(release_id: str) -> str:
    """Hash: state, audience and feedback counts of a release, and who has it in hand."""
    return f"release:{{{release_id}}}"


def release_cohorts(release_id: str) -> str:
    """Sorted set: cohort -> predicted click-through rate; predicted play rate before that is learned."""
    return f"release:{{{release_id}}}:cohorts"


def release_play_rates(release_id: str) -> str:
    """Sorted set: cohort -> predicted play rate."""
    return f"release:{{{release_id}}}:play-rates"


def release_counts(release_id: str) -> str:
    """Hash: ``COHORT:KIND`` -> feedback events."""
    return f"release:{{{release_id}}}:counts"


def release_pages(release_id: str) -> str:
    """List: the audience's pages as they go to Kafka, until all are sent."""
    return f"release:{{{release_id}}}:pages"


def release_told(release_id: str) -> str:
    """Hash: listener told of the release -> cohort."""
    return f"release:{{{release_id}}}:told"


def release_parts(release_id: str) -> str:
    """Hash: listener told in a later wave than the first, or by the other policy of an A/B test -> part: the
    wave, the policy, or both with a space between."""
    return f"release:{{{release_id}}}:parts"


def release_held(release_id: str) -> str:
    """Hash: listener who is told when their quiet hours end -> when (Unix seconds), and how likely they were
    to be told."""
    return f"release:{{{release_id}}}:held"


def release_part_counts(release_id: str) -> str:
    """Hash: ``PART:KIND`` -> feedback events, of a release in waves or of an A/B test: parts are those of
    `release_parts`, wave "1" and policy "usual" too."""
    return f"release:{{{release_id}}}:part-counts"


def release_seen(release_id: str) -> str:
    """Hash: ``LISTENER}KIND`` -> place in Kafka of the feedback event that was counted."""
    return f"release:{{{release_id}}}:seen"


def release_control(release_id: str) -> str:
    """Hash: listener who is not told of the release, for comparison -> cohort."""
    return f"release:{{{release_id}}}:control"


def told(shard: str) -> str:
    """Hash: listener -> what they were told lately and how often they click, packed; one of 64."""
    return f"told:{{{shard}}}"


RELEASES = "releases:told"
"""Sorted set: release that somebody was told of -> when it was planned, Unix seconds."""

RELEASED_SONGS = "releases:songs"
"""Sorted set: ``SONG}RELEASE`` -> until when plays count for the release, Unix seconds."""


def release_decisions(release_id: str) -> str:
    """Hash: page -> who is on it and what was known of them, packed, until it is learned who clicked."""
    return f"release:{{{release_id}}}:decisions"


RELEASES_TO_LEARN = "releases:to-learn"
"""Sorted set: release -> when it is to be learned who clicked, Unix seconds."""

RELEASES_OPEN = "releases:open"
"""Sorted set: release that is not done -> when it was asked for, or more of it is due, Unix seconds."""


# Models


def model(version: int | str) -> str:
    """String: a snapshot of the model (`stream.stores.snapshots`)."""
    return f"model:{version}"


MODELS = "models"
"""Sorted set: version that is kept -> when it was made, Unix seconds."""

MODELS_FORESIGHT = "models:foresight"
"""Hash: version -> JSON of how well it predicted discoveries."""

MODEL_CURRENT = "model:current"
"""String: the version that serves."""

MODEL_PINNED = "model:pinned"
"""String: the version that `refrain model use --pin` chose."""


def song_model(version: int) -> str:
    """Hash: song vectors, packed, in pieces (`stream.stores.song_models`)."""
    return f"song-model:{version}"


SONG_MODEL_CURRENT = "song-model:current"
"""String: the version of song vectors that serves."""

CTR_MODELS = "ctr-models"
"""Hash: version -> a CTR model, packed (`stream.stores.ctr_models`)."""

CTR_MODEL_CURRENT = "ctr-models:current"
"""String: the version that serves."""

CTR_MODELS_TESTED = "ctr-models:tested"
"""Sorted set: version that an A/B test compares with -> when a worker said so last, Unix seconds."""

CTR_LEARNED = "ctr-models:learned"
"""String: what the trainer has learned of clicks, and from which releases, packed."""

CHURN_MODEL = "churn:model"
"""Hash: what is learned of who does not come back, and how well it is predicted (`stream.stores.churn`)."""

CHURN_FROZEN = "churn:frozen"
"""Hash: day -> listeners as they were when it began, packed, until it is known who came back."""

MODEL_SWEEP = "model:sweep"
"""Hash: how far the sweep of the model that serves is (`stream.stores.sweeps`)."""

MODEL_COUNTER = "model:counter"
"""String: the last version that was given out."""

MODEL_NEXT_COHORT = "model:next-cohort"
"""String: the first number that no cohort has had."""

MODEL_LEASE = "model:lease"
"""String: the trainer that trains; expires."""

SWEEP_LEASE = "sweep:lease"
"""String: the ingester that sweeps; expires."""


# Processes and topics

MEMORY_DAYS = "memory:days"
"""Hash: day -> when Redis's memory was measured last, Unix seconds, and how many bytes were used."""


def process(name: str) -> str:
    """Hash: sign of life and counters of a process; expires."""
    return f"process:{{{name}}}"


PROCESSES = "processes"
"""Sorted set: process -> last sign of life, Unix seconds."""


def replicated(number: int) -> str:
    """String: written before it is waited for replicas, one for each primary of a cluster; expires."""
    return f"replicated:{number}"


def undelivered(begins: str) -> str:
    """String: since when `refrain deliver`'s endpoint does not take the post that begins with this event,
    Unix seconds; expires."""
    return f"undelivered:{begins}"


def topic(name: str) -> str:
    """Hash: id that Kafka gave a topic -> how many ids it had before (`stream.stores.guards.topic_epoch`)."""
    return f"topic:{name}"


# The HTTP API

API_KEYS = "api:keys"
"""Hash: a key's id -> its name, role, age and the digest of its secret, as JSON."""


def api_session(digest: str) -> str:
    """String: the key that a browser signed in with; expires. `digest`: of what its cookie says."""
    return f"api:session:{digest}"
