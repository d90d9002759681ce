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

# One server: a name, an IPv4 address or an IPv6 one in brackets, and a port.
KAFKA_SERVER = re.compile(r"([\w.-]+|\[[\da-fA-F:.%]+\])(:\d{1,5})?")


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


def _quiet_hours(written: str) -> str:
    if written:
        from models.quiet_hours import QuietHours  # noqa: PLC0415 - it takes NumPy: no `--help` waits for that

        QuietHours.parse(written)
    return written


def _forget_dormant_days(days: float) -> float:
    if 0 < days < REMEMBERED_DAYS:
        raise ValueError(
            f"0 (nobody is erased), or from {REMEMBERED_DAYS} on: `refrain lifecycle` counts those who left"
            " over 13 weeks"
        )
    return days


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
        "", description="Kafka bootstrap servers, `host:port,host:port`; empty: start one"
    )
    kafka_cluster: str = Field(
        "",
        description="the id of Kafka's cluster, to be sure of it, or to go on with another than the one that "
        "Redis remembers; empty: the one it remembers",
    )
    kafka_security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="Kafka's security protocol: over TLS (`ssl`), with a password (`sasl`), both"
    )
    kafka_sasl_mechanism: Literal["plain", "scram-sha-256", "scram-sha-512", "oauthbearer", "gssapi"] = Field(
        "scram-sha-512", description="how we say who we are: by password, token or Kerberos ticket (`gssapi`)"
    )
    kafka_username: str = Field(
        "", description="the user that Kafka knows, for `sasl_plaintext` and `sasl_ssl`"
    )
    kafka_password: SecretStr = Field(
        SecretStr(""), description="its password; no command, log or error shows it"
    )
    kafka_password_file: Path | None = Field(
        None, description="a file with the password in its place, as secrets of containers are given"
    )
    kafka_token_file: Path | None = Field(
        None, description="a file with the token for `oauthbearer`; it is read at each connection"
    )
    kafka_token_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description="where a client's credentials get the token for `oauthbearer`: its id is "
        "`kafka_username`, its secret `kafka_password`",
    )
    kafka_token_scope: str = Field("", description="the scope asked for there; empty: none")
    kafka_kerberos_service: str = Field(
        "kafka", min_length=1, description="the primary of the broker's Kerberos principal, for `gssapi`"
    )
    kafka_ca_file: Path | None = Field(
        None, description="certificates (PEM) that Kafka's is checked by; none: those of the system"
    )
    kafka_cert_file: Path | None = Field(
        None, description="our own certificate (PEM), where Kafka asks for one (mutual TLS)"
    )
    kafka_key_file: Path | None = Field(
        None, description="its key (PEM); none: it stands in the certificate's file"
    )
    schema_registry_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description="the Confluent Schema Registry whose schemas values name: Avro and Protobuf are read by "
        "it (extra `schema-registry`); empty: of framed values JSON alone is read",
    )
    schema_registry_username: str = Field("", description="the user that the registry knows; empty: none")
    schema_registry_password: SecretStr = Field(SecretStr(""), description="its password")
    schema_registry_password_file: Path | None = Field(
        None, description="a file with that password in its place"
    )
    schema_registry_ca_file: Path | None = Field(
        None, description="certificates (PEM) that the registry's is checked by; none: those of the system"
    )
    redis: Annotated[str, AfterValidator(_redis_url)] = Field(
        "",
        description="Redis, a redis://, rediss:// (TLS), unix:// or redis+sentinel:// URL; empty: start one",
    )
    redis_file: Path | None = Field(
        None, description="a file with that URL in its place, as secrets of containers are given"
    )
    redis_replicas: int = Field(
        0,
        ge=0,
        description="replicas of Redis that must have what an event changes before its offset is "
        "committed, so that a failover loses nothing; 0: none are waited for",
    )
    data: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("refrain"),
        description="where `refrain up` keeps Kafka's and Redis's data between runs",
    )
    broker: Literal["auto", "docker", "java"] = Field(
        "auto", description="how `refrain up` gets a broker where none is given"
    )
    group: str = Field("refrain", min_length=1, description="prefix of the Kafka consumer groups")
    partitions: int = Field(8, ge=1, le=10_000, description="partitions of a topic that Refrain creates")
    replication: int = Field(1, ge=1, description="replicas of a topic that Refrain creates")
    retention_days: float = Field(7.0, gt=0, description="how long the topics keep events, in days")
    connect_timeout: float = Field(
        30.0, gt=0, description="seconds to wait for Kafka and Redis at the start before giving up"
    )

    half_life_days: float = Field(30.0, ge=7, description="days after which a click counts half")
    max_artists: int = Field(1000, ge=8, le=10_000, description="artists kept for a listener, the strongest")
    bot_clicks_per_hour: int = Field(
        1000, ge=1, description="a listener with more clicks in one hour is a bot: in no cohort, no audience"
    )
    bot_plays_per_day: int = Field(
        2880,
        ge=1,
        description="a listener with more plays in one day (2880: of 30 s each around the clock), or with"
        " more than 24 hours of them, is a bot, too; asks for REFRAIN_RECORD_ACTIVITY",
    )
    least_ms_played: int = Field(
        0, ge=0, description="a play of fewer milliseconds adds to no affinity; one that says none does"
    )
    event_ids: int = Field(
        64,
        ge=0,
        le=1024,
        description="how many `event_id` are remembered of a listener (8 bytes each, for a week): a click"
        " with one of them counts no more; 0: they are not looked at",
    )
    record_activity: bool = Field(
        True, description="record what listeners do day by day, and which songs they heard lately"
    )
    new_days: float = Field(
        14.0, ge=1, description="days from the first click on for which a listener's stage is `new`"
    )
    regular_days: float = Field(
        2.0,
        gt=0,
        le=7,
        description="days with a click a week, over four weeks, from which a listener's stage is `regular`",
    )
    fading_share: float = Field(
        0.5,
        ge=0,
        lt=1,
        description="a regular listener's stage is `fading` whose days with a click, a week, over the last "
        "two weeks are at most this share of those over the four weeks before",
    )
    stage_dormant_days: float = Field(
        14.0,
        ge=1,
        description="days without a click after which a listener's stage is `dormant`; who is told, "
        "`dormant_days` says",
    )
    stage_gone_days: float = Field(
        60.0, ge=1, description="days without a click after which a listener's stage is `gone`"
    )
    returned_days: float = Field(
        14.0,
        ge=1,
        description="days for which a listener's stage is `returned` who was dormant or gone before",
    )
    traits_round_minutes: float = Field(
        60.0,
        gt=0,
        le=1440,
        description="minutes after which all listeners' traits are computed anew, as far as a tenth of a "
        "core does; those of listeners who click, within seconds",
    )
    churn_days: int = Field(
        14, ge=1, le=30, description="a listener who does nothing for so many days has churned"
    )
    churn_history_days: int = Field(
        30,
        ge=7,
        le=45,
        description="days by which it is predicted who churns; who did nothing in them is gone already",
    )
    churn_sample: int = Field(
        2000, ge=100, le=50_000, description="listeners frozen each day, to learn from them who churns"
    )
    resident_mb: float = Field(
        1024.0,
        gt=0,
        description="memory for listeners that an ingester keeps at hand, in MB; one takes some 1 KB",
    )
    batch_clicks: int = Field(5000, ge=1, le=100_000, description="clicks read at once from a backlog")

    song_wait_hours: float = Field(
        24.0, gt=0, description="hours that a click waits for its song to come into the catalogue"
    )

    cohorts: Annotated[int, Field(ge=2, le=4096)] | Literal["auto"] = Field(
        48,
        description="how many cohorts; auto: as many as help to foresee discoveries, changing slowly",
    )
    smallest_cohort: int = Field(
        50, ge=2, description="listeners a cohort has on average, at least, where their number is auto"
    )
    dims: int = Field(64, ge=2, le=512, description="dimensions of a taste")
    activity: float = Field(
        0.5,
        ge=0,
        le=1,
        description="how much more often active listeners are told: how far a listener's activity counts "
        "beside what they like, 0 not at all",
    )
    margin: float = Field(
        0.03,
        ge=0,
        lt=1,
        description="how much nearer another cohort must be before a listener moves (cosine)",
    )
    vocabulary: int = Field(200_000, ge=100, description="artists the model knows, the most heard")
    first_model_listeners: int = Field(
        500, ge=2, description="listeners with a taste before the first model is published"
    )
    publish_every: float = Field(
        30.0, gt=0, description="seconds until what was learned is compared with the model that serves"
    )
    publish_at_latest: float = Field(
        900.0,
        gt=0,
        description="seconds between two models at most; one that ranks no better waits so long",
    )

    max_audience: int = Field(
        10_000, ge=1, description="listeners told at most of a release that sets no max_audience"
    )
    told_a_day: int = Field(
        3, ge=0, description="notifications that a listener gets in any 24 hours at most; 0: any number"
    )
    told_a_week: int = Field(
        10, ge=0, description="notifications that a listener gets in any 7 days at most; 0: any number"
    )
    told_gap_minutes: float = Field(
        0.0, ge=0, description="minutes between two notifications to a listener, at least"
    )
    told_artist_hours: float = Field(
        24.0, ge=0, description="hours between two notifications to a listener of the same artist, at least"
    )
    quiet_hours: Annotated[str, AfterValidator(_quiet_hours)] = Field(
        "",
        description="hours of the listener's clock (`utc_offset_min` of their clicks) in which they are not "
        "told, such as `22-8`: who would have been is told when they end; empty: none",
    )
    dormant_days: float = Field(
        0.0, ge=0, description="days without a click after which a listener is not told; 0: everybody is"
    )
    learn_clicks_after_minutes: float = Field(
        60.0,
        gt=0,
        description="minutes after a release until who has not clicked is learned as not clicking; clicks "
        "that come later, up to `played_within_hours`, correct it",
    )
    first_wave: float = Field(
        0.1,
        gt=0,
        le=1,
        description="share of an audience that is told first, once it is learned who clicks: where it is "
        "clicked, more are told; 1: all are told at once",
    )
    wave_minutes: float = Field(15.0, gt=0, description="minutes from one wave of a release to the next")
    played_within_hours: float = Field(
        24.0, gt=0, description="hours within which a play of the released song counts for its release"
    )
    click_value: float = Field(
        1.0, gt=0, description="what a click is worth, in the unit of the next two; see `ignored_cost`"
    )
    ignored_cost: float = Field(
        0.005,
        ge=0,
        description="what a notification costs that is not clicked: a release that sets no max_audience goes "
        "to whom one more notification is expected to gain more than it costs, once it is learned who clicks",
    )
    opt_out_cost: float = Field(5.0, ge=0, description="what it costs when a listener opts out")
    control: float = Field(
        0.05,
        ge=0,
        lt=1,
        description="share of each audience that is not told, drawn anew for each release: what telling "
        "brings is seen beside them",
    )
    holdout: float = Field(
        0.0, ge=0, lt=1, description="share of all listeners who are told of no release, always the same ones"
    )
    ab_policy: Annotated[str, AfterValidator(_ab_policy)] = Field(
        "",
        description="an A/B test: part of the listeners are told by another policy than the usual one, by "
        "`taste` (what they play, alone) or `ctr:7` (version 7 of who clicks); empty: nobody is",
    )
    ab_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="share of all listeners who are told by `ab_policy`, always the same ones",
    )
    salt: str = Field(
        "refrain", description="another salt draws other listeners for `control`, `holdout` and `ab_policy`"
    )
    merge_undo_days: float = Field(
        7.0,
        ge=0,
        le=365,
        description="for so long after a merge (topic `merges`) it may be undone: what there was of the id "
        "stays in Redis, about as large as a listener; 0: it cannot be",
    )
    recommended_minutes: float = Field(
        15.0,
        ge=0,
        description="minutes for which songs recommended to a listener are recommended again, whatever they "
        "play meanwhile; 0: each time anew",
    )
    forget_dormant_days: Annotated[float, AfterValidator(_forget_dormant_days)] = Field(
        0.0,
        ge=0,
        description="days without a click after which a listener is erased from Redis; `refrain traits` does "
        "it; 0: nobody is; from 91 on, as stages are remembered for 13 weeks",
    )
    members_mb: float = Field(
        1000.0,
        gt=0,
        description="memory of a worker for tastes, in MB (some 2.2 million listeners of 64 dimensions and "
        "12 artists); of cohorts beyond it the best are read for each release",
    )
    release_days: float = Field(
        90.0, gt=0, description="days after which a release, or a cohort that died, is forgotten in Redis"
    )

    deliver_url: Annotated[SecretStr, AfterValidator(_deliver_url)] = Field(
        SecretStr(""),
        description="HTTPS endpoint that `refrain deliver` posts audiences to; no log shows more than its "
        "host; empty: none",
    )
    deliver_url_file: Path | None = Field(None, description="a file with that URL in its place")
    deliver_secret: Annotated[SecretStr, AfterValidator(_deliver_secret)] = Field(
        SecretStr(""),
        description="what posts are signed with: `whsec_` and 24 to 64 random bytes in base64; two with a "
        "blank between while one is replaced by the other",
    )
    deliver_secret_file: Path | None = Field(None, description="a file with that secret in its place")
    deliver_ca_file: Path | None = Field(
        None, description="certificates (PEM) that the endpoint's is checked by; none: those of the system"
    )
    deliver_cohort_changes: bool = Field(False, description="post changes of cohort to the endpoint, too")
    deliver_timeout: float = Field(
        15.0, gt=0, le=300, description="seconds for the endpoint to answer, after which it is asked again"
    )
    deliver_retry_hours: float = Field(
        24.0,
        gt=0,
        description="hours for which a page that the endpoint does not take is posted again; then it is a "
        "dead letter",
    )
    deliver_folder: Path | None = Field(
        None,
        description="folder that `refrain deliver` writes a CSV file for each release to; none: no files",
    )

    web_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address that `refrain serve` listens on; one that other machines reach asks for keys "
        "(`refrain key add`)",
    )
    web_port: int = Field(8787, ge=1, le=65_535, description="port that `refrain serve` listens on")
    web_requests_a_minute: int = Field(
        1200, ge=1, description="requests that a key may make in a minute; without keys, an address"
    )

    metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="address that each process answers Prometheus on"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_000,
        description="port that a process answers Prometheus on (`/metrics`); those that `refrain up` starts "
        "have this one and the next ones; 0: none",
    )
    otel_endpoint: Annotated[str, AfterValidator(_http_url)] = Field(
        "",
        description="OTLP endpoint that traces of releases are sent to, such as `http://collector:4318` "
        "(extra `otel`); empty: OTEL_EXPORTER_OTLP_ENDPOINT, and where that is not set, none are made",
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
