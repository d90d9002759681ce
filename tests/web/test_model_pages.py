"""The page of models and their quality."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from models.ctr import CtrModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.api_keys import Role
from stream.stores.ctr_models import CtrModels
from stream.stores.heartbeats import Heartbeat
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweeps
from tests.apart import WithRedis
from tests.cli.service import NOW, model_of
from tests.web.served import Served, key_of, serving

FIGURES = {
    "auc_cohort": 0.8, "lift_cohort": 4.2, "auc_listener": 0.9, "lift_listener": 6.3, "discoveries": 1500
}  # fmt: skip
OF_CLICKS = {
    "examples": 900.0,
    "ctr": 0.11,
    "predicted_ctr": 0.13,
    "log_loss": 0.3,
    "log_loss_of_ctr": 0.4,
    "auc": 0.71,
    "calibration_error": 0.02,
}


def text(served: Served, path: str = "/models") -> str:
    answer = served.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def publish(version: int) -> Callable[[AnyRedis], Awaitable[None]]:
    model = replace(model_of(version, NOW + version), validation=FIGURES)
    return lambda redis: Snapshots(redis).publish(model)


def trainer(**gauges: float) -> Callable[[AnyRedis], Awaitable[None]]:
    async def beat(redis: AnyRedis) -> None:
        leads = {"leads": 1, "sample": 300.0, "up_to_date": 1}
        heartbeat = Heartbeat(redis, "train", {"drifts": 1}, {**leads, **gauges})
        await heartbeat.beat(time.time())
        await redis.persist(keys.process(heartbeat.name))

    return beat


async def publish_of_clicks(redis: AnyRedis) -> None:
    for version in (1, 2):
        model = CtrModel(version, NOW, validation=OF_CLICKS)
        await CtrModels(redis).publish(model)


def use(served: Served, **form: str) -> int:
    return served.post("/models/use", data=form).status_code


def serves(served: Served) -> tuple[int, int | None]:
    found = served.get("/api/v1/models").json()
    return next(model["version"] for model in found["models"] if model["serves"]), found["pinned"]


def test_before_a_model_the_page_says_what_is_missing(settings: Settings) -> None:
    with serving(settings) as served:
        assert "so far 0 have" in text(served)


def test_lift_and_auc_are_drawn_over_versions(served: Served, with_redis: WithRedis) -> None:
    with_redis(publish(5))
    page = text(served)
    figures = re.findall(r'<figure[^>]*data-chart="line".*?</figure>', page, re.DOTALL)
    assert 'data-value="6.3"' in figures[0]
    assert 'data-value="0.9"' in figures[1]


def test_an_earlier_model_serves_when_it_is_rolled_back_to(served: Served, with_redis: WithRedis) -> None:
    with_redis(publish(5))
    assert serves(served) == (5, None)
    assert use(served, version="4") == 303
    assert serves(served) == (4, None)


def test_a_model_is_pinned_and_unpinned(served: Served, with_redis: WithRedis) -> None:
    with_redis(publish(5))
    assert use(served, version="4", pin="true") == 303
    assert serves(served) == (4, 4)
    assert "Model 4 is pinned" in text(served)
    assert use(served) == 303
    assert serves(served) == (5, None)


def test_it_is_asked_before_a_model_is_rolled_back_to(served: Served, with_redis: WithRedis) -> None:
    with_redis(publish(5))
    page = text(served)
    assert re.search(r'<button type="button" data-dialog="use-4">Roll back</button>', page)
    (dialog,) = re.findall(r'<dialog id="use-4".*?</dialog>', page, re.DOTALL)
    assert 'name="version" value="4"' in dialog
    assert "data-close" in dialog


@pytest.mark.parametrize("role", [Role.LOOK, Role.PUBLISH])
def test_who_may_not_use_a_model_sees_no_button_for_it(
    role: Role, served: Served, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    with_redis(publish_of_clicks)
    looking = Served(served.address, served.settings, key_of(served.settings, role))
    assert "data-dialog" not in text(looking)
    assert use(looking, version="4") == 403
    assert looking.post("/models/clicks/use", data={"version": "1"}).status_code == 403
    assert serves(looking) == (5, None)


def test_a_page_of_another_site_changes_no_model(served: Served) -> None:
    answer = served.post("/models/use", data={"version": "4"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_a_model_that_is_not_kept_is_named(served: Served) -> None:
    answer = served.post("/models/use", data={"version": "99"}, headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "there is no snapshot 99" in answer.text


def test_a_drift_that_the_trainer_saw_lately_is_said(served: Served, with_redis: WithRedis) -> None:
    assert "No trainer runs" in text(served)
    with_redis(trainer())
    assert "Listening drifts away" not in text(served)
    with_redis(trainer(drifted=time.time() - 60))
    assert "Listening drifts away" in text(served)
    found = served.get("/api/v1/training").json()
    assert (found["listeners"], found["drifts"], found["foresight"]) == (300, 1, {})


def test_the_trainer_is_the_one_that_leads_not_one_that_did(served: Served, with_redis: WithRedis) -> None:
    async def led(redis: AnyRedis) -> None:
        said = {"kind": "train", "at": NOW, "leads": 0, "sample": 9.0, "up_to_date": 1}
        await redis.hset(keys.process("train-1"), mapping=said)
        await redis.zadd(keys.PROCESSES, {"train-1": time.time() - 1})

    with_redis(led)
    assert served.get("/api/v1/training").json() is None
    with_redis(trainer())
    assert served.get("/api/v1/training").json()["listeners"] == 300


def test_the_sweep_is_followed_until_it_is_done(served: Served, with_redis: WithRedis) -> None:
    async def under_way(redis: AnyRedis) -> None:
        await Sweeps(redis).begin(4, 7, NOW)
        await Sweeps(redis).add(3)

    with_redis(under_way)
    assert "3 of 7 listeners are migrated to model 4" in text(served)
    assert 'hx-trigger="every 2s"' in text(served, "/models/sweep")
    with_redis(lambda redis: Sweeps(redis).end(4))
    assert "hx-trigger" not in text(served, "/models/sweep")
    assert "All 7 listeners are migrated to model 4" in text(served)


def test_predicted_and_found_ctr_are_drawn_side_by_side(served: Served, with_redis: WithRedis) -> None:
    with_redis(publish_of_clicks)
    page = text(served)
    (drawn,) = re.findall(r"<figure[^>]*>(?:(?!</figure>).)*Calibration.*?</figure>", page, re.DOTALL)
    assert 'data-value="0.13">13.0 %' in drawn
    assert 'data-value="0.11">11.0 %' in drawn


def test_another_model_of_who_clicks_ranks_when_asked_for(served: Served, with_redis: WithRedis) -> None:
    with_redis(publish_of_clicks)
    assert served.post("/models/clicks/use", data={"version": "1"}).status_code == 303
    assert [each["serves"] for each in served.get("/api/v1/ctr-models").json()] == [False, True]
    assert served.post("/models/clicks/use", data={"version": "0"}).status_code == 303
    assert "audiences are ranked by taste alone" in text(served)


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_model_of_who_clicks_that_cannot_be_read_leaves_the_page_and_the_way_out(
    damaged: int, served: Served, with_redis: WithRedis
) -> None:
    with_redis(publish_of_clicks)
    with_redis(lambda redis: redis.hset(keys.CTR_MODELS, str(damaged), b"?!"))
    page = text(served)
    assert f"CTR model {damaged} cannot be read" in page
    assert f'data-dialog="clicks-{damaged}"' not in page
    assert f'id="clicks-{damaged}"' not in page
    assert 'data-dialog="clicks-0"' in page
    answer = served.ask("PUT", "/api/v1/ctr-models/serving", json={"version": 0})
    assert answer.status_code == 200
    assert [each["version"] for each in answer.json() if each["unusable"]] == [damaged]
    assert [each["serves"] for each in answer.json()] == [False, False]


def test_how_well_churn_is_predicted_is_said(served: Served, with_redis: WithRedis) -> None:
    assert "Nothing is learned of churn yet" in text(served)
    figures = {
        "version": 3, "made_at": NOW, "learned": 20_000, "history": 30, "outcome": 14, "examples": 900,
        "churned": 300, "foresight": "{}",
    }  # fmt: skip
    with_redis(lambda redis: redis.hset(keys.CHURN_MODEL, mapping=figures))
    assert "900 examples, 33.3 % of them churned" in text(served)
