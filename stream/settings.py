"""Every setting of Refrain, in one place: its name, its default, what it means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from rapidfuzz.process import extractOne

from stream.errors import SettingsError
from stream.redis_url import check_redis_url, shown

__all__ = ["Settings", "load_settings"]

PREFIX = "REFRAIN_"
IN_FILES = ("kafka_password", "schema_registry_password", "redis", "deliver_url", "deliver_secret")
"""Settings that may stand in a file, whose path `NAME_file` says."""
FILE = "refrain.toml"

REMEMBERED_DAYS = 91  # for so long stages are remembered (`models.traits.weeks.KEPT`)
RECORDED_DAYS = 60  # for so long active days are (`models.traits.activity.DAYS`)

# One server: a name, an IPv4 address or an IPv6 one in brackets, and a port.
KAFKA_SERVER = re.compile(r"([\w.-]+|\[[\da-fA-F:.%]+\]):\d{1,5}")


def _kafka_servers(servers: str) -> str:
    for server in servers.split(",") if servers else ():
        if not KAFKA_SERVER.fullmatch(server.strip()):
            raise ValueError("Kafka servers are host:port,host:port; no user, no password, no protocol")
    return servers


def _redis_url(url: str) -> str:
    return check_redis_url(url) if url else url


def _http_url(url: str) -> str:
    if url and not re.match(r"https?://[^/@]+(/|$)", url):
        raise ValueError("a URL here is https://host/path; no user, no password")
    return url


HTTPS = re.compile(r"https://[\w.\[\]:-]+(/\S*)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/\S*)?")


def _deliver_url(url: SecretStr) -> SecretStr:
    if (said := url.get_secret_value()) and not HTTPS.fullmatch(said):
        raise ValueError(
            "https://host/path; http:// to this machine alone, as pages name listeners; no user, no password"
        )
    return url


def _deliver_secret(secret: SecretStr) -> SecretStr:
    from stream.webhook_secret import webhook_keys  # noqa: PLC0415 - most processes sign nothing

    webhook_keys(secret.get_secret_value())
    return secret


def _forget_dormant_days(days: float) -> float:
    if 0 < days < REMEMBERED_DAYS:
        raise ValueError(
            f"0 (nobody is erased), or from {REMEMBERED_DAYS} on: `refrain lifecycle` looks back over"
            " 13 weeks"
        )
    return days


def _quiet_hours(written: str) -> str:
    if written:
        from models.quiet_hours import QuietHours  # noqa: PLC0415 - it takes NumPy: no `--help` waits for that

        QuietHours.parse(written)
    return written


def _ab_policy(policy: str) -> str:
    if policy and not re.fullmatch(r"taste|ctr:[1-9]\d*", policy):
        raise ValueError(f"there is no policy {policy!r}: `taste`, or `ctr:7` for version 7 of who clicks")
    return policy


class Settings(BaseSettings):
    """What an operator may turn, read from the environment (``REFRAIN_`` and the name) or ``refrain.toml``.

    The environment wins over the file. Nothing else in the code reads the environment.

    Examples
    --------
    >>> Settings(cohorts=12).cohorts
    12
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        toml_file=FILE,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # one of them may be a password
    )

    kafka: Annotated[str, AfterValidator(_kafka_servers)] = Field(
        "",
        description="Kafka bootstrap servers, `host:port,host:port`; empty: `refrain up` and `refrain "
        "demo` start one, other commands use the one that `refrain up` runs",
    )
    kafka_cluster: str = Field(
        "",
        description="id that Kafka's cluster must have. Set it once after a move to another cluster; "
        "empty: the id that Redis remembers",
    )
    kafka_security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext",
        description="Kafka's security protocol: TLS (`ssl`), authentication (`sasl_plaintext`), or both "
        "(`sasl_ssl`)",
    )
    kafka_sasl_mechanism: Literal["plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "gssapi"] = Field(
        "scram-sha-512",
        description="how clients authenticate: by password, token (`oauthbearer`) or Kerberos ticket "
        "(`gssapi`)",
    )
    kafka_username: str = Field("", description="Kafka's user, for `sasl_plaintext` and `sasl_ssl`")
    kafka_password: SecretStr = Field(
        SecretStr(""), description="password of REFRAIN_KAFKA_USERNAME; no command, log or error shows it"
    )
    kafka_password_file: Path | None = Field(
        None, description="file that has the password; set this or REFRAIN_KAFKA_PASSWORD"
    )
    kafka_token_file: Path | None = Field(
        None, description="file that has the token for `oauthbearer`; it is read at each connection"
    )
    kafka_token_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description="URL that gives a token for `oauthbearer` by client credentials: the client's id is "
        "REFRAIN_KAFKA_USERNAME, its secret REFRAIN_KAFKA_PASSWORD",
    )
    kafka_token_scope: str = Field("", description="scope that is asked for there; empty: none")
    kafka_kerberos_service: str = Field(
        "kafka", min_length=1, description="service name in the broker's Kerberos principal, for `gssapi`"
    )
    kafka_ca_file: Path | None = Field(
        None,
        description="certificates (PEM) that Kafka's certificate is checked against; empty: those of the "
        "system",
    )
    kafka_cert_file: Path | None = Field(
        None, description="Refrain's own certificate (PEM), if Kafka asks for one (mutual TLS)"
    )
    kafka_key_file: Path | None = Field(
        None, description="key (PEM) of that certificate; empty: it is in the certificate's file"
    )

    schema_registry_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description="Confluent Schema Registry by which Avro and Protobuf are read (extra "
        "`schema-registry`); empty: framed values must be JSON",
    )
    schema_registry_username: str = Field("", description="user of the registry; empty: none")
    schema_registry_password: SecretStr = Field(
        SecretStr(""), description="password of REFRAIN_SCHEMA_REGISTRY_USERNAME"
    )
    schema_registry_password_file: Path | None = Field(
        None, description="file that has that password; set this or REFRAIN_SCHEMA_REGISTRY_PASSWORD"
    )
    schema_registry_ca_file: Path | None = Field(
        None,
        description="certificates (PEM) that the registry's certificate is checked against; empty: those "
        "of the system",
    )

    redis: Annotated[str, AfterValidator(_redis_url)] = Field(
        "",
        description="URL of Redis: redis://, rediss:// (TLS), unix:// or redis+sentinel://; empty: "
        "`refrain up` and `refrain demo` start one, other commands use the one that `refrain "
        "up` runs",
    )
    redis_file: Path | None = Field(None, description="file that has that URL; set this or REFRAIN_REDIS")
    redis_replicas: int = Field(
        0,
        ge=0,
        description="replicas that must have all that was written before offsets are committed and pages "
        "sent, so that a failover loses nothing; 0: they are not waited for",
    )

    data: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("refrain"),
        description="folder for the data of the Kafka and Redis that `refrain up` starts, for its logs, "
        "and for notes of `refrain replay` and `refrain history load`",
    )
    broker: Literal["auto", "docker", "java"] = Field(
        "auto",
        description="how `refrain up` starts a broker; auto: by Docker if it answers, else by Java. A data "
        "folder keeps the choice that it began with",
    )
    connect_timeout: float = Field(
        30.0,
        gt=0,
        description="seconds that a process waits for Kafka and Redis when it starts; then it gives up",
    )

    group: str = Field("refrain", min_length=1, description="prefix of the Kafka consumer groups")
    partitions: int = Field(8, ge=1, le=10_000, description="partitions of topics that Refrain creates")
    replication: int = Field(1, ge=1, description="replicas of topics that Refrain creates")
    retention_days: float = Field(
        7.0,
        gt=0,
        description="days for which topics that Refrain creates keep events. It does not change topics "
        "that exist: set it to what they have (`retention.ms`)",
    )

    half_life_days: float = Field(30.0, ge=7, description="days after which a click counts half")
    max_artists: int = Field(
        1000, ge=8, le=10_000, description="most artists that are stored of a listener, the strongest"
    )
    bot_clicks_per_hour: int = Field(
        1000,
        ge=1,
        description="a listener with more clicks in one hour is a bot: in no cohort and no audience",
    )
    bot_plays_per_day: int = Field(
        2880,
        ge=1,
        description="a listener with more plays in one day (2880: one every 30 s, around the clock), or "
        "with more than 24 hours of them, is a bot, too; needs REFRAIN_RECORD_ACTIVITY",
    )
    least_ms_played: int = Field(
        0,
        ge=0,
        description="a play of fewer milliseconds adds to no affinity, teaches nothing, and does not count "
        "for a release of its song; a play without `ms_played` does all of that",
    )
    event_ids: int = Field(
        64,
        ge=0,
        le=1024,
        description="how many `event_id` are remembered of a listener (8 bytes each, for a week after the "
        "last): a click with one of them does not count again; 0: they are not looked at",
    )
    record_activity: bool = Field(
        True,
        description="record what listeners do day by day, and which songs they heard last; traits are "
        "computed from it. `false` also erases what is on record of all listeners",
    )
    song_wait_hours: float = Field(
        24.0,
        gt=0,
        description="hours for which a click waits for its song to come into the catalogue; then it is a "
        "dead letter",
    )
    merge_undo_days: float = Field(
        7.0,
        ge=0,
        le=365,
        description="days for which a merge (topic `merges`) can be undone; for so long the id's data "
        "stays in Redis, about as much as of a listener; 0: it cannot be undone",
    )
    resident_mb: float = Field(
        1024.0,
        gt=0,
        description="memory for the listeners that an ingester holds, in MB; one takes about 1 KB",
    )
    batch_clicks: int = Field(
        5000, ge=1, le=100_000, description="most clicks that are read at once from a backlog"
    )

    new_days: float = Field(
        14.0, ge=1, description="days from the first click for which a listener's stage is `new`"
    )
    regular_days: float = Field(
        2.0,
        gt=0,
        le=7,
        description="a listener with at least so many active days a week, over four weeks, is `regular`",
    )
    fading_share: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="a regular listener is `fading` when their active days a week over the last two weeks "
        "are at most this share of those over the four weeks before",
    )
    stage_dormant_days: float = Field(
        14.0,
        ge=1,
        description="days without activity after which a listener's stage is `dormant`; this does not "
        "affect who is notified: see REFRAIN_DORMANT_DAYS",
    )
    stage_gone_days: float = Field(
        60.0, ge=1, description="days without activity after which a listener's stage is `gone`"
    )
    returned_days: float = Field(
        14.0,
        ge=1,
        description="days for which the stage of a listener who was dormant or gone is `returned`; with "
        "REFRAIN_STAGE_DORMANT_DAYS at most 60, as long as what listeners do is on record",
    )
    traits_round_minutes: float = Field(
        60.0,
        gt=0,
        le=1440,
        description="minutes after which the traits of all listeners are computed again, as far as a "
        "tenth of a core allows; those of a listener who clicks are computed within seconds",
    )
    churn_days: int = Field(
        14, ge=1, le=30, description="a listener without activity for so many days has churned"
    )
    churn_history_days: int = Field(
        30,
        ge=7,
        le=45,
        description="days of activity that churn is predicted from; it is not predicted for listeners "
        "without activity in them",
    )
    churn_sample: int = Field(
        2000, ge=100, le=50_000, description="listeners that are drawn each day to learn churn from"
    )

    cohorts: Annotated[int, Field(ge=2, le=4096)] | Literal["auto"] = Field(
        48,
        description="number of cohorts; auto: as many as help to predict discoveries, changing slowly",
    )
    smallest_cohort: int = Field(
        50, ge=2, description="with REFRAIN_COHORTS=auto: least number of listeners a cohort, on average"
    )
    dims: int = Field(64, ge=2, le=512, description="dimensions of artist vectors and tastes")
    activity: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how much a listener's activity counts beside their taste: the higher, the more often "
        "active listeners are notified; 0: not at all",
    )
    margin: float = Field(
        0.03,
        ge=0,
        lt=1,
        description="how much closer (cosine) another cohort must be to a listener's taste before they "
        "move to it",
    )
    vocabulary: int = Field(
        200_000, ge=100, description="most artists that the model knows, those with the most listeners"
    )
    first_model_listeners: int = Field(
        500, ge=2, description="listeners with a taste that are needed before the first model is published"
    )
    publish_every: float = Field(
        30.0,
        gt=0,
        description="seconds after which what was learned is compared with the model that serves; the "
        "time doubles while it ranks no better, up to REFRAIN_PUBLISH_AT_LATEST",
    )
    publish_at_latest: float = Field(
        900.0,
        gt=0,
        description="seconds after which a model is published even if it ranks no better; one that ranks "
        "worse is not published, except after a change of REFRAIN_ACTIVITY",
    )

    max_audience: int = Field(
        10_000, ge=1, description="most listeners who are notified of a release that sets no `max_audience`"
    )
    release_age_hours: float = Field(
        24.0,
        ge=0,
        description="hours after its publication (the time of its message in Kafka) in which a release is "
        "still announced; nobody is told of an older one that no worker has begun; 0: announced at any age",
    )
    told_a_day: int = Field(
        3, ge=0, le=100, description="most notifications that a listener gets in any 24 hours; 0: no limit"
    )
    told_a_week: int = Field(
        10, ge=0, le=500, description="most notifications that a listener gets in any 7 days; 0: no limit"
    )
    told_gap_minutes: float = Field(
        0.0,
        ge=0,
        le=90 * 24 * 60,
        description="least minutes between two notifications of a listener, up to 90 days",
    )
    told_artist_hours: float = Field(
        24.0,
        ge=0,
        le=90 * 24,
        description="least hours between two notifications of a listener about the same artist, up to 90 "
        "days; of a listener the latest 512 notifications are known",
    )
    quiet_hours: Annotated[str, AfterValidator(_quiet_hours)] = Field(
        "",
        description="hours of the listener's own clock (`utc_offset_min` of their clicks) in which they "
        "are not notified, such as `22-8`; those who would have been are notified when these "
        "hours end; empty: none",
    )
    dormant_days: float = Field(
        0.0, ge=0, description="days without a click after which a listener is not notified; 0: no limit"
    )

    click_value: float = Field(
        1.0,
        gt=0,
        description="value of a click, in the same unit as REFRAIN_IGNORED_COST and REFRAIN_OPT_OUT_COST",
    )
    ignored_cost: float = Field(
        0.005,
        ge=0,
        description="cost of a notification that is not clicked. Once a CTR model serves, a release that "
        "sets no `max_audience` goes to listeners as long as one more notification is "
        "expected to gain more than it costs",
    )
    opt_out_cost: float = Field(5.0, ge=0, description="cost of an opt-out that follows a notification")
    learn_clicks_after_minutes: float = Field(
        60.0,
        gt=0,
        description="minutes after a release until listeners who have not clicked are learned as "
        "not clicking; later clicks, up to REFRAIN_PLAYED_WITHIN_HOURS, correct that",
    )
    played_within_hours: float = Field(
        24.0, gt=0, description="hours after a release within which a play of its song counts for it"
    )
    first_wave: float = Field(
        0.1,
        gt=0,
        le=1,
        description="share of an audience that the first wave notifies, once a CTR model serves; there "
        "are waves only if the first wave has at least 100 listeners; 1: no waves",
    )
    wave_minutes: float = Field(15.0, gt=0, description="minutes from one wave of a release to the next")

    control: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of each audience that is not notified, drawn separately for each release, for "
        "comparison",
    )
    holdout: float = Field(
        0.0, ge=0, lt=1, description="share of all listeners who are never notified, always the same ones"
    )
    ab_policy: Annotated[str, AfterValidator(_ab_policy)] = Field(
        "",
        description="A/B test: policy that ranks part of the listeners in place of the usual one: `taste` "
        "(their taste alone) or `ctr:7` (version 7 of the CTR model); empty: no test",
    )
    ab_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of all listeners who are ranked by REFRAIN_AB_POLICY, always the same ones",
    )
    salt: str = Field(
        "refrain",
        description="salt of the hash that draws listeners for REFRAIN_CONTROL, REFRAIN_HOLDOUT and "
        "REFRAIN_AB_POLICY; another salt draws others",
    )

    recommended_minutes: float = Field(
        15.0,
        ge=0,
        description="minutes for which the songs recommended to a listener stay the same, whatever they "
        "play meanwhile; 0: they are computed each time",
    )
    members_mb: float = Field(
        1000.0,
        gt=0,
        description="memory for tastes in a worker, in MB (about 2.2 million listeners with 64 dimensions "
        "and 12 artists); of cohorts that do not fit, the best are read for each release",
    )
    forget_dormant_days: Annotated[float, AfterValidator(_forget_dormant_days)] = Field(
        0.0,
        ge=0,
        description="days without a click after which `refrain traits` erases a listener from Redis; 0: "
        "never. With less than 91 + REFRAIN_STAGE_GONE_DAYS, `refrain lifecycle` counts fewer weeks, and its "
        "forecasts are worse",
    )
    release_days: float = Field(
        90.0,
        gt=0,
        description="days after which a release, or a cohort that no longer exists, is deleted from Redis",
    )

    deliver_url: Annotated[SecretStr, AfterValidator(_deliver_url)] = Field(
        SecretStr(""),
        description="HTTPS endpoint that `refrain deliver` posts audiences to; no log shows more than its "
        "host; empty: none",
    )
    deliver_url_file: Path | None = Field(
        None, description="file that has that URL; set this or REFRAIN_DELIVER_URL"
    )
    deliver_secret: Annotated[SecretStr, AfterValidator(_deliver_secret)] = Field(
        SecretStr(""),
        description="secret that posts are signed with: `whsec_` and 24 to 64 random bytes in base64; two "
        "with a space between them while one replaces the other",
    )
    deliver_secret_file: Path | None = Field(
        None, description="file that has that secret; set this or REFRAIN_DELIVER_SECRET"
    )
    deliver_ca_file: Path | None = Field(
        None,
        description="certificates (PEM) that the endpoint's certificate is checked against; empty: those "
        "of the system",
    )
    deliver_cohort_changes: bool = Field(False, description="post changes of cohort to the endpoint, too")
    deliver_timeout: float = Field(
        15.0, gt=0, le=300, description="seconds that the endpoint has to answer; then the post is repeated"
    )
    deliver_retry_hours: float = Field(
        24.0,
        gt=0,
        description="hours for which a page that the endpoint does not take is posted again; then it is a "
        "dead letter",
    )
    deliver_folder: Path | None = Field(
        None,
        description="folder that `refrain deliver` writes a CSV file to for each release; empty: no files",
    )

    web_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address that `refrain serve` listens on; if other machines can reach it, it needs "
        "keys (`refrain key add`)",
    )
    web_port: int = Field(8787, ge=1, le=65_535, description="port that `refrain serve` listens on")
    web_requests_a_minute: int = Field(
        1200, ge=1, description="most requests of a key in a minute; without keys, of an address"
    )

    metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="address at which each process answers Prometheus"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_000,
        description="port at which a process answers Prometheus (`/metrics`); processes that `refrain up` "
        "starts get this port and the next ones; 0: none",
    )
    otel_endpoint: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description="OTLP endpoint that traces of releases are sent to, such as `http://collector:4318` "
        "(extra `otel`); empty: OTEL_EXPORTER_OTLP_ENDPOINT, and if that is not set, there "
        "are no traces",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, given: dict[str, Any]) -> dict[str, Any]:
        return given | {name: _secret(name, given) for name in IN_FILES if given.get(f"{name}_file")}

    @model_validator(mode="after")
    def _kafka_options_that_count(self) -> Settings:
        protocol = self.kafka_security_protocol
        said = f"{PREFIX}KAFKA_SECURITY_PROTOCOL={protocol}"
        sasl = self.kafka_sasl_mechanism if protocol.startswith("sasl") else ""
        if sasl == "oauthbearer":
            if bool(self.kafka_token_file) == bool(self.kafka_token_url):
                raise ValueError(
                    f"oauthbearer needs one of {PREFIX}KAFKA_TOKEN_FILE and {PREFIX}KAFKA_TOKEN_URL"
                )
            if self.kafka_token_url and not (self.kafka_username and self.kafka_password):
                raise ValueError(
                    f"{PREFIX}KAFKA_TOKEN_URL needs {PREFIX}KAFKA_USERNAME and {PREFIX}KAFKA_PASSWORD"
                )
        elif sasl and sasl != "gssapi" and not (self.kafka_username and self.kafka_password):
            raise ValueError(f"{said} needs {PREFIX}KAFKA_USERNAME and {PREFIX}KAFKA_PASSWORD")
        with_password = sasl not in ("", "gssapi") and not (sasl == "oauthbearer" and self.kafka_token_file)
        unused = [] if with_password else ["kafka_username", "kafka_password"]
        unused += [] if sasl == "oauthbearer" else ["kafka_token_file", "kafka_token_url"]
        unused += [] if self.kafka_token_url else ["kafka_token_scope"]
        unused += [] if protocol.endswith("ssl") else ["kafka_ca_file", "kafka_cert_file", "kafka_key_file"]
        if useless := [name for name in unused if getattr(self, name)]:
            by = f" by {sasl}" if sasl else ""
            raise ValueError(f"{said}{by} makes no use of {PREFIX}{useless[0].upper()}")
        if self.kafka_key_file and not self.kafka_cert_file:
            raise ValueError(
                f"{PREFIX}KAFKA_KEY_FILE is the key of {PREFIX}KAFKA_CERT_FILE, which is missing"
            )
        if protocol != "plaintext" and not self.kafka:
            raise ValueError(f"{said} needs {PREFIX}KAFKA: what `refrain up` starts speaks plaintext")
        return self

    @model_validator(mode="after")
    def _returns_that_are_on_record(self) -> Settings:
        if self.returned_days + self.stage_dormant_days > RECORDED_DAYS:
            raise ValueError(
                f"{PREFIX}RETURNED_DAYS and {PREFIX}STAGE_DORMANT_DAYS are more than {RECORDED_DAYS} in all:"
                " what listeners do is on record for no longer"
            )
        return self

    @model_validator(mode="after")
    def _deliver_options_that_count(self) -> Settings:
        if self.deliver_url and not self.deliver_secret:
            raise ValueError(f"{PREFIX}DELIVER_URL needs {PREFIX}DELIVER_SECRET: posts are signed")
        unused = () if self.deliver_url else ("deliver_secret", "deliver_ca_file", "deliver_cohort_changes")
        if useless := [name for name in unused if getattr(self, name)]:
            raise ValueError(f"{PREFIX}{useless[0].upper()} is of no use without {PREFIX}DELIVER_URL")
        return self

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        """Yield names and values, as `repr` is to show them."""
        for name, value in super().__repr_args__():
            yield name, shown(value) if name == "redis" else value

    def as_environment(self) -> dict[str, str]:
        """Return the variables by which another process has exactly these settings.

        The password is among them, unless it is in a file.

        Examples
        --------
        >>> Settings(cohorts=12).as_environment()["REFRAIN_COHORTS"]
        '12'
        """
        in_files = {name for name in IN_FILES if getattr(self, f"{name}_file")}
        given = {
            name: value
            for name, value in self.model_dump().items()
            if value is not None and name not in in_files
        }
        return {f"{PREFIX}{name.upper()}": _plain(value) for name, value in given.items()}

    @property
    def half_life(self) -> float:
        """The half-life of an affinity in seconds."""
        return self.half_life_days * 86400.0

    @property
    def song_wait_seconds(self) -> float:
        """For how long a click waits for its song, in seconds."""
        return self.song_wait_hours * 3600.0

    @property
    def learn_clicks_after_seconds(self) -> float:
        """Seconds after a release until it is learned who clicked."""
        return self.learn_clicks_after_minutes * 60.0

    @property
    def wave_seconds(self) -> float:
        """Seconds from one wave of a release to the next."""
        return self.wave_minutes * 60.0

    @property
    def played_within_seconds(self) -> float:
        """For how long plays of a released song count for its release, in seconds."""
        return self.played_within_hours * 3600.0

    @property
    def merge_undo_seconds(self) -> float:
        """For how long a merge may be undone."""
        return self.merge_undo_days * 86400.0

    @property
    def recommended_seconds(self) -> float:
        """For how long the songs recommended to a listener stay the same, in seconds."""
        return self.recommended_minutes * 60.0

    @property
    def forget_dormant_seconds(self) -> float:
        """Seconds without a click after which a listener is erased; 0: nobody is."""
        return self.forget_dormant_days * 86400.0

    @property
    def retention_seconds(self) -> float:
        """For how long the topics keep events."""
        return self.retention_days * 86400.0

    @property
    def deliver_retry_seconds(self) -> float:
        """For how long a page that an endpoint does not take is posted again, in seconds."""
        return self.deliver_retry_hours * 3600.0

    @property
    def release_seconds(self) -> float:
        """For how long a release, or a cohort that died, is remembered, in seconds."""
        return self.release_days * 86400.0


