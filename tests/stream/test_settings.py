"""Settings that cannot be used are named, with what is allowed, and without any password."""

from __future__ import annotations

import logging
import re
import traceback
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from models.directions import ACTIVITY
from models.traits.activity import DAYS
from models.traits.weeks import KEPT
from stream.errors import SettingsError
from stream.settings import RECORDED_DAYS, REMEMBERED_DAYS, Settings, load_settings
from stream.wire.connection import connection

OAUTH = {"security_protocol": "sasl_ssl", "sasl_mechanism": "oauthbearer"}
GSSAPI = {"security_protocol": "sasl_ssl", "sasl_mechanism": "gssapi"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("REFRAIN_KAFAK", "REFRAIN_KAFKA"),
        ("REFRAIN_MAX_AUDIENCES", "REFRAIN_MAX_AUDIENCE"),
        ("REFRAIN_HALFLIFE", "REFRAIN_HALF_LIFE_DAYS"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(
    variable: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "SECRET")
    with pytest.raises(
        SettingsError, match=f"{variable} is not a setting; the nearest is {nearest}"
    ) as refused:
        load_settings()
    assert "SECRET" not in str(refused.value)


def test_a_variable_may_be_in_lower_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("refrain_cohorts", "12")
    assert load_settings().cohorts == 12


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_name() -> None:
    Path("refrain.toml").write_text('redis_url = "redis://:SECRET@host"\n')
    with pytest.raises(
        SettingsError, match=r"refrain\.toml: redis_url is not a setting; the nearest is redis\n"
    ) as refused:
        load_settings()
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("told_a_day", 100),
        ("told_a_week", 500),
        ("told_gap_minutes", 90 * 24 * 60),
        ("told_artist_hours", 90 * 24),
    ],
)
def test_a_cap_that_would_ask_for_more_than_is_kept_of_a_listener_is_refused(name: str, most: int) -> None:
    assert getattr(Settings(**{name: most}), name) == most  # type: ignore[arg-type]
    Path("refrain.toml").write_text(f"{name} = {most + 1}\n")
    with pytest.raises(
        SettingsError, match=f"REFRAIN_{name.upper()}={most + 1}: .*less than or equal to {most}"
    ):
        load_settings()


def test_a_file_that_is_not_toml_is_named() -> None:
    Path("refrain.toml").write_text("redis = redis://:SECRET@host\n")
    with pytest.raises(SettingsError, match=r"refrain\.toml is not TOML") as refused:
        load_settings()
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS", "app:SECRET@host:6379"),
        ("REDIS", "redis://app:SEC/RET@host:6379"),
        ("KAFKA", "app:SECRET@host:9092"),
        ("KAFKA", "SASL_SSL://app:SECRET@host:9092"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_its_password(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"REFRAIN_{name}", value)
    with pytest.raises(SettingsError, match=f"REFRAIN_{name}=") as refused:
        load_settings()
    told = "".join(traceback.format_exception(refused.value))
    assert "SEC" not in told


def test_settings_are_printed_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").error("%r %s", *[Settings(redis="redis://app:SECRET@host")] * 2)
    assert "redis://app:***@host" in caplog.text
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("servers", ["", "broker:9092,10.0.0.1:9092", "[::1]:9092"])
def test_kafka_is_one_server_or_several(servers: str) -> None:
    assert Settings(kafka=servers).kafka == servers


@pytest.mark.parametrize("servers", ["broker", "[::1]", "broker:9092,other"])
def test_a_kafka_server_without_a_port_is_refused(servers: str) -> None:
    with pytest.raises(ValidationError, match="host:port"):
        Settings(kafka=servers)


def test_activity_weighs_what_models_without_a_setting_took_it_for() -> None:
    assert Settings().activity == ACTIVITY


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"security_protocol": "sasl_ssl", "username": "u"},
            "needs REFRAIN_KAFKA_USERNAME and REFRAIN_KAFKA_PASS",
        ),
        ({"security_protocol": "ssl", "password": "SECRET"}, "makes no use of REFRAIN_KAFKA_PASSWORD"),
        ({"ca_file": "ca.pem"}, "plaintext makes no use of REFRAIN_KAFKA_CA_FILE"),
        ({"security_protocol": "ssl", "key_file": "k.pem"}, "REFRAIN_KAFKA_CERT_FILE, which is missing"),
        (OAUTH, "needs one of REFRAIN_KAFKA_TOKEN_FILE and REFRAIN_KAFKA_TOKEN_URL"),
        (OAUTH | {"token_file": "t", "token_url": "https://t"}, "needs one of REFRAIN_KAFKA_TOKEN_FILE"),
        (OAUTH | {"token_url": "https://t", "username": "u"}, "needs REFRAIN_KAFKA_USERNAME and"),
        ({"token_file": "t"}, "plaintext makes no use of REFRAIN_KAFKA_TOKEN_FILE"),
        (GSSAPI | {"password": "SECRET"}, "sasl_ssl by gssapi makes no use of REFRAIN_KAFKA_PASSWORD"),
        (OAUTH | {"token_url": "https://u:SECRET@t"}, "no user, no password"),
    ],
    ids=[
        "no password",
        "no use of a password",
        "no use of a certificate",
        "a key alone",
        "no token",
        "two tokens",
        "no secret for a token",
        "no use of a token",
        "no use of a password for a ticket",
        "no URL of a token",
    ],
)
def test_settings_of_kafka_that_do_not_go_together_are_refused(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"REFRAIN_KAFKA_{name.upper()}", value)
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    assert "SECRET" not in str(refused.value)


