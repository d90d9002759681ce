"""What the API says of itself is true: requests made from its OpenAPI document, answers held to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as example_settings
from schemathesis import checks

from stream.settings import Settings
from tests.web.served import PATIENCE, Served, serving

ENDLESS = "/api/v1/live"
SLOW = "/api/v1/doctor"
EXAMPLES = 12


@pytest.fixture
def patient(service: Settings) -> Iterator[Served]:
    """Answers as often as it is asked."""
    with serving(service.model_copy(update={"web_requests_a_minute": 1_000_000})) as served:
        yield served


def _failures(served: Served, operation: Any, examples: int) -> None:
    @example_settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(base_url=served.address, timeout=PATIENCE)
        case.validate_response(
            answer,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    ask()


def test_every_answer_is_one_that_the_document_describes(patient: Served) -> None:
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_url(f"{patient.address}/api/v1/openapi.json", config=config)
    asked = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path != ENDLESS:
            _failures(patient, operation, examples=2 if operation.path == SLOW else EXAMPLES)
            asked.append(operation.path)
    assert len(asked) > 20