def _secret(name: str, given: dict[str, Any]) -> str:
    """Return what stands in a file in place of a setting."""
    path = Path(given[f"{name}_file"])
    said = f"{PREFIX}{name.upper()}_FILE={path}"
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"{said} cannot be read: {reason}") from None
    if not secret:
        raise ValueError(f"{said} is empty")
    # Whoever builds settings from others has both.
    if given.get(name) and _plain(given[name]) != secret:
        raise ValueError(f"{PREFIX}{name.upper()} is set, and {said}, too: set one of them")
    return secret


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def load_settings() -> Settings:
    """Read the settings from the environment and ``refrain.toml``.

    Raises
    ------
    SettingsError
        Where a value cannot be used: it names the setting, the value and what is allowed. Where a variable
        that begins with ``REFRAIN_``, or a key of the file, is no setting: it names the nearest one.
    """
    variables = [name for name in os.environ if name.upper().startswith(PREFIX)]
    unknown = [_unknown(name, PREFIX) for name in variables if name[len(PREFIX) :].lower() not in FIELDS]
    try:
        settings = Settings()
    except TOMLDecodeError as error:
        raise SettingsError(f"{FILE} is not TOML: {error}") from error
    except ValidationError as error:
        raise _settings_error(unknown + _problems(error)) from error
    if unknown:
        raise _settings_error(unknown)
    return settings