def test_security_without_a_broker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_KAFKA_SECURITY_PROTOCOL", "ssl")
    with pytest.raises(SettingsError, match="needs REFRAIN_KAFKA:"):
        load_settings()


def test_what_settings_take_to_be_on_record_is_as_long_as_it_is() -> None:
    assert (RECORDED_DAYS, REMEMBERED_DAYS) == (DAYS, 7 * KEPT)


def test_returns_longer_ago_than_what_is_on_record_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_RETURNED_DAYS", "46")
    assert load_settings().returned_days == 46
    monkeypatch.setenv("REFRAIN_STAGE_DORMANT_DAYS", "15")
    with pytest.raises(SettingsError, match="REFRAIN_STAGE_DORMANT_DAYS are more than 60 in all"):
        load_settings()


def test_to_erase_who_did_something_in_the_last_thirteen_weeks_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REFRAIN_FORGET_DORMANT_DAYS", "90")
    with pytest.raises(SettingsError, match=r"REFRAIN_FORGET_DORMANT_DAYS=.* or from 91 on"):
        load_settings()
    for days in (91, 0):
        monkeypatch.setenv("REFRAIN_FORGET_DORMANT_DAYS", str(days))
        assert load_settings().forget_dormant_days == days


def test_another_process_has_the_same_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        kafka="k:9092",
        kafka_security_protocol="sasl_ssl",
        kafka_username="u",
        kafka_password=SecretStr("a b=c"),
        kafka_ca_file=Path("ca.pem"),
        cohorts="auto",
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_a_password_and_the_url_of_redis_may_stand_in_files_and_go_to_no_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("password").write_text("HIDDEN of Kafka \n")
    Path("redis").write_text("redis://:HIDDEN@db\n")
    for name, value in {
        "KAFKA": "k:9092",
        "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
        "KAFKA_USERNAME": "u",
    }.items():
        monkeypatch.setenv(f"REFRAIN_{name}", value)
    monkeypatch.setenv("REFRAIN_KAFKA_PASSWORD_FILE", "password")
    monkeypatch.setenv("REFRAIN_REDIS_FILE", "redis")
    settings = load_settings()
    assert settings.kafka_password.get_secret_value() == "HIDDEN of Kafka "
    assert settings.redis == "redis://:HIDDEN@db"
    assert "HIDDEN" not in repr(settings) + str(settings.as_environment())


def deliver(**settings: object) -> Settings:
    return Settings(**{f"deliver_{name}": value for name, value in settings.items()})


WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_url_and_the_secret_of_deliveries_are_shown_by_nothing() -> None:
    settings = deliver(url="https://h/HIDDEN", secret=WHSEC)
    assert "HIDDEN" not in repr(settings)
    assert WHSEC[6:] not in repr(settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://elsewhere/HIDDEN"}, "https://host/path"),
        ({"url": "https://u:HIDDEN@h/"}, "no user, no password"),
        ({"url": "https://h/HIDDEN"}, "needs REFRAIN_DELIVER_SECRET"),
        ({"url": "https://h/", "secret": "whsec_HIDDEN"}, "openssl rand"),
        ({"secret": WHSEC}, "REFRAIN_DELIVER_SECRET is of no use without REFRAIN_DELIVER_URL"),
        ({"cohort_changes": "true"}, "REFRAIN_DELIVER_COHORT_CHANGES is of no use"),
    ],
)
def test_deliveries_that_cannot_be_are_refused_without_what_is_secret(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"REFRAIN_DELIVER_{name.upper()}", value)
    with pytest.raises(SettingsError, match=re.escape(said)) as refused:
        load_settings()
    assert "HIDDEN" not in str(refused.value)
    assert WHSEC[6:] not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/x", "http://127.0.0.1/", "http://[::1]:1", "https://h"]
)
def test_posts_to_this_machine_may_be_in_plaintext(url: str) -> None:
    assert deliver(url=url, secret=WHSEC).deliver_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read: No such file"), ("", "is empty"), ("SECRET", "set one of them")],
    ids=["no file", "an empty one", "a password beside it"],
)
def test_a_file_in_place_of_a_password_that_cannot_be_used_is_named(
    text: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        Path("password").write_text(text)
    monkeypatch.setenv("REFRAIN_KAFKA_PASSWORD_FILE", "password")
    monkeypatch.setenv("REFRAIN_KAFKA_PASSWORD", "ANOTHER SECRET")
    with pytest.raises(SettingsError, match=f"REFRAIN_KAFKA_PASSWORD_FILE=password.*{said}") as refused:
        load_settings()
    assert "SECRET" not in str(refused.value)


def test_kerberos_without_its_package_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.wire.connection.find_spec", lambda _: None)
    settings = Settings(kafka="k:9092", **{f"kafka_{name}": value for name, value in GSSAPI.items()})
    with pytest.raises(SettingsError, match=r"(?s)needs the package gssapi.*refrain-cohorts\[gssapi\]"):
        connection(settings)


def test_a_file_that_holds_no_certificate_is_named() -> None:
    Path("ca.pem").write_text("nothing")
    settings = Settings(kafka="k:9092", kafka_security_protocol="ssl", kafka_ca_file=Path("ca.pem"))
    with pytest.raises(SettingsError, match=r"REFRAIN_KAFKA_CA_FILE: ca\.pem cannot be used"):
        connection(settings)