def _settings_error(problems: Sequence[str]) -> SettingsError:
    return SettingsError("; ".join(problems), hint="docs/settings.md lists all settings.")


FIELDS = frozenset(Settings.model_fields)


def _problems(error: ValidationError) -> list[str]:
    """Say what is wrong with each setting, once; one that may be of several kinds has an error for each."""
    unknown: list[str] = []
    wrong: dict[str, tuple[str, list[str]]] = {}
    for each in error.errors():
        if not each["loc"]:  # settings that do not go together
            unknown.append(each["msg"].removeprefix("Value error, "))
            continue
        name = str(each["loc"][0])
        if each["type"] == "extra_forbidden":
            unknown.append(f"{FILE}: {_unknown(name)}")
        else:
            given = wrong.setdefault(name, (_given(name, each["input"]), []))
            given[1].append(each["msg"].removeprefix("Value error, "))
    return unknown + [
        f"{PREFIX}{name.upper()}={given}: {', or: '.join(said)}" for name, (given, said) in wrong.items()
    ]


def _unknown(name: str, prefix: str = "") -> str:
    nearest, _, _ = extractOne(name[len(prefix) :].lower(), sorted(FIELDS))
    return f"{name} is not a setting; the nearest is {prefix}{nearest.upper() if prefix else nearest}"


def _given(name: str, value: object) -> str:
    """Return a value as it may be shown."""
    text = str(value)
    if name.endswith(("password", "secret")) or name == "deliver_url":
        return "'***'"
    if name == "redis" or (name == "kafka" and re.search("@|://", text)) or "@" in text:
        return repr(shown(text))
    return repr(value)
